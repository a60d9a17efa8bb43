import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from acoustic_event_prediction.alarms import Alarms
from acoustic_event_prediction.event_frames import EventFrames
from acoustic_event_prediction.event_metrics import (
    EventMetrics,
    count_within_collar,
    event_metrics,
)


def alarms_at(*decided: int) -> Alarms:
    frames = np.array(decided, dtype=np.int64)
    return Alarms(frames, frames + 1, frames)


def made_frames(
    onset_seconds: list[list[float]], is_first: list[list[bool]] | None = None, **changes: Any
) -> EventFrames:
    """Partitions of 20 frames, none ignored, every event the first of its bout."""
    size = len(onset_seconds)
    arrays: dict[str, Any] = {
        "scores": [np.zeros(20)] * size,
        "ignored": [np.zeros(20, dtype=bool)] * size,
        "onset_seconds": onset_seconds,
        "is_first": is_first or [[True] * len(times) for times in onset_seconds],
        "units": list(range(size)),
    }
    return EventFrames.join(**(arrays | changes))


def test_the_metrics_of_a_worked_example() -> None:
    # Horizon 4, two partitions; A is an alarm, ^ an onset, x ignored.
    #   0         1           2         3
    #   01234567890123456789  01234567890123456789
    #   ^.A.A^...A....xxxx^.  .A.A^^......A.......
    # Onsets at 0 (unreachable: no frame before), 5 (hit by 2, lead 3; 4 repeats it), 18
    # (unreachable: 14 to 17 are ignored), 24 and 25 (hit by 21, leads 3 and 4; 23 repeats both).
    # False alarms: 9 and 32.
    ignored = np.zeros(20, dtype=bool)
    ignored[14:18] = True
    frames = made_frames(
        [[0.0, 0.40, 1.44], [0.32, 0.40]],
        [[True, True, False], [True, False]],
        ignored=[ignored, np.zeros(20, dtype=bool)],
    )

    metrics = event_metrics(frames, alarms_at(2, 4, 9, 21, 23, 32), 4, [0.1])

    hours = 36 / 45_000
    # Within 0.1 s, one frame: 4 of the onset at 5, and 23 of the onset at 24. Not 21 of 24.
    assert metrics == EventMetrics(
        num_events=5,
        num_unreachable=2,
        num_hits=3,
        num_alarms=6,
        num_repeated_alarms=2,
        num_false_alarms=2,
        hours=hours,
        hit_rate=3 / 3,
        precision=3 / 5,
        f1=pytest.approx(2 * 1.0 * 0.6 / 1.6),
        false_alarms_per_hour=pytest.approx(2 / hours),
        lead_time_seconds=pytest.approx(
            {
                "mean": 0.8 / 3,
                "min": 0.24,
                "quartile_1": 0.24,
                "median": 0.24,
                "quartile_3": 0.28,
                "max": 0.32,
            }
        ),
        num_reachable_first=2,
        num_hits_first=2,
        hit_rate_first=1.0,
        num_reachable_following=1,
        num_hits_following=1,
        hit_rate_following=1.0,
        collars={
            "0.1": {
                "num_matched": 2,
                "precision": 2 / 6,
                "recall": 2 / 5,
                "f1": pytest.approx(4 / 11),
            }
        },
        undefined={},
    )
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_first_and_following_events_have_rates_of_their_own() -> None:
    frames = made_frames([[0.40, 0.80, 1.20]], [[True, False, False]])
    metrics = event_metrics(frames, alarms_at(9), 2, [])  # before the onset at frame 10
    assert metrics["hit_rate_first"] == 0.0
    assert metrics["hit_rate_following"] == 0.5
    assert (metrics["num_reachable_first"], metrics["num_hits_first"]) == (1, 0)
    assert (metrics["num_reachable_following"], metrics["num_hits_following"]) == (2, 1)


def test_false_alarms_alone_make_precision_and_f1_zero() -> None:
    metrics = event_metrics(made_frames([[0.40]]), alarms_at(12), 2, [])
    assert metrics["precision"] == metrics["f1"] == metrics["hit_rate"] == 0.0
    assert metrics["undefined"] == {"lead_time_seconds": "no event is hit"} | {
        "hit_rate_following": "no following event is reachable"
    }


def undefined_names(metrics: EventMetrics) -> set[str]:
    """Names of what is None; each has a reason."""
    names = {name for name, value in metrics.items() if value is None}
    for collar, values in metrics["collars"].items():
        names |= {f"collars.{collar}.{name}" for name, value in values.items() if value is None}
    assert names == set(metrics["undefined"])
    return names


def test_without_alarms_what_divides_by_them_is_undefined() -> None:
    metrics = event_metrics(made_frames([[0.40]]), alarms_at(), 2, [0.5])
    assert metrics["hit_rate"] == metrics["f1"] == metrics["false_alarms_per_hour"] == 0.0
    assert undefined_names(metrics) == {
        "precision",
        "lead_time_seconds",
        "hit_rate_following",
        "collars.0.5.precision",
    }
    assert metrics["undefined"]["precision"] == "there is no alarm"


def test_without_events_what_divides_by_them_is_undefined() -> None:
    metrics = event_metrics(made_frames([[]]), alarms_at(3), 2, [0.5])
    assert metrics["precision"] == metrics["f1"] == 0.0
    assert metrics["false_alarms_per_hour"] == 45_000 / 20
    assert undefined_names(metrics) == {
        "hit_rate",
        "lead_time_seconds",
        "hit_rate_first",
        "hit_rate_following",
        "collars.0.5.recall",
    }
    assert metrics["undefined"]["hit_rate"] == "no event is reachable"


def test_where_all_frames_are_ignored_nothing_is_defined() -> None:
    frames = made_frames([[0.40]], ignored=[np.ones(20, dtype=bool)])
    metrics = event_metrics(frames, alarms_at(), 2, [])
    assert metrics["num_unreachable"] == 1
    assert metrics["hours"] == 0.0
    assert undefined_names(metrics) == {
        "hit_rate",
        "precision",
        "f1",
        "false_alarms_per_hour",
        "lead_time_seconds",
        "hit_rate_first",
        "hit_rate_following",
    }
    assert metrics["undefined"]["false_alarms_per_hour"] == "all frames are ignored"


def matched(alarms: list[float], onsets: list[float], collar: float) -> int:
    zeros = [np.zeros(len(times), dtype=np.int64) for times in (alarms, onsets)]
    return count_within_collar(zeros[0], alarms, zeros[1], onsets, collar)


def test_an_alarm_exactly_a_collar_away_matches() -> None:
    # 0.7 + 0.1 is 0.7999999999999999 in binary.
    assert matched([0.7], [0.8], 0.1) == matched([0.8], [0.7], 0.1) == 1
    assert matched([0.7], [0.81], 0.1) == 0


def test_an_alarm_matches_one_event_and_an_event_one_alarm() -> None:
    assert matched([1.0], [0.9, 1.1], 0.5) == 1
    assert matched([0.9, 1.1], [1.0], 0.5) == 1


def test_an_alarm_between_two_events_leaves_the_nearer_one_to_the_next() -> None:
    # To the nearest first would be 1.0 with 1.1, which leaves 1.5 without an event.
    assert matched([1.0, 1.5], [0.6, 1.1], 0.5) == 2


def test_collars_use_the_exact_onset_and_the_start_of_the_alarms_frame() -> None:
    # The alarm's frame 5 of the second partition begins at 0.40 s.
    frames = made_frames([[], [0.61]])
    metrics = event_metrics(frames, alarms_at(25), 2, [0.2, 0.21])
    assert metrics["collars"]["0.2"]["num_matched"] == 0
    assert metrics["collars"]["0.21"]["num_matched"] == 1


def test_an_alarm_does_not_match_an_event_of_another_partition() -> None:
    # Frame 19 is the last of the first partition, the event begins the second.
    metrics = event_metrics(made_frames([[], [0.0]]), alarms_at(19), 2, [5.0])
    assert metrics["collars"]["5"]["num_matched"] == 0


times = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 25)), max_size=9).map(sorted)


@given(times, times, st.integers(0, 10))
def test_no_matching_has_more_pairs(
    alarms: list[tuple[int, int]], onsets: list[tuple[int, int]], collar: int
) -> None:
    fits = [
        [part == other and abs(time - onset) <= collar for other, onset in onsets]
        for part, time in alarms
    ]
    table = np.array(fits, dtype=np.int8).reshape(len(alarms), len(onsets))
    best = maximum_bipartite_matching(csr_array(table)) if table.size else np.empty(0)
    counted = count_within_collar(
        np.array([part for part, _ in alarms], dtype=np.int64),
        [time / 10 for _, time in alarms],
        np.array([part for part, _ in onsets], dtype=np.int64),
        [onset / 10 for _, onset in onsets],
        collar / 10,
    )
    assert counted == np.count_nonzero(best >= 0)


@pytest.mark.parametrize("collars", [[-0.1], [np.nan], [0.5, 0.5]])
def test_impossible_collars_are_refused(collars: list[float]) -> None:
    with pytest.raises(ValueError, match="collars must be finite, at least 0 s and distinct"):
        event_metrics(made_frames([[0.4]]), alarms_at(), 2, collars)
