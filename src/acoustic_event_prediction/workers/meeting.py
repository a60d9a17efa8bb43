"""Ranks of several nodes that share one job: they find node 0's folder, and leave together."""

import os
import time
from datetime import timedelta
from pathlib import Path

from torch.distributed import DistError
from torch.distributed.rendezvous import rendezvous

from acoustic_event_prediction.errors import WorkerError
from acoustic_event_prediction.workers.channel import ChannelReader

_POLL_SECONDS = 0.5
_KEY = "acoustic_event_prediction/job_directory"


def is_shared() -> bool:
    """Return whether the ranks of this job run on several nodes."""
    return int(os.environ["GROUP_WORLD_SIZE"]) > 1


def meet(directory: Path, timeout_seconds: float) -> Path:
    """Return the job directory of node 0.

    Rank 0 names it in the store of torchrun's own rendezvous, which is made anew for each run, so
    that nobody takes up the job of an earlier one.

    Args:
        directory: this node's own job directory.
        timeout_seconds: after which rank 0 is given up.

    Raises:
        WorkerError: rank 0 has not answered, or node 0's directory is not there on this node.
    """
    timeout = timedelta(seconds=timeout_seconds)
    try:
        store, rank, _ = next(rendezvous("env://", timeout=timeout))
        if rank == 0:
            store.set(_KEY, str(directory))
            return directory
        shared = Path(store.get(_KEY).decode())
    except DistError as error:
        raise WorkerError(
            f"this node has joined, but rank 0 of node 0 has not named its job within "
            f"launcher.timeout_seconds={timeout_seconds:g} ({error}); see what node 0 says"
        ) from error
    if not shared.is_dir():
        raise WorkerError(
            f"the job of node 0 is in {shared}, which is not there on this node: data_root must be "
            "the same folder of a shared file system, under the same path, on all nodes"
        )
    return shared


def wait_for_all_ranks(directory: Path, world_size: int, timeout_seconds: float) -> None:
    """Stay until every rank is done: a node that ended early would be missed by the others.

    torchrun's own wait at the end is bounded by 300 s, which unequal shards can exceed.

    Args:
        directory: where the messages of all ranks are.
        world_size: number of ranks over all nodes.
        timeout_seconds: of silence, after which the others are given up.

    Raises:
        SystemExit: a rank has failed, as the launchers hear by themselves.
        WorkerError: the ranks that are not done have fallen silent.
    """
    reader = ChannelReader(directory)
    waiting = set(range(world_size))
    last_heard = time.monotonic()
    while waiting:
        messages = reader.poll()
        if messages:
            last_heard = time.monotonic()
        kinds = {message["kind"] for message in messages}
        if kinds & {"error", "ended"} or reader.is_cut_off:
            raise SystemExit(1)
        waiting -= {message["rank"] for message in messages if message["kind"] == "done"}
        if time.monotonic() - last_heard > timeout_seconds:
            raise WorkerError(
                f"rank {', '.join(map(str, sorted(waiting)))} reported nothing for "
                f"launcher.timeout_seconds={timeout_seconds:g} and is given up; has its node "
                "ended? What is finished is kept: run again"
            )
        time.sleep(_POLL_SECONDS if waiting else 0)
