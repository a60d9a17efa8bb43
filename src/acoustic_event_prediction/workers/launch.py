"""The only module that starts processes: torchrun, which never outlives its parent."""

import contextlib
import ctypes
import logging
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from acoustic_event_prediction.errors import WorkerError
from acoustic_event_prediction.params import LauncherParams
from acoustic_event_prediction.workers.channel import Message
from acoustic_event_prediction.workers.runtime import JOB_FILE, LAUNCHER_PID, Job
from acoustic_event_prediction.workers.shared_job import job_directory, parting
from acoustic_event_prediction.workers.watcher import Watcher

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1
_KEPT_BYTES = 4 * 1024**3
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
    shared_folder: Path | None = None,
) -> None:
    """Run `module` on every rank under torchrun and wait for it.

    Of several nodes each calls this for itself. Node 0's job is the one that is done; all hear all
    ranks, and end together.

    Args:
        module: dotted name of a worker module; it gets `--job <file>`.
        job: written as JSON for the workers; holds all that they need to know.
        launcher: number of processes and nodes, rendezvous, silence limit.
        on_message: called in this process with `progress`, `failure` and `log` of all ranks.
        shared_folder: where node 0 of several puts the job, on a file system that all nodes see;
            locked by the caller. Without it the job runs on one node only.

    Raises:
        WorkerError: a rank or node failed or was killed, the nodes did not meet, or all ranks were
            silent for `launcher.timeout_seconds`.
    """
    with job_directory(launcher, shared_folder) as directory:
        job_file = directory / JOB_FILE
        job_file.write_text(job.model_dump_json(), encoding="utf-8")
        command = _torchrun_command(module, job_file, launcher)
        logger.debug("starting %s", command)
        watcher = Watcher(directory, launcher, on_message)
        # torchrun's own account of a failure is long; it is shown when the workers leave none.
        output = directory / "torchrun.log"
        with parting(launcher, watcher):
            with _child(command, worker_environment(launcher), output) as child:
                while child.poll() is None and not watcher.is_over:
                    time.sleep(_POLL_SECONDS)
                    watcher.listen()
            watcher.listen()
            if watcher.errors or child.returncode:
                raise WorkerError(watcher.failure_text(command, child.returncode, output))


def _torchrun_command(module: str, job_file: Path, launcher: LauncherParams) -> list[str]:
    if launcher.nnodes > 1:
        # Not c10d, which numbers the nodes by host name and process id, whatever their node rank,
        # and tells the workers to find rank 0 by that name, which other nodes may not know.
        rendezvous = [
            f"--nnodes={launcher.nnodes}",
            f"--node-rank={launcher.node_rank}",
            "--rdzv-backend=static",
            f"--rdzv-endpoint={launcher.rdzv_endpoint}",
            f"--rdzv-conf=timeout={math.ceil(launcher.timeout_seconds)}",
        ]
    else:
        rendezvous = ["--standalone"]
    return [
        *[sys.executable, "-m", "torch.distributed.run", *rendezvous],
        *[f"--nproc-per-node={count_processes(launcher)}", "--max-restarts=0"],
        *["-m", module, "--job", str(job_file)],
        *["--timeout-seconds", str(launcher.timeout_seconds)],
    ]


def worker_environment(launcher: LauncherParams) -> dict[str, str]:
    """Return the environment variables of the workers: ours, with what makes them fast."""
    environment = dict(os.environ)
    threads = max(1, len(os.sched_getaffinity(0)) // count_processes(launcher))
    environment.setdefault("OMP_NUM_THREADS", str(threads))
    # glibc gives large tensors back to the system at once, and clearing their pages anew for every
    # block costs Mimi more than half of its time on a CPU (docs/performance.md).
    environment.setdefault("MALLOC_MMAP_THRESHOLD_", str(_KEPT_BYTES))
    environment.setdefault("MALLOC_TRIM_THRESHOLD_", str(_KEPT_BYTES))
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
