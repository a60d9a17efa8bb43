"""What the launcher hears of the workers, on this node and on the others."""

import time
from collections.abc import Callable
from pathlib import Path

from acoustic_event_prediction.errors import WorkerError
from acoustic_event_prediction.params import LauncherParams
from acoustic_event_prediction.workers.channel import ChannelReader, Message

# After a first error, other ranks may have something to say about it.
_LAST_WORDS_SECONDS = 3.0
_SHOWN_LINES = 30
_SUMMARY_LINES = 12


class Watcher:
    """Passes messages on, collects errors, and notices when all ranks have fallen silent.

    Args:
        directory: this node's job directory.
        launcher: number of nodes and silence limit.
        on_message: gets what is meant for the node of the pipeline.

    Attributes:
        shared: the directory where all nodes write, once it is known.
        left: the nodes whose launchers need it no longer.
    """

    def __init__(
        self, directory: Path, launcher: LauncherParams, on_message: Callable[[Message], None]
    ) -> None:
        self._reader = ChannelReader(directory)
        self._launcher = launcher
        self._on_message = on_message
        self._last_heard = time.monotonic()
        self._errors: list[Message] = []
        self._ended: list[Message] = []  # ranks of other nodes
        self._first_error = float("inf")
        self.shared: Path | None = None
        self.left: set[int] = set()

    @property
    def errors(self) -> list[Message]:
        """The causes of a failure; that another node's rank was ended only if there is no other."""
        return self._errors or self._ended

    @property
    def is_over(self) -> bool:
        """True when a rank or node has failed, and the others have had time to say why."""
        return time.monotonic() - self._first_error > _LAST_WORDS_SECONDS

    def listen(self) -> None:
        """Take the messages that have arrived.

        Raises:
            WorkerError: no rank has reported anything for too long, or node 0 has gone.
        """
        if self.hear():
            self._last_heard = time.monotonic()
        if self._reader.is_cut_off and not self.errors:
            raise WorkerError(
                "node 0 has removed the job before this node had ended; its own run says how it "
                "went. What is finished is kept: run again."
            )
        timeout_seconds = self._launcher.timeout_seconds
        # The nodes may need as long to find each other as later to say something.
        patience = 2 if self.is_alone else 1
        if time.monotonic() - self._last_heard > patience * timeout_seconds:
            raise WorkerError(
                self._nobody_met()
                if self.is_alone
                else f"no worker reported anything for launcher.timeout_seconds="
                f"{timeout_seconds:g}; the workers were ended. What is finished is kept: "
                "run again, with a larger launcher.timeout_seconds if one step takes that long."
            )

    def hear(self) -> bool:
        """Take the messages that have arrived; return whether there were any."""
        messages = self._reader.poll()
        for message in messages:
            self._take(message)
        return bool(messages)

    def _take(self, message: Message) -> None:
        match message["kind"]:
            case "met":
                self.shared = Path(message["directory"])
                self._reader.follow(self.shared)
            case "error":
                self._add_error(self._errors, message)
            case "ended" if message["node"] != self._launcher.node_rank:
                # Its launcher has been killed, or ends its workers because of an error.
                self.left.add(message["node"])
                self._add_error(self._ended, message)
            case "left":
                self.left.add(message["node"])
            case "progress" | "failure" | "stored" | "result" | "log":
                self._on_message(message)

    def _add_error(self, errors: list[Message], message: Message) -> None:
        errors.append(message)
        self._first_error = min(self._first_error, time.monotonic())

    @property
    def is_alone(self) -> bool:
        """True as long as several nodes are to share the job and have not met."""
        return self._launcher.nnodes > 1 and self.shared is None

    def failure_text(self, command: list[str], returncode: int, output: Path) -> str:
        """Say what failed: the workers' own words, else what torchrun and they printed last."""
        if self.errors:
            return _own_words(self.errors)
        text = (
            self._nobody_met()
            if self.is_alone
            else f"the workers ended with exit status {returncode} and left no message: killed "
            "from outside (out of memory?) or unable to start. What is finished is kept."
        )
        printed = output.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([text, f"command: {' '.join(command)}", *_last_words(printed)])

    def _nobody_met(self) -> str:
        launcher = self._launcher
        return (
            f"node {launcher.node_rank} of {launcher.nnodes} and the others did not meet at "
            f"launcher.rdzv_endpoint={launcher.rdzv_endpoint} within launcher.timeout_seconds="
            f"{launcher.timeout_seconds:g}. Start the same command on all nodes, only "
            "launcher.node_rank differs (0 on the host of the endpoint, whose port must be free "
            "and open to the others). If node 0 has ended without an error, it had nothing to do."
        )


def _last_words(printed: list[str]) -> list[str]:
    """Return what the workers printed last, and torchrun's summary, without its own traceback.

    A worker that the system or a library ends has said why before torchrun says that it is gone.
    """
    is_torchrun = [line.startswith("Traceback ") for line in printed]
    start = max((i for i, is_start in enumerate(is_torchrun) if is_start), default=len(printed))
    is_its_own = any("torch/distributed/run.py" in line for line in printed[start:])
    start = start if is_its_own else len(printed)
    return [*printed[:start][-_SHOWN_LINES:], *printed[start:][-_SUMMARY_LINES:]]


def _own_words(errors: list[Message]) -> str:
    """Return each text once, with all who sent it."""
    by_text: dict[str, list[str]] = {}
    for error in errors:
        # A message for the user comes alone; any other error with the place where it happened.
        text = "\n".join(filter(None, [error["error"], error.get("traceback")]))
        by_text.setdefault(text, []).append(
            f"rank {error['rank']}" if "rank" in error else f"node {error['node']}"
        )
    return "\n".join(f"{_together(who)}: {text.rstrip()}" for text, who in by_text.items())


def _together(who: list[str]) -> str:
    """Return e.g. `rank 0, 1` for `rank 0` and `rank 1`."""
    first, *others = who
    kind = first.split()[0]
    return ", ".join([first, *(other.removeprefix(f"{kind} ") for other in others)])
