import numpy as np
import pytest

from acoustic_event_prediction.alarms import AlarmRule, Alarms, find_alarms
from acoustic_event_prediction.bootstrap import draw_weights
from acoustic_event_prediction.event_frames import EventFrames
from acoustic_event_prediction.event_intervals import (
    COMPARED_STATISTICS,
    STATISTICS,
    UnitCounts,
    difference_intervals,
    event_intervals,
    unit_counts,
    weighted_statistics,
)
from acoustic_event_prediction.event_metrics import event_metrics

HORIZON = 3
Part = tuple[np.ndarray, np.ndarray, list[float]]


def made_parts(num_parts: int, seed: int) -> list[Part]:
    rng = np.random.default_rng(seed)
    parts: list[Part] = []
    for _ in range(num_parts):
        onsets = np.sort(rng.choice(60, size=rng.integers(1, 6), replace=False))
        parts.append((rng.random(60), rng.random(60) < 0.1, (onsets * 0.08).tolist()))
    return parts


def joined(parts: list[Part], units: list[int]) -> EventFrames:
    return EventFrames.join(
        scores=[scores for scores, _, _ in parts],
        ignored=[ignored for _, ignored, _ in parts],
        onset_seconds=[onsets for _, _, onsets in parts],
        is_first=[np.ones(len(onsets), dtype=bool) for _, _, onsets in parts],
        units=units,
    )


def alarms_of(frames: EventFrames, threshold: float = 0.9) -> Alarms:
    rule = AlarmRule(threshold, 0.0, 0.08, 0.24)
    return find_alarms(frames.scores, frames.ignored, frames.starts, rule)


def counts_of(frames: EventFrames, threshold: float = 0.9) -> UnitCounts:
    return unit_counts(frames, alarms_of(frames, threshold), HORIZON)


def test_counts_are_per_unit() -> None:
    # Unit 7 has the first and the last partition. Onset at 4, windows 1 to 3. Alarms:
    #   0123456   0123456   0123456
    #   .A..^.A   A..x^..   ..AA^..
    # hit, lead 3, one false | false | hit, lead 2, one repeated
    ignored = np.zeros(7, dtype=bool)
    frames = EventFrames.join(
        scores=[np.zeros(7)] * 3,
        ignored=[ignored, np.arange(7) == 3, ignored],
        onset_seconds=[[0.32]] * 3,
        is_first=[[True]] * 3,
        units=[7, 4, 7],
    )
    decided = np.array([1, 6, 7, 16, 17])

    counts = unit_counts(frames, Alarms(decided, decided + 1, decided), HORIZON)

    assert counts.units.tolist() == [4, 7]
    assert counts.num_scored.tolist() == [6, 14]
    assert counts.num_reachable.tolist() == [1, 2]
    assert counts.num_hits.tolist() == [0, 2]
    assert counts.num_false_alarms.tolist() == [1, 1]
    assert counts.lead_frames.tolist() == [0, 5]


def test_a_unit_of_weight_two_counts_as_if_it_were_there_twice() -> None:
    parts = made_parts(4, seed=1)
    statistics = weighted_statistics(
        counts_of(joined(parts, [0, 1, 1, 2])), np.array([[2.0], [1.0], [0.0]])
    )

    twice = joined([parts[0], parts[0], parts[1], parts[2]], [0, 1, 2, 3])
    metrics = event_metrics(twice, alarms_of(twice), HORIZON, [])
    assert metrics["lead_time_seconds"] is not None
    for name in ("hit_rate", "precision", "f1", "false_alarms_per_hour"):
        assert statistics[name][0] == pytest.approx(metrics[name])  # type: ignore[literal-required]
    mean = metrics["lead_time_seconds"]["mean"]
    assert statistics["mean_lead_time_seconds"][0] == pytest.approx(mean)


def test_intervals_hold_the_observed_values() -> None:
    frames = joined(made_parts(30, seed=2), list(range(30)))
    intervals = event_intervals(counts_of(frames), draw_weights(30, 200, seed=0))
    observed = weighted_statistics(counts_of(frames), np.ones((30, 1)))
    assert set(intervals) == set(STATISTICS)
    for name, interval in intervals.items():
        assert interval is not None
        assert interval["low"] < observed[name][0] < interval["high"]


def test_a_resample_that_defines_no_value_is_left_out_and_counted() -> None:
    # The second unit has no event and no alarm: alone it has no hit rate.
    counts = UnitCounts(
        units=np.array([0, 1]),
        num_scored=np.array([45_000.0, 45_000.0]),
        num_reachable=np.array([2.0, 0.0]),
        num_hits=np.array([1.0, 0.0]),
        num_false_alarms=np.array([3.0, 0.0]),
        lead_frames=np.array([2.0, 0.0]),
    )
    intervals = event_intervals(counts, np.array([[2.0, 0.0], [0.0, 2.0]]))
    assert intervals["hit_rate"] == {"low": 0.5, "high": 0.5, "num_undefined": 1}
    assert intervals["precision"] == {"low": 0.25, "high": 0.25, "num_undefined": 1}
    assert intervals["mean_lead_time_seconds"] == pytest.approx(
        {"low": 0.16, "high": 0.16, "num_undefined": 1}
    )
    # 2 * 3 false alarms in two hours, or none.
    assert intervals["false_alarms_per_hour"] == pytest.approx(
        {"low": 0.075, "high": 2.925, "num_undefined": 0}
    )
    assert event_intervals(counts, np.array([[0.0], [2.0]]))["hit_rate"] is None


def test_a_system_does_not_differ_from_itself() -> None:
    counts = counts_of(joined(made_parts(10, seed=3), list(range(10))))
    differences = difference_intervals(counts, counts, draw_weights(10, 50, seed=0))
    zero = {"difference": 0.0, "low": 0.0, "high": 0.0, "num_undefined": 0}
    assert differences == dict.fromkeys(COMPARED_STATISTICS, zero)


def test_differences_are_second_minus_first_in_each_resample() -> None:
    # Hit rates 1/4 and 3/4 of the first unit, 2/4 and 3/4 of the second: 0.5 and 0.25 apart.
    first = UnitCounts(
        units=np.array([3, 5]),
        num_scored=np.array([45_000.0, 45_000.0]),
        num_reachable=np.array([4.0, 4.0]),
        num_hits=np.array([1.0, 2.0]),
        num_false_alarms=np.array([0.0, 2.0]),
        lead_frames=np.array([1.0, 2.0]),
    )
    second = UnitCounts(
        units=first.units,
        num_scored=first.num_scored,
        num_reachable=first.num_reachable,
        num_hits=np.array([3.0, 3.0]),
        num_false_alarms=np.array([4.0, 2.0]),
        lead_frames=np.array([1.0, 2.0]),
    )
    differences = difference_intervals(first, second, np.array([[2.0, 0.0], [0.0, 2.0]]))
    # Percentiles 2.5 and 97.5 of two values lie 1/40 of their distance inside.
    assert differences["hit_rate"] == pytest.approx(
        {"difference": 0.375, "low": 0.25625, "high": 0.49375, "num_undefined": 0}
    )
    assert differences["false_alarms_per_hour"] == pytest.approx(
        {"difference": 2.0, "low": 0.1, "high": 3.9, "num_undefined": 0}
    )
    # F1: 6 / 13 (3 of 8, 2 false) and 12 / 20 (6 of 8, 6 false).
    assert differences["f1"] is not None
    assert differences["f1"]["difference"] == pytest.approx(12 / 20 - 6 / 13)


def test_a_difference_without_a_value_is_none() -> None:
    frames = joined([(np.zeros(5), np.zeros(5, dtype=bool), [])], [0])
    differences = difference_intervals(counts_of(frames), counts_of(frames), np.ones((1, 3)))
    assert differences["hit_rate"] is None
    assert differences["false_alarms_per_hour"] is not None


def test_systems_on_other_units_are_not_compared() -> None:
    parts = made_parts(3, seed=4)
    first, second = (counts_of(joined(parts, units)) for units in ([0, 1, 2], [0, 1, 3]))
    with pytest.raises(ValueError, match="two systems are compared on the same units"):
        difference_intervals(first, second, np.ones((3, 1)))
