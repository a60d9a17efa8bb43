"""Shapes of the classifier, and what it consists of."""

import pytest
import torch
from torch import nn

from acoustic_event_prediction.models.classifier import FrameClassifier


@pytest.mark.parametrize("hidden_dim", [None, 5])
def test_one_logit_per_frame_and_horizon(hidden_dim: int | None) -> None:
    classifier = FrameClassifier(4, num_horizons=3, hidden_dim=hidden_dim)
    assert classifier(torch.zeros(2, 4)).shape == (2, 3)
    assert classifier(torch.zeros(0, 4)).shape == (0, 3)


def test_without_hidden_layer_the_classifier_is_linear() -> None:
    # 4 weights and a bias
    assert sum(p.numel() for p in FrameClassifier(4).parameters()) == 5


def test_hidden_layer_has_relu_and_dropout_of_one_half() -> None:
    hidden = FrameClassifier(4, hidden_dim=5).hidden
    assert isinstance(hidden, nn.Sequential)
    assert [type(layer) for layer in hidden] == [nn.Linear, nn.ReLU, nn.Dropout]
    assert hidden[2].p == 0.5
