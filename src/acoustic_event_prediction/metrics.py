"""How good frame scores are: thresholds, and metrics that may be undefined.

A metric that the data does not define (precision when nothing is predicted positive) is None with a
reason, never 0.0 and never NaN.
"""

import math
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.curves import Floats, Labels, ScoreCurve, check_frames, score_curve

TuneMetric = Literal["f1", "youden_j", "mcc"]


class ConfusionMatrix(TypedDict):
    """Number of frames in each cell."""

    true_negative: int
    false_positive: int
    false_negative: int
    true_positive: int


class ThresholdMetrics(TypedDict):
    """What depends on the threshold; `undefined` gives the reason for each None."""

    threshold: float
    precision: float | None
    recall: float | None
    f1: float | None
    accuracy: float | None
    balanced_accuracy: float | None
    youden_j: float | None
    mcc: float | None
    confusion_matrix: ConfusionMatrix
    undefined: dict[str, str]


class FrameMetrics(ThresholdMetrics):
    """Threshold metrics together with what holds for the scores as a whole."""

    num_frames: int
    num_positive: int
    prevalence: float
    auprc: float | None
    auprc_over_prevalence: float | None
    auroc: float | None
    brier_score: float | None


def choose_threshold(
    labels: npt.ArrayLike, scores: npt.ArrayLike, metric: TuneMetric
) -> float | None:
    """Return the score at which `metric` is largest when used as the threshold.

    Every distinct score is tried. Among equal maxima the highest threshold wins, the one that
    predicts fewest positives. MCC at a threshold that makes every frame positive counts as 0.

    Args:
        labels: [N], 0 or 1.
        scores: [N], finite.
        metric: "f1", "youden_j" or "mcc".

    Returns:
        One of the scores, or None when all frames have the same label.

    Raises:
        ValueError: see `score_curve`; or the metric is unknown.

    >>> choose_threshold([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9], "f1")
    0.4
    """
    curve = score_curve(labels, scores)
    if not curve.has_both_classes:
        return None
    return float(curve.thresholds[np.argmax(_objective(curve, metric))])


def threshold_metrics(
    labels: npt.ArrayLike, scores: npt.ArrayLike, threshold: float
) -> ThresholdMetrics:
    """Return the metrics of the decision `score >= threshold`.

    Args:
        labels: [N], 0 or 1.
        scores: [N], finite.
        threshold: finite.

    Raises:
        ValueError: see `score_curve`; or the threshold is not finite.
    """
    return _at_threshold(*check_frames(labels, scores), threshold)


def frame_metrics(labels: npt.ArrayLike, scores: npt.ArrayLike, threshold: float) -> FrameMetrics:
    """Return prevalence, areas under the curves and the metrics at `threshold`, ready for JSON.

    Args:
        labels: [N], 0 or 1.
        scores: [N], finite; the Brier score is defined only when all lie in [0, 1].
        threshold: finite; a frame is predicted positive when its score is at least this.

    Raises:
        ValueError: see `threshold_metrics`.
    """
    checked_labels, checked_scores = check_frames(labels, scores)
    at_threshold = _at_threshold(checked_labels, checked_scores, threshold)
    curve = score_curve(checked_labels, checked_scores)
    auprc = curve.auprc()
    prevalence = curve.num_positive / curve.num_frames
    undefined = dict(at_threshold["undefined"])
    if auprc is None:
        reason = _one_class_reason(curve.num_positive, curve.num_frames)
        undefined |= dict.fromkeys(("auprc", "auprc_over_prevalence", "auroc"), reason)
    brier_score = None
    if curve.thresholds[-1] < 0 or curve.thresholds[0] > 1:
        undefined["brier_score"] = "a score lies outside [0, 1], so scores are no probabilities"
    else:
        brier_score = float(np.mean((checked_scores - checked_labels) ** 2))
    return FrameMetrics(
        num_frames=curve.num_frames,
        num_positive=curve.num_positive,
        prevalence=prevalence,
        auprc=auprc,
        auprc_over_prevalence=None if auprc is None else auprc / prevalence,
        auroc=curve.auroc(),
        brier_score=brier_score,
        **(at_threshold | {"undefined": undefined}),
    )


def _objective(curve: ScoreCurve, metric: TuneMetric) -> Floats:
    """Return a value that grows with the metric at each of the K thresholds.

    Counts of up to 1.8e8 frames are exact here, so equal F1 or Youden's J values stay equal.
    """
    true_positive = curve.true_positive.astype(np.float64)
    predicted = curve.predicted_positive.astype(np.float64)
    if metric == "f1":
        f1: Floats = 2 * true_positive / (predicted + curve.num_positive)
        return f1
    # (TP * TN - FP * FN) and J * P * N are the same integer, TP * N - FP * P.
    margin = true_positive * curve.num_negative - (predicted - true_positive) * curve.num_positive
    if metric == "youden_j":
        return margin
    if metric == "mcc":
        spread = np.sqrt(predicted * (curve.num_frames - predicted))
        scale = math.sqrt(curve.num_positive * curve.num_negative)
        # The square root rounds; to 12 decimals, equal MCCs compare equal again.
        mcc: Floats = np.round(margin / np.maximum(spread, 1.0) / scale, 12)
        return mcc
    raise ValueError(f"metric must be 'f1', 'youden_j' or 'mcc', got {metric!r}")


def _at_threshold(labels: Labels, scores: Floats, threshold: float) -> ThresholdMetrics:
    if not math.isfinite(threshold):
        raise ValueError(f"threshold must be finite, got {threshold}")
    is_predicted = scores >= threshold
    num_frames, positive = labels.size, int(labels.sum(dtype=np.int64))
    predicted = int(is_predicted.sum())
    tp = int(labels[is_predicted].sum(dtype=np.int64))
    fp, fn = predicted - tp, positive - tp
    negative, tn = num_frames - positive, num_frames - positive - fp
    undefined: dict[str, str] = {}

    def ratio(name: str, numerator: int, denominator: float, reason: str) -> float | None:
        if denominator:
            return numerator / denominator
        undefined[name] = reason
        return None

    one_class = _one_class_reason(positive, num_frames)
    margin = tp * tn - fp * fn
    mcc_scale = math.sqrt(predicted * (num_frames - predicted) * positive * negative)
    return ThresholdMetrics(
        threshold=float(threshold),
        precision=ratio("precision", tp, predicted, "no frame is predicted positive"),
        recall=ratio("recall", tp, positive, "no frame is positive"),
        f1=ratio("f1", 2 * tp, predicted + positive, "no frame is or is predicted positive"),
        accuracy=(tp + tn) / num_frames,
        balanced_accuracy=ratio(
            "balanced_accuracy", tp * negative + tn * positive, 2 * positive * negative, one_class
        ),
        youden_j=ratio("youden_j", margin, positive * negative, one_class),
        mcc=ratio("mcc", margin, mcc_scale, "all frames have one label or get one prediction"),
        confusion_matrix=ConfusionMatrix(
            true_negative=tn, false_positive=fp, false_negative=fn, true_positive=tp
        ),
        undefined=undefined,
    )


def _one_class_reason(num_positive: int, num_frames: int) -> str:
    return f"needs both classes, got {num_positive} positive of {num_frames} frames"
