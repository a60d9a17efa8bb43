"""What one process of a training keeps for all: checkpoints, TensorBoard log, messages."""

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from safetensors import SafetensorError

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.models.checkpoints import (
    Checkpoint,
    CheckpointFolder,
    CheckpointHeader,
    CheckpointName,
)
from acoustic_event_prediction.models.history import auprcs
from acoustic_event_prediction.models.learner import (
    BEST,
    CLASSIFIER,
    best_tensors,
    classifier_tensors,
    is_per_horizon,
)
from acoustic_event_prediction.models.tensor_file import Tensors
from acoustic_event_prediction.models.trainer import StepCurves, Trainer
from acoustic_event_prediction.models.training_log import TrainingLog

# A small corpus has many epochs a second; TensorBoard shows them all.
_SECONDS_BETWEEN_LINES = 2.0


class Send(Protocol):
    """Sends a message of some kind to whoever started the training."""

    def __call__(self, kind: str, **fields: object) -> None:
        """Send it."""


class TrainingRecorder:
    """Records a training, epoch by epoch.

    Args:
        trainer: the training.
        header: of its checkpoints; the history in it is replaced.
        checkpoints: where they go.
        log: folder of the TensorBoard log.
        send: takes messages `progress` and `log`.
    """

    def __init__(
        self,
        trainer: Trainer,
        header: CheckpointHeader,
        checkpoints: CheckpointFolder,
        log: Path,
        send: Send,
    ) -> None:
        self._trainer, self._header = trainer, header
        self._checkpoints, self._send = checkpoints, send
        self._horizons = trainer.horizons
        self._log = TrainingLog(
            log, self._horizons, first_step=len(header.history) * trainer.num_steps
        )
        self._best: Tensors = {}
        self._said = -math.inf

    def start(self, *, is_resumed: bool, is_asked_to_resume: bool) -> None:
        """Say how the training begins; a new one forgets the old one's checkpoints."""
        trainer = self._trainer
        num_done = len(trainer.history)
        if is_resumed:
            self._best = best_tensors(self._checkpoints.load("last").tensors)
            self._save("best", self._best)
            self._send("progress", amount=num_done)
            self._say(
                f"the training was finished after epoch {num_done}: nothing to do"
                if trainer.is_finished
                else f"resuming after epoch {num_done}"
            )
            return
        with self._writable():
            self._checkpoints.clear()
        if is_asked_to_resume:
            self._say("training.resume is true, but there is no checkpoint: training anew")
        settings = {
            name.partition(".")[2]: value
            for name, value in self._header.settings.items()
            if name.startswith(("training.", "labeling."))
        }
        with self._writable():
            self._log.start(settings, trainer.counts.prior, trainer.validation_counts.prior)

    def add_epoch(self, curves: StepCurves) -> None:
        """Keep what the last epoch has given."""
        history = self._trainer.history
        tensors = self._trainer.learner.state()
        improved = self._trainer.improved()
        self._take_over(tensors, improved)
        # Both in one file: what is the best is said by the history beside it.
        self._save("last", tensors | {BEST + name: value for name, value in self._best.items()})
        if improved:
            self._save("best", self._best)
        best = [max(auprcs(history, index)) for index in range(len(self._horizons))]
        with self._writable():
            self._log.add_epoch(history[-1], curves, self._trainer.validation.curves, best)
        self._send("progress", amount=1)
        if self._trainer.is_finished or time.monotonic() - self._said > _SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            self._say(self._describe())

    def close(self) -> None:
        """Close the log."""
        with self._writable():
            self._log.close()

    def _save(self, name: CheckpointName, tensors: Tensors) -> None:
        header = self._header.model_copy(update={"history": self._trainer.history})
        with self._writable():
            self._checkpoints.save(name, Checkpoint(header, tensors))

    @contextlib.contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except (OSError, SafetensorError) as error:
            raise TrainingError(
                f"checkpoints or log of the training can't be written ({error}); make room, or "
                "give another place with data_root; training.resume=true goes on from the last "
                "epoch that is whole"
            ) from error

    def _take_over(self, tensors: Tensors, improved: list[int]) -> None:
        """Copy the weights of the horizons whose best epoch this one is."""
        for name, value in classifier_tensors(tensors).items():
            best = self._best.setdefault(CLASSIFIER + name, value.clone())
            if is_per_horizon(name):
                best[improved] = value[improved]

    def _describe(self) -> str:
        """Return the epoch in one line, the horizons' values with slashes between them."""
        record = self._trainer.history[-1]

        def joined(name: str, form: str) -> str:
            return "/".join(format(getattr(part, name), form) for part in record.horizons)

        horizons = joined("shift_frames", "d")
        return (
            f"epoch {record.epoch} of {self._trainer.num_epochs}"
            f"{'' if len(record.horizons) == 1 else f', horizons {horizons}'}: "
            f"training loss {joined('train_loss', '.4g')}, "
            f"validation loss {joined('validation_loss', '.4g')}, "
            f"AUPRC {joined('validation_auprc', '.4f')}, "
            f"AUROC {joined('validation_auroc', '.4f')}, {record.seconds:.1f} s"
        )

    def _say(self, text: str) -> None:
        self._send("log", text=text)
