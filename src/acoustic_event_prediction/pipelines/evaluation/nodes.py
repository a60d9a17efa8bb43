"""Nodes of the evaluation pipeline."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, TypedDict

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from acoustic_event_prediction.bootstrap import (
    SEED,
    BootstrapIntervals,
    Interval,
    bootstrap_intervals,
)
from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.figures import confusion_figure, pr_figure, roc_figure
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.frames import start_of
from acoustic_event_prediction.labels import label_within, require_labeling
from acoustic_event_prediction.metrics import (
    FrameMetrics,
    ThresholdMetrics,
    choose_threshold,
    frame_metrics,
    threshold_metrics,
)
from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.params import EvaluationParams
from acoustic_event_prediction.pipelines.evaluation.scored_frames import (
    SPLITS,
    Partitions,
    ScoreColumns,
    ScoredFrames,
    load_frames,
    load_split,
)

logger = logging.getLogger(__name__)


class OperatingPoint(TypedDict):
    """The threshold; a fixed one has no `metric` and no `value` of it on validation."""

    threshold: float
    source: Literal["tuned on validation", "fixed"]
    metric: str | None
    value: float | None


_AtHalf = TypedDict("_AtHalf", {"at_0.5": ThresholdMetrics})


class SplitMetrics(FrameMetrics, _AtHalf):
    """Metrics of one split at the operating point and at 0.5, with intervals over episodes."""

    intervals: BootstrapIntervals


class Metrics(TypedDict, total=False):
    """What `metrics.json` holds; a split without partitions is absent."""

    operating_point: OperatingPoint
    validation: SplitMetrics
    test: SplitMetrics


def score_frames(
    predictor: Predictor,
    features: Partitions[Array],
    labels: Partitions[Array],
    onset_distances: Partitions[Array],
    label_summary: Mapping[str, Any],
    feature_summary: Mapping[str, Any],
) -> dict[str, Callable[[], pd.DataFrame]]:
    """Score every frame of validation and test; nothing is computed until it is saved.

    Args:
        predictor: gives a probability for each frame.
        features: [T, D] of each partition `<split>/<episode>/<user>`.
        labels: [T] of each partition.
        onset_distances: frames to the next onset, [T] of each partition.
        label_summary: which event, target and horizon the labels are of.
        feature_summary: checkpoint and settings that the features are made with.

    Returns:
        For each partition, columns frame (int32), time_seconds (start of the frame), speaker (the
        user), score (float32) and label (int8) at `shift_frames`; and, of a predictor of several
        horizons, score_<n> and label_<n> of each.

    Raises:
        LabelError: the labels are not those that the predictor predicts.
        PredictorError: the predictor was trained on features of other settings.
        ProjectError: neither split has partitions, or labels are missing.
    """
    wanted = predictor.header.model_dump(include={"event", "target", "shift_frames"})
    require_labeling(label_summary, wanted, "the predictor")
    predictor.require_features(feature_summary)
    chosen = [name for name in sorted(features) if name.partition("/")[0] in SPLITS]
    if not chosen:
        raise ProjectError(
            f"none of the {len(features)} partitions of features belongs to validation or test, "
            "so there is nothing to evaluate; add these splits to ingestion.splits and run "
            "`kedro run` again"
        )
    missing = [name for name in chosen if name not in labels or name not in onset_distances]
    if missing:
        raise ProjectError(
            f"{len(missing)} partitions have features but no labels, the first: {missing[0]!r}; "
            "run `kedro run --pipelines labeling`"
        )
    counts = {split: sum(name.startswith(f"{split}/") for name in chosen) for split in SPLITS}
    logger.info("scoring partitions: %s", counts)
    return {
        name: partial(
            _score_partition, name, predictor, features[name], labels[name], onset_distances[name]
        )
        for name in chosen
    }


def choose_operating_point(
    scores: Partitions[pd.DataFrame], params: EvaluationParams
) -> OperatingPoint:
    """Choose the threshold on validation, or take the fixed one; test is never looked at.

    Args:
        scores: see `score_frames`.
        params: `threshold` is "tune" or a number; `tune_metric` is what tuning maximises.

    Raises:
        ProjectError: the threshold is to be tuned, but validation lacks positives or negatives.
    """
    if params.threshold != "tune":
        logger.info("threshold %.4g as set by evaluation.threshold", params.threshold)
        return OperatingPoint(threshold=params.threshold, source="fixed", metric=None, value=None)
    loaded = load_split(scores, "validation")
    if loaded is None:
        raise ProjectError(_cannot_tune("validation has no partitions"))
    labels, values = loaded.frames.labels, loaded.frames.scores
    threshold = choose_threshold(labels, values, params.tune_metric)
    if threshold is None:
        num_positive = int(labels.sum(dtype=np.int64))
        raise ProjectError(
            _cannot_tune(f"validation has {num_positive} positive of {labels.size} frames")
        )
    value = threshold_metrics(labels, values, threshold)[params.tune_metric]
    logger.info(
        "threshold %.4g tuned on %s validation frames: %s %.4g",
        *(threshold, labels.size, params.tune_metric, value),
    )
    return OperatingPoint(
        threshold=threshold, source="tuned on validation", metric=params.tune_metric, value=value
    )


def store_threshold(predictor: Predictor, operating_point: OperatingPoint) -> Predictor:
    """Return the predictor with the threshold in its header: one file says how to use it.

    Args:
        predictor: without a threshold, or with an earlier one.
        operating_point: see `choose_operating_point`.
    """
    return predictor.with_threshold(operating_point["threshold"], operating_point["metric"])


def compute_metrics(
    scores: Partitions[pd.DataFrame], operating_point: OperatingPoint, params: EvaluationParams
) -> Metrics:
    """Measure validation and test at the operating point, with intervals over episodes.

    Args:
        scores: see `score_frames`.
        operating_point: see `choose_operating_point`.
        params: `bootstrap_samples` is the number of resamples; 0 gives no intervals.
    """
    metrics = Metrics(operating_point=operating_point)
    for split in SPLITS:
        loaded = load_split(scores, split)
        if loaded is None:
            logger.info("%s: no partitions, so no metrics", split)
            continue
        metrics[split] = _measure(loaded, operating_point["threshold"], params.bootstrap_samples)
        _log_headline(split, metrics[split])
    return metrics


def plot_roc_curve(scores: Partitions[pd.DataFrame], operating_point: OperatingPoint) -> Figure:
    """Draw the ROC curves of validation and test."""
    return roc_figure(load_frames(scores), operating_point["threshold"])


def plot_pr_curve(scores: Partitions[pd.DataFrame], operating_point: OperatingPoint) -> Figure:
    """Draw the precision-recall curves of validation and test."""
    return pr_figure(load_frames(scores), operating_point["threshold"])


def plot_confusion_matrix(
    scores: Partitions[pd.DataFrame], operating_point: OperatingPoint
) -> Figure:
    """Draw the confusion matrices of validation and test."""
    threshold = operating_point["threshold"]
    return confusion_figure(
        {
            split: threshold_metrics(frames.labels, frames.scores, threshold)["confusion_matrix"]
            for split, frames in load_frames(scores).items()
        },
        threshold,
    )


def _cannot_tune(reason: str) -> str:
    remedy = "fix one with `kedro run --params evaluation.threshold=0.5`"
    check = "check ingestion.splits and labeling.event"
    return f"{reason}, so no threshold can be tuned; {remedy}, or {check}"


def _score_partition(
    name: str,
    predictor: Predictor,
    load_features: Callable[[], Array],
    load_labels: Callable[[], Array],
    load_distances: Callable[[], Array],
) -> pd.DataFrame:
    features, labels = load_features(), load_labels()
    if len(features) != len(labels):
        raise ProjectError(
            f"partition {name!r} has {len(features)} frames of features but {len(labels)} labels; "
            "run `kedro run --pipelines labeling`"
        )
    frame = np.arange(len(labels), dtype=np.int32)
    horizons = predictor.header.horizon_frames
    scores = predictor.horizon_scores(features)  # [T, H]
    columns: dict[str, Any] = {
        "frame": frame,
        "time_seconds": start_of(frame),
        "speaker": name.rpartition("/")[2],
        "score": scores[:, horizons.index(predictor.header.shift_frames)],
        "label": np.asarray(labels, dtype=np.int8),
    }
    if len(horizons) > 1:
        distances = load_distances()
        for index, horizon in enumerate(horizons):
            names = ScoreColumns.of(horizon)
            columns[names.score] = scores[:, index]
            columns[names.label] = label_within(distances, horizon)
    return pd.DataFrame(columns)


def _measure(loaded: ScoredFrames, threshold: float, num_resamples: int) -> SplitMetrics:
    labels, values = loaded.frames.labels, loaded.frames.scores
    settings = {"num_resamples": num_resamples, "seed": SEED}
    return {
        **frame_metrics(labels, values, threshold),
        "at_0.5": threshold_metrics(labels, values, 0.5),
        "intervals": bootstrap_intervals(
            labels, values, loaded.episodes, threshold=threshold, **settings
        ),
    }


def _log_headline(split: str, metrics: SplitMetrics) -> None:
    intervals = metrics["intervals"]
    logger.info(
        "%s: AUPRC %s; prevalence %.5f (%s of %s frames); AUPRC / prevalence %s; %s episodes",
        split,
        _with_interval(metrics["auprc"], intervals["auprc"]),
        *(metrics["prevalence"], metrics["num_positive"], metrics["num_frames"]),
        _with_interval(metrics["auprc_over_prevalence"], intervals["auprc_over_prevalence"]),
        intervals["num_episodes"],
    )


def _with_interval(value: float | None, interval: Interval | None) -> str:
    if value is None:
        return "undefined"
    if interval is None:
        return f"{value:.4g} (no interval)"
    return f"{value:.4g} (95 % {interval['low']:.4g} to {interval['high']:.4g})"
