"""Nodes of the evaluation pipeline that measure; those that score, draw and export lie beside."""

import logging
from typing import Any, TypedDict

import pandas as pd

from acoustic_event_prediction.bootstrap import Interval
from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.models.predictor_header import AlarmSettings
from acoustic_event_prediction.params import EvaluationParams
from acoustic_event_prediction.pipelines.evaluation.measuring import (
    OperatingPoint,
    SplitMetrics,
    choose_point,
    measure_split,
)
from acoustic_event_prediction.pipelines.evaluation.score_tables import Partitions
from acoustic_event_prediction.pipelines.evaluation.scored_frames import (
    SPLITS,
    EvaluatedSplit,
    PooledScores,
    ScoredSplit,
    find_horizons,
    load_split,
)
from acoustic_event_prediction.pipelines.evaluation.units import choose_units

logger = logging.getLogger(__name__)

# Intervals of fewer units are too narrow: resamples of so few hardly differ.
_FEW_UNITS = 10
# What is largest at a threshold of these objectives; the others name it themselves.
OBJECTIVE_VALUES = {
    "precision_at_recall": "precision",
    "recall_at_precision": "recall",
    "false_alarms_per_hour": "recall of frames",
}


class _Measured(TypedDict, total=False):
    validation: SplitMetrics
    test: SplitMetrics


class HorizonMetrics(_Measured, total=False):
    """Metrics at another horizon than the main one.

    Attributes:
        operating_point: None where validation gives no threshold; then there are no splits either.
        undefined: why there is none.
    """

    operating_point: OperatingPoint | None
    undefined: str


class Metrics(_Measured, total=False):
    """What `metrics.json` holds; a split without partitions is absent.

    Attributes:
        operating_point: of the main horizon.
        horizons: of a predictor of several horizons, each other one by its number of frames.
    """

    operating_point: OperatingPoint
    horizons: dict[str, HorizonMetrics]


def pool_scores(
    scores: Partitions[pd.DataFrame],
    target_events: Partitions[pd.DataFrame],
    episodes: Partitions[dict[str, Any]],
    params: EvaluationParams,
    shift_frames: int,
) -> PooledScores:
    """Read the partitions of validation and test once, for all that is measured and drawn.

    Args:
        scores: see `score_frames`.
        target_events: onset and offset in seconds of the events of each partition.
        episodes: records by id; they name the shows.
        params: of it, what is resampled, and what a bout is.
        shift_frames: the main horizon.

    Raises:
        ProjectError: the partitions of a split hold no frame that counts.
    """
    horizons = find_horizons(scores, shift_frames)
    units = choose_units(episodes, SPLITS, params.bootstrap_unit)

    def load_horizon(horizon: int) -> dict[EvaluatedSplit, ScoredSplit]:
        gap, columns = params.alarms.bout_gap_seconds, horizons[horizon]
        found = {
            split: load_split(scores, target_events, split, units, gap, columns, horizon)
            for split in SPLITS
        }
        return {split: loaded for split, loaded in found.items() if loaded is not None}

    main = load_horizon(shift_frames)
    counts = {split: len(set(loaded.events.units.tolist())) for split, loaded in main.items()}
    logger.info("intervals resample %ss: %s", units.kind, counts)
    if few := [split for split, count in counts.items() if count < _FEW_UNITS]:
        logger.warning(
            "intervals of %s are likely to be too narrow: they rest on fewer than %d %ss",
            *(" and ".join(few), _FEW_UNITS, units.kind),
        )
    return PooledScores(shift_frames, main, tuple(horizons), load_horizon)


def choose_operating_point(pooled_scores: PooledScores, params: EvaluationParams) -> OperatingPoint:
    """Choose threshold and alarm rule on validation, or take the fixed; test is never looked at.

    Args:
        pooled_scores: see `pool_scores`.
        params: what is tuned, and for what.

    Raises:
        ProjectError: the threshold is to be tuned, but validation lacks positives or negatives, or
            no threshold keeps to the limit that the metric sets.
    """
    validation = pooled_scores.splits.get("validation")
    point = choose_point(validation, pooled_scores.shift_frames, params)
    _log_point(point)
    return point


def store_threshold(predictor: Predictor, operating_point: OperatingPoint) -> Predictor:
    """Return the predictor with the operating point in its header: one file says how to use it.

    Args:
        predictor: without an operating point, or with an earlier one.
        operating_point: see `choose_operating_point`.
    """
    alarms = operating_point["alarms"]
    return predictor.with_threshold(
        operating_point["threshold"],
        operating_point["metric"],
        alarms and AlarmSettings.model_validate(alarms),
    )


def compute_metrics(
    pooled_scores: PooledScores, operating_point: OperatingPoint, params: EvaluationParams
) -> Metrics:
    """Measure validation and test at the operating point, with intervals over episodes or shows.

    A predictor's other horizons get operating points of their own, one horizon in memory at a time.

    Args:
        pooled_scores: see `pool_scores`.
        operating_point: see `choose_operating_point`.
        params: `bootstrap_samples` is the number of resamples; 0 gives no intervals.
    """
    metrics = Metrics(operating_point=operating_point)
    for split, loaded in pooled_scores.splits.items():
        shift_frames = pooled_scores.shift_frames
        metrics[split] = measure_split(loaded, shift_frames, operating_point, params)
    for split in SPLITS:
        if split in metrics:
            _log_headline(split, metrics[split])
        else:
            logger.info("%s: no partitions, so no metrics", split)
    others = [
        horizon for horizon in pooled_scores.horizons if horizon != pooled_scores.shift_frames
    ]
    if others:
        metrics["horizons"] = {
            str(horizon): _measure_other(pooled_scores, horizon, params) for horizon in others
        }
    return metrics


def _measure_other(
    pooled_scores: PooledScores, horizon: int, params: EvaluationParams
) -> HorizonMetrics:
    splits = pooled_scores.at(horizon)
    try:
        point = choose_point(splits.get("validation"), horizon, params)
    except ProjectError as error:
        logger.warning("horizon of %d frames: no metrics: %s", horizon, error)
        return HorizonMetrics(operating_point=None, undefined=str(error))
    metrics = HorizonMetrics(operating_point=point)
    for split, loaded in splits.items():
        metrics[split] = measure_split(loaded, horizon, point, params)
    return metrics


def _log_point(point: OperatingPoint) -> None:
    if point["metric"] is None:
        logger.info("threshold %.4g as set by evaluation.threshold", point["threshold"])
    else:
        logger.info(
            "threshold %.4g tuned on validation frames for %s: %s %.4g",
            *(point["threshold"], point["metric"]),
            *(OBJECTIVE_VALUES.get(point["metric"], point["metric"]), point["value"]),
        )
    alarms = point["alarms"]
    if alarms is None:
        logger.warning("no alarms, so no event metrics: %s", point["alarms_undefined"])
        return
    chosen = "as set" if alarms["metric"] is None else "chosen on validation events"
    result = "" if alarms["metric"] is None else f": {alarms['metric']} {alarms['value']:.4g}"
    logger.info(
        "alarms %s: threshold %.4g, gaps to %g s, at least %g s, %g s apart%s",
        *(chosen, alarms["threshold"], alarms["merge_gap_seconds"]),
        *(alarms["minimum_duration_seconds"], alarms["refractory_seconds"], result),
    )


def _log_headline(split: str, metrics: SplitMetrics) -> None:
    intervals, events = metrics["intervals"], metrics["events"]
    logger.info(
        "%s: AUPRC %s; prevalence %.5f (%s of %s frames); AUPRC / prevalence %s; %s %ss",
        split,
        _with_interval(metrics["auprc"], intervals["auprc"]),
        *(metrics["prevalence"], metrics["num_positive"], metrics["num_frames"]),
        _with_interval(metrics["auprc_over_prevalence"], intervals["auprc_over_prevalence"]),
        *(intervals["num_units"], metrics["unit"]),
    )
    if events is not None:
        logger.info(
            "%s: %s of %s events announced, hit rate %s; %s false alarms per hour",
            *(split, events["num_hits"], events["num_events"]),
            _with_interval(events["hit_rate"], events["intervals"].get("hit_rate")),
            _with_interval(
                events["false_alarms_per_hour"], events["intervals"].get("false_alarms_per_hour")
            ),
        )


def _with_interval(value: float | None, interval: Interval | None) -> str:
    if value is None:
        return "undefined"
    if interval is None:
        return f"{value:.4g} (no interval)"
    return f"{value:.4g} (95 % {interval['low']:.4g} to {interval['high']:.4g})"
