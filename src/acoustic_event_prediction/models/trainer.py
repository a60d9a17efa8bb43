"""The training loop: the same on one process and on many, on CPUs and on GPUs."""

import time
from collections.abc import Callable
from typing import NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import torch

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.history import (
    EpochRecord,
    HorizonRecord,
    auprcs,
    best_epoch,
    is_over,
    learning_rate_after,
)
from acoustic_event_prediction.models.learner import Learner
from acoustic_event_prediction.models.losses import make_loss
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.residency import load_residents
from acoustic_event_prediction.models.statistics import survey
from acoustic_event_prediction.models.training_set import (
    TrainingSet,
    count_classes,
    is_positive_within,
    require_both_classes,
)
from acoustic_event_prediction.models.validation import Validation
from acoustic_event_prediction.params import TrainingParams
from acoustic_event_prediction.shuffled_frames import Block, ShuffledFrames

Floats = npt.NDArray[np.float32]


class StepCurves(NamedTuple):
    """One value per step of an epoch and horizon, over all ranks.

    Attributes:
        loss: mean over the batch's frames, [S, H].
        gradient_norm: before clipping, [S, H].
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
        horizons: numbers of frames, in the order of the outputs.
        counts: of the training frames.
        validation: what is measured after each epoch.
        validation_counts: of the validation frames.
        is_resident: whether all features lie in the device's memory.

    Raises:
        TrainingError: a split is empty or has one class only, or a feature is NaN or infinite; the
            same on all ranks.
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
        self.horizons = horizons = training_set.horizons
        self.counts = count_classes((part.distances for part in training_set.train), horizons)
        self.validation_counts = count_classes(
            (part.distances for part in training_set.validation), horizons
        )
        require_both_classes(self.counts, self.validation_counts, horizons)
        self.history: list[EpochRecord] = []
        self._params, self._ranks, self._device = params, ranks, device
        self._on_progress = on_progress
        residents = load_residents(training_set, params, device)
        self.is_resident = residents is not None
        self._set = training_set if residents is None else residents.training_set
        self._frames = ShuffledFrames(
            self._set.train,
            seed=params.seed,
            global_batch_size=params.batch_size * ranks.world_size,
            block_bytes=int(params.shuffle_block_gb * 1e9),
            ranks=ranks,
            resident=None if residents is None else residents.train,
            is_pinned=device.type == "cuda",
        )
        self._horizons = torch.tensor(horizons, dtype=torch.int16, device=device)
        self.validation = Validation(self._set, ranks, device, on_progress)
        loss = make_loss(params, self.counts).to(device)
        self.learner = Learner(self._new_classifier(), loss, params, ranks)

    def _new_classifier(self) -> FrameClassifier:
        params = self._params
        torch.manual_seed(params.seed)
        classifier = FrameClassifier(
            self._set.num_features, len(self.horizons), params.hidden_dim, params.dropout
        )
        statistics = survey(self._set, self._ranks, self._device)
        if params.standardize:
            classifier.standardize(statistics.mean, statistics.scale())
        is_biased = (
            params.loss_type == "focal" if params.prior_bias == "auto" else params.prior_bias
        )
        if is_biased:
            classifier.set_output_bias(self.counts.prior_logit)
        return classifier.to(self._device)

    @property
    def num_steps(self) -> int:
        """Number of steps per epoch."""
        return self._frames.num_steps

    @property
    def num_epochs(self) -> int:
        """Number of epochs after which the training ends, if it does not end before."""
        return self._params.epochs

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done or early stopping has ended the training."""
        params = self._params
        return is_over(self.history, epochs=params.epochs, patience=params.early_stopping_patience)

    def improved(self) -> list[int]:
        """Return the horizons, by index, whose best epoch so far is the last one."""
        patience = self._params.early_stopping_patience
        return [
            index
            for index in range(len(self.horizons))
            if best_epoch(auprcs(self.history, index), patience) == len(self.history)
        ]

    def run_epoch(self) -> StepCurves:
        """Train one epoch, validate, and add a record to `history`.

        Raises:
            TrainingError: the loss or a gradient is NaN or infinite; on all ranks.
        """
        started = time.monotonic()
        rates = [
            learning_rate_after(auprcs(self.history, index), self._params)
            for index in range(len(self.horizons))
        ]
        self.learner.set_learning_rates(rates)
        curves, train_losses = self._train(len(self.history) + 1)
        measured = self.validation.measure(self.learner.classifier, self.learner.loss)
        columns = (self.horizons, train_losses, *measured, rates)
        records = tuple(
            HorizonRecord(**dict(zip(HorizonRecord.model_fields, values, strict=True)))
            for values in zip(*columns, strict=True)
        )
        seconds = round(time.monotonic() - started, 3)
        self.history.append(
            EpochRecord(epoch=len(self.history) + 1, seconds=seconds, horizons=records)
        )
        return curves

    def _train(self, epoch: int) -> tuple[StepCurves, list[float]]:
        """Return the curves and each horizon's mean loss per frame."""
        seeds = np.random.SeedSequence([self._params.seed, epoch, self._ranks.rank])
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        self.learner.classifier.train()
        losses, norms, num_rows, step = [], [], [], 0
        for block in self._frames.blocks(epoch):
            sums, block_norms = self._train_block(block.to(self._device))
            is_finite = (np.isfinite(sums) & np.isfinite(block_norms)).all(axis=1)
            if not is_finite.all():
                self._refuse(epoch, step + int(np.argmin(is_finite)) + 1)
            losses.append(sums)
            norms.append(block_norms)
            num_rows.append([batch.num_rows for batch in block.batches])
            step += len(block.batches)
            self._on_progress()
        loss, rows = np.concatenate(losses), np.concatenate(num_rows)  # [S, H], [S]
        curves = StepCurves((loss / rows[:, None]).astype(np.float32), np.concatenate(norms))
        return curves, (loss.sum(axis=0, dtype=np.float64) / rows.sum()).tolist()

    def _train_block(self, block: Block) -> tuple[Floats, Floats]:
        """Return each step's summed losses over all ranks and its gradient norms, [S, H] both."""
        is_positive = is_positive_within(block.distances, self._horizons)
        results = [self.learner.step(block, is_positive, batch) for batch in block.batches]
        # Read once per block: after each step, it would make the CPU wait for the GPU.
        losses = self._ranks.add(torch.stack([loss for loss, _ in results]))
        return losses.cpu().numpy(), torch.stack([norm for _, norm in results]).cpu().numpy()

    def _refuse(self, epoch: int, step: int) -> NoReturn:
        raise TrainingError(
            f"the loss or its gradient became NaN or infinite in epoch {epoch}, step {step}, "
            "though all features are finite; lower "
            f"training.learning_rate={self._params.learning_rate:g}"
        )
