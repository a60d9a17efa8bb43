"""What training minimises, computed from logits so that no probability is ever 0 or 1."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from acoustic_event_prediction.params import TrainingParams


@dataclass(frozen=True)
class ClassCounts:
    """How many frames a set has, and how many of them are positive at each of H horizons."""

    num_frames: int
    num_positive: tuple[int, ...]

    @property
    def positive_weight(self) -> torch.Tensor:
        """Negatives per positive, [H]."""
        positive = torch.tensor(self.num_positive, dtype=torch.float64)  # [H]
        return ((self.num_frames - positive) / positive).float()

    @property
    def prior(self) -> tuple[float, ...]:
        """Share of positive frames, one per horizon."""
        return tuple(positive / self.num_frames for positive in self.num_positive)

    @property
    def prior_logit(self) -> torch.Tensor:
        """log(p / (1 - p)) of the prior p, [H]: the bias with which an output predicts p."""
        return torch.tensor([math.log(prior / (1 - prior)) for prior in self.prior])


class LossAndSlope(NamedTuple):
    """What B frames lose, and how that changes with their logits.

    Attributes:
        losses: summed over the frames, [H].
        slope: derivative of each frame's loss with respect to its logit, [B, H].
    """

    losses: torch.Tensor
    slope: torch.Tensor


class FrameLoss(nn.Module):
    """Sum of the losses of frames, and how a batch's sum becomes what the optimiser minimises.

    With q the probability given to the frame's true class, a frame loses
    `weight * (1 - q)**gamma * -log(q)`. Each horizon has a loss of its own.

    Args:
        positive_weight: weight of a positive frame, [H].
        negative_weight: weight of a negative frame, [H].
        gamma: how strongly frames that are already right are discounted; 0 is cross-entropy.
        is_mean: minimise the mean over the batch; otherwise its sum.
    """

    def __init__(
        self,
        positive_weight: torch.Tensor,
        negative_weight: torch.Tensor,
        *,
        gamma: float,
        is_mean: bool,
    ) -> None:
        super().__init__()
        self.positive_weight: torch.Tensor
        self.negative_weight: torch.Tensor
        self.register_buffer("positive_weight", positive_weight)
        self.register_buffer("negative_weight", negative_weight)
        self.gamma = gamma
        self.is_mean = is_mean

    def forward(self, logits: torch.Tensor, is_positive: torch.Tensor) -> LossAndSlope:
        """Return the losses of logits [B, H] for the classes [B, H], bool."""
        sign = torch.where(is_positive, 1.0, -1.0)  # [B, H]
        weight = torch.where(is_positive, self.positive_weight, self.negative_weight)
        true_class_logits = logits * sign
        surprise = nn.functional.softplus(-true_class_logits)  # -log(q)
        wrong = torch.sigmoid(-true_class_logits)  # 1 - q
        if not self.gamma:
            return LossAndSlope((weight * surprise).sum(dim=0), -weight * sign * wrong)
        weight = weight * wrong**self.gamma
        slope = -weight * sign * (self.gamma * (1 - wrong) * surprise + wrong)
        return LossAndSlope((weight * surprise).sum(dim=0), slope)

    def divisor(self, num_rows: int) -> int:
        """Return by what the summed loss of a batch of `num_rows` frames is divided."""
        return num_rows if self.is_mean else 1


def make_loss(params: TrainingParams, counts: ClassCounts) -> FrameLoss:
    """Return the loss of the setting `training.loss_type`.

    `bce` weighs positives with negatives / positives of the training set, or with
    `positive_weight`, and takes the mean.
    `focal` weighs positives with alpha, negatives with 1 - alpha and takes the sum.
    `adaptive_focal` does so with alpha = the training set's share of negatives, and takes the mean.
    `reduction` takes the mean or the sum for all of them.

    Args:
        params: settings.
        counts: of the whole training set; both classes present.
    """
    is_mean = (
        (params.loss_type != "focal")
        if params.reduction == "auto"
        else (params.reduction == "mean")
    )
    ratio = counts.positive_weight  # [H]
    if params.loss_type == "bce":
        if params.positive_weight != "auto":
            ratio = torch.full_like(ratio, params.positive_weight)
        return FrameLoss(ratio, torch.ones_like(ratio), gamma=0.0, is_mean=is_mean)
    is_focal = params.loss_type == "focal"
    alpha = torch.full_like(ratio, params.focal_alpha) if is_focal else ratio / (1 + ratio)
    return FrameLoss(alpha, 1 - alpha, gamma=params.focal_gamma, is_mean=is_mean)
