"""The network that turns a frame's features into a prediction."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import nn

DROPOUT: Final = 0.5


class FrameClassifier(nn.Module):
    """Features [B, D] to logits [B, H]: H classifiers side by side, one per prediction horizon.

    Each is one linear layer, or Linear, ReLU, Dropout, Linear when there is a hidden layer. They
    share nothing but the features, read once: each learns what it would learn alone. All parameters
    have H as their first dimension, and all classifiers start from the same values. The single
    layer starts at zero: its loss is convex, and a random start would stay in the weights as a
    direction that no label asked for.

    Args:
        num_features: D.
        num_horizons: H.
        hidden_dim: width K of the hidden layer; None for no hidden layer.
        dropout: share of hidden units that are silenced in training, the same for all horizons.

    >>> FrameClassifier(num_features=4, num_horizons=3)(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        num_features: int,
        num_horizons: int = 1,
        hidden_dim: int | None = None,
        dropout: float = DROPOUT,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.num_horizons = num_horizons
        self.hidden_dim = hidden_dim
        self.dropout = dropout
        self.mean: torch.Tensor
        self.scale: torch.Tensor
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("scale", torch.ones(num_features))
        if hidden_dim is None:
            self.weight = nn.Parameter(torch.zeros(num_horizons, 1, num_features))
            self.bias = nn.Parameter(torch.zeros(num_horizons, 1))
            return
        first, last = nn.Linear(num_features, hidden_dim), nn.Linear(hidden_dim, 1)
        self.weight = _repeated(first.weight, num_horizons)  # [H, K, D]
        self.bias = _repeated(first.bias, num_horizons)  # [H, K]
        self.output_weight = _repeated(last.weight[0], num_horizons)  # [H, K]
        self.output_bias = _repeated(last.bias, num_horizons)  # [H, 1]

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits [B, H] of float32 features [B, D]."""
        weight, bias, *output = self.folded()
        return self.head(nn.functional.linear(features, weight, bias), output)

    def folded(self) -> tuple[torch.Tensor, ...]:
        """Return the weights that take features as they are: (x - mean) / scale is in them.

        This costs one pass over the weights instead of one over all features.

        Returns:
            Weight of the first layer, [H * K, D] with K = 1 if there is no other, and its bias;
            with a hidden layer, also weight [H, K] and bias [H, 1] of the outputs.
        """
        weight = (self.weight / self.scale).flatten(0, 1)  # [H * K, D]
        bias = self.bias.flatten() - weight @ self.mean
        if self.hidden_dim is None:
            return weight, bias
        return weight, bias, self.output_weight, self.output_bias

    def head(self, first: torch.Tensor, output: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return logits [B, H] of the first layer's outputs [B, H * K].

        Args:
            first: linear in the features; without a hidden layer, the logits themselves.
            output: what `folded` gave beyond the first layer.
        """
        if self.hidden_dim is None:
            return first
        hidden = first.view(-1, self.num_horizons, self.hidden_dim).relu()  # [B, H, K]
        if self.training:
            hidden = hidden * nn.functional.dropout(torch.ones_like(hidden[:, :1]), self.dropout)
        weight, bias = output
        return torch.einsum("bhk,hk->bh", hidden, weight) + bias[:, 0]

    @torch.no_grad()
    def standardize(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        """Take features as (x - mean) / scale from now on, [D] both."""
        self.mean.copy_(mean)
        self.scale.copy_(scale)

    @torch.no_grad()
    def set_output_bias(self, bias: torch.Tensor) -> None:
        """Start from the logits [H] that the bias alone gives, e.g. those of the prior."""
        output = self.bias if self.hidden_dim is None else self.output_bias
        output.copy_(bias[:, None])


def _repeated(values: torch.Tensor, num_horizons: int) -> nn.Parameter:
    return nn.Parameter(values.detach().expand(num_horizons, *values.shape).clone())


class FoldedClassifier(nn.Module):
    """A classifier's folded weights as a module's output: what ranks average gradients of.

    Args:
        classifier: whose parameters are trained.
    """

    def __init__(self, classifier: FrameClassifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self) -> tuple[torch.Tensor, ...]:
        """Return `classifier.folded()`."""
        return self.classifier.folded()
