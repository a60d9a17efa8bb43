"""Two systems on the same frames: headline metrics of one, and by how much the other is above."""

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from acoustic_event_prediction.alarms import find_alarms
from acoustic_event_prediction.bootstrap import (
    MIN_UNITS,
    SEED,
    Interval,
    draw_weights,
    paired_differences,
)
from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.event_intervals import (
    Difference,
    UnitCounts,
    difference_intervals,
    unit_counts,
)
from acoustic_event_prediction.params import EvaluationParams
from acoustic_event_prediction.pipelines.evaluation.measuring import OperatingPoint, alarm_rule
from acoustic_event_prediction.pipelines.evaluation.scored_frames import (
    SPLITS,
    PooledScores,
    ScoredSplit,
)

PREDICTOR = "predictor"
_WITH_INTERVALS = ("auprc", "auprc_over_prevalence", "auroc", "f1")
_EVENTS_WITH_INTERVALS = ("hit_rate", "false_alarms_per_hour", "f1")
_COMPARED = ("auprc", "auroc", "f1")
_EVENTS_COMPARED = ("hit_rate", "false_alarms_per_hour", "f1")


class Comparison(TypedDict):
    """One system's rows, by split: names and values as in the table."""

    rows: dict[str, dict[str, Any]]


def compare_with_predictor(
    pooled_scores: PooledScores,
    operating_point: OperatingPoint,
    other_scores: PooledScores,
    other_point: OperatingPoint,
    other_metrics: Mapping[str, Any],
    params: EvaluationParams,
) -> Comparison:
    """Return another system's headline metrics, and by how much the predictor is above them.

    Differences are the predictor's value minus the other's, on the same resamples of units.

    Args:
        pooled_scores: of the predictor.
        operating_point: of the predictor.
        other_scores: of the other system, for the same frames.
        other_point: of the other.
        other_metrics: see `compute_metrics`.
        params: number of resamples.

    Raises:
        ProjectError: the frames differ.
    """
    rows: dict[str, dict[str, Any]] = {}
    for split in SPLITS:
        if split not in pooled_scores.splits:
            continue
        ours, theirs = pooled_scores.splits[split], other_scores.splits.get(split)
        if theirs is None or ours.partition_ids != theirs.partition_ids:
            raise ProjectError(
                f"the scores of {split} of the two systems are not of the same partitions; run "
                "`kedro run --pipelines evaluation` and then the comparison again"
            )
        row = headline(other_metrics[split])
        row |= _frame_differences(ours, theirs, operating_point, other_point, params)
        row |= _event_differences(
            *(ours, theirs, operating_point, other_point),
            *(pooled_scores.shift_frames, params.bootstrap_samples),
        )
        rows[split] = row
    return Comparison(rows=rows)


def tabulate(metrics: Mapping[str, Any], comparisons: Mapping[str, Comparison]) -> pd.DataFrame:
    """Return one row per split and system, the predictor first, then the others.

    Args:
        metrics: of the predictor.
        comparisons: of each other system, by its name.
    """
    rows = []
    for split in SPLITS:
        if split in metrics:
            rows.append({"split": split, "name": PREDICTOR, **headline(metrics[split])})
            rows += [
                {"split": split, "name": name, **comparison["rows"][split]}
                for name, comparison in comparisons.items()
            ]
    return pd.DataFrame(rows)


def headline(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that the table has of one system and split; NaN where undefined."""
    row: dict[str, Any] = {
        name: metrics[name] for name in ("num_frames", "num_positive", "prevalence")
    }
    for name in _WITH_INTERVALS:
        row |= with_interval(name, metrics[name], metrics["intervals"].get(name))
    row["threshold"] = metrics["threshold"]
    row["calibration_error_quantile"] = _or_nan(metrics["calibration_error_quantile"])
    return row | event_headline(metrics["events"])


def event_headline(events: Mapping[str, Any] | None) -> dict[str, float]:
    """Return the columns `event_<name>` of one system and split; NaN where undefined.

    Args:
        events: see `SplitEvents`; None without alarms.
    """
    events = events or {}
    row: dict[str, float] = {}
    for name in _EVENTS_WITH_INTERVALS:
        interval = events.get("intervals", {}).get(name)
        row |= with_interval(f"event_{name}", events.get(name), interval)
    lead_times = events.get("lead_time_seconds") or {}
    row["event_median_lead_seconds"] = _or_nan(lead_times.get("median"))
    return row


def with_interval(name: str, value: float | None, interval: Interval | None) -> dict[str, float]:
    """Return the columns `<name>`, `<name>_low` and `<name>_high`; NaN for None."""
    return {
        name: _or_nan(value),
        f"{name}_low": interval["low"] if interval else np.nan,
        f"{name}_high": interval["high"] if interval else np.nan,
    }


def _frame_differences(
    ours: ScoredSplit,
    theirs: ScoredSplit,
    our_point: OperatingPoint,
    their_point: OperatingPoint,
    params: EvaluationParams,
) -> dict[str, float]:
    our_frames, their_frames = ours.counted(), theirs.counted()
    if not np.array_equal(our_frames.labels, their_frames.labels):
        raise ProjectError(
            "the two systems' scores have different labels; run `kedro run --pipelines "
            "evaluation` and then the comparison again"
        )
    found = paired_differences(
        *(our_frames.labels, our_frames.scores, their_frames.scores, ours.units_of_counted()),
        threshold_a=our_point["threshold"],
        threshold_b=their_point["threshold"],
        num_resamples=params.bootstrap_samples,
        seed=SEED,
    )["differences"]
    row: dict[str, float] = {}
    for name in _COMPARED:
        difference = found[name]
        row |= with_interval(f"{name}_difference", difference["difference"], difference["interval"])
    return row


def _event_differences(
    ours: ScoredSplit,
    theirs: ScoredSplit,
    our_point: OperatingPoint,
    their_point: OperatingPoint,
    horizon: int,
    num_resamples: int,
) -> dict[str, float]:
    our_counts, their_counts = (
        _count(loaded, point, horizon)
        for loaded, point in ((ours, our_point), (theirs, their_point))
    )
    found: Mapping[str, Difference | None] = {}
    has_intervals = num_resamples > 0 and np.unique(ours.events.units).size >= MIN_UNITS
    if our_counts is not None and their_counts is not None and has_intervals:
        weights = draw_weights(our_counts.units.size, num_resamples, SEED)
        found = difference_intervals(their_counts, our_counts, weights)
    row: dict[str, float] = {}
    for name in _EVENTS_COMPARED:
        difference = found.get(name)
        value = difference["difference"] if difference else None
        row |= with_interval(f"event_{name}_difference", value, difference)
    return row


def _count(loaded: ScoredSplit, point: OperatingPoint, horizon: int) -> UnitCounts | None:
    """Return the counts of hits and false alarms per unit; None without an alarm rule."""
    if point["alarms"] is None:
        return None
    events = loaded.events
    rule = alarm_rule(point["alarms"])
    alarms = find_alarms(events.scores, events.ignored, events.starts, rule)
    return unit_counts(events, alarms, horizon)


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
