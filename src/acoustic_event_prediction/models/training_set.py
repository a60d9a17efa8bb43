"""The frames that a classifier is trained on and chosen by, and whether they can serve for that."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.models.losses import ClassCounts
from acoustic_event_prediction.shuffled_frames import FramePartition


class TrainingSet(NamedTuple):
    """Partitions of the two splits."""

    train: Sequence[FramePartition]
    validation: Sequence[FramePartition]

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
        return TrainingSet(*(_shuffle_labels(split, generator) for split in self))


def _shuffle_labels(
    partitions: Sequence[FramePartition], generator: np.random.Generator
) -> list[FramePartition]:
    shuffled = generator.permutation(np.concatenate([part.labels for part in partitions]))
    ends = np.cumsum([len(part.labels) for part in partitions])
    return [
        part._replace(labels=labels)
        for part, labels in zip(partitions, np.split(shuffled, ends[:-1]), strict=True)
    ]


def count_classes(labels: Iterable[Array]) -> ClassCounts:
    """Count frames and, at each horizon, positive frames.

    Args:
        labels: of each partition, [T] or [T, H], 0 or 1.
    """
    num_frames, num_positive = 0, np.zeros(1, np.int64)
    for part in labels:
        num_frames += len(part)
        num_positive = num_positive + part.sum(axis=0, dtype=np.int64)  # [H]
    return ClassCounts(num_frames, tuple(num_positive.tolist()))


def require_both_classes(train: ClassCounts, validation: ClassCounts) -> None:
    """Check that both splits have positive and negative frames at every horizon.

    Raises:
        TrainingError: they have not; the message has the counts of both.
    """
    counts = (
        f"training has {_describe(train)}, validation has {_describe(validation)} "
        "(positive of all frames)"
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
