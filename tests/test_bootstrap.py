import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from acoustic_event_prediction.bootstrap import (
    STATISTICS,
    Interval,
    bootstrap_intervals,
    draw_weights,
    paired_differences,
)
from acoustic_event_prediction.metrics import frame_metrics

Frames = tuple[npt.NDArray[np.int8], npt.NDArray[np.float64], npt.NDArray[np.int64]]
NAMES_OF_COUNTS = {"precision", "recall", "f1", "accuracy", "mcc"}


def make_frames(num_units: int, *, num_levels: int, prevalence: float = 0.1) -> Frames:
    """Units of different length; the last one has no positive frame."""
    rng = np.random.default_rng(num_levels)
    units = np.repeat(np.arange(num_units), rng.integers(20, 60, num_units))
    labels = (rng.random(units.size) < prevalence).astype(np.int8)
    labels[units == num_units - 1] = 0
    scores = np.floor(rng.random(units.size) ** (2 - labels) * num_levels) / num_levels
    order = rng.permutation(units.size)
    return labels[order], scores[order], units[order]


def test_every_resample_draws_as_many_units_as_there_are() -> None:
    weights = draw_weights(5, 100, seed=0)

    assert weights.shape == (5, 100)
    assert set(weights.sum(axis=0)) == {5.0}


def test_same_seed_gives_the_same_intervals() -> None:
    frames = make_frames(8, num_levels=1000)
    settings: dict[str, Any] = {"threshold": 0.5, "num_resamples": 50}

    first = bootstrap_intervals(*frames, **settings, seed=0)

    assert first == bootstrap_intervals(*frames, **settings, seed=0)
    assert first["auprc"] != bootstrap_intervals(*frames, **settings, seed=1)["auprc"]


def test_interval_is_where_the_middle_95_percent_of_resamples_lie() -> None:
    # Two units, all positive and all negative: prevalence is 0, 0.5 or 1 at odds 1 : 2 : 1.
    result = bootstrap_intervals(
        [1, 0], [0.9, 0.1], [0, 1], threshold=0.5, num_resamples=400, seed=0
    )

    assert result["prevalence"] == {"low": 0.0, "high": 1.0, "num_undefined": 0}
    one_class = draw_weights(2, 400, seed=0).max(axis=0) == 2
    assert result["auroc"] == {"low": 1.0, "high": 1.0, "num_undefined": int(one_class.sum())}


def test_frames_of_one_unit_are_drawn_together() -> None:
    # 2 units with the same frames: whatever is drawn, nothing changes.
    labels, scores, _ = make_frames(3, num_levels=1000)
    twice = np.concatenate([labels, labels]), np.concatenate([scores, scores])
    units = np.repeat([0, 1], labels.size)

    result = bootstrap_intervals(*twice, units, threshold=0.5, num_resamples=20, seed=0)

    metrics = frame_metrics(*twice, 0.5)
    assert result["auprc"] is not None
    assert result["auprc"]["low"] == pytest.approx(metrics["auprc"], abs=1e-9)
    assert result["auprc"]["high"] == pytest.approx(metrics["auprc"], abs=1e-9)


@pytest.mark.parametrize(
    ("units", "num_resamples", "reason"),
    [([0, 0], 100, "at least 2 units, got 1"), ([0, 1], 0, "no resamples")],
)
def test_no_interval_without_units_or_resamples(
    units: list[int], num_resamples: int, reason: str
) -> None:
    result: dict[str, Any] = dict(
        bootstrap_intervals(
            [0, 1], [0.2, 0.9], units, threshold=0.5, num_resamples=num_resamples, seed=0
        )
    )

    for name in STATISTICS:
        assert result[name] is None
        assert reason in result["undefined"][name]


def test_statistic_that_no_resample_defines_is_none_with_a_reason() -> None:
    result = bootstrap_intervals(
        [0, 0, 0], [0.2, 0.9, 0.1], [0, 1, 2], threshold=1.0, num_resamples=10, seed=0
    )

    assert result["auprc"] is None
    assert result["undefined"]["auprc"] == "undefined in all 10 resamples"
    assert result["prevalence"] == {"low": 0.0, "high": 0.0, "num_undefined": 0}
    json.dumps(result, allow_nan=False)


def test_every_interval_is_around_its_point_value() -> None:
    frames = make_frames(30, num_levels=1000)

    result: dict[str, Any] = dict(
        bootstrap_intervals(*frames, threshold=0.5, num_resamples=200, seed=0)
    )

    metrics = dict(frame_metrics(*frames[:2], 0.5))
    for name in STATISTICS:
        assert result[name]["low"] < metrics[name] < result[name]["high"], name
        assert result[name]["num_undefined"] == 0
    assert (result["num_units"], result["num_resamples"], result["seed"]) == (30, 200, 0)


def test_scores_that_are_no_probabilities_say_why_brier_has_no_interval() -> None:
    result = bootstrap_intervals(
        [0, 1, 0, 1], [-1.0, 3.0, 0.5, 0.5], [0, 0, 1, 1], threshold=1, num_resamples=10, seed=0
    )

    assert result["brier_score"] is None
    assert "outside [0, 1]" in result["undefined"]["brier_score"]
    assert result["auroc"] is not None


def test_difference_on_paper() -> None:
    # In each of two equal units, a finds the positive and b the negative instead.
    result = paired_differences(
        *([1, 0] * 2, [0.9, 0.1] * 2, [0.2, 0.8] * 2, [4, 4, 9, 9]),
        **{"threshold_a": 0.5, "threshold_b": 0.5, "num_resamples": 10, "seed": 0},
    )

    differences = result["differences"]
    assert tuple(differences) == STATISTICS
    assert differences["recall"] == {
        "difference": 1.0,
        "interval": {"low": 1.0, "high": 1.0, "num_undefined": 0},
        "share_above_zero": 1.0,
    }
    assert differences["auprc"]["difference"] == 0.5
    assert differences["mcc"]["difference"] == 2.0
    # 0.01 and 0.64.
    assert differences["brier_score"]["difference"] == pytest.approx(-0.63, abs=1e-12)
    assert differences["brier_score"]["share_above_zero"] == 0.0
    assert differences["prevalence"]["interval"] == {"low": 0.0, "high": 0.0, "num_undefined": 0}
    assert (result["num_units"], result["undefined"]) == (2, {})
    json.dumps(result, allow_nan=False)


def test_both_sides_are_measured_on_the_same_resamples() -> None:
    labels, scores, units = make_frames(20, num_levels=1000)
    noisy = np.clip(scores + np.random.default_rng(0).normal(0, 0.1, scores.size), 0, 1)
    settings: dict[str, Any] = {"num_resamples": 100, "seed": 3}

    result = paired_differences(
        labels, scores, noisy, units, threshold_a=0.5, threshold_b=0.4, **settings
    )

    weights = draw_weights(20, 100, seed=3).astype(int)
    gaps: dict[str, list[float]] = {name: [] for name in STATISTICS}
    for multiplicities in weights.T:
        copies = np.repeat(np.arange(units.size), multiplicities[units])
        a = dict(frame_metrics(labels[copies], scores[copies], 0.5))
        b = dict(frame_metrics(labels[copies], noisy[copies], 0.4))
        for name, found in gaps.items():
            found.append(a[name] - b[name])
    for name, found in result["differences"].items():
        low, high = np.percentile(gaps[name], [2.5, 97.5])
        assert found["interval"] == pytest.approx(Interval(low=low, high=high, num_undefined=0))
        if name in NAMES_OF_COUNTS:
            assert found["share_above_zero"] == np.mean(np.array(gaps[name]) > 1e-12), name


def test_equal_scores_differ_by_nothing() -> None:
    labels, scores, units = make_frames(8, num_levels=1000)

    result = paired_differences(
        *(labels, scores, scores, units),
        **{"threshold_a": 0.5, "threshold_b": 0.5, "num_resamples": 20, "seed": 0},
    )

    for found in result["differences"].values():
        assert (found["difference"], found["share_above_zero"]) == (0.0, 0.0)
        assert found["interval"] == {"low": 0.0, "high": 0.0, "num_undefined": 0}


@pytest.mark.parametrize(
    ("units", "num_resamples", "reason"),
    [([0, 0], 100, "at least 2 units, got 1"), ([0, 1], 0, "no resamples")],
)
def test_a_difference_needs_no_resamples_but_its_interval_does(
    units: list[int], num_resamples: int, reason: str
) -> None:
    result = paired_differences(
        *([0, 1], [0.2, 0.9], [0.9, 0.2], units),
        **{"threshold_a": 0.5, "threshold_b": 0.5, "num_resamples": num_resamples, "seed": 0},
    )

    auroc = result["differences"]["auroc"]
    assert auroc == {"difference": 1.0, "interval": None, "share_above_zero": None}
    assert set(result["undefined"]) == set(STATISTICS)
    assert reason in result["undefined"]["auroc"]


def test_what_one_side_leaves_undefined_has_no_difference_and_a_reason() -> None:
    result = paired_differences(
        *([0, 1, 0, 1], [0.2, 0.9] * 2, [-1.0, 2.0] * 2, [0, 0, 1, 1]),
        **{"threshold_a": 0.5, "threshold_b": 9.0, "num_resamples": 10, "seed": 0},
    )

    nothing = {"difference": None, "interval": None, "share_above_zero": None}
    assert result["differences"]["precision"] == nothing
    assert result["differences"]["brier_score"] == nothing
    assert set(result["undefined"]) == {"precision", "mcc", "brier_score"}
    assert "outside [0, 1]" in result["undefined"]["brier_score"]
    json.dumps(result, allow_nan=False)
