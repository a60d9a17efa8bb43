"""The processes that train together, or this one alone."""

from dataclasses import dataclass
from typing import Any, Self, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from acoustic_event_prediction.errors import TrainingError

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """What ranks tell each other. Every method is collective: all ranks call it, in the same order.

    Attributes:
        rank: 0 ... world_size - 1.
        world_size: number of processes.
    """

    rank: int = 0
    world_size: int = 1

    @classmethod
    def current(cls) -> Self:
        """Return the ranks of the process group; without one, this process is the only rank."""
        if not dist.is_initialized():
            return cls()
        return cls(dist.get_rank(), dist.get_world_size())

    def gather(self, value: T) -> list[T]:
        """Return every rank's value, in the order of ranks."""
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        dist.all_gather_object(values, value)
        return values

    def from_main(self, value: T) -> T:
        """Return rank 0's value."""
        if self.world_size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def add(self, tensor: torch.Tensor) -> torch.Tensor:
        """Replace `tensor` by its sum over the ranks, and return it."""
        if self.world_size > 1:
            dist.all_reduce(tensor)
        return tensor

    def raise_any(self, problem: str | None) -> None:
        """Raise on all ranks if one of them has a problem.

        Raises:
            TrainingError: with the ranks' different problems, one per line.
        """
        problems = sorted({text for text in self.gather(problem) if text is not None})
        if problems:
            raise TrainingError("\n".join(problems))

    def replicate(self, module: nn.Module) -> nn.Module:
        """Return `module` such that backward leaves the mean of the ranks' gradients on each.

        All ranks start from rank 0's weights and buffers; buffers are constants.
        """
        if self.world_size == 1:
            return module
        return DistributedDataParallel(module, broadcast_buffers=False)
