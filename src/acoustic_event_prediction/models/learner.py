"""The classifier while it learns: a step along the gradient of the batch of all ranks together."""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from torch.nn.utils import clip_grad_norm_
from torch.optim.lr_scheduler import ReduceLROnPlateau

from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.losses import FrameLoss
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.tensor_file import Tensors
from acoustic_event_prediction.params import TrainingParams

MAX_GRADIENT_NORM = 1.0
LEARNING_RATE_FACTOR = 0.5
LEARNING_RATE_PATIENCE = 3


class LearnerState(BaseModel):
    """What a learner must know beside its tensors in order to go on."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")

    optimizer_groups: list[dict[str, Any]]
    scheduler: dict[str, Any]


class Learner:
    """Classifier, loss, AdamW and learning rate schedule.

    Args:
        classifier: on this process's device; rank 0's weights are taken by all.
        loss: on the same device.
        params: settings.
        ranks: the processes that train together.
    """

    def __init__(
        self, classifier: FrameClassifier, loss: FrameLoss, params: TrainingParams, ranks: Ranks
    ) -> None:
        self.classifier = classifier
        self.loss = loss
        self._batch_size = params.batch_size
        self._world_size = ranks.world_size
        self._replica = ranks.replicate(classifier)
        self._batch: torch.Tensor | None = None
        self._optimizer = torch.optim.AdamW(
            classifier.parameters(),
            lr=params.learning_rate,
            weight_decay=params.weight_decay,
            fused=True,
        )
        self._scheduler = ReduceLROnPlateau(
            self._optimizer,
            mode="max",
            factor=LEARNING_RATE_FACTOR,
            patience=LEARNING_RATE_PATIENCE,
        )

    @property
    def learning_rate(self) -> float:
        """Rate of the next step."""
        return float(self._optimizer.param_groups[0]["lr"])

    def step(
        self, features: torch.Tensor, labels: torch.Tensor, num_rows: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Learn from a batch of `num_rows` frames over all ranks. Collective.

        Args:
            features: this rank's rows, [B, D]; B may be 0.
            labels: [B, H].
            num_rows: of all ranks.

        Returns:
            Summed loss of this rank's rows before the step, and the gradient's norm before clipping
            (the same on all ranks); scalars on the device.
        """
        self._optimizer.zero_grad()
        loss = self.loss(self._replica(self._as_float32(features)), labels)
        # The ranks' gradients are averaged; this makes the average that of the whole batch's loss.
        (loss * (self._world_size / self.loss.divisor(num_rows))).backward()
        norm = clip_grad_norm_(self.classifier.parameters(), MAX_GRADIENT_NORM)
        self._optimizer.step()
        return loss.detach(), norm

    def _as_float32(self, features: torch.Tensor) -> torch.Tensor:
        """Convert a batch in memory that all steps share: new pages cost more than the work."""
        if features.dtype == torch.float32:
            return features
        if self._batch is None:
            shape = (self._batch_size, features.shape[1])
            self._batch = torch.empty(shape, device=features.device)
        return self._batch[: len(features)].copy_(features)

    def end_epoch(self, validation_auprc: float) -> None:
        """Lower the learning rate if the AUPRC has not grown for some epochs."""
        self._scheduler.step(validation_auprc)

    def state(self) -> tuple[LearnerState, Tensors]:
        """Return all that `restore` needs, the tensors on the CPU."""
        tensors = {f"classifier.{k}": v for k, v in self.classifier.state_dict().items()}
        optimizer = self._optimizer.state_dict()
        for index, moments in optimizer["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
        state = LearnerState(
            optimizer_groups=optimizer["param_groups"], scheduler=self._scheduler.state_dict()
        )
        return state, {name: value.detach().cpu() for name, value in tensors.items()}

    def restore(self, state: LearnerState, tensors: Mapping[str, torch.Tensor]) -> None:
        """Go on from where a learner of the same settings was."""
        self.classifier.load_state_dict(classifier_weights(tensors))
        moments: dict[int, Tensors] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, index, moment = name.split(".")
                moments.setdefault(int(index), {})[moment] = value
        self._optimizer.load_state_dict({"state": moments, "param_groups": state.optimizer_groups})
        self._scheduler.load_state_dict(state.scheduler)


def classifier_weights(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """Return the classifier's part of a learner's tensors, under the classifier's own names."""
    prefix = "classifier."
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
