"""The frames that a classifier is trained on and chosen by, and whether they can serve for that."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.models.losses import ClassCounts
from acoustic_event_prediction.shuffled_frames import Distances, FramePartition


class TrainingSet(NamedTuple):
    """Partitions of the two splits, and the horizons at which they are labeled.

    Attributes:
        train: partitions to learn from.
        validation: partitions that choose the epoch.
        horizons: numbers of frames, ascending, [H].
    """

    train: Sequence[FramePartition]
    validation: Sequence[FramePartition]
    horizons: tuple[int, ...]

    @property
    def num_features(self) -> int:
        """D of all partitions."""
        return int(self.train[0].load_features().shape[1])

    def with_shuffled_labels(self, seed: int) -> "TrainingSet":
        """Return the same features with each split's labels in random order.

        Features and labels then have nothing to do with one another: a test AUPRC above the
        prevalence would betray a leak.

        Args:
            seed: of the order.
        """
        generator = np.random.default_rng(seed)
        return self._replace(
            train=_shuffle_labels(self.train, generator),
            validation=_shuffle_labels(self.validation, generator),
        )


def _shuffle_labels(
    partitions: Sequence[FramePartition], generator: np.random.Generator
) -> list[FramePartition]:
    shuffled = generator.permutation(np.concatenate([part.distances for part in partitions]))
    ends = np.cumsum([len(part.distances) for part in partitions])
    return [
        part._replace(distances=distances)
        for part, distances in zip(partitions, np.split(shuffled, ends[:-1]), strict=True)
    ]


def is_positive_within(distances: torch.Tensor, horizons: torch.Tensor) -> torch.Tensor:
    """Return whether each frame is positive at each horizon, bool [N, H].

    Args:
        distances: frames to the next onset, int16 [N]; 0 for none.
        horizons: int16 [H].
    """
    ahead = distances[:, None]
    return (ahead > 0) & (ahead <= horizons)


def count_classes(distances: Iterable[Distances], horizons: Sequence[int]) -> ClassCounts:
    """Count frames and, at each horizon, positive frames.

    Args:
        distances: of each partition, [T].
        horizons: numbers of frames, [H].
    """
    num_frames, num_positive = 0, np.zeros(len(horizons), np.int64)
    for part in distances:
        ahead: npt.NDArray[np.int64] = np.bincount(part, minlength=max(horizons) + 1)
        num_frames += len(part)
        num_positive += np.cumsum(ahead[1:])[np.asarray(horizons) - 1]
    return ClassCounts(num_frames, tuple(num_positive.tolist()))


def require_both_classes(
    train: ClassCounts, validation: ClassCounts, horizons: Sequence[int]
) -> None:
    """Check that both splits have positive and negative frames at every horizon.

    Raises:
        TrainingError: they have not; the message has the counts of both.
    """
    counts = (
        f"training has {_describe(train)}, validation has {_describe(validation)} "
        f"(positive of all frames{_at(horizons)})"
    )
    if not train.num_frames or not validation.num_frames:
        missing = "validation" if train.num_frames else "training"
        raise TrainingError(
            f"there are no {missing} frames: {counts}; the corpus needs episodes of "
            "both splits, and ingestion.splits both names (a model can't be chosen "
            "by the frames that it was trained on)"
        )
    for split, split_counts in (("training", train), ("validation", validation)):
        if min(split_counts.num_positive) == 0:
            raise TrainingError(
                f"no {split} frame is positive: {counts}; choose a more frequent labeling.event, "
                "labeling.target=any, a larger shift_frames, or more episodes"
            )
        if max(split_counts.num_positive) == split_counts.num_frames:
            raise TrainingError(
                f"no {split} frame is negative: {counts}; choose a smaller shift_frames, "
                "or more episodes"
            )


def _describe(counts: ClassCounts) -> str:
    positive = "/".join(str(number) for number in counts.num_positive)
    return f"{positive} of {counts.num_frames}"


def _at(horizons: Sequence[int]) -> str:
    if len(horizons) == 1:
        return ""
    return f", at horizons of {'/'.join(str(horizon) for horizon in horizons)} frames"
