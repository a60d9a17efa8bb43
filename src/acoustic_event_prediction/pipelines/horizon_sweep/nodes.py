"""Nodes of the horizon_sweep pipeline."""

import logging
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from acoustic_event_prediction.bootstrap import SEED, bootstrap_intervals, share_interval
from acoustic_event_prediction.curves import score_curve
from acoustic_event_prediction.figures_horizons import horizons_figure
from acoustic_event_prediction.frames import FRAME_MILLISECONDS
from acoustic_event_prediction.params import (
    EvaluationParams,
    HorizonSweepParams,
    TrainingParams,
)
from acoustic_event_prediction.pipelines.evaluation.comparing import event_headline, with_interval
from acoustic_event_prediction.pipelines.evaluation.nodes import Metrics
from acoustic_event_prediction.pipelines.evaluation.scored_frames import (
    SPLITS,
    PooledScores,
    ScoredSplit,
)

logger = logging.getLogger(__name__)

Statistic = Literal["auprc", "auprc_over_prevalence", "auroc"]
# The intervals in the table hold for all thresholds.
_ANY_THRESHOLD = 0.5


def choose_horizons(training: TrainingParams, horizon_sweep: HorizonSweepParams) -> TrainingParams:
    """Return the training's settings with the horizons of the sweep, unless they have their own."""
    horizons = training.horizons or horizon_sweep.horizons
    return training.model_copy(update={"horizons": horizons})


def compare_horizons(
    pooled_scores: PooledScores,
    metrics: Metrics,
    horizon_sweep: HorizonSweepParams,
    evaluation: EvaluationParams,
) -> pd.DataFrame:
    """Measure every horizon on validation and test, one horizon in memory at a time.

    Args:
        pooled_scores: see `pool_scores`.
        metrics: see `compute_metrics`; events are taken from there.
        horizon_sweep: at how many false alarms per hour recall is measured.
        evaluation: of it, the number of resamples for the intervals.

    Returns:
        One row per split and horizon. `lead_time_ms` is the largest lead of a positive frame:
        shift_frames * 80 ms before the start of the onset's frame, where its features end.
        `<name>_low` and `<name>_high` are the 95 % interval over episodes or shows.
        `recall_at_<k>_per_hour` is the recall of frames at the lowest threshold of the split with
        at most k negative frames per hour above it; its interval is at this threshold.
        `event_<name>` are of the alarms that were tuned on validation for this horizon. NaN where
        the split does not define a value: with frames of one label, or, for an interval, with a
        single episode.

    Source: docs/labeling.md#which-horizon-works
    """
    rows = []
    for horizon in pooled_scores.horizons:
        is_main = horizon == pooled_scores.shift_frames
        found: Mapping[str, Any] = metrics if is_main else metrics["horizons"][str(horizon)]
        for split, loaded in pooled_scores.at(horizon).items():
            row = _measure(loaded, horizon, horizon_sweep, evaluation.bootstrap_samples)
            events = found.get(split, {}).get("events")
            rows.append({"split": split, **row, **event_headline(events)})
    rows.sort(key=lambda row: SPLITS.index(row["split"]))
    table = pd.DataFrame(rows)
    _log_ratios(table)
    return table


def plot_horizons(horizon_table: pd.DataFrame) -> Figure:
    """Draw frame and event metrics against the lead time; see `horizons_figure`."""
    return horizons_figure(horizon_table)


def recall_column(per_hour: float) -> str:
    """Return the name of the column of recall at so many false alarms per hour.

    >>> recall_column(10.0), recall_column(0.5)
    ('recall_at_10_per_hour', 'recall_at_0.5_per_hour')
    """
    return f"recall_at_{np.format_float_positional(per_hour, trim='-')}_per_hour"


def _measure(
    loaded: ScoredSplit, horizon: int, horizon_sweep: HorizonSweepParams, num_resamples: int
) -> dict[str, Any]:
    labels, values = loaded.counted()
    curve = score_curve(labels, values)
    intervals = bootstrap_intervals(
        *(labels, values, loaded.units_of_counted()),
        threshold=_ANY_THRESHOLD,
        num_resamples=num_resamples,
        seed=SEED,
    )
    prevalence, auprc = curve.num_positive / curve.num_frames, curve.auprc()
    row: dict[str, Any] = {
        "shift_frames": horizon,
        "lead_time_ms": horizon * FRAME_MILLISECONDS,
        "num_frames": curve.num_frames,
        "num_positive": curve.num_positive,
        "prevalence": prevalence,
    }
    statistics: dict[Statistic, float | None] = {
        "auprc": auprc,
        "auprc_over_prevalence": None if auprc is None else auprc / prevalence,
        "auroc": curve.auroc(),
    }
    for name, value in statistics.items():
        row |= with_interval(name, value, intervals[name])
    for per_hour in horizon_sweep.false_alarms_per_hour:
        threshold = curve.threshold_at_false_alarms(per_hour)
        row |= _recall(loaded, threshold, recall_column(per_hour), num_resamples)
    return row


def _recall(
    loaded: ScoredSplit, threshold: float, name: str, num_resamples: int
) -> dict[str, float]:
    is_positive = loaded.labels == 1
    found = loaded.count_per_unit(is_positive & (loaded.events.scores >= threshold))
    positive = loaded.count_per_unit(is_positive)
    interval = share_interval(found, positive, num_resamples=num_resamples, seed=SEED)
    return with_interval(name, found.sum() / positive.sum() if positive.any() else None, interval)


def _log_ratios(table: pd.DataFrame) -> None:
    for split, rows in table.groupby("split", sort=False):
        ratios = ", ".join(
            f"{row.auprc_over_prevalence:.3g} at {row.lead_time_ms} ms" for row in rows.itertuples()
        )
        logger.info("%s: AUPRC / prevalence %s", split, ratios)
