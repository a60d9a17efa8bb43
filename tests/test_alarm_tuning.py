from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acoustic_event_prediction.alarm_tuning import (
    NUM_THRESHOLDS,
    AlarmGrid,
    NoRuleError,
    candidate_thresholds,
    tune_alarms,
)
from acoustic_event_prediction.alarms import AlarmRule, find_alarms
from acoustic_event_prediction.event_frames import EventFrames
from acoustic_event_prediction.event_metrics import event_metrics

GRID = AlarmGrid(None, (0.0, 0.16), (0.08, 0.16), (0.0, 0.40))
THRESHOLD_ONLY = AlarmGrid(None, (0.0,), (0.08,), (0.0,))


def made_frames(scores: list[float], onset_frames: list[int], **changes: object) -> EventFrames:
    """One partition; onsets are frames."""
    arrays: dict[str, object] = {
        "scores": [scores],
        "ignored": [np.zeros(len(scores), dtype=bool)],
        "onset_seconds": [np.array(onset_frames) * 0.08],
        "is_first": [np.ones(len(onset_frames), dtype=bool)],
        "units": [0],
    }
    return EventFrames.join(**(arrays | changes))  # type: ignore[arg-type]


def test_f1_is_largest_where_hits_outweigh_false_alarms() -> None:
    # Onsets at 3 and 7, horizon 1: frames 2 and 6 hit.
    #   0.9: 1 hit, 0 false: 2 / (1 + 2) = 2/3
    #   0.8: 1 hit, 1 false: 2 / (2 + 2) = 1/2
    #   0.7: 2 hits, 1 false: 4 / (3 + 2) = 4/5
    #   0.1: all frames are one run, decided at frame 0: 0 hits
    #                       0    1    2    3    4    5    6    7
    frames = made_frames([0.1, 0.1, 0.9, 0.1, 0.8, 0.1, 0.7, 0.1], [3, 7])
    best = tune_alarms(frames, 1, THRESHOLD_ONLY, max_false_alarms_per_hour=None)
    assert best == (AlarmRule(0.7, 0.0, 0.08, 0.0), 0.8)


def test_the_hit_rate_is_largest_under_the_limit_of_false_alarms() -> None:
    # As above: at 0.7 there is one false alarm in 8 frames, 5625 per hour.
    frames = made_frames([0.1, 0.1, 0.9, 0.1, 0.8, 0.1, 0.7, 0.1], [3, 7])
    best = tune_alarms(frames, 1, THRESHOLD_ONLY, max_false_alarms_per_hour=5625)
    assert best == (AlarmRule(0.7, 0.0, 0.08, 0.0), 1.0)
    best = tune_alarms(frames, 1, THRESHOLD_ONLY, max_false_alarms_per_hour=5624.9)
    assert best == (AlarmRule(0.9, 0.0, 0.08, 0.0), 0.5)


def test_the_limit_is_per_hour_of_scored_frames() -> None:
    # Two false alarms, then the hit. 12 scored frames of 24: 3750 per hour are one, not two.
    scores = [0.9, 0.0, 0.8, 0.0, 0.7] + 19 * [0.0]
    ignored = np.arange(24) >= 12
    frames = made_frames(scores, [5], ignored=[ignored])
    best = tune_alarms(frames, 1, THRESHOLD_ONLY, max_false_alarms_per_hour=3750)
    assert best == (AlarmRule(0.9, 0.0, 0.08, 0.0), 0.0)
    best = tune_alarms(frames, 1, THRESHOLD_ONLY, max_false_alarms_per_hour=7500)
    assert best == (AlarmRule(0.7, 0.0, 0.08, 0.0), 1.0)


def test_where_every_rule_has_too_many_false_alarms_the_fewest_are_told() -> None:
    frames = made_frames([0.9, 0.1, 0.1, 0.1], [3])
    # One in four frames of 80 ms.
    with pytest.raises(NoRuleError, match=r"more than 0 false .* the fewest are 1.125e\+04"):
        tune_alarms(frames, 1, THRESHOLD_ONLY, max_false_alarms_per_hour=0)
    # A longer minimum leaves no false alarm, and no hit: a hit rate of 0 for certain.
    longer = AlarmGrid(None, (0.0,), (0.08, 0.16), (0.0,))
    best = tune_alarms(frames, 1, longer, max_false_alarms_per_hour=0)
    assert best == (AlarmRule(0.9, 0.0, 0.16, 0.0), 0.0)


@pytest.mark.parametrize(
    "frames",
    [
        made_frames([0.9, 0.1], []),
        made_frames([0.9, 0.1], [0]),
        made_frames([0.9, 0.1], [1], ignored=[np.ones(2, dtype=bool)]),
    ],
)
def test_without_a_reachable_event_there_is_no_best(frames: EventFrames) -> None:
    for limit in (None, 10):
        with pytest.raises(NoRuleError, match="no event has a frame before it that counts"):
            tune_alarms(frames, 1, GRID, max_false_alarms_per_hour=limit)


def test_only_a_grid_of_one_rule_is_that_rule() -> None:
    assert AlarmGrid(0.5, (0.1,), (0.2,), (0.3,)).only_rule == AlarmRule(0.5, 0.1, 0.2, 0.3)
    assert AlarmGrid(None, (0.1,), (0.2,), (0.3,)).only_rule is None
    assert AlarmGrid(0.5, (0.1,), (0.2,), (0.3, 0.4)).only_rule is None


def test_of_equal_rules_the_first_of_the_grid_at_the_highest_threshold_wins() -> None:
    # Everything from 0.9 down to 0.5 hits the only event without a false alarm.
    frames = made_frames([0.0, 0.5, 0.9, 0.0], [3])
    best = tune_alarms(frames, 2, GRID, max_false_alarms_per_hour=None)
    assert best == (AlarmRule(0.9, 0.0, 0.08, 0.0), 1.0)


def test_a_fixed_setting_is_not_tuned() -> None:
    frames = made_frames([0.0, 0.5, 0.9, 0.0], [3])
    fixed = AlarmGrid(0.3, (0.16,), (0.08, 0.16), (0.40,))
    best = tune_alarms(frames, 2, fixed, max_false_alarms_per_hour=None)
    assert best == (AlarmRule(0.3, 0.16, 0.08, 0.40), 1.0)
    # No frame reaches it: no hit, no false alarm.
    too_high = AlarmGrid(1.5, (0.0,), (0.08,), (0.0,))
    best = tune_alarms(frames, 2, too_high, max_false_alarms_per_hour=None)
    assert best == (AlarmRule(1.5, 0.0, 0.08, 0.0), 0.0)


@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.booleans(), st.booleans())),
    st.integers(1, 4),
    st.sampled_from([None, 0.0, 3000.0]),
)
def test_the_best_rule_is_that_of_a_search_with_the_metrics(
    drawn: list[tuple[float, bool, bool]], horizon: int, limit: float | None
) -> None:
    frames = made_frames(
        [score for score, _, _ in drawn],
        [frame for frame, (_, is_onset, _) in enumerate(drawn) if is_onset],
        ignored=[
            np.array([is_odd and frame % 3 == 0 for frame, (_, _, is_odd) in enumerate(drawn)])
        ],
    )
    expected = None
    thresholds = sorted(set(frames.scores[~frames.ignored].tolist()), reverse=True)
    for settings in product(
        thresholds, GRID.merge_gap_seconds, GRID.minimum_duration_seconds, GRID.refractory_seconds
    ):
        rule = AlarmRule(*settings)
        alarms = find_alarms(frames.scores, frames.ignored, frames.starts, rule)
        metrics = event_metrics(frames, alarms, horizon, [])
        value = metrics["f1"] if limit is None else metrics["hit_rate"]
        if metrics["hit_rate"] is None or value is None:
            continue
        if limit is not None and metrics["false_alarms_per_hour"] > limit:
            continue
        if expected is None or value > expected[1]:
            expected = (rule, value)

    if expected is None:
        with pytest.raises(NoRuleError):
            tune_alarms(frames, horizon, GRID, max_false_alarms_per_hour=limit)
    else:
        assert tune_alarms(frames, horizon, GRID, max_false_alarms_per_hour=limit) == expected


def test_candidates_are_all_scores_where_there_are_few_frames() -> None:
    frames = made_frames([0.3, 0.9, 0.3, 0.1], [3], ignored=[np.array([0, 1, 0, 0], dtype=bool)])
    assert candidate_thresholds(frames, 1).tolist() == [0.3, 0.1]


def test_candidates_are_spread_by_rank_down_to_four_times_the_positive_frames() -> None:
    # Scores are their ranks from below; 50 events with 5 positive frames each.
    scores = np.random.default_rng(0).permutation(10_000).astype(np.float64)
    frames = made_frames(scores.tolist(), list(range(100, 10_000, 198)))
    thresholds = candidate_thresholds(frames, 5)
    reached = 10_000 - thresholds
    assert reached[0] == 1
    assert reached[-1] == 4 * 250
    assert 40 < thresholds.size <= NUM_THRESHOLDS
    assert (np.diff(reached) > 0).all()
    assert (reached[1:] / reached[:-1])[20:].max() < 1.15
    assert np.isin(thresholds, scores).all()


def test_where_all_frames_are_ignored_there_is_no_candidate() -> None:
    frames = made_frames([0.9, 0.1], [1], ignored=[np.ones(2, dtype=bool)])
    assert candidate_thresholds(frames, 1).size == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((None, (), (0.08,), (0.0,)), "needs values to try, ascending"),
        ((None, (0.16, 0.0), (0.08,), (0.0,)), "needs values to try, ascending"),
        ((None, (0.0,), (0.08, 0.08), (0.0,)), "needs values to try, ascending"),
        ((None, (0.0,), (0.08,), (-1.0, 0.0)), "durations at least 0 s"),
        ((np.nan, (0.0,), (0.08,), (0.0,)), "settings must be finite"),
    ],
)
def test_impossible_grids_are_refused(
    settings: tuple[float | None, tuple[float, ...], tuple[float, ...], tuple[float, ...]],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        AlarmGrid(*settings)


def test_impossible_limits_are_refused() -> None:
    frames = made_frames([0.9, 0.1], [1])
    with pytest.raises(ValueError, match="max_false_alarms_per_hour must be finite"):
        tune_alarms(frames, 1, GRID, max_false_alarms_per_hour=-1.0)
