"""Choose the alarm rule on validation data by what the user of a live system feels.

Every combination of candidate thresholds and settings is tried. Frames below the lowest candidate
can't begin or prolong an alarm, so only the few above it are looked at after one pass over all:
1728 rules take 2 to 4 s for 13 million frames with 13 000 events.
"""

import math
import sys
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from fractions import Fraction
from itertools import product
from typing import NamedTuple

import numpy as np

from acoustic_event_prediction.alarms import AlarmRule, alarm_rows, reached_frames
from acoustic_event_prediction.event_frames import (
    EventFrames,
    Floats,
    announced_events,
    num_new_events,
)
from acoustic_event_prediction.frames import FRAMES_PER_HOUR

NUM_THRESHOLDS = 64
# At a lower threshold at least three of four frames that reach it are outside the windows.
_MOST_REACHED_PER_POSITIVE = 4


@dataclass(frozen=True)
class AlarmGrid:
    """What is tried: a setting with one value is fixed.

    Attributes:
        threshold: a fixed one, or None to tune it, see `candidate_thresholds`.
        merge_gap_seconds: values to try, ascending.
        minimum_duration_seconds: values to try, ascending.
        refractory_seconds: values to try, ascending.

    Raises:
        ValueError: no values for a setting, not ascending or not possible in an `AlarmRule`.
    """

    threshold: float | None
    merge_gap_seconds: tuple[float, ...]
    minimum_duration_seconds: tuple[float, ...]
    refractory_seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        for values in astuple(self)[1:]:
            if not values or list(values) != sorted(set(values)):
                raise ValueError(f"a setting needs values to try, ascending, got {self}")
        list(self.rules(0.0 if self.threshold is None else self.threshold))  # each checks itself

    @property
    def only_rule(self) -> AlarmRule | None:
        """The rule, where the threshold and every setting are fixed."""
        if self.threshold is None:
            return None
        rules = list(self.rules(self.threshold))
        return rules[0] if len(rules) == 1 else None

    def rules(self, threshold: float) -> Iterator[AlarmRule]:
        """Yield all rules with a threshold: first gap, then minimum, then refractory ascend."""
        settings = product(
            self.merge_gap_seconds, self.minimum_duration_seconds, self.refractory_seconds
        )
        for gap, minimum, refractory in settings:
            yield AlarmRule(threshold, gap, minimum, refractory)


class TunedAlarms(NamedTuple):
    """The best rule and its value: F1, or the hit rate under a limit of false alarms."""

    rule: AlarmRule
    value: float


class NoRuleError(ValueError):
    """No rule can be chosen."""


def tune_alarms(
    frames: EventFrames, horizon: int, grid: AlarmGrid, *, max_false_alarms_per_hour: float | None
) -> TunedAlarms:
    """Return the rule with the largest F1, or with the largest hit rate under a limit.

    Among equal values the highest threshold wins, then the smallest gap, minimum duration and
    refractory time, in this order.

    Args:
        frames: of the validation split.
        horizon: n in frames.
        grid: what is tried.
        max_false_alarms_per_hour: None: maximize `f1` of `event_metrics`; else its `hit_rate` among
            the rules with at most so many false alarms per hour of scored frames.

    Raises:
        NoRuleError: no event is reachable, or every rule has more false alarms; says how many.
        ValueError: the horizon is less than 1, or the limit negative or not finite.
    """
    limit = _false_alarm_limit(frames, max_false_alarms_per_hour)
    num_reachable = int(np.count_nonzero(frames.num_scored_in_windows(horizon)))
    if num_reachable == 0:
        raise NoRuleError("no event has a frame before it that counts")
    best: TunedAlarms | None = None
    fewest_false = sys.maxsize
    for rule, num_hits, num_false in _try_rules(frames, horizon, grid):
        fewest_false = min(fewest_false, num_false)
        if limit is None:
            value = 2 * num_hits / (num_hits + num_false + num_reachable)
        elif num_false <= limit:
            value = num_hits / num_reachable
        else:
            continue
        if best is None or value > best.value:
            best = TunedAlarms(rule, value)
    if best is None:
        fewest = fewest_false * FRAMES_PER_HOUR / int(frames.num_scored().sum())
        raise NoRuleError(
            f"every rule has more than {max_false_alarms_per_hour:g} false alarms per hour; the "
            f"fewest are {fewest:.4g}"
        )
    return best


def candidate_thresholds(frames: EventFrames, horizon: int) -> Floats:
    """Return at most `NUM_THRESHOLDS` scores of the frames that are not ignored, descending.

    They are spread by rank: the numbers of frames that reach them grow by a constant factor from 1
    to 4 times the scored frames in the windows of events. The highest score is always one. Where
    there are no more frames than candidates, every distinct score is tried.

    Raises:
        ValueError: the horizon is less than 1.
    """
    scored = frames.scores[~frames.ignored]
    num_positive = int(frames.num_scored_in_windows(horizon).sum())
    most = min(scored.size, max(NUM_THRESHOLDS, _MOST_REACHED_PER_POSITIVE * num_positive))
    if most == 0:
        return np.empty(0)
    highest = np.sort(np.partition(scored, scored.size - most)[scored.size - most :])[::-1]
    if most <= NUM_THRESHOLDS:
        return np.unique(highest)[::-1]
    ranks = np.geomspace(1, most, NUM_THRESHOLDS).round().astype(np.int64)
    return np.unique(highest[ranks - 1])[::-1]


def _try_rules(
    frames: EventFrames, horizon: int, grid: AlarmGrid
) -> Iterator[tuple[AlarmRule, int, int]]:
    """Yield each rule with its numbers of hits and of false alarms, the highest threshold first."""
    if grid.threshold is None:
        thresholds = candidate_thresholds(frames, horizon)
    else:
        thresholds = np.array([grid.threshold])
    reached = reached_frames(frames.scores, frames.ignored, frames.starts, thresholds[-1])
    for threshold in thresholds.tolist():
        above = reached.above(threshold)
        first, stop = announced_events(frames, above.frames, horizon)
        for rule in grid.rules(threshold):
            decided = alarm_rows(above, rule).decided
            begin, end = first[decided], stop[decided]
            num_hits = int(num_new_events(begin, end).sum())
            yield rule, num_hits, int(np.count_nonzero(begin == end))


def _false_alarm_limit(frames: EventFrames, per_hour: float | None) -> int | None:
    """Return how many false alarms are at most `per_hour`, in exact arithmetic."""
    if per_hour is None:
        return None
    if not (math.isfinite(per_hour) and per_hour >= 0):
        raise ValueError(f"max_false_alarms_per_hour must be finite and at least 0, got {per_hour}")
    # Through the decimal digits: the float 0.3 is below 3/10, and one alarm would be too many.
    return Fraction(str(per_hour)) * int(frames.num_scored().sum()) // FRAMES_PER_HOUR
