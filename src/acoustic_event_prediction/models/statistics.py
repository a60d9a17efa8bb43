"""Mean and scale of the training frames, and a look at every feature before the first step."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.scoring import iterate_blocks
from acoustic_event_prediction.models.training_set import TrainingSet
from acoustic_event_prediction.shuffled_frames import FramePartition


class FeatureStatistics(NamedTuple):
    """Mean and variance of N rows, by feature; float64 [D], on the CPU.

    Attributes:
        num_rows: N.
        mean: over the rows.
        squares: summed squared deviations from the mean.
    """

    num_rows: int
    mean: torch.Tensor
    squares: torch.Tensor

    def merge(self, other: "FeatureStatistics") -> "FeatureStatistics":
        """Return the statistics of both sets of rows (Chan, Golub and LeVeque, 1979)."""
        num_rows = self.num_rows + other.num_rows
        if not num_rows:
            return self
        difference = other.mean - self.mean
        return FeatureStatistics(
            num_rows,
            self.mean + difference * (other.num_rows / num_rows),
            self.squares
            + other.squares
            + difference.square() * (self.num_rows * other.num_rows / num_rows),
        )

    def scale(self) -> torch.Tensor:
        """Return the standard deviation, [D]; infinite for a feature that does not vary.

        Divided by it, such a feature is 0 in every frame, and its weights learn nothing: no
        rounding of a large constant, and no surprise if it varies later.
        """
        deviation = (self.squares / self.num_rows).sqrt()
        # What float32 arithmetic can't tell from a constant.
        is_constant = deviation <= self.mean.abs() * torch.finfo(torch.float32).eps
        return torch.where(is_constant, torch.inf, deviation)


def survey(training_set: TrainingSet, ranks: Ranks, device: torch.device) -> FeatureStatistics:
    """Read every feature of both splits once, and return the statistics of the training frames.

    Args:
        training_set: the same on all ranks; each reads a part.
        ranks: collective.
        device: of this process.

    Raises:
        TrainingError: on all ranks, with the partitions that hold NaN or infinite values.
    """
    parts = [*training_set.train, *training_set.validation]
    longest_first = sorted(range(len(parts)), key=lambda index: -len(parts[index].distances))
    statistics, broken = _nothing(training_set.num_features), set()
    for index in longest_first[ranks.rank :: ranks.world_size]:
        found = _look_at(parts[index], device)
        if not (torch.isfinite(found.mean).all() and torch.isfinite(found.squares).all()):
            broken.add(parts[index].partition_id)
        elif index < len(training_set.train):
            statistics = statistics.merge(found)
    _refuse(sorted(set().union(*ranks.gather(broken))))
    shares = ranks.gather(statistics)
    whole = shares[0]
    for share in shares[1:]:
        whole = whole.merge(share)
    return whole


def _look_at(partition: FramePartition, device: torch.device) -> FeatureStatistics:
    features = partition.load_features()
    found = _nothing(features.shape[1])
    for _, block in iterate_blocks(features, device):
        squares, mean = torch.var_mean(block, dim=0, correction=0)
        found = found.merge(
            FeatureStatistics(len(block), mean.double().cpu(), squares.double().cpu() * len(block))
        )
    return found


def _nothing(num_features: int) -> FeatureStatistics:
    zeros = torch.zeros(num_features, dtype=torch.float64)
    return FeatureStatistics(0, zeros, zeros)


def _refuse(broken: Sequence[str]) -> None:
    if broken:
        raise TrainingError(
            f"the features of {len(broken)} partitions hold NaN, infinite or huge values (above "
            f"1e18), the first: {broken[0]!r}; extract them again, with feature_extraction.dtype "
            "bfloat16 or float32 if they overflow float16"
        )
