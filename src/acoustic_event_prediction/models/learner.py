"""The classifier while it learns: a step along the gradient of the batch of all ranks together."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.frame_order import Batch
from acoustic_event_prediction.models.classifier import FoldedClassifier, FrameClassifier
from acoustic_event_prediction.models.losses import FrameLoss
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.tensor_file import Tensors
from acoustic_event_prediction.params import TrainingParams
from acoustic_event_prediction.shuffled_frames import Block

# A batch goes through the classifier in pieces of float32 that fit into the cache of a CPU; on a
# GPU, few large ones keep it busy.
_PIECE_BYTES = {"cpu": 8 * 2**20, "cuda": 2**30}
CLASSIFIER, _OPTIMIZER, BEST = "classifier.", "optimizer.", "best."


class Learner:
    """Classifier, loss and AdamW; gradients are clipped, and steps sized, per horizon.

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
        self._max_norm = params.max_gradient_norm
        self._world_size = ranks.world_size
        self._replica = ranks.replicate(FoldedClassifier(classifier))
        self._parameters = list(classifier.parameters())
        self._device = classifier.bias.device
        self._piece_rows = max(1, _PIECE_BYTES[self._device.type] // (4 * classifier.num_features))
        self._gathered = self._piece = torch.empty(0)
        self._relative_rates: torch.Tensor | None = None
        self._optimizer = torch.optim.AdamW(
            self._parameters,
            lr=params.learning_rate,
            weight_decay=params.weight_decay,
            fused=True,
        )

    def set_learning_rates(self, rates: Sequence[float]) -> None:
        """Set the rate of each horizon for the next steps, [H]."""
        largest = max(rates)
        self._optimizer.param_groups[0]["lr"] = largest
        relative = torch.tensor(rates, dtype=torch.float64, device=self._device) / largest
        self._relative_rates = None if len(set(rates)) == 1 else relative.float()

    def step(
        self, block: Block, is_positive: torch.Tensor, batch: Batch
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Learn from a batch. Collective.

        Args:
            block: on the device.
            is_positive: of the block's rows, bool [N, H].
            batch: of the block.

        Returns:
            Summed loss of this rank's rows before the step, and the gradient's norm before clipping
            (the same on all ranks); [H] both, on the device.
        """
        self._optimizer.zero_grad()
        folded = self._replica()
        weight, bias, *output = [part.detach().requires_grad_() for part in folded]
        gradients = [torch.zeros_like(part) for part in (weight, bias)]
        # The ranks' gradients are averaged; this makes the average that of the whole batch's loss.
        factor = self._world_size / self.loss.divisor(batch.num_rows)
        total = torch.zeros(self.classifier.num_horizons, device=self._device)
        for start in range(batch.start, batch.stop, self._piece_rows):
            rows = block.rows(start, min(start + self._piece_rows, batch.stop))
            piece = self._as_float32(block.features, rows)
            # The first layer by hand: two products with the features, as fast as they can be read.
            first = nn.functional.linear(piece, weight.detach(), bias.detach()).requires_grad_()
            logits = self.classifier.head(first, output)
            losses, slope = self.loss(logits.detach(), is_positive[rows])
            torch.autograd.backward(logits, slope * factor)
            assert first.grad is not None
            gradients[0].addmm_(first.grad.T, piece)
            gradients[1] += first.grad.sum(dim=0)
            total += losses
        gradients += [torch.zeros_like(p) if p.grad is None else p.grad for p in output]
        # Once per batch, and without rows as well: here the ranks meet.
        torch.autograd.backward(folded, gradients)
        norms = self._clip_gradients()
        self._update()
        return total, norms

    def _as_float32(self, features: torch.Tensor, rows: slice | torch.Tensor) -> torch.Tensor:
        """Return rows as float32, in memory that all steps share: new pages cost more than work."""
        chosen = features[rows] if isinstance(rows, slice) else self._gather(features, rows)
        if chosen.dtype == torch.float32:
            return chosen
        if len(self._piece) < len(chosen):
            self._piece = torch.empty(chosen.shape, device=self._device)
        piece: torch.Tensor = self._piece[: len(chosen)]
        piece.copy_(chosen)
        return piece

    def _gather(self, features: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        if len(self._gathered) < len(rows):
            shape = (len(rows), features.shape[1])
            self._gathered = torch.empty(shape, dtype=features.dtype, device=self._device)
        gathered: torch.Tensor = self._gathered[: len(rows)]
        torch.index_select(features, 0, rows, out=gathered)
        return gathered

    def _clip_gradients(self) -> torch.Tensor:
        """Return the norm of each horizon's gradient, [H], and shorten those that are too long."""
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        per_tensor = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients])
        norms: torch.Tensor = per_tensor.norm(dim=0)
        if self._max_norm is not None:
            factors = (self._max_norm / (norms + 1e-6)).clamp(max=1.0)
            for gradient in gradients:
                gradient.mul_(_along_horizons(factors, gradient))
        return norms

    @torch.no_grad()
    def _update(self) -> None:
        if self._relative_rates is None:
            self._optimizer.step()
            return
        # AdamW has one rate for all; a step is proportional to it.
        before = [parameter.clone() for parameter in self._parameters]
        self._optimizer.step()
        for parameter, old in zip(self._parameters, before, strict=True):
            parameter.copy_(old.lerp(parameter, _along_horizons(self._relative_rates, parameter)))

    def state(self) -> Tensors:
        """Return all that `restore` needs, on the CPU."""
        tensors = {CLASSIFIER + name: v for name, v in self.classifier.state_dict().items()}
        for index, moments in self._optimizer.state_dict()["state"].items():
            tensors |= {f"{_OPTIMIZER}{index}.{name}": value for name, value in moments.items()}
        return {name: value.detach().cpu().clone() for name, value in tensors.items()}

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Go on from where a learner of the same settings was.

        Raises:
            TrainingError: tensors are missing, or of other shapes.
        """
        load_classifier(self.classifier, tensors)
        moments: dict[int, Tensors] = {}
        for name, value in tensors.items():
            if name.startswith(_OPTIMIZER):
                _, index, moment = name.split(".")
                moments.setdefault(int(index), {})[moment] = value
        groups: list[dict[str, Any]] = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": moments, "param_groups": groups})


def is_per_horizon(name: str) -> bool:
    """Whether a tensor of the classifier has a row for each horizon; the others serve them all."""
    return name not in ("mean", "scale")


def classifier_tensors(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """Return the classifier's part of a learner's tensors, under the classifier's own names."""
    return {k.removeprefix(CLASSIFIER): v for k, v in tensors.items() if k.startswith(CLASSIFIER)}


def best_tensors(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """Return what a checkpoint has under the prefix of the best weights, without it."""
    return {k.removeprefix(BEST): v for k, v in tensors.items() if k.startswith(BEST)}


def load_classifier(classifier: FrameClassifier, tensors: Mapping[str, torch.Tensor]) -> None:
    """Give a classifier the weights that a learner of its shape had.

    Raises:
        TrainingError: tensors are missing, or of other shapes.
    """
    try:
        classifier.load_state_dict(classifier_tensors(tensors))
    except RuntimeError as error:
        raise TrainingError(
            f"a checkpoint of the training is damaged ({' '.join(str(error).split())}); "
            "train again with training.resume=false"
        ) from error


def _along_horizons(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return values [H] in a shape that broadcasts over a parameter [H, ...]."""
    return values.view(-1, *[1] * (like.ndim - 1))
