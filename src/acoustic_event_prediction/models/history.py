"""What each epoch of a training has given, and what follows from it.

Each horizon has a history of its own: its own learning rate, its own best epoch, its own end.
"""

from collections.abc import Sequence

import torch
from pydantic import BaseModel, ConfigDict
from torch.optim.lr_scheduler import ReduceLROnPlateau

from acoustic_event_prediction.params import TrainingParams


class HorizonRecord(BaseModel):
    """One epoch of one horizon.

    Attributes:
        shift_frames: the horizon.
        train_loss: mean over the epoch's frames, each before the step that it led to.
        validation_loss: mean over the validation frames.
        validation_auprc: chooses the best epoch.
        validation_auroc: for information.
        learning_rate: during the epoch.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    shift_frames: int
    train_loss: float
    validation_loss: float
    validation_auprc: float
    validation_auroc: float
    learning_rate: float


class EpochRecord(BaseModel):
    """One epoch.

    Attributes:
        epoch: counted from 1.
        seconds: wall time, validation included.
        horizons: one record per horizon, in the order of the classifier's outputs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epoch: int
    seconds: float
    horizons: tuple[HorizonRecord, ...]


History = Sequence[EpochRecord]


def auprcs(history: History, horizon: int) -> list[float]:
    """Return the validation AUPRC of each epoch at one horizon, by its index."""
    return [record.horizons[horizon].validation_auprc for record in history]


def best_epoch(values: Sequence[float], patience: int) -> int:
    """Return the epoch, from 1, with the largest AUPRC before early stopping; the first of equals.

    >>> best_epoch([0.1, 0.3, 0.2, 0.2, 0.9], patience=2)
    2
    """
    best = 0
    for index, value in enumerate(values):
        if index - best > patience:
            break
        if value > values[best]:
            best = index
    return best + 1


def is_over(history: History, *, epochs: int, patience: int) -> bool:
    """Return whether all epochs are done, or no horizon has gained for `patience` of them."""
    if not history:
        return False
    if len(history) >= epochs:
        return True
    return all(
        len(history) - best_epoch(auprcs(history, horizon), patience) >= patience
        for horizon in range(len(history[0].horizons))
    )


def learning_rate_after(values: Sequence[float], params: TrainingParams) -> float:
    """Return the learning rate that follows from the validation AUPRCs of the epochs done.

    The rule is PyTorch's `ReduceLROnPlateau`, applied to them all anew: there is no state to keep.
    """
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=params.learning_rate)
    scheduler = ReduceLROnPlateau(
        optimizer,
        mode="max",
        factor=params.learning_rate_factor,
        patience=params.learning_rate_patience,
    )
    for value in values:
        scheduler.step(value)
    return float(optimizer.param_groups[0]["lr"])
