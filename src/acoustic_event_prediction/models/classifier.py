"""The network that turns a frame's features into a prediction."""

from typing import Final

import torch
from torch import nn

DROPOUT: Final = 0.5


class FrameClassifier(nn.Module):
    """Features [B, D] to logits [B, H], one column per prediction horizon.

    One linear layer, or Linear, ReLU, Dropout, Linear when there is a hidden layer. The single
    layer starts at zero: its loss is convex, and a random start would stay in the weights as a
    direction that no label asked for.

    Args:
        num_features: D.
        num_horizons: H.
        hidden_dim: width of the hidden layer; None for no hidden layer.
        dropout: share of hidden units that are silenced in training.

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
        self.hidden = (
            nn.Identity()
            if hidden_dim is None
            else nn.Sequential(nn.Linear(num_features, hidden_dim), nn.ReLU(), nn.Dropout(dropout))
        )
        self.output = nn.Linear(hidden_dim or num_features, num_horizons)
        if hidden_dim is None:
            nn.init.zeros_(self.output.weight)
            nn.init.zeros_(self.output.bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits [B, H] of features [B, D]."""
        logits: torch.Tensor = self.output(self.hidden(features))
        return logits

    @torch.no_grad()
    def set_output_bias(self, bias: torch.Tensor) -> None:
        """Start from the logits [H] that the bias alone gives, e.g. those of the prior."""
        self.output.bias.copy_(bias)
