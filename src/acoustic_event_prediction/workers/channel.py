"""One-way messages from workers to the launcher: one JSON line each, in one file per rank.

A file survives a kill -9 of its writer, needs no port and works across the nodes of a shared file
system. Ranks only append; the launcher only reads whole lines.
"""

import json
from pathlib import Path
from typing import Any

Message = dict[str, Any]


class ChannelWriter:
    """The sending end, owned by one rank."""

    def __init__(self, directory: Path, rank: int) -> None:
        self._file = (directory / f"rank_{rank}.jsonl").open("a", encoding="utf-8", buffering=1)
        self._rank = rank

    def send(self, kind: str, **fields: Any) -> None:
        """Append one message; `kind` is `progress`, `failure`, `log`, `error` or `done`."""
        self._file.write(json.dumps({"kind": kind, "rank": self._rank, **fields}) + "\n")


class ChannelReader:
    """The receiving end: gives every message once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._positions: dict[Path, int] = {}

    def poll(self) -> list[Message]:
        """Return the messages that arrived since the last call, each rank's in order."""
        messages = []
        for path in sorted(self._directory.glob("rank_*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._positions.get(path, 0))
                arrived = file.read()
            complete = arrived.rfind(b"\n") + 1
            self._positions[path] = self._positions.get(path, 0) + complete
            messages += [json.loads(line) for line in arrived[:complete].splitlines()]
        return messages
