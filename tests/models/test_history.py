"""Which epoch is the best, when a training ends, and the learning rate in between."""

import pytest
import torch
from tests.made import training_params
from torch.optim.lr_scheduler import ReduceLROnPlateau

from acoustic_event_prediction.models.history import (
    EpochRecord,
    HorizonRecord,
    auprcs,
    best_epoch,
    is_over,
    learning_rate_after,
)


def history_of(*epochs: tuple[float, ...]) -> list[EpochRecord]:
    return [
        EpochRecord(
            epoch=index + 1,
            seconds=1.0,
            horizons=tuple(
                HorizonRecord(
                    shift_frames=horizon + 1,
                    train_loss=1.0,
                    validation_loss=1.0,
                    validation_auprc=auprc,
                    validation_auroc=0.5,
                    learning_rate=0.1,
                )
                for horizon, auprc in enumerate(values)
            ),
        )
        for index, values in enumerate(epochs)
    ]


def test_first_of_equal_epochs_is_the_best() -> None:
    assert best_epoch([0.1, 0.3, 0.3, 0.2], patience=10) == 2


def test_what_came_after_early_stopping_does_not_count() -> None:
    assert best_epoch([0.1, 0.3, 0.2, 0.2, 0.9], patience=3) == 5
    assert best_epoch([0.1, 0.3, 0.2, 0.2, 0.9], patience=2) == 2


@pytest.mark.parametrize(
    ("values", "expected"),
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
    values: tuple[float, ...], expected: bool
) -> None:
    history = history_of(*((value,) for value in values))
    assert is_over(history, epochs=4, patience=2) is expected


def test_training_goes_on_while_one_horizon_gains() -> None:
    epochs = [(0.3, 0.1), (0.2, 0.2), (0.2, 0.3)]
    assert not is_over(history_of(*epochs), epochs=9, patience=2)
    assert is_over(history_of(*epochs, (0.9, 0.2), (0.9, 0.2)), epochs=9, patience=2)
    assert auprcs(history_of(*epochs), 1) == [0.1, 0.2, 0.3]


def test_learning_rate_halves_after_four_epochs_without_gain() -> None:
    params = training_params(learning_rate=0.1)
    values = (0.5, 0.4, 0.4, 0.4, 0.4, 0.4)
    rates = [learning_rate_after(values[:done], params) for done in range(7)]
    assert rates == [0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05]


def test_learning_rate_is_that_of_a_scheduler_stepped_after_each_epoch() -> None:
    params = training_params(learning_rate_factor=0.3, learning_rate_patience=1)
    values = torch.rand(40, generator=torch.Generator().manual_seed(0)).tolist()
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=params.learning_rate)
    scheduler = ReduceLROnPlateau(optimizer, mode="max", factor=0.3, patience=1)
    for done, value in enumerate(values, start=1):
        scheduler.step(value)
        assert learning_rate_after(values[:done], params) == optimizer.param_groups[0]["lr"]
