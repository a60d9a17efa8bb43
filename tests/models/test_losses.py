"""Losses against their formulas, written out in double precision."""

import math

import numpy as np
import pytest
import torch

from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.losses import ClassCounts, FrameLoss, LossType, make_loss

LOGITS = [0.7, -1.2, 2.0, 0.0]
LABELS = [1, 0, 0, 1]
# One positive in ten: nine negatives per positive.
COUNTS = ClassCounts(num_frames=1000, num_positive=(100,))


def loss_of(loss_type: LossType, counts: ClassCounts = COUNTS) -> FrameLoss:
    return make_loss(loss_type, counts, focal_alpha=0.25, focal_gamma=2.0)


def summed(loss: FrameLoss) -> float:
    return float(loss(torch.tensor(LOGITS)[:, None], torch.tensor(LABELS)[:, None]))


def probabilities() -> list[tuple[float, int]]:
    return [(1 / (1 + math.exp(-z)), y) for z, y in zip(LOGITS, LABELS, strict=True)]


def focal(alpha: float, gamma: float) -> float:
    total = 0.0
    for p, y in probabilities():
        p_t, alpha_t = (p, alpha) if y else (1 - p, 1 - alpha)
        total -= alpha_t * (1 - p_t) ** gamma * math.log(p_t)
    return total


def test_bce_weighs_a_positive_with_the_number_of_negatives_per_positive() -> None:
    expected = sum(-9 * math.log(p) if y else -math.log(1 - p) for p, y in probabilities())
    loss = loss_of("bce")
    assert summed(loss) == pytest.approx(expected, rel=1e-6)
    assert loss.divisor(512) == 512


def test_focal_is_the_sum_of_the_published_formula() -> None:
    loss = loss_of("focal")
    assert summed(loss) == pytest.approx(focal(0.25, 2.0), rel=1e-6)
    assert loss.divisor(512) == 1


def test_adaptive_focal_takes_the_share_of_negatives_as_alpha() -> None:
    loss = loss_of("adaptive_focal")
    assert summed(loss) == pytest.approx(focal(0.9, 2.0), rel=1e-6)
    assert loss.divisor(512) == 512


@pytest.mark.parametrize("loss_type", ["bce", "focal", "adaptive_focal"])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_extreme_logits_have_finite_loss_and_gradient(loss_type: LossType, gamma: float) -> None:
    logits = torch.tensor([[-500.0], [500.0]] * 2, requires_grad=True)
    loss = make_loss(loss_type, COUNTS, focal_alpha=0.25, focal_gamma=gamma)
    total = loss(logits, torch.tensor([[0], [0], [1], [1]]))
    total.backward()
    assert torch.isfinite(total)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_every_horizon_has_its_own_weight_and_gradient() -> None:
    counts = ClassCounts(num_frames=1000, num_positive=(100, 200))
    logits = torch.tensor([LOGITS, LOGITS]).T.contiguous().requires_grad_()
    labels = torch.tensor([LABELS, LABELS]).T
    loss_of("bce", counts)(logits, labels).backward()
    assert logits.grad is not None
    for horizon, num_positive in enumerate(counts.num_positive):
        alone = torch.tensor(LOGITS)[:, None].requires_grad_()
        loss_of("bce", ClassCounts(1000, (num_positive,)))(alone, labels[:, :1]).backward()
        assert torch.equal(logits.grad[:, horizon], alone.grad[:, 0])


def test_prior_bias_makes_an_empty_input_predict_the_prior() -> None:
    classifier = FrameClassifier(3, num_horizons=2)
    counts = ClassCounts(num_frames=100, num_positive=(5, 20))
    classifier.set_output_bias(counts.prior_logit)
    scores = classifier(torch.zeros(1, 3)).sigmoid().detach().numpy()
    np.testing.assert_allclose(scores, [[0.05, 0.2]], rtol=1e-6)
