"""Losses against their formulas, written out in double precision."""

import math

import numpy as np
import pytest
import torch
from tests.made import training_params

from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.losses import ClassCounts, FrameLoss, make_loss

LOGITS = [0.7, -1.2, 2.0, 0.0]
LABELS = [1, 0, 0, 1]
# One positive in ten: nine negatives per positive.
COUNTS = ClassCounts(num_frames=1000, num_positive=(100,))
IS_POSITIVE = torch.tensor(LABELS, dtype=torch.bool)[:, None]


def loss_of(loss_type: str, counts: ClassCounts = COUNTS, **changes: object) -> FrameLoss:
    return make_loss(training_params(loss_type=loss_type, **changes), counts)


def summed(loss: FrameLoss) -> float:
    return float(loss(torch.tensor(LOGITS)[:, None], IS_POSITIVE).losses)


def probabilities() -> list[tuple[float, int]]:
    return [(1 / (1 + math.exp(-z)), y) for z, y in zip(LOGITS, LABELS, strict=True)]


def bce(positive_weight: float) -> float:
    return sum(
        -positive_weight * math.log(p) if y else -math.log(1 - p) for p, y in probabilities()
    )


def focal(alpha: float, gamma: float) -> float:
    total = 0.0
    for p, y in probabilities():
        p_t, alpha_t = (p, alpha) if y else (1 - p, 1 - alpha)
        total -= alpha_t * (1 - p_t) ** gamma * math.log(p_t)
    return total


def test_bce_weighs_a_positive_with_the_number_of_negatives_per_positive() -> None:
    loss = loss_of("bce")
    assert summed(loss) == pytest.approx(bce(9), rel=1e-6)
    assert loss.divisor(512) == 512


def test_the_weight_of_positives_can_be_given() -> None:
    assert summed(loss_of("bce", positive_weight=1.5)) == pytest.approx(bce(1.5), rel=1e-6)


def test_focal_is_the_sum_of_the_published_formula() -> None:
    loss = loss_of("focal")
    assert summed(loss) == pytest.approx(focal(0.25, 2.0), rel=1e-6)
    assert loss.divisor(512) == 1


def test_adaptive_focal_takes_the_share_of_negatives_as_alpha() -> None:
    loss = loss_of("adaptive_focal")
    assert summed(loss) == pytest.approx(focal(0.9, 2.0), rel=1e-6)
    assert loss.divisor(512) == 512


def test_the_reduction_of_every_loss_can_be_chosen() -> None:
    assert loss_of("focal", reduction="mean").divisor(512) == 512
    assert loss_of("bce", reduction="sum").divisor(512) == 1


@pytest.mark.parametrize("loss_type", ["bce", "focal", "adaptive_focal"])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_slope_is_the_derivative_of_the_loss(loss_type: str, gamma: float) -> None:
    loss = loss_of(loss_type, focal_gamma=gamma).double()
    logits = torch.linspace(-8, 8, 33, dtype=torch.float64)[:, None].requires_grad_()
    is_positive = torch.arange(33)[:, None] % 2 == 0
    losses, slope = loss(logits, is_positive)
    losses.sum().backward()
    assert logits.grad is not None
    torch.testing.assert_close(slope.detach(), logits.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("loss_type", ["bce", "focal", "adaptive_focal"])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_extreme_logits_have_finite_loss_and_slope(loss_type: str, gamma: float) -> None:
    logits = torch.tensor([[-500.0], [500.0]] * 2)
    is_positive = torch.tensor([[False], [False], [True], [True]])
    losses, slope = loss_of(loss_type, focal_gamma=gamma)(logits, is_positive)
    assert torch.isfinite(losses).all()
    assert torch.isfinite(slope).all()


def test_every_horizon_has_its_own_weight_and_slope() -> None:
    counts = ClassCounts(num_frames=1000, num_positive=(100, 200))
    logits = torch.tensor([LOGITS, LOGITS]).T
    losses, slope = loss_of("bce", counts)(logits, IS_POSITIVE.expand(4, 2))
    for horizon, num_positive in enumerate(counts.num_positive):
        alone = loss_of("bce", ClassCounts(1000, (num_positive,)))(logits[:, :1], IS_POSITIVE)
        assert torch.equal(losses[horizon], alone.losses[0])
        assert torch.equal(slope[:, horizon], alone.slope[:, 0])


def test_prior_bias_makes_an_empty_input_predict_the_prior() -> None:
    classifier = FrameClassifier(3, num_horizons=2)
    counts = ClassCounts(num_frames=100, num_positive=(5, 20))
    classifier.set_output_bias(counts.prior_logit)
    scores = classifier(torch.zeros(1, 3)).sigmoid().detach().numpy()
    np.testing.assert_allclose(scores, [[0.05, 0.2]], rtol=1e-6)
