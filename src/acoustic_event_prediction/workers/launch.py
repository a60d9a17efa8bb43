"""The only module that starts processes: torchrun, which never outlives its parent."""

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from acoustic_event_prediction.errors import WorkerError
from acoustic_event_prediction.params import LauncherParams
from acoustic_event_prediction.workers.channel import ChannelReader, Message
from acoustic_event_prediction.workers.runtime import LAUNCHER_PID, Job

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1
_SHOWN_LINES = 30
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def count_processes(launcher: LauncherParams) -> int:
    """Return the number of processes on this node: one per GPU, or one without GPUs, if `auto`."""
    if launcher.nproc_per_node == "auto":
        return max(1, torch.cuda.device_count())
    return launcher.nproc_per_node


def run_workers(
    module: str,
    job: Job,
    launcher: LauncherParams,
    *,
    on_message: Callable[[Message], None],
) -> None:
    """Run `module` on every rank under torchrun and wait for it.

    Args:
        module: dotted name of a worker module; it gets `--job <file>`.
        job: written as JSON for the workers; holds all that they need to know.
        launcher: number of processes and nodes, rendezvous, silence limit.
        on_message: called in this process with each message of a worker but `error` and `done`.

    Raises:
        WorkerError: a rank failed, was killed, or stayed silent for `launcher.timeout_seconds`.
    """
    with tempfile.TemporaryDirectory(prefix="acoustic-event-prediction-") as name:
        directory = Path(name)
        job_file = directory / "job.json"
        job_file.write_text(job.model_dump_json(), encoding="utf-8")
        command = _torchrun_command(module, job_file, launcher)
        logger.debug("starting %s", command)
        watcher = _Watcher(ChannelReader(directory), launcher.timeout_seconds, on_message)
        # torchrun's own account of a failure is long; it is shown when the workers leave none.
        output = directory / "torchrun.log"
        with _child(command, _environment(launcher), output) as child:
            while child.poll() is None:
                time.sleep(_POLL_SECONDS)
                watcher.listen()
        watcher.listen()
        if watcher.errors or child.returncode:
            text = _failure_text(command, child.returncode, watcher.errors, output)
            raise WorkerError(text)


class _Watcher:
    """Passes messages on, collects errors, and notices when all ranks have fallen silent."""

    def __init__(
        self, reader: ChannelReader, timeout_seconds: float, on_message: Callable[[Message], None]
    ) -> None:
        self._reader = reader
        self._timeout_seconds = timeout_seconds
        self._on_message = on_message
        self._last_heard = time.monotonic()
        self.errors: list[Message] = []

    def listen(self) -> None:
        messages = self._reader.poll()
        if messages:
            self._last_heard = time.monotonic()
        for message in messages:
            if message["kind"] == "error":
                self.errors.append(message)
            elif message["kind"] != "done":
                self._on_message(message)
        if time.monotonic() - self._last_heard > self._timeout_seconds:
            raise WorkerError(
                f"no worker reported anything for launcher.timeout_seconds="
                f"{self._timeout_seconds:g}; the workers were ended. Finished partitions are kept: "
                "run again, with a larger launcher.timeout_seconds if one step takes that long."
            )


def _torchrun_command(module: str, job_file: Path, launcher: LauncherParams) -> list[str]:
    if launcher.nnodes > 1:
        rendezvous = [
            f"--nnodes={launcher.nnodes}",
            f"--node-rank={launcher.node_rank}",
            "--rdzv-backend=c10d",
            f"--rdzv-endpoint={launcher.rdzv_endpoint}",
        ]
    else:
        rendezvous = ["--standalone"]
    return [
        *[sys.executable, "-m", "torch.distributed.run", *rendezvous],
        *[f"--nproc-per-node={count_processes(launcher)}", "--max-restarts=0"],
        *["-m", module, "--job", str(job_file)],
    ]


def _environment(launcher: LauncherParams) -> dict[str, str]:
    environment = dict(os.environ)
    threads = max(1, len(os.sched_getaffinity(0)) // count_processes(launcher))
    environment.setdefault("OMP_NUM_THREADS", str(threads))
    environment[LAUNCHER_PID] = str(os.getpid())
    environment.update(DO_NOT_TRACK="1", PYTHONUNBUFFERED="1", TORCH_CPP_LOG_LEVEL="ERROR")
    if not torch.cuda.is_available():
        # On CPUs torch.compile of moshi's norm costs 40 times what it saves.
        environment["NO_TORCH_COMPILE"] = "1"
    return environment


def _end_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextlib.contextmanager
def _child(
    command: list[str], environment: dict[str, str], output: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the torchrun agent; whatever ends this block, nothing of it is left running."""
    with _sigterm_as_exit(), output.open("wb") as log:
        child = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  (one prctl call; libc is loaded before)
        )
        try:
            yield child
        finally:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@contextlib.contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, so that the workers are ended on the way out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(signum: int, _frame: object) -> None:
        sys.exit(128 + signum)

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _failure_text(command: list[str], returncode: int, errors: list[Message], output: Path) -> str:
    """Say what failed: the workers' own words, else what torchrun and they have printed last."""
    if not errors:
        printed = output.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(
            [
                f"the workers ended with exit status {returncode} and left no message: killed from "
                "outside (out of memory?) or unable to start. Finished partitions are kept.",
                f"command: {' '.join(command)}",
                *printed[-_SHOWN_LINES:],
            ]
        )
    by_text: dict[str, list[int]] = {}
    for error in errors:
        # A message for the user comes alone; any other error with the place where it happened.
        text = "\n".join(filter(None, [error["error"], error["traceback"]]))
        by_text.setdefault(text, []).append(error["rank"])
    return "\n".join(
        f"rank {', '.join(map(str, ranks))}: {text.rstrip()}" for text, ranks in by_text.items()
    )
