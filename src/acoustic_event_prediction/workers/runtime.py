"""A worker's place in the world: rank, device, process group, and the way it ends."""

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
from typing import Any, Self, TypeVar

import psutil
import torch
import torch.distributed as dist
from pydantic import BaseModel

from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.workers.channel import ChannelWriter

_PR_SET_PDEATHSIG = 1
LAUNCHER_PID = "ACOUSTIC_EVENT_PREDICTION_LAUNCHER_PID"


class Job(BaseModel):
    """What every worker is told: the resolved catalog entries that it may open."""

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
        world_size: number of processes over all nodes.
        device: where the models of this process live.
    """

    rank: int
    local_rank: int
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


def choose_device(device: str) -> str:
    """Return `cuda` or `cpu` for the setting `auto`, `cpu` or `cuda`.

    Raises:
        RuntimeError: `cuda` was asked for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            "feature_extraction.device is cuda, but torch sees no GPU; use auto or cpu"
        )
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


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
    path: Path = parser.parse_args().job
    channel = ChannelWriter(path.parent, int(os.environ["RANK"]))
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        job = job_type.model_validate_json(path.read_text(encoding="utf-8"))
        main(job, Runtime.from_environment(device(job)), channel)
    except ProjectError as error:
        channel.send("error", error=str(error), traceback=None)
        raise SystemExit(1) from error
    except Exception as error:
        channel.send(
            "error", error=f"{type(error).__name__}: {error}", traceback=traceback.format_exc()
        )
        raise SystemExit(1) from error
    channel.send("done")
