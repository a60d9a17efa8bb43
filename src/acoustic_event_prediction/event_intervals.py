"""Confidence intervals of event metrics by resampling the units (episodes) that alarms come from.

Counts of a unit drawn m times weigh m, so that a resample costs a few sums over units.
"""

from dataclasses import dataclass

import numpy as np

from acoustic_event_prediction.alarms import Alarms
from acoustic_event_prediction.bootstrap import Interval, percentile_interval
from acoustic_event_prediction.event_frames import EventFrames, Flags, Floats, Indices, match_alarms
from acoustic_event_prediction.frames import FRAME_SECONDS, FRAMES_PER_HOUR
from acoustic_event_prediction.unit_statistics import divide

STATISTICS = ("hit_rate", "precision", "f1", "false_alarms_per_hour", "mean_lead_time_seconds")
COMPARED_STATISTICS = ("hit_rate", "f1", "false_alarms_per_hour")


class Difference(Interval):
    """Second system minus first, and its interval over the same resamples of both."""

    difference: float


@dataclass(frozen=True)
class UnitCounts:
    """What the event metrics are made of, per unit; U units, ascending.

    Attributes:
        units: int64 [U].
        num_scored: frames that are not ignored, float64 [U].
        num_reachable: reachable events, float64 [U].
        num_hits: events that are hit, float64 [U].
        num_false_alarms: float64 [U].
        lead_frames: summed over the hits, float64 [U].
    """

    units: Indices
    num_scored: Floats
    num_reachable: Floats
    num_hits: Floats
    num_false_alarms: Floats
    lead_frames: Floats


def unit_counts(frames: EventFrames, alarms: Alarms, horizon: int) -> UnitCounts:
    """Return the counts of each unit, see `event_metrics`.

    Args:
        frames: the frames that the alarms were found in.
        alarms: of one `AlarmRule`.
        horizon: n in frames.

    Raises:
        ValueError: the horizon is less than 1.
    """
    matches = match_alarms(frames, alarms, horizon)
    units, rows = np.unique(frames.units, return_inverse=True)  # [U], [P]
    event_rows = rows[frames.event_partitions]
    alarm_rows = rows[frames.partitions_of(alarms.decided)]

    def count(members: Indices, values: Indices | Flags) -> Floats:
        counted: Floats = np.bincount(members, values, units.size).astype(np.float64)
        return counted

    return UnitCounts(
        units=units,
        num_scored=count(rows, frames.num_scored()),
        num_reachable=count(event_rows, matches.is_reachable),
        num_hits=count(event_rows, matches.is_hit),
        num_false_alarms=count(alarm_rows, ~matches.is_true),
        lead_frames=count(event_rows, matches.lead_frames),
    )


def event_intervals(counts: UnitCounts, weights: Floats) -> dict[str, Interval | None]:
    """Return the 95 % percentile interval of each of `STATISTICS`.

    Args:
        counts: of U units.
        weights: how often each unit is drawn in each of R resamples, float64 [U, R].

    Returns:
        The intervals; None for a statistic that is undefined in all resamples.
    """
    statistics = weighted_statistics(counts, weights)
    return {name: percentile_interval(values) for name, values in statistics.items()}


def difference_intervals(
    first: UnitCounts, second: UnitCounts, weights: Floats
) -> dict[str, Difference | None]:
    """Return second minus first for each of `COMPARED_STATISTICS`, with its 95 % interval.

    The units are the same and drawn together, so what makes a unit hard for both cancels out.

    Args:
        first: of one system, U units.
        second: of another on the same units.
        weights: how often each unit is drawn in each of R resamples, float64 [U, R].

    Returns:
        The differences; None where one system's value or all resamples are undefined.

    Raises:
        ValueError: the units differ.
    """
    if not np.array_equal(first.units, second.units):
        raise ValueError(
            "two systems are compared on the same units, got "
            f"{first.units.size} units {first.units[:5]} ... and "
            f"{second.units.size} units {second.units[:5]} ..."
        )
    observed = _differences(first, second, np.ones((first.units.size, 1)))
    found: dict[str, Difference | None] = {}
    for name, values in _differences(first, second, weights).items():
        difference, interval = float(observed[name][0]), percentile_interval(values)
        if interval is None or np.isnan(difference):
            found[name] = None
        else:
            found[name] = Difference(difference=difference, **interval)
    return found


def weighted_statistics(counts: UnitCounts, weights: Floats) -> dict[str, Floats]:
    """Return each statistic in each resample, as if unit u were there `weights[u, r]` times.

    Args:
        counts: of U units.
        weights: float64 [U, R], whole numbers of at least 0.

    Returns:
        float64 [R] for each of `STATISTICS`; NaN where the resample does not define it.
    """
    hits = counts.num_hits @ weights  # [R]
    reachable = counts.num_reachable @ weights  # [R]
    false_alarms = counts.num_false_alarms @ weights  # [R]
    return {
        "hit_rate": divide(hits, reachable),
        "precision": divide(hits, hits + false_alarms),
        "f1": divide(2 * hits, hits + false_alarms + reachable),
        "false_alarms_per_hour": divide(
            false_alarms * FRAMES_PER_HOUR, counts.num_scored @ weights
        ),
        "mean_lead_time_seconds": divide(counts.lead_frames @ weights * FRAME_SECONDS, hits),
    }


def _differences(first: UnitCounts, second: UnitCounts, weights: Floats) -> dict[str, Floats]:
    before, after = (weighted_statistics(counts, weights) for counts in (first, second))
    return {name: after[name] - before[name] for name in COMPARED_STATISTICS}
