"""The curves of a training, as TensorBoard shows them: one of its runs per horizon."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from acoustic_event_prediction.curves import ScoreCurve
from acoustic_event_prediction.models.history import EpochRecord, HorizonRecord
from acoustic_event_prediction.models.trainer import StepCurves

_POINTS_PER_EPOCH = 200
_POINTS_PER_CURVE = 101
_BEST = "best/validation_auprc"


class TrainingLog:
    """Writes the curves of one training; the x axis counts steps of the optimiser.

    There is no file before there is something to write.

    Args:
        folder: of this training alone.
        horizons: numbers of frames, one sub-folder for each.
        first_step: where this process starts; what the folder has from there on is dropped.
    """

    def __init__(self, folder: Path, horizons: Sequence[int], *, first_step: int) -> None:
        self._folder = folder
        self._horizons = horizons
        self._first_step = self._step = first_step
        self._is_open = False

    @cached_property
    def _writers(self) -> list[Any]:
        self._is_open = True
        return [
            SummaryWriter(str(self._folder / f"shift_{n}"), purge_step=self._first_step + 1)  # type: ignore[no-untyped-call]
            for n in self._horizons
        ]

    def start(
        self, settings: Mapping[str, Any], train: Sequence[float], validation: Sequence[float]
    ) -> None:
        """Log the settings, and the share of positive frames: the AUPRC of knowing nothing.

        Args:
            settings: by name.
            train: share of positive training frames at each horizon.
            validation: share of positive validation frames.
        """
        texts = {k: v if isinstance(v, bool | int | float) else str(v) for k, v in settings.items()}
        for index, writer in enumerate(self._writers):
            for summary in hparams(  # type: ignore[no-untyped-call]
                texts | {"shift_frames": self._horizons[index]}, {_BEST: 0.0}
            ):
                writer.file_writer.add_summary(summary)
            writer.add_scalar("prevalence/train", train[index], self._step + 1)
            writer.add_scalar("prevalence/validation", validation[index], self._step + 1)

    def add_epoch(
        self,
        record: EpochRecord,
        steps: StepCurves,
        curves: Sequence[ScoreCurve],
        best: Sequence[float],
    ) -> None:
        """Log an epoch: some hundred of its steps, and what was measured at its end.

        Args:
            record: of the epoch.
            steps: of the epoch.
            curves: of the validation scores, one per horizon.
            best: largest validation AUPRC so far, one per horizon.
        """
        num_steps = len(steps.loss)
        points = np.unique(np.linspace(0, num_steps - 1, _POINTS_PER_EPOCH).astype(int)).tolist()
        last = self._step + num_steps
        for index, writer in enumerate(self._writers):
            for point in points:
                step = self._step + point + 1
                writer.add_scalar("train/batch_loss", steps.loss[point, index], step)
                writer.add_scalar("train/gradient_norm", steps.gradient_norm[point, index], step)
            for name, value in _scalars(record.horizons[index], best[index]).items():
                writer.add_scalar(name, value, last)
            _add_pr_curve(writer, curves[index], last)
            writer.flush()
        self._step = last

    def close(self) -> None:
        """Write what is left."""
        if self._is_open:
            for writer in self._writers:
                writer.close()


def _scalars(record: HorizonRecord, best: float) -> dict[str, float]:
    return {
        "train/epoch_loss": record.train_loss,
        "train/learning_rate": record.learning_rate,
        "validation/loss": record.validation_loss,
        "validation/auprc": record.validation_auprc,
        "validation/auroc": record.validation_auroc,
        _BEST: best,
    }


def _add_pr_curve(writer: Any, curve: ScoreCurve, step: int) -> None:
    """Log the exact curve at evenly spaced recalls.

    TensorBoard takes its points for thresholds from 0 to 1, but rare events may have all scores in
    a small part of that; what it calls the threshold is here the share of positives missed.
    """
    missed = np.linspace(0, 1, _POINTS_PER_CURVE)
    wanted = np.ceil((1 - missed) * curve.num_positive)
    places = np.searchsorted(curve.true_positive, np.maximum(wanted, 1))
    true_positive = curve.true_positive[places]
    false_positive = curve.predicted_positive[places] - true_positive
    writer.add_pr_curve_raw(
        "validation/precision_recall, threshold: share of positives missed",
        true_positive,
        false_positive,
        curve.num_negative - false_positive,
        curve.num_positive - true_positive,
        true_positive / curve.predicted_positive[places],
        true_positive / curve.num_positive,
        step,
        num_thresholds=_POINTS_PER_CURVE,
    )
