"""What each epoch of a training has given, and what follows from it."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class EpochRecord(BaseModel):
    """One epoch.

    Attributes:
        epoch: counted from 1.
        train_loss: mean over the epoch's frames, each before the step that it led to.
        validation_loss: mean over the validation frames.
        validation_auprc: chooses the best epoch.
        validation_auroc: for information.
        learning_rate: during the epoch.
        seconds: wall time, validation included.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epoch: int
    train_loss: float
    validation_loss: float
    validation_auprc: float
    validation_auroc: float
    learning_rate: float
    seconds: float


def best_epoch(history: Sequence[EpochRecord]) -> EpochRecord:
    """Return the epoch with the largest validation AUPRC, the first of equals."""
    return max(history, key=lambda record: record.validation_auprc)


def is_over(history: Sequence[EpochRecord], *, epochs: int, patience: int) -> bool:
    """Return whether all epochs are done, or the last `patience` ones brought no better AUPRC."""
    if not history:
        return False
    return len(history) >= epochs or len(history) - best_epoch(history).epoch >= patience
