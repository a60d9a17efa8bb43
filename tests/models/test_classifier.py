"""Shapes of the classifier, what it consists of, and that its horizons are strangers."""

import pytest
import torch

from acoustic_event_prediction.models.classifier import FrameClassifier


@pytest.mark.parametrize("hidden_dim", [None, 5])
def test_one_logit_per_frame_and_horizon(hidden_dim: int | None) -> None:
    classifier = FrameClassifier(4, num_horizons=3, hidden_dim=hidden_dim)
    assert classifier(torch.zeros(2, 4)).shape == (2, 3)
    assert classifier(torch.zeros(0, 4)).shape == (0, 3)


def test_without_hidden_layer_the_classifier_is_linear() -> None:
    # 4 weights and a bias
    assert sum(p.numel() for p in FrameClassifier(4).parameters()) == 5


def test_hidden_layer_is_linear_relu_linear() -> None:
    torch.manual_seed(0)
    classifier = FrameClassifier(4, hidden_dim=5).eval()
    features = torch.randn(7, 4)
    hidden = (features @ classifier.weight[0].T + classifier.bias[0]).relu()
    expected = hidden @ classifier.output_weight[0] + classifier.output_bias[0]
    torch.testing.assert_close(classifier(features)[:, 0], expected)


def test_dropout_silences_the_same_half_of_the_units_for_all_horizons() -> None:
    torch.manual_seed(0)
    classifier = FrameClassifier(4, num_horizons=2, hidden_dim=1000)
    features = torch.randn(1, 4)
    trained = classifier(features)
    assert torch.equal(trained[:, 0], trained[:, 1])
    assert not torch.equal(trained, classifier.eval()(features))
    assert torch.equal(
        FrameClassifier(4, hidden_dim=9, dropout=0.0)(features).isfinite(),
        torch.ones(1, 1, dtype=torch.bool),
    )


@pytest.mark.parametrize("hidden_dim", [None, 5])
def test_all_horizons_start_from_the_same_values(hidden_dim: int | None) -> None:
    for parameter in FrameClassifier(4, 3, hidden_dim).parameters():
        assert torch.equal(parameter[0], parameter[2])


@pytest.mark.parametrize("hidden_dim", [None, 5])
def test_standardization_acts_on_the_features(hidden_dim: int | None) -> None:
    torch.manual_seed(0)
    classifier = FrameClassifier(4, 2, hidden_dim).eval()
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.normal_()
    features, mean, scale = torch.randn(6, 4), torch.randn(4), torch.rand(4) + 0.5
    expected = classifier((features - mean) / scale)
    classifier.standardize(mean, scale)
    torch.testing.assert_close(classifier(features), expected)
