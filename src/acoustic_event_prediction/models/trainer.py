"""The training loop: the same on one process and on many, on CPUs and on GPUs."""

import time
from collections.abc import Callable
from typing import NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import torch

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.history import EpochRecord, is_over
from acoustic_event_prediction.models.learner import Learner
from acoustic_event_prediction.models.losses import make_loss
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.training_set import (
    TrainingSet,
    count_classes,
    require_both_classes,
)
from acoustic_event_prediction.models.validation import validate
from acoustic_event_prediction.params import TrainingParams
from acoustic_event_prediction.shuffled_frames import Block, ShuffledFrames

Floats = npt.NDArray[np.float32]


class StepCurves(NamedTuple):
    """One value per step of an epoch, over all ranks.

    Attributes:
        loss: mean over the batch's frames, [S].
        gradient_norm: before clipping, [S].
    """

    loss: Floats
    gradient_norm: Floats


class Trainer:
    """Trains a classifier of frames, epoch by epoch. All methods are collective.

    An epoch's random numbers depend only on seed, epoch and rank: there is no generator to save.

    Args:
        training_set: all frames of both splits, the same on all ranks.
        params: settings.
        ranks: the processes that train together.
        device: of this process.
        on_progress: called several times during an epoch.

    Attributes:
        learner: the classifier and its optimiser.
        history: one record per epoch done.
        counts: of the training frames.
        validation_counts: of the validation frames.

    Raises:
        TrainingError: a split is empty or has one class only; the same on all ranks.
    """

    def __init__(
        self,
        training_set: TrainingSet,
        params: TrainingParams,
        ranks: Ranks,
        device: torch.device,
        *,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.counts = count_classes(part.labels for part in training_set.train)
        self.validation_counts = count_classes(part.labels for part in training_set.validation)
        require_both_classes(self.counts, self.validation_counts)
        self.history: list[EpochRecord] = []
        self._set, self._params, self._ranks, self._device = training_set, params, ranks, device
        self._on_progress = on_progress
        self._frames = ShuffledFrames(
            training_set.train,
            seed=params.seed,
            global_batch_size=params.batch_size * ranks.world_size,
            ranks=ranks,
        )
        loss = make_loss(
            params.loss_type,
            self.counts,
            focal_alpha=params.focal_alpha,
            focal_gamma=params.focal_gamma,
        )
        self.learner = Learner(self._new_classifier(), loss.to(device), params, ranks)

    def _new_classifier(self) -> FrameClassifier:
        torch.manual_seed(self._params.seed)
        classifier = FrameClassifier(
            self._set.num_features, len(self.counts.num_positive), self._params.hidden_dim
        )
        if self._params.loss_type == "focal":
            classifier.set_output_bias(self.counts.prior_logit)
        return classifier.to(self._device)

    @property
    def num_steps(self) -> int:
        """Number of steps per epoch."""
        return self._frames.num_steps

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done or early stopping has ended the training."""
        params = self._params
        return is_over(self.history, epochs=params.epochs, patience=params.early_stopping_patience)

    def run_epoch(self) -> StepCurves:
        """Train one epoch, validate, and add a record to `history`.

        Raises:
            TrainingError: a feature, the loss or a gradient is NaN or infinite; on all ranks.
        """
        started = time.monotonic()
        epoch, learning_rate = len(self.history) + 1, self.learner.learning_rate
        curves, train_loss = self._train(epoch)
        validation = validate(
            *(self.learner.classifier, self.learner.loss, self._set.validation, self._ranks),
            on_partition=self._on_progress,
        )
        self.learner.end_epoch(validation.auprc)
        record = EpochRecord(
            epoch=epoch,
            train_loss=train_loss,
            validation_loss=validation.loss,
            validation_auprc=validation.auprc,
            validation_auroc=validation.auroc,
            learning_rate=learning_rate,
            seconds=round(time.monotonic() - started, 3),
        )
        self.history.append(record)
        return curves

    def _train(self, epoch: int) -> tuple[StepCurves, float]:
        """Return the curves and the mean loss per frame."""
        seeds = np.random.SeedSequence([self._params.seed, epoch, self._ranks.rank])
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        self.learner.classifier.train()
        losses, norms, num_rows, step = [], [], [], 0
        for block in self._frames.blocks(epoch):
            sums, block_norms = self._train_block(block)
            is_finite = np.isfinite(sums) & np.isfinite(block_norms)
            if not is_finite.all():
                self._refuse(block, epoch, step + int(np.argmin(is_finite)) + 1)
            losses.append(sums)
            norms.append(block_norms)
            num_rows.append([batch.num_rows for batch in block.batches])
            step += len(block.batches)
            self._on_progress()
        loss = np.concatenate(losses)  # [S]
        divisors = np.concatenate(num_rows) * len(self.counts.num_positive)
        curves = StepCurves((loss / divisors).astype(np.float32), np.concatenate(norms))
        return curves, float(loss.sum(dtype=np.float64) / divisors.sum())

    def _train_block(self, block: Block) -> tuple[Floats, Floats]:
        """Return each step's summed loss over all ranks and its gradient norm, [S] both."""
        features, labels = block.features.to(self._device), block.labels.to(self._device)
        results = [
            self.learner.step(features[start:stop], labels[start:stop], num_rows)
            for start, stop, num_rows in block.batches
        ]
        # Read once per block: after each step, it would make the CPU wait for the GPU.
        losses = self._ranks.add(torch.stack([loss for loss, _ in results]))
        return losses.cpu().numpy(), torch.stack([norm for _, norm in results]).cpu().numpy()

    def _refuse(self, block: Block, epoch: int, step: int) -> NoReturn:
        is_broken = ~torch.isfinite(block.features).all(dim=1).numpy()
        broken = {
            self._set.train[index].partition_id
            for index in np.unique(block.partitions[is_broken]).tolist()
        }
        names: list[str] = sorted(set().union(*self._ranks.gather(broken)))
        if names:
            raise TrainingError(
                f"the features of {len(names)} partitions hold NaN or infinite values, the first: "
                f"{names[0]!r} (found in epoch {epoch}, step {step}); extract them again, with "
                "feature_extraction.dtype bfloat16 or float32 if they overflow float16"
            )
        raise TrainingError(
            f"the loss or its gradient became NaN or infinite in epoch {epoch}, step {step}, "
            "though all features are finite; lower "
            f"training.learning_rate={self._params.learning_rate:g}"
        )
