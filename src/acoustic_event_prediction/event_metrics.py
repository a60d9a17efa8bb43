"""What the user of a live system feels: events announced, false alarms and how early it was.

A metric that the data does not define is None with a reason, never 0.0 and never NaN.
"""

import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from acoustic_event_prediction.alarms import Alarms
from acoustic_event_prediction.event_frames import (
    EventFrames,
    Flags,
    Indices,
    Matches,
    match_alarms,
)
from acoustic_event_prediction.frames import FRAME_SECONDS, FRAMES_PER_HOUR, start_of
from acoustic_event_prediction.target_events import TOLERANCE_SECONDS


class LeadTimes(TypedDict):
    """Seconds from the first alarm's frame to the onset's frame, over the events that are hit."""

    mean: float
    min: float
    quartile_1: float
    median: float
    quartile_3: float
    max: float


class CollarMetrics(TypedDict):
    """Alarms and events matched one-to-one where they are at most a collar apart in time."""

    num_matched: int
    precision: float | None
    recall: float | None
    f1: float | None


class EventMetrics(TypedDict):
    """Event metrics, ready for JSON; `undefined` gives the reason for each None."""

    num_events: int
    num_unreachable: int
    num_hits: int
    num_alarms: int
    num_repeated_alarms: int
    num_false_alarms: int
    hours: float
    hit_rate: float | None
    precision: float | None
    f1: float | None
    false_alarms_per_hour: float | None
    lead_time_seconds: LeadTimes | None
    num_reachable_first: int
    num_hits_first: int
    hit_rate_first: float | None
    num_reachable_following: int
    num_hits_following: int
    hit_rate_following: float | None
    collars: dict[str, CollarMetrics]
    undefined: dict[str, str]


class _Ratios:
    """Divides, and notes under a name why a quotient is undefined."""

    def __init__(self) -> None:
        self.undefined: dict[str, str] = {}

    def divide(self, name: str, numerator: float, denominator: float, reason: str) -> float | None:
        if denominator:
            return numerator / denominator
        self.undefined[name] = reason
        return None


def event_metrics(
    frames: EventFrames, alarms: Alarms, horizon: int, collar_seconds: Sequence[float]
) -> EventMetrics:
    """Return the event metrics of alarms.

    The hit rate is the recall over the reachable events: those with a scored frame in their window.
    An event is hit once, however many alarms announce it; precision is hits / (hits + false
    alarms), so that repeated alarms count neither way. F1 is the harmonic mean of these two. Hours
    are scored frames, of all partitions: an episode with two users counts twice.

    Args:
        frames: the frames that the alarms were found in.
        alarms: of one `AlarmRule`.
        horizon: n in frames, as in the labels (`shift_frames`).
        collar_seconds: for each, the metrics of alarms within +- so many seconds of an onset; there
            all events count, reachable or not, and every alarm that is not matched is false.

    Raises:
        ValueError: the horizon is less than 1, or a collar negative, not finite or given twice.
    """
    matches = match_alarms(frames, alarms, horizon)
    num_reachable = int(matches.is_reachable.sum())
    num_hits = int(matches.is_hit.sum())
    num_false = int(np.count_nonzero(~matches.is_true))
    hours = int(frames.num_scored().sum()) / FRAMES_PER_HOUR
    lead_times = _lead_times(matches.lead_frames[matches.is_hit])
    ratios = _Ratios()
    if lead_times is None:
        ratios.undefined["lead_time_seconds"] = "no event is hit"
    first = _bout_counts(matches, frames.is_first)
    following = _bout_counts(matches, ~frames.is_first)
    return EventMetrics(
        num_events=frames.onsets.size,
        num_unreachable=frames.onsets.size - num_reachable,
        num_hits=num_hits,
        num_alarms=alarms.decided.size,
        num_repeated_alarms=int(matches.is_repeated.sum()),
        num_false_alarms=num_false,
        hours=hours,
        hit_rate=ratios.divide("hit_rate", num_hits, num_reachable, "no event is reachable"),
        precision=ratios.divide("precision", num_hits, num_hits + num_false, "there is no alarm"),
        f1=ratios.divide(
            "f1",
            2 * num_hits,
            num_hits + num_false + num_reachable,
            "no event is reachable and there is no alarm",
        ),
        false_alarms_per_hour=ratios.divide(
            "false_alarms_per_hour", num_false, hours, "all frames are ignored"
        ),
        lead_time_seconds=lead_times,
        num_reachable_first=first[0],
        num_hits_first=first[1],
        hit_rate_first=ratios.divide(
            "hit_rate_first", first[1], first[0], "no first event of a bout is reachable"
        ),
        num_reachable_following=following[0],
        num_hits_following=following[1],
        hit_rate_following=ratios.divide(
            "hit_rate_following", following[1], following[0], "no following event is reachable"
        ),
        collars=_collars(frames, alarms, collar_seconds, ratios),
        undefined=ratios.undefined,
    )


def count_within_collar(
    alarm_partitions: Indices,
    alarm_seconds: Sequence[float],
    event_partitions: Indices,
    onset_seconds: Sequence[float],
    collar_seconds: float,
) -> int:
    """Return the most alarms that can be matched one-to-one with onsets at most a collar away.

    Both are walked through in time order. Of the earliest alarm and the earliest onset left, one
    that lies too early for the other does so for all later ones, and goes. If they fit, some best
    matching has this pair: where it matches the alarm with a later onset and the onset with a later
    alarm, these two are no farther apart than the earlier ones allow, so partners can be swapped.

    Args:
        alarm_partitions: int64 [A], ascending; alarms match onsets of their partition only.
        alarm_seconds: [A], ascending within a partition.
        event_partitions: int64 [E], ascending.
        onset_seconds: [E], ascending within a partition.
        collar_seconds: a distance of exactly this is a match.
    """
    alarms = list(zip(alarm_partitions.tolist(), alarm_seconds, strict=True))
    onsets = list(zip(event_partitions.tolist(), onset_seconds, strict=True))
    reach = collar_seconds + TOLERANCE_SECONDS
    num_matched = alarm = onset = 0
    while alarm < len(alarms) and onset < len(onsets):
        (alarm_part, alarm_time), (onset_part, onset_time) = alarms[alarm], onsets[onset]
        is_onset_late = (alarm_part, alarm_time + reach) < (onset_part, onset_time)
        is_alarm_late = (onset_part, onset_time + reach) < (alarm_part, alarm_time)
        num_matched += not (is_onset_late or is_alarm_late)
        alarm += not is_alarm_late
        onset += not is_onset_late
    return num_matched


def _bout_counts(matches: Matches, chosen: Flags) -> tuple[int, int]:
    """Return how many of the chosen events are reachable and how many are hit."""
    return int((matches.is_reachable & chosen).sum()), int((matches.is_hit & chosen).sum())


def _lead_times(lead_frames: Indices) -> LeadTimes | None:
    if lead_frames.size == 0:
        return None
    seconds = lead_frames * FRAME_SECONDS
    least, quartile_1, median, quartile_3, most = np.percentile(seconds, [0, 25, 50, 75, 100])
    return LeadTimes(
        mean=float(seconds.mean()),
        min=float(least),
        quartile_1=float(quartile_1),
        median=float(median),
        quartile_3=float(quartile_3),
        max=float(most),
    )


def _collars(
    frames: EventFrames, alarms: Alarms, collar_seconds: Sequence[float], ratios: _Ratios
) -> dict[str, CollarMetrics]:
    names = [f"{seconds:g}" for seconds in collar_seconds]
    is_wrong = not all(math.isfinite(seconds) and seconds >= 0 for seconds in collar_seconds)
    if is_wrong or len(set(names)) < len(names):
        raise ValueError(
            f"collars must be finite, at least 0 s and distinct, got {list(collar_seconds)}"
        )
    partitions = frames.partitions_of(alarms.decided)
    alarm_seconds = start_of(alarms.decided - frames.starts[partitions]).tolist()
    onset_seconds = frames.onset_seconds.tolist()
    num_alarms, num_events = len(alarm_seconds), len(onset_seconds)
    collars = {}
    for name, seconds in zip(names, collar_seconds, strict=True):
        matched = count_within_collar(
            partitions, alarm_seconds, frames.event_partitions, onset_seconds, seconds
        )
        key = f"collars.{name}"
        collars[name] = CollarMetrics(
            num_matched=matched,
            precision=ratios.divide(f"{key}.precision", matched, num_alarms, "there is no alarm"),
            recall=ratios.divide(f"{key}.recall", matched, num_events, "there is no event"),
            f1=ratios.divide(
                f"{key}.f1", 2 * matched, num_alarms + num_events, "there is no alarm and no event"
            ),
        )
    return collars
