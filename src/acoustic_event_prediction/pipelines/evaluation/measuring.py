"""What is measured of one split at one horizon: of its frames, and of its events."""

from typing import Literal, TypedDict

import numpy as np

from acoustic_event_prediction.alarm_tuning import AlarmGrid, NoRuleError, tune_alarms
from acoustic_event_prediction.alarms import AlarmRule, Alarms, find_alarms
from acoustic_event_prediction.bootstrap import (
    MIN_UNITS,
    SEED,
    BootstrapIntervals,
    Interval,
    bootstrap_intervals,
    draw_weights,
)
from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.event_intervals import event_intervals, unit_counts
from acoustic_event_prediction.event_metrics import EventMetrics, event_metrics
from acoustic_event_prediction.metrics import FrameMetrics, ThresholdMetrics, frame_metrics
from acoustic_event_prediction.metrics import threshold_metrics as metrics_at
from acoustic_event_prediction.params import EvaluationParams
from acoustic_event_prediction.pipelines.evaluation.scored_frames import ScoredSplit
from acoustic_event_prediction.pipelines.evaluation.units import UnitKind
from acoustic_event_prediction.thresholds import (
    Objective,
    UnattainableError,
    choose_threshold,
    objective_value,
)


class AlarmPoint(TypedDict):
    """How scores become alarms, and what that gives on validation; see `AlarmRule`.

    Attributes:
        metric: what the rule is best for; None if it is fixed.
        value: of that metric on validation.
    """

    threshold: float
    merge_gap_seconds: float
    minimum_duration_seconds: float
    refractory_seconds: float
    metric: str | None
    value: float | None


class OperatingPoint(TypedDict):
    """Threshold and alarm rule of one horizon.

    Attributes:
        threshold: of frames.
        source: of the threshold.
        metric: what the threshold is best for; None if it is fixed.
        value: of that metric on validation.
        alarms: None where no rule could be chosen.
        alarms_undefined: why there is none.
    """

    threshold: float
    source: Literal["tuned on validation", "fixed"]
    metric: str | None
    value: float | None
    alarms: AlarmPoint | None
    alarms_undefined: str | None


class SplitEvents(EventMetrics):
    """Event metrics with intervals over units; an interval may be None, as its value may."""

    intervals: dict[str, Interval | None]


_AtHalf = TypedDict("_AtHalf", {"at_0.5": ThresholdMetrics})


class SplitMetrics(FrameMetrics, _AtHalf):
    """Metrics of one split at the operating point and at 0.5, with intervals over units.

    Attributes:
        num_ignored: frames that no metric counts, beside `num_frames`.
        unit: what the bootstrap draws.
        intervals: of the frame metrics.
        events: None where there is no alarm rule.
    """

    num_ignored: int
    unit: UnitKind
    intervals: BootstrapIntervals
    events: SplitEvents | None


def choose_point(
    validation: ScoredSplit | None, horizon: int, params: EvaluationParams
) -> OperatingPoint:
    """Choose the threshold and the alarm rule of a horizon on validation, or take the fixed ones.

    Args:
        validation: its frames; None if there are none.
        horizon: in frames.
        params: what is tuned, and for what.

    Raises:
        ProjectError: the threshold is to be tuned, but validation lacks positives or negatives, or
            no threshold keeps to the limit that the metric sets.
    """
    point = _choose_frame_threshold(validation, params)
    alarms = params.alarms
    grid = AlarmGrid(
        threshold=None if alarms.threshold == "tune" else alarms.threshold,
        merge_gap_seconds=alarms.merge_gap_seconds,
        minimum_duration_seconds=alarms.minimum_duration_seconds,
        refractory_seconds=alarms.refractory_seconds,
    )
    if (fixed := grid.only_rule) is not None:
        return {**point, "alarms": _alarm_point(fixed)}
    if validation is None:
        return {**point, "alarms_undefined": "validation has no partitions"}
    limit = None if alarms.tune_metric == "f1" else params.max_false_alarms_per_hour
    try:
        tuned = tune_alarms(validation.events, horizon, grid, max_false_alarms_per_hour=limit)
    except NoRuleError as error:
        return {**point, "alarms_undefined": f"on validation, {error}"}
    return {**point, "alarms": _alarm_point(tuned.rule, alarms.tune_metric, tuned.value)}


def alarm_rule(point: AlarmPoint) -> AlarmRule:
    """Return the rule of an operating point."""
    return AlarmRule(
        point["threshold"],
        point["merge_gap_seconds"],
        point["minimum_duration_seconds"],
        point["refractory_seconds"],
    )


def find_split_alarms(loaded: ScoredSplit, point: AlarmPoint | None) -> Alarms:
    """Return the alarms of a split; none where there is no rule."""
    if point is None:
        none = np.zeros(0, np.int64)
        return Alarms(none, none, none)
    events = loaded.events
    return find_alarms(events.scores, events.ignored, events.starts, alarm_rule(point))


def measure_split(
    loaded: ScoredSplit, horizon: int, point: OperatingPoint, params: EvaluationParams
) -> SplitMetrics:
    """Measure frames and events of a split.

    Args:
        loaded: the split.
        horizon: in frames.
        point: threshold and alarm rule.
        params: number of resamples and collars.
    """
    labels, scores = loaded.counted()
    threshold = point["threshold"]
    return {
        **frame_metrics(labels, scores, threshold),
        "at_0.5": metrics_at(labels, scores, 0.5),
        "num_ignored": int(loaded.events.ignored.sum()),
        "unit": loaded.unit_kind,
        "intervals": bootstrap_intervals(
            *(labels, scores, loaded.units_of_counted()),
            threshold=threshold,
            num_resamples=params.bootstrap_samples,
            seed=SEED,
        ),
        "events": _measure_events(loaded, horizon, point["alarms"], params),
    }


def _alarm_point(
    rule: AlarmRule, metric: str | None = None, value: float | None = None
) -> AlarmPoint:
    return AlarmPoint(
        threshold=rule.threshold,
        merge_gap_seconds=rule.merge_gap_seconds,
        minimum_duration_seconds=rule.minimum_duration_seconds,
        refractory_seconds=rule.refractory_seconds,
        metric=metric,
        value=value,
    )


def _choose_frame_threshold(
    validation: ScoredSplit | None, params: EvaluationParams
) -> OperatingPoint:
    if params.threshold != "tune":
        return _point(params.threshold, "fixed")
    if validation is None:
        raise ProjectError(_cannot_tune("validation has no partitions"))
    labels, scores = validation.counted()
    objective = Objective(
        params.tune_metric,
        beta=params.beta,
        min_recall=params.min_recall,
        min_precision=params.min_precision,
        max_false_alarms_per_hour=params.max_false_alarms_per_hour,
    )
    try:
        threshold = choose_threshold(labels, scores, objective)
    except UnattainableError as error:
        raise ProjectError(
            f"evaluation.tune_metric={params.tune_metric} on validation: {error}; loosen the limit "
            "(evaluation.min_precision, evaluation.max_false_alarms_per_hour), or take another "
            "metric"
        ) from error
    if threshold is None:
        num_positive = int(labels.sum(dtype=np.int64))
        raise ProjectError(
            _cannot_tune(f"validation has {num_positive} positive of {labels.size} frames")
        )
    value = objective_value(labels, scores, threshold, objective)
    return _point(threshold, "tuned on validation", params.tune_metric, value)


def _point(
    threshold: float,
    source: Literal["tuned on validation", "fixed"],
    metric: str | None = None,
    value: float | None = None,
) -> OperatingPoint:
    return OperatingPoint(
        threshold=threshold,
        source=source,
        metric=metric,
        value=value,
        alarms=None,
        alarms_undefined=None,
    )


def _cannot_tune(reason: str) -> str:
    remedy = "fix one with `kedro run --params evaluation.threshold=0.5`"
    check = "check ingestion.splits and labeling.event"
    return f"{reason}, so no threshold can be tuned; {remedy}, or {check}"


def _measure_events(
    loaded: ScoredSplit, horizon: int, point: AlarmPoint | None, params: EvaluationParams
) -> SplitEvents | None:
    if point is None:
        return None
    frames = loaded.events
    alarms = find_split_alarms(loaded, point)
    counts = unit_counts(frames, alarms, horizon)
    intervals: dict[str, Interval | None] = {}
    if params.bootstrap_samples and counts.units.size >= MIN_UNITS:
        weights = draw_weights(counts.units.size, params.bootstrap_samples, SEED)
        intervals = event_intervals(counts, weights)
    return {
        **event_metrics(frames, alarms, horizon, params.alarms.collars_seconds),
        "intervals": intervals,
    }
