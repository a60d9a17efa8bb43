"""Where a predictor is most wrong: events that it was surest would not come, alarms without one."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from acoustic_event_prediction.alarms import Alarms
from acoustic_event_prediction.event_frames import EventFrames, Floats, Indices, match_alarms
from acoustic_event_prediction.frames import start_of

Kind = Literal["miss", "false_alarm"]


@dataclass(frozen=True)
class Moment:
    """One error.

    Attributes:
        kind: a miss or a false alarm.
        partition: number of the partition.
        seconds: onset of the missed event, or start of the frame that decides the alarm; from the
            partition's start.
        score: the highest score of the frames in which the event could have been announced, or of
            the alarm's run.
    """

    kind: Kind
    partition: int
    seconds: float
    score: float


def find_errors(
    frames: EventFrames, alarms: Alarms, horizon: int, per_partition: int
) -> list[Moment]:
    """Return the worst misses and the worst false alarms of each partition, the worst of all first.

    The worst miss has the lowest score, the worst false alarm the highest. The two kinds can't be
    compared and take turns: worst miss, worst false alarm, second miss and so on.

    Args:
        frames: of one split.
        alarms: found in them.
        horizon: n in frames.
        per_partition: at most so many of each kind.
    """
    misses = _worst(_misses(frames, alarms, horizon), per_partition)
    false_alarms = _worst(_false_alarms(frames, alarms, horizon), per_partition)
    turns = [*enumerate(misses), *enumerate(false_alarms)]
    return [moment for _, moment in sorted(turns, key=lambda turn: turn[0])]


def _misses(frames: EventFrames, alarms: Alarms, horizon: int) -> list[Moment]:
    matches = match_alarms(frames, alarms, horizon)
    missed = np.flatnonzero(matches.is_reachable & ~matches.is_hit)
    first, stop = frames.windows(horizon)[missed], frames.onsets[missed]
    peaks = [_peak(frames, *window) for window in zip(first, stop, strict=True)]
    return _moments("miss", frames.event_partitions[missed], frames.onset_seconds[missed], peaks)


def _false_alarms(frames: EventFrames, alarms: Alarms, horizon: int) -> list[Moment]:
    is_false = ~match_alarms(frames, alarms, horizon).is_true
    decided = alarms.decided[is_false]
    partitions = frames.partitions_of(decided)
    runs = zip(alarms.begin[is_false], alarms.end[is_false], strict=True)
    peaks = [_peak(frames, *run) for run in runs]
    return _moments("false_alarm", partitions, start_of(decided - frames.starts[partitions]), peaks)


def _peak(frames: EventFrames, first: int, stop: int) -> float:
    """Return the highest score of the frames that are not ignored."""
    return float(frames.scores[first:stop][~frames.ignored[first:stop]].max())


def _moments(kind: Kind, partitions: Indices, seconds: Floats, peaks: list[float]) -> list[Moment]:
    columns = (partitions.tolist(), seconds.tolist(), peaks)
    return [Moment(kind, *values) for values in zip(*columns, strict=True)]


def _worst(moments: list[Moment], per_partition: int) -> list[Moment]:
    """Return the worst of each partition, in order; of equal ones the first in time."""
    sign = {"miss": 1, "false_alarm": -1}
    kept: list[Moment] = []
    counts: dict[int, int] = {}
    for moment in sorted(moments, key=lambda found: sign[found.kind] * found.score):
        counts[moment.partition] = counts.get(moment.partition, 0) + 1
        if counts[moment.partition] <= per_partition:
            kept.append(moment)
    return kept
