"""Which sets can train a classifier, and what is said about the others."""

import numpy as np
import pytest

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.models.losses import ClassCounts
from acoustic_event_prediction.models.training_set import (
    TrainingSet,
    count_classes,
    require_both_classes,
)
from acoustic_event_prediction.shuffled_frames import FramePartition

BOTH = ClassCounts(100, (7,))


def test_classes_are_counted_over_partitions_and_per_horizon() -> None:
    parts = [np.array([[0, 1], [1, 1]], np.int8), np.array([[0, 1]], np.int8)]
    assert count_classes(parts) == ClassCounts(3, (1, 3))
    assert count_classes([np.array([0, 1, 1], np.int8)]) == ClassCounts(3, (2,))


def test_more_positives_than_int8_holds_are_counted() -> None:
    assert count_classes([np.ones(1000, np.int8)]) == ClassCounts(1000, (1000,))


def test_both_classes_in_both_splits_are_accepted() -> None:
    require_both_classes(BOTH, BOTH)


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [
        (BOTH, ClassCounts(0, (0,)), "no validation frames.*7 of 100.*ingestion.splits"),
        (ClassCounts(0, (0,)), BOTH, "no training frames"),
        (ClassCounts(50, (0,)), BOTH, "no training frame is positive.*0 of 50.*shift_frames"),
        (BOTH, ClassCounts(50, (0,)), "no validation frame is positive.*0 of 50.*labeling.event"),
        (BOTH, ClassCounts(50, (50,)), "no validation frame is negative.*50 of 50.*shift_frames"),
        (ClassCounts(9, (1, 0)), ClassCounts(9, (1, 1)), "no training frame is positive.*1/0 of 9"),
    ],
)
def test_a_split_without_frames_or_with_one_class_is_refused(
    train: ClassCounts, validation: ClassCounts, message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        require_both_classes(train, validation)


def test_shuffled_labels_keep_their_number_and_lose_their_frames() -> None:
    def partition(name: str, labels: list[int]) -> FramePartition:
        features = np.arange(len(labels), dtype=np.float32)[:, None]
        return FramePartition(name, lambda: features, np.array(labels, np.int8)[:, None])

    once = TrainingSet(
        [partition("a", [1] * 40 + [0] * 60), partition("b", [0] * 50)],
        [partition("c", [1] * 10 + [0] * 90)],
    )
    shuffled = once.with_shuffled_labels(seed=3)
    assert [len(part.labels) for part in shuffled.train] == [100, 50]
    assert count_classes(part.labels for part in shuffled.train) == ClassCounts(150, (40,))
    assert count_classes(part.labels for part in shuffled.validation) == ClassCounts(100, (10,))
    assert 0 < shuffled.train[1].labels.sum() < 40  # some of a's positives went to b
    again = once.with_shuffled_labels(seed=3)
    assert np.array_equal(again.train[0].labels, shuffled.train[0].labels)
    assert once.train[0].labels[:40].all()  # the given set is unchanged
