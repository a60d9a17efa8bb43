"""The curves of a training, as TensorBoard shows them."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from acoustic_event_prediction.models.history import EpochRecord
from acoustic_event_prediction.models.trainer import StepCurves

_POINTS_PER_EPOCH = 200


class TrainingLog:
    """Writes the curves of one training; the x axis counts steps of the optimiser.

    There is no file before there is something to write.

    Args:
        folder: of this training alone.
        first_step: where this process starts; what the folder has from there on is dropped.
    """

    def __init__(self, folder: Path, *, first_step: int) -> None:
        self._folder = folder
        self._first_step = self._step = first_step
        self._is_open = False

    @cached_property
    def _writer(self) -> Any:
        self._is_open = True
        return SummaryWriter(str(self._folder), purge_step=self._first_step + 1)  # type: ignore[no-untyped-call]

    def add_prevalence(self, train: float, validation: float) -> None:
        """Log the share of positive frames, the AUPRC of a predictor that knows nothing."""
        self._writer.add_scalar("prevalence/train", train, self._step + 1)
        self._writer.add_scalar("prevalence/validation", validation, self._step + 1)

    def add_epoch(self, record: EpochRecord, curves: StepCurves) -> None:
        """Log an epoch: some hundred of its steps, and what was measured at its end."""
        num_steps = len(curves.loss)
        for index in np.unique(np.linspace(0, num_steps - 1, _POINTS_PER_EPOCH).astype(int)):
            step = self._step + int(index) + 1
            self._writer.add_scalar("train/batch_loss", curves.loss[index], step)
            self._writer.add_scalar("train/gradient_norm", curves.gradient_norm[index], step)
        self._step += num_steps
        for name, value in {
            "train/epoch_loss": record.train_loss,
            "train/learning_rate": record.learning_rate,
            "validation/loss": record.validation_loss,
            "validation/auprc": record.validation_auprc,
            "validation/auroc": record.validation_auroc,
        }.items():
            self._writer.add_scalar(name, value, self._step)
        self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        if self._is_open:
            self._writer.close()
