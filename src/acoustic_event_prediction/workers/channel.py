"""One-way messages to the launchers: one JSON line each, in one file per sender.

A file survives a kill -9 of its writer, needs no port and works across the nodes of a shared file
system. Senders only append; readers only read whole lines.
"""

import contextlib
import json
import threading
from pathlib import Path
from typing import Any, Literal

Message = dict[str, Any]
Sender = Literal["rank", "node"]


class ChannelWriter:
    """The sending end, owned by one rank, or by the launcher of one of several nodes.

    Args:
        directory: where the launchers look for messages.
        number: of the sender, among its kind.
        sender: a rank, or a node's launcher.
    """

    def __init__(self, directory: Path, number: int, *, sender: Sender = "rank") -> None:
        self._sender: Sender = sender
        self._number = number
        self._lock = threading.Lock()
        self._open(directory)

    def _open(self, directory: Path) -> None:
        path = directory / f"{self._sender}_{self._number}.jsonl"
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def send(self, kind: str, **fields: Any) -> None:
        """Append one message; threads may send side by side.

        A rank sends `progress`, `failure`, `stored`, `result`, `log`, `error` and `done`; when
        nodes share a job also `met` and `ended`. A launcher sends `error` and `left`.
        """
        message = {"kind": kind, self._sender: self._number, **fields}
        with self._lock:
            self._file.write(json.dumps(message) + "\n")

    def move_to(self, directory: Path) -> None:
        """Send a last message, `met`, that says where all others are to be found."""
        self.send("met", directory=str(directory))
        self.close()
        self._open(directory)

    def close(self) -> None:
        """Close the file; a rank's is open until its process ends."""
        self._file.close()


class ChannelReader:
    """The receiving end: gives every message once."""

    def __init__(self, directory: Path) -> None:
        self._directories = [directory]
        self._positions: dict[Path, int] = {}

    def follow(self, directory: Path) -> None:
        """Read the messages in another directory as well."""
        if directory not in self._directories:
            self._directories.append(directory)

    @property
    def is_cut_off(self) -> bool:
        """True if a directory is gone, and messages with it that may not have been read."""
        return not all(directory.is_dir() for directory in self._directories)

    def poll(self) -> list[Message]:
        """Return the messages that arrived since the last call, each sender's in order."""
        messages = []
        for directory in self._directories:
            # Another node may remove its directory meanwhile, and a shared file system may fail for
            # a moment: what was not read now is read by the next call.
            with contextlib.suppress(OSError):
                for path in sorted(directory.glob("*_*.jsonl")):
                    messages += self._read(path)
        return messages

    def _read(self, path: Path) -> list[Message]:
        with path.open("rb") as file:
            file.seek(self._positions.get(path, 0))
            arrived = file.read()
        complete = arrived.rfind(b"\n") + 1
        self._positions[path] = self._positions.get(path, 0) + complete
        return [json.loads(line) for line in arrived[:complete].splitlines()]
