"""What training minimises, computed from logits so that no probability is ever 0 or 1."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

LossType = Literal["bce", "focal", "adaptive_focal"]


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


class FrameLoss(nn.Module):
    """Sum of the losses of frames, and how a batch's sum becomes what the optimiser minimises.

    With q the probability given to the frame's true class, a frame loses
    `weight * (1 - q)**gamma * -log(q)`. The horizons' losses are added, so that each horizon has
    the gradient that it would have alone.

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

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the summed loss of logits [B, H] for labels [B, H] (0 or 1), a scalar."""
        is_positive = labels > 0
        true_class_logits = torch.where(is_positive, logits, -logits)  # [B, H]
        losses = nn.functional.softplus(-true_class_logits)
        if self.gamma:
            # (1 - q)**gamma by its logarithm: a power of 0 has no finite gradient if gamma < 1.
            log_wrong = nn.functional.logsigmoid(-true_class_logits)
            losses = losses * torch.exp(self.gamma * log_wrong)
        weights = torch.where(is_positive, self.positive_weight, self.negative_weight)  # [B, H]
        return (weights * losses).sum()

    def divisor(self, num_rows: int) -> int:
        """Return by what the summed loss of a batch of `num_rows` frames is divided."""
        return num_rows if self.is_mean else 1


def make_loss(
    loss_type: LossType, counts: ClassCounts, *, focal_alpha: float, focal_gamma: float
) -> FrameLoss:
    """Return the loss of the setting `training.loss_type`.

    `bce` weighs positives with negatives / positives of the training set and takes the mean.
    `focal` weighs positives with alpha, negatives with 1 - alpha and takes the sum.
    `adaptive_focal` does so with alpha = the training set's share of negatives, and takes the mean.

    Args:
        loss_type: bce, focal or adaptive_focal.
        counts: of the whole training set; both classes present.
        focal_alpha: weight of positives, used by `focal`.
        focal_gamma: used by `focal` and `adaptive_focal`.
    """
    ratio = counts.positive_weight  # [H]
    if loss_type == "bce":
        return FrameLoss(ratio, torch.ones_like(ratio), gamma=0.0, is_mean=True)
    alpha = torch.full_like(ratio, focal_alpha) if loss_type == "focal" else ratio / (1 + ratio)
    return FrameLoss(alpha, 1 - alpha, gamma=focal_gamma, is_mean=loss_type == "adaptive_focal")
