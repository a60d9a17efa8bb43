import numpy as np
import numpy.typing as npt
import pytest

from acoustic_event_prediction import unit_statistics
from acoustic_event_prediction.bootstrap import STATISTICS, draw_weights
from acoustic_event_prediction.curves import score_curve
from acoustic_event_prediction.metrics import frame_metrics
from acoustic_event_prediction.unit_statistics import group_frames, weighted_statistics

Frames = tuple[npt.NDArray[np.int8], npt.NDArray[np.float64], npt.NDArray[np.int64]]


def make_frames(num_units: int, num_levels: int) -> Frames:
    """Units of different length; the last one has no positive frame."""
    rng = np.random.default_rng(num_levels)
    units = np.repeat(np.arange(num_units), rng.integers(20, 60, num_units))
    labels = (rng.random(units.size) < 0.1).astype(np.int8)
    labels[units == num_units - 1] = 0
    scores = np.floor(rng.random(units.size) ** (2 - labels) * num_levels) / num_levels
    order = rng.permutation(units.size)
    return labels[order], scores[order], units[order]


def make_episodes(num_units: int, num_frames: int, prevalence: float, separation: float) -> Frames:
    """Units that differ in prevalence and level, scored by the logistic function."""
    rng = np.random.default_rng(num_units)
    units = np.repeat(np.arange(num_units), num_frames)
    prevalences = np.clip(prevalence * np.exp(rng.normal(0, 0.8, num_units)), 0, 0.9)
    labels = (rng.random(units.size) < prevalences[units]).astype(np.int8)
    levels = rng.normal(-5, 0.7, num_units)[units] + separation * labels
    scores = 1 / (1 + np.exp(-rng.normal(levels, 1.5)))
    return labels, scores.astype(np.float32).astype(np.float64), units


@pytest.mark.parametrize("num_levels", [1, 4, 10**9])
@pytest.mark.parametrize("block", [1, 7, 1024])
def test_weights_give_what_copied_units_give(
    num_levels: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_statistics, "_BLOCK", block)
    labels, scores, units = make_frames(6, num_levels)
    weights = draw_weights(6, 40, seed=1)
    weights[:, 0] = 0, 0, 0, 0, 0, 6  # one class only
    weights[:, 1] = 1

    weighted = weighted_statistics(group_frames(labels, scores, units), weights, 0.5)

    assert tuple(weighted) == STATISTICS
    for resample, multiplicities in enumerate(weights.T.astype(int)):
        copies = np.repeat(np.arange(units.size), multiplicities[units])
        naive = dict(frame_metrics(labels[copies], scores[copies], 0.5))
        for name in STATISTICS:
            expected = np.nan if naive[name] is None else naive[name]
            assert weighted[name][resample] == pytest.approx(expected, abs=1e-9, nan_ok=True), name


def areas_by_copying(frames: Frames, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """AUPRC and AUROC of each resample, [R, 2], with every frame copied."""
    labels, scores, units = frames
    found = []
    for multiplicities in weights.T.astype(int):
        copies = np.repeat(np.arange(units.size), multiplicities[units])
        curve = score_curve(labels[copies], scores[copies])
        found.append([curve.auprc(), curve.auroc()])
    return np.array(found, dtype=np.float64)


def test_areas_of_few_distinct_positive_scores_are_exact() -> None:
    frames = make_episodes(10, 2000, 0.1, 1.5)
    num_heights = np.unique(frames[1][frames[0] == 1]).size
    weights = draw_weights(10, 3, seed=0)

    weighted = weighted_statistics(group_frames(*frames), weights, 0.5)

    assert 1024 < num_heights < 2400
    expected = areas_by_copying(frames, weights)
    assert weighted["auprc"] == pytest.approx(expected[:, 0], rel=1e-12)
    assert weighted["auroc"] == pytest.approx(expected[:, 1], rel=1e-12)


@pytest.mark.parametrize(
    ("num_units", "num_frames", "prevalence", "separation"),
    [(40, 10_000, 0.02, 2), (40, 5000, 0.2, 1), (10, 40_000, 0.02, 3), (200, 3000, 0.05, 0.3)],
)
@pytest.mark.parametrize("decimals", [None, 4])
def test_areas_of_many_positives_are_within_a_twenty_thousandth(
    num_units: int, num_frames: int, prevalence: float, separation: float, decimals: int | None
) -> None:
    labels, scores, units = make_episodes(num_units, num_frames, prevalence, separation)
    if decimals is not None:
        scores = np.round(scores, decimals)
    weights = draw_weights(num_units, 4, seed=0)
    weights[:, 0] = 1

    weighted = weighted_statistics(group_frames(labels, scores, units), weights, 0.5)

    assert labels.sum() > 5000
    expected = areas_by_copying((labels, scores, units), weights)
    assert weighted["auprc"] == pytest.approx(expected[:, 0], rel=5e-5)
    assert weighted["auroc"] == pytest.approx(expected[:, 1], rel=5e-5)


def test_blocks_hold_every_height_once_and_are_few() -> None:
    starts = unit_statistics._block_starts(1_000_000)

    assert starts[0] == 0
    assert np.diff(starts).min() == 1
    assert np.diff(starts).max() == pytest.approx(500_000 / 600, rel=0.01)
    assert np.diff(starts, append=1_000_000)[-1199:].max() == 1
    assert starts.size == pytest.approx(10_000, rel=0.01)
    assert unit_statistics._block_starts(2399).tolist() == list(range(2399))
    assert unit_statistics._block_starts(0).size == 0


def test_units_may_be_interleaved() -> None:
    groups = group_frames([1, 0, 1, 0], [0.3, 0.9, 0.8, 0.1], [7, 2, 7, 7])

    assert [part.tolist() for part in groups.scores] == [[0.9], [0.1, 0.3, 0.8]]
    assert groups.num_frames().tolist() == [1, 3]
    assert groups.num_frames(threshold=0.3).tolist() == [1, 2]
    assert groups.num_positive().tolist() == [0, 2]
    assert groups.num_positive(threshold=0.5).tolist() == [0, 1]
    assert groups.squared_error == pytest.approx([0.81, 0.49 + 0.04 + 0.01], abs=1e-12)


def test_a_unit_number_per_frame_is_needed() -> None:
    with pytest.raises(ValueError, match="one unit number per frame"):
        group_frames([0, 1], [0.1, 0.2], [0])
