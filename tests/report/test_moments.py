import numpy as np
import pytest

from acoustic_event_prediction.alarms import AlarmRule, find_alarms
from acoustic_event_prediction.event_frames import EventFrames
from acoustic_event_prediction.report.moments import Moment, find_errors

RULE = AlarmRule(0.5, 0.0, 0.08, 0.0)
HORIZON = 2


def find(frames: EventFrames, per_partition: int = 9) -> list[Moment]:
    alarms = find_alarms(frames.scores, frames.ignored, frames.starts, RULE)
    return find_errors(frames, alarms, HORIZON, per_partition)


def join(*partitions: tuple[list[float], list[float]], ignored: int | None = None) -> EventFrames:
    """Partitions of scores and onset frames; `ignored` is a frame of all."""
    scores = [values for values, _ in partitions]
    flags = [np.zeros(len(values), bool) for values in scores]
    if ignored is not None:
        flags[0][ignored] = True
    onsets = [np.array(frames) * 0.08 for _, frames in partitions]
    return EventFrames.join(
        scores, flags, onsets, [np.ones(o.size, bool) for o in onsets], [0] * len(scores)
    )


def test_a_miss_has_the_highest_score_of_its_window_and_the_time_of_its_onset() -> None:
    # Frames 2 and 3 could announce the onset in frame 4; 0.9 in frame 0 is a false alarm.
    found = find(join(([0.9, 0.4, 0.1, 0.3, 0.2, 0.0], [4])))

    assert found == [
        Moment("miss", 0, pytest.approx(0.32), 0.3),
        Moment("false_alarm", 0, 0.0, 0.9),
    ]


def test_ignored_frames_have_no_part_in_a_miss() -> None:
    found = find(join(([0.0, 0.0, 0.1, 0.9, 0.2], [4]), ignored=3))
    assert found == [Moment("miss", 0, pytest.approx(0.32), 0.1)]
    # With no frame that counts, nothing could be announced.
    assert find(join(([0.2, 0.1], [1]), ignored=0)) == []


def test_a_false_alarm_has_the_highest_score_of_its_run_and_the_time_it_is_decided() -> None:
    rule = AlarmRule(0.5, 0.0, 0.16, 0.0)
    frames = join(([0.0, 0.6, 0.7, 0.95, 0.0], []))
    alarms = find_alarms(frames.scores, frames.ignored, frames.starts, rule)

    assert find_errors(frames, alarms, HORIZON, 1) == [Moment("false_alarm", 0, 0.16, 0.95)]


def test_an_announced_event_is_no_error() -> None:
    assert find(join(([0.0, 0.0, 0.9, 0.0, 0.0], [4]))) == []


def test_the_worst_of_each_partition_are_kept_and_the_worst_of_all_come_first() -> None:
    quiet = [0.0] * 3
    # Each partition: false alarms of the scores given, far apart.
    scores = [[0.6, *quiet, 0.8, *quiet, 0.7, *quiet], [0.9, *quiet, 0.55, *quiet]]
    found = find(join(*((values, []) for values in scores)), per_partition=2)

    assert [(moment.partition, moment.score) for moment in found] == [
        *((1, 0.9), (0, 0.8), (0, 0.7), (1, 0.55)),
    ]


def test_misses_and_false_alarms_take_turns() -> None:
    scores = [0.9, 0.0, 0.0, 0.2, 0.0, 0.0, 0.1, 0.0, 0.0, 0.8, 0.0, 0.0, 0.7, 0.0]
    found = find(join((scores, [4, 7])))

    # The lowest score first of misses, the highest of false alarms.
    assert [(moment.kind, moment.score) for moment in found] == [
        ("miss", 0.1),
        ("false_alarm", 0.9),
        ("miss", 0.2),
        ("false_alarm", 0.8),
        ("false_alarm", 0.7),
    ]


def test_none_are_wanted() -> None:
    assert find(join(([0.9, 0.0, 0.0, 0.0], [])), per_partition=0) == []
