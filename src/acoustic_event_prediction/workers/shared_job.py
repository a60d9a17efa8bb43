"""The folder of a job; of one that several nodes share, on their shared file system."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from acoustic_event_prediction.errors import WorkerError
from acoustic_event_prediction.params import LauncherParams
from acoustic_event_prediction.workers.channel import ChannelWriter
from acoustic_event_prediction.workers.watcher import Watcher

_PREFIX = ".job-"
_POLL_SECONDS = 0.1
# For the other nodes to hear how it went and to end their workers.
_PARTING_SECONDS = 40.0


@contextlib.contextmanager
def job_directory(launcher: LauncherParams, shared_folder: Path | None) -> Iterator[Path]:
    """Yield an empty folder for the job file and the messages; it is removed afterwards.

    Args:
        launcher: number and rank of the nodes.
        shared_folder: node 0 of several puts it there. What killed runs have left behind is removed
            from there, so the caller must hold the lock of what the job writes.

    Raises:
        WorkerError: there are several nodes, and nowhere to share a job.
    """
    if launcher.nnodes > 1 and shared_folder is None:
        raise WorkerError("this step can't be shared by nodes; run it with launcher.nnodes=1")
    if shared_folder is None or launcher.nnodes == 1 or not launcher.is_main_node:
        with tempfile.TemporaryDirectory(prefix="acoustic-event-prediction-") as name:
            yield Path(name)
        return
    for leftover in shared_folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=shared_folder.absolute()))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def parting(launcher: LauncherParams, watcher: Watcher) -> Iterator[None]:
    """Tell the other nodes when this one leaves, and why if they don't know.

    Node 0, whose folder they read, waits until they have left as well.
    """
    try:
        yield
    except BaseException as error:
        if watcher.shared is not None and not watcher.errors:
            _tell(launcher, watcher.shared, "error", error=_reason(error))
        raise
    finally:
        if watcher.shared is not None:
            _tell(launcher, watcher.shared, "left")
            if launcher.is_main_node:
                _wait_for_nodes(launcher, watcher)


def _tell(launcher: LauncherParams, directory: Path, kind: str, **fields: str) -> None:
    # Node 0's folder may be gone, or its file system: then there is nobody to tell.
    with contextlib.suppress(OSError):
        writer = ChannelWriter(directory, launcher.node_rank, sender="node")
        writer.send(kind, **fields)
        writer.close()


def _reason(error: BaseException) -> str:
    if isinstance(error, WorkerError):
        return str(error).splitlines()[0]
    return f"its run was ended by {type(error).__name__}"


def _wait_for_nodes(launcher: LauncherParams, watcher: Watcher) -> None:
    deadline = time.monotonic() + _PARTING_SECONDS
    while len(watcher.left) < launcher.nnodes and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        watcher.hear()
