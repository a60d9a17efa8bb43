"""A worker's place in the world: rank, device, process group, job, and the way it ends."""

import argparse
import contextlib
import ctypes
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self, TypeVar

import psutil
import torch
import torch.distributed as dist
from pydantic import BaseModel

from acoustic_event_prediction.devices import choose_device
from acoustic_event_prediction.errors import ProjectError, WorkerError
from acoustic_event_prediction.workers.channel import ChannelWriter
from acoustic_event_prediction.workers.meeting import is_shared, meet, wait_for_all_ranks

_PR_SET_PDEATHSIG = 1
LAUNCHER_PID = "ACOUSTIC_EVENT_PREDICTION_LAUNCHER_PID"
JOB_FILE = "job.json"


class Job(BaseModel):
    """What every worker is told: the resolved catalog entries that it may open.

    Attributes:
        decided_by_node_0: fields that the other nodes take over; all else must be the same on all.
    """

    decided_by_node_0: ClassVar[frozenset[str]] = frozenset()

    catalog: dict[str, dict[str, Any]]

    def open_entry(self, name: str) -> Any:
        """Return the dataset of a catalog entry, exactly as the Kedro run configured it."""
        from kedro.io import AbstractDataset  # noqa: PLC0415  (0.5 s that some workers don't need)

        return AbstractDataset.from_config(name, dict(self.catalog[name]))


@dataclass(frozen=True)
class Runtime:
    """Rank and device of this process, as torchrun assigned them.

    Attributes:
        rank: 0 ... world_size - 1, over all nodes.
        local_rank: rank on this node; picks the GPU.
        local_world_size: number of processes on this node; they share its memory.
        world_size: number of processes over all nodes.
        device: where the models of this process live.
    """

    rank: int
    local_rank: int
    local_world_size: int
    world_size: int
    device: torch.device

    @classmethod
    def from_environment(cls, device: str) -> Self:
        """Read torchrun's variables; `device` is `auto`, `cpu` or `cuda`."""
        local_rank = int(os.environ["LOCAL_RANK"])
        kind = choose_device(device)
        if kind == "cuda":
            torch.cuda.set_device(local_rank)
        return cls(
            rank=int(os.environ["RANK"]),
            local_rank=local_rank,
            local_world_size=int(os.environ["LOCAL_WORLD_SIZE"]),
            world_size=int(os.environ["WORLD_SIZE"]),
            device=torch.device(kind, local_rank) if kind == "cuda" else torch.device(kind),
        )

    @property
    def is_main(self) -> bool:
        """True on the one process that writes logs and files for all."""
        return self.rank == 0

    @contextlib.contextmanager
    def process_group(self, timeout_seconds: float) -> Iterator[None]:
        """Join all ranks (nccl on GPUs, gloo on CPUs); a peer that stays silent is given up."""
        backend = "nccl" if self.device.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=timedelta(seconds=timeout_seconds))
        try:
            yield
        finally:
            dist.destroy_process_group()


def _die_with_agent() -> None:
    """Ask Linux to kill this process when the torchrun agent ends, however it ends.

    The agent may have died while this process was still importing; then its parent is no longer a
    child of the launcher, and there is nothing left to work for.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    agent = psutil.Process().parent()
    if agent is None or agent.ppid() != int(os.environ[LAUNCHER_PID]):
        raise SystemExit("the launcher of this worker is gone")


class _Ended(SystemExit):
    """SIGTERM: the launcher or the agent of this node was ended."""


def _leave(signum: int, _frame: object) -> NoReturn:
    raise _Ended(128 + signum)


JobT = TypeVar("JobT", bound=Job)
WorkerMain = Callable[[JobT, Runtime, ChannelWriter], None]


def run_worker(main: WorkerMain[JobT], job_type: type[JobT], device: Callable[[JobT], str]) -> None:
    """Entry point of every worker module: read the job, run `main`, report how it ended.

    Args:
        main: the work.
        job_type: model of the job file.
        device: the job's device setting.
    """
    _die_with_agent()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--job", type=Path, required=True, help="job file of the launcher")
    parser.add_argument("--timeout-seconds", type=float, required=True, help="silence limit")
    arguments = parser.parse_args()
    directory: Path = arguments.job.parent
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with _reported(ChannelWriter(directory, int(os.environ["RANK"]))) as channel:
        job = _read(job_type, directory)
        if is_shared():
            # Alone, a rank that is told to end needs no last words: its launcher knows.
            signal.signal(signal.SIGTERM, _leave)
            directory = meet(directory, arguments.timeout_seconds)
            channel.move_to(directory)
            job = _same_job(job, _read(job_type, directory))
        runtime = Runtime.from_environment(device(job))
        main(job, runtime, channel)
        channel.send("done")
        if is_shared():
            wait_for_all_ranks(directory, runtime.world_size, arguments.timeout_seconds)


@contextlib.contextmanager
def _reported(channel: ChannelWriter) -> Iterator[ChannelWriter]:
    """Tell the launcher what went wrong, and exit with status 1."""
    try:
        yield channel
    except ProjectError as error:
        channel.send("error", error=str(error), traceback=None)
        raise SystemExit(1) from error
    except _Ended:
        node = int(os.environ["GROUP_RANK"])
        channel.send("ended", node=node, error=f"was ended from outside, with its node {node}")
        raise
    except Exception as error:
        channel.send(
            "error", error=f"{type(error).__name__}: {error}", traceback=traceback.format_exc()
        )
        raise SystemExit(1) from error


def _read(job_type: type[JobT], directory: Path) -> JobT:
    return job_type.model_validate_json((directory / JOB_FILE).read_text(encoding="utf-8"))


def _same_job(own: JobT, main: JobT) -> JobT:
    """Return node 0's job, which must be this node's but for what only node 0 decides."""
    names = type(own).model_fields.keys() - own.decided_by_node_0
    different = sorted(name for name in names if getattr(own, name) != getattr(main, name))
    if different:
        raise WorkerError(
            f"this node's job is not node 0's: {', '.join(different)} differ; run the same "
            "command, with the same files under the same paths, on all nodes"
        )
    return main
