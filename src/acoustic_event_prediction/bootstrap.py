"""Confidence intervals by resampling whole units: episodes, or shows of several episodes.

Frames of one episode resemble each other, and an episode's partitions (one per user) hold the same
conversation, so no less than an episode is drawn, with replacement. A unit drawn m times weighs m;
see `unit_statistics`.
"""

from typing import Any, TypedDict, cast

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.calibration import NOT_PROBABILITIES
from acoustic_event_prediction.curves import Floats
from acoustic_event_prediction.metrics import frame_metrics
from acoustic_event_prediction.unit_statistics import divide, group_frames, weighted_statistics

CONFIDENCE = 0.95
# One for all reports: the same frames get the same interval in each of them.
SEED = 0
MIN_UNITS = 2


class Interval(TypedDict):
    """Percentile interval; resamples in which the value is undefined are left out and counted."""

    low: float
    high: float
    num_undefined: int


class Intervals(TypedDict):
    """One interval, or None, for each statistic of the frame metrics."""

    prevalence: Interval | None
    auprc: Interval | None
    auprc_over_prevalence: Interval | None
    auroc: Interval | None
    precision: Interval | None
    recall: Interval | None
    f1: Interval | None
    accuracy: Interval | None
    balanced_accuracy: Interval | None
    youden_j: Interval | None
    mcc: Interval | None
    brier_score: Interval | None


class Resampling(TypedDict):
    """How intervals came about; `undefined` says why a statistic has none."""

    confidence: float
    num_units: int
    num_resamples: int
    seed: int
    undefined: dict[str, str]


class BootstrapIntervals(Intervals, Resampling):
    """Intervals over units and how they came about."""


class Difference(TypedDict):
    """One statistic of scores a minus that of scores b.

    Attributes:
        difference: on the frames as they are; None where a or b does not define it.
        interval: over the resamples, or None.
        share_above_zero: of the resamples that define the difference, or None.
    """

    difference: float | None
    interval: Interval | None
    share_above_zero: float | None


class PairedDifferences(Resampling):
    """The difference of each of `STATISTICS`, and how the intervals came about."""

    differences: dict[str, Difference]


STATISTICS = tuple(Intervals.__annotations__)


def bootstrap_intervals(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    units: npt.ArrayLike,
    *,
    threshold: float,
    num_resamples: int,
    seed: int,
) -> BootstrapIntervals:
    """Return the 95 % percentile interval of each of `STATISTICS` over units, or None.

    Args:
        labels: [N], 0 or 1.
        scores: [N], finite.
        units: [N] integers, the same for all frames that are drawn together.
        threshold: a frame is predicted positive when its score is at least this.
        num_resamples: R; 0 gives no intervals.
        seed: the same seed gives the same intervals.

    Raises:
        ValueError: see `group_frames`.
    """
    groups = group_frames(labels, scores, units)
    intervals: dict[str, Interval | None] = dict.fromkeys(STATISTICS)
    reason = _reason_for_none(len(groups), num_resamples)
    undefined = {} if reason is None else dict.fromkeys(STATISTICS, reason)
    if reason is None:
        weights = draw_weights(len(groups), num_resamples, seed)
        values = weighted_statistics(groups, weights, threshold)
        intervals |= {name: percentile_interval(values[name]) for name in STATISTICS}
        undefined = _reasons(intervals, num_resamples, groups.are_probabilities)
    head = _resampling(len(groups), num_resamples, seed, undefined)
    result: Any = {**head, **intervals}
    return cast(BootstrapIntervals, result)


def paired_differences(
    labels: npt.ArrayLike,
    scores_a: npt.ArrayLike,
    scores_b: npt.ArrayLike,
    units: npt.ArrayLike,
    *,
    threshold_a: float,
    threshold_b: float,
    num_resamples: int,
    seed: int,
) -> PairedDifferences:
    """Return by how much scores a are above scores b of the same frames, with intervals over units.

    Both are measured on the same resamples of units, so what makes an episode easy or hard for both
    does not widen the interval.

    Args:
        labels: [N], 0 or 1.
        scores_a: [N], finite.
        scores_b: [N], finite, of the same frames.
        units: [N] integers, the same for all frames that are drawn together.
        threshold_a: a frame is predicted positive by a when its score is at least this.
        threshold_b: the same for b.
        num_resamples: R; 0 gives differences without intervals.
        seed: the same seed gives the same intervals.

    Raises:
        ValueError: see `group_frames`; or a threshold is not finite.
    """
    sides = [
        (group_frames(labels, scores, units), dict(frame_metrics(labels, scores, at)), at)
        for scores, at in ((scores_a, threshold_a), (scores_b, threshold_b))
    ]
    (groups, point_a, _), (_, point_b, _) = sides
    differences = {
        name: Difference(
            difference=_difference(point_a[name], point_b[name]),
            interval=None,
            share_above_zero=None,
        )
        for name in STATISTICS
    }
    reason = _reason_for_none(len(groups), num_resamples)
    undefined = {} if reason is None else dict.fromkeys(STATISTICS, reason)
    if reason is None:
        weights = draw_weights(len(groups), num_resamples, seed)
        values_a, values_b = (weighted_statistics(side, weights, at) for side, _, at in sides)
        for name, found in differences.items():
            gaps = values_a[name] - values_b[name]
            found["interval"] = percentile_interval(gaps)
            if found["interval"] is not None:
                found["share_above_zero"] = float(np.mean(gaps[np.isfinite(gaps)] > 0))
        intervals = {name: found["interval"] for name, found in differences.items()}
        both = all(side.are_probabilities for side, _, _ in sides)
        undefined = _reasons(intervals, num_resamples, both)
    head = _resampling(len(groups), num_resamples, seed, undefined)
    return PairedDifferences(differences=differences, **head)


def share_interval(
    part: Floats, whole: Floats, *, num_resamples: int, seed: int
) -> Interval | None:
    """Return the 95 % percentile interval of a share over units, or None.

    Args:
        part: float64 [E], what each of E units has of the part.
        whole: float64 [E], of the whole.
        num_resamples: R; 0 gives no interval.
        seed: the same seed draws the same units.
    """
    if _reason_for_none(part.size, num_resamples) is not None:
        return None
    weights = draw_weights(part.size, num_resamples, seed)
    return percentile_interval(divide(part @ weights, whole @ weights))


def draw_weights(num_units: int, num_resamples: int, seed: int) -> Floats:
    """Return how often each unit is drawn in each resample, float64 [E, R]; columns sum to E."""
    shares = np.full(num_units, 1 / num_units)
    drawn = np.random.default_rng(seed).multinomial(num_units, shares, size=num_resamples)
    return np.ascontiguousarray(drawn.T, dtype=np.float64)


def _resampling(
    num_units: int, num_resamples: int, seed: int, undefined: dict[str, str]
) -> Resampling:
    return Resampling(
        confidence=CONFIDENCE,
        num_units=num_units,
        num_resamples=num_resamples,
        seed=seed,
        undefined=undefined,
    )


def _reason_for_none(num_units: int, num_resamples: int) -> str | None:
    """Return why there can't be any interval, or None if there can."""
    if num_resamples == 0:
        return "no resamples were asked for"
    if num_units < MIN_UNITS:
        return f"needs at least {MIN_UNITS} units, got {num_units}"
    return None


def _reasons(
    intervals: dict[str, Interval | None], num_resamples: int, are_probabilities: bool
) -> dict[str, str]:
    missing = [name for name, interval in intervals.items() if interval is None]
    reasons = dict.fromkeys(missing, f"undefined in all {num_resamples} resamples")
    if not are_probabilities:
        reasons["brier_score"] = NOT_PROBABILITIES
    return reasons


def _difference(of_a: Any, of_b: Any) -> float | None:
    return None if of_a is None or of_b is None else float(of_a - of_b)


def percentile_interval(values: Floats) -> Interval | None:
    """Return the 95 % interval of the values [R] that are defined, or None if none is."""
    defined = values[np.isfinite(values)]
    if defined.size == 0:
        return None
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(defined, [tail, 100 - tail])
    return Interval(low=float(low), high=float(high), num_undefined=values.size - defined.size)
