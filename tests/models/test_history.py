"""Which epoch is the best, and when a training ends."""

import pytest

from acoustic_event_prediction.models.history import EpochRecord, best_epoch, is_over


def history_of(*auprcs: float) -> list[EpochRecord]:
    return [
        EpochRecord(
            epoch=index + 1,
            train_loss=1.0,
            validation_loss=1.0,
            validation_auprc=auprc,
            validation_auroc=0.5,
            learning_rate=0.1,
            seconds=1.0,
        )
        for index, auprc in enumerate(auprcs)
    ]


def test_first_of_equal_epochs_is_the_best() -> None:
    assert best_epoch(history_of(0.1, 0.3, 0.3, 0.2)).epoch == 2


@pytest.mark.parametrize(
    ("auprcs", "expected"),
    [
        ((), False),
        ((0.3,), False),
        ((0.3, 0.2), False),
        ((0.3, 0.2, 0.2), True),
        ((0.3, 0.2, 0.4), False),
        ((0.1, 0.2, 0.3, 0.4), True),
    ],
)
def test_training_ends_after_two_epochs_without_gain_or_four_in_all(
    auprcs: tuple[float, ...], expected: bool
) -> None:
    assert is_over(history_of(*auprcs), epochs=4, patience=2) is expected
