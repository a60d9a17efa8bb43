import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from acoustic_event_prediction.calibration import Spacing, calibration_error, reliability

SPACINGS: tuple[Spacing, ...] = ("uniform", "quantile")
frames_with_ties = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 5e-324, 1 / 15, 0.2, 0.5, 0.99, 1.0])),
    min_size=1,
    max_size=60,
)


def test_bins_of_equal_width_on_paper() -> None:
    bins = reliability([0, 1, 0, 1, 1], [0.0, 0.25, 0.5, 0.75, 1.0], num_bins=4)

    # An edge belongs to the bin below it.
    assert bins.lower.tolist() == [0.0, 0.25, 0.5, 0.75]
    assert bins.upper.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert bins.count.tolist() == [2, 1, 1, 1]
    assert bins.mean_score.tolist() == [0.125, 0.5, 0.75, 1.0]
    assert bins.positive_share.tolist() == [0.5, 0.0, 1.0, 1.0]


def test_bins_without_frames_are_left_out() -> None:
    bins = reliability([0, 1], [0.1, 0.9], num_bins=10)

    assert bins.lower.tolist() == [0.0, 0.8]
    assert bins.count.tolist() == [1, 1]


def test_bins_of_equal_mass_on_paper() -> None:
    bins = reliability([0, 0, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 3, "quantile")

    assert bins.lower.tolist() == [0.1, 0.2, 0.4]
    assert bins.upper.tolist() == [0.2, 0.4, 0.6]
    assert bins.count.tolist() == [2, 2, 2]
    assert bins.positive_share.tolist() == [0.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("scores", "counts"),
    [
        ([0.5] * 6, [6]),
        ([0.0] * 4 + [0.5, 0.6], [4, 2]),
        ([0.1, 0.5, 0.5, 0.5, 0.5, 0.9], [1, 4, 1]),
        ([0.1, 0.2, 0.3, 0.9, 0.9, 0.9], [2, 1, 3]),
    ],
)
def test_equal_scores_are_never_divided(scores: list[float], counts: list[int]) -> None:
    bins = reliability([0] * 6, scores, 3, "quantile")

    assert bins.count.tolist() == counts


@given(frames=frames_with_ties)
def test_bins_of_equal_width_agree_with_scikit_learn(frames: list[tuple[int, float]]) -> None:
    labels, scores = (np.array(column) for column in zip(*frames, strict=True))

    bins = reliability(labels, scores)

    if 0 < labels.sum() < labels.size:
        share, mean = calibration_curve(labels, scores, n_bins=15, strategy="uniform")
        assert bins.positive_share == pytest.approx(share, abs=1e-9)
        assert bins.mean_score == pytest.approx(mean, abs=1e-9)


@pytest.mark.parametrize("spacing", SPACINGS)
@given(frames=frames_with_ties)
def test_every_frame_is_in_one_bin_between_its_edges(
    spacing: Spacing, frames: list[tuple[int, float]]
) -> None:
    labels, scores = (np.array(column) for column in zip(*frames, strict=True))

    bins = reliability(labels, scores, 15, spacing)

    assert bins.count.sum() == labels.size
    assert 1 <= bins.count.size <= 15
    for index, (low, high) in enumerate(zip(bins.lower, bins.upper, strict=True)):
        is_in = (scores <= high) & ((scores > low) | (index == 0))
        assert bins.count[index] == is_in.sum()
        assert bins.positive_share[index] == pytest.approx(labels[is_in].mean(), abs=1e-12)
        assert bins.mean_score[index] == pytest.approx(scores[is_in].mean(), abs=1e-12)


def test_bins_of_equal_mass_differ_by_one_frame_without_ties() -> None:
    scores = np.random.default_rng(0).permutation(1000) / 1000

    bins = reliability(np.zeros(1000, dtype=np.int8), scores, 15, "quantile")

    assert set(bins.count.tolist()) == {66, 67}


@pytest.mark.parametrize("spacing", SPACINGS)
def test_calibration_error_on_paper(spacing: Spacing) -> None:
    # |0.2 - 1/4| for 4 of 6 frames, |0.9 - 1/2| for 2.
    labels, scores = [0, 1, 0, 0, 1, 0], [0.2] * 4 + [0.9] * 2

    error = calibration_error(labels, scores, spacing=spacing)

    assert error == pytest.approx((4 * 0.05 + 2 * 0.4) / 6, abs=1e-12)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_true_probabilities_are_calibrated_and_their_squares_are_not(spacing: Spacing) -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.random(100_000)
    labels = (rng.random(100_000) < probabilities).astype(np.int8)

    good = calibration_error(labels, probabilities, spacing=spacing)
    bad = calibration_error(labels, probabilities**2, spacing=spacing)

    assert good is not None
    assert good < 0.01
    # The mean of p - p^2.
    assert bad == pytest.approx(1 / 6, abs=0.01)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize(("label", "score"), [(1, 0.3), (0, 0.7)])
def test_one_frame_is_off_by_its_own_error(spacing: Spacing, label: int, score: float) -> None:
    error = calibration_error([label], [score], spacing=spacing)

    assert error == pytest.approx(0.7, abs=1e-12)


@pytest.mark.parametrize("scores", [[-1e-9, 0.5], [0.5, 1.5]])
def test_what_is_no_probability_has_no_calibration(scores: npt.ArrayLike) -> None:
    for spacing in SPACINGS:
        assert calibration_error([0, 1], scores, spacing=spacing) is None
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], got"):
        reliability([0, 1], scores)


def test_wrong_bins_are_refused() -> None:
    with pytest.raises(ValueError, match="num_bins must be at least 1, got 0"):
        reliability([0, 1], [0.1, 0.2], num_bins=0)
    with pytest.raises(ValueError, match="got 'log'"):
        reliability([0, 1], [0.1, 0.2], spacing="log")  # type: ignore[arg-type]
