"""Which sets can train a classifier, and what is said about the others."""

import numpy as np
import pytest
import torch

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.models.losses import ClassCounts
from acoustic_event_prediction.models.training_set import (
    TrainingSet,
    count_classes,
    is_positive_within,
    require_both_classes,
)
from acoustic_event_prediction.shuffled_frames import FramePartition

BOTH = ClassCounts(100, (7,))


def test_classes_are_counted_over_partitions_and_per_horizon() -> None:
    parts = [np.array([0, 2, 1], np.int16), np.array([9, 0, 3], np.int16)]
    assert count_classes(parts, (1, 2, 9)) == ClassCounts(6, (1, 2, 4))


def test_a_distance_beyond_all_horizons_is_negative() -> None:
    assert count_classes([np.array([32767, 4], np.int16)], (3,)) == ClassCounts(2, (0,))


def test_frames_are_positive_from_one_frame_ahead_to_the_horizon() -> None:
    distances, horizons = torch.tensor([0, 1, 2, 3]).short(), torch.tensor([1, 2]).short()
    assert is_positive_within(distances, horizons).int().tolist() == [
        [0, 0],
        [1, 1],
        [0, 1],
        [0, 0],
    ]


def test_both_classes_in_both_splits_are_accepted() -> None:
    require_both_classes(BOTH, BOTH, (1,))


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [
        (BOTH, ClassCounts(0, (0,)), "no validation frames.*7 of 100.*ingestion.splits"),
        (ClassCounts(0, (0,)), BOTH, "no training frames"),
        (ClassCounts(50, (0,)), BOTH, "no training frame is positive.*0 of 50.*shift_frames"),
        (BOTH, ClassCounts(50, (0,)), "no validation frame is positive.*0 of 50.*labeling.event"),
        (BOTH, ClassCounts(50, (50,)), "no validation frame is negative.*50 of 50.*shift_frames"),
        (
            ClassCounts(9, (1, 0)),
            ClassCounts(9, (1, 1)),
            "no training frame is.*1/0 of 9.*1/2 frames",
        ),
    ],
)
def test_a_split_without_frames_or_with_one_class_is_refused(
    train: ClassCounts, validation: ClassCounts, message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        require_both_classes(train, validation, range(1, 1 + len(train.num_positive)))


def test_shuffled_labels_keep_their_number_and_lose_their_frames() -> None:
    def partition(name: str, distances: list[int]) -> FramePartition:
        features = np.arange(len(distances), dtype=np.float32)[:, None]
        return FramePartition(name, lambda: features, np.array(distances, np.int16))

    once = TrainingSet(
        [partition("a", [1] * 40 + [0] * 60), partition("b", [0] * 50)],
        [partition("c", [1] * 10 + [0] * 90)],
        (1,),
    )
    shuffled = once.with_shuffled_labels(seed=3)
    assert [len(part.distances) for part in shuffled.train] == [100, 50]
    assert count_classes((p.distances for p in shuffled.train), (1,)) == ClassCounts(150, (40,))
    assert count_classes((p.distances for p in shuffled.validation), (1,)) == ClassCounts(
        100, (10,)
    )
    assert 0 < shuffled.train[1].distances.sum() < 40  # some of a's positives went to b
    again = once.with_shuffled_labels(seed=3)
    assert np.array_equal(again.train[0].distances, shuffled.train[0].distances)
    assert once.train[0].distances[:40].all()  # the given set is unchanged
