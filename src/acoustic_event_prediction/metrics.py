"""How good frame scores are: metrics that may be undefined.

A metric that the data does not define (precision when nothing is predicted positive) is None with a
reason, never 0.0 and never NaN.
"""

import math
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.calibration import (
    NOT_PROBABILITIES,
    are_probabilities,
    calibration_error_of,
)
from acoustic_event_prediction.curves import (
    Floats,
    Labels,
    check_frames,
    curve_of,
    sort_frames,
)


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
    calibration_error: float | None
    calibration_error_quantile: float | None


def threshold_metrics(
    labels: npt.ArrayLike, scores: npt.ArrayLike, threshold: float
) -> ThresholdMetrics:
    """Return the metrics of the decision `score >= threshold`.

    Args:
        labels: [N], 0 or 1.
        scores: [N], finite.
        threshold: finite.

    Raises:
        ValueError: see `check_frames`; or the threshold is not finite.
    """
    return _at_threshold(*check_frames(labels, scores), threshold)


def frame_metrics(labels: npt.ArrayLike, scores: npt.ArrayLike, threshold: float) -> FrameMetrics:
    """Return prevalence, areas under the curves and the metrics at `threshold`, ready for JSON.

    Args:
        labels: [N], 0 or 1.
        scores: [N], finite; the Brier score and the calibration errors, with bins of equal width
            and of equal mass, are defined only when all lie in [0, 1].
        threshold: finite; a frame is predicted positive when its score is at least this.

    Raises:
        ValueError: see `threshold_metrics`.
    """
    checked_labels, checked_scores = check_frames(labels, scores)
    at_threshold = _at_threshold(checked_labels, checked_scores, threshold)
    ordered = sort_frames(checked_labels, checked_scores)
    curve = curve_of(ordered)
    auprc = curve.auprc()
    prevalence = curve.num_positive / curve.num_frames
    undefined = dict(at_threshold["undefined"])
    if auprc is None:
        reason = _one_class_reason(curve.num_positive, curve.num_frames)
        undefined |= dict.fromkeys(("auprc", "auprc_over_prevalence", "auroc"), reason)
    brier_score = None
    if are_probabilities(ordered):
        brier_score = float(np.mean((checked_scores - checked_labels) ** 2))
    else:
        names = ("brier_score", "calibration_error", "calibration_error_quantile")
        undefined |= dict.fromkeys(names, NOT_PROBABILITIES)
    return FrameMetrics(
        num_frames=curve.num_frames,
        num_positive=curve.num_positive,
        prevalence=prevalence,
        auprc=auprc,
        auprc_over_prevalence=None if auprc is None else auprc / prevalence,
        auroc=curve.auroc(),
        brier_score=brier_score,
        calibration_error=calibration_error_of(ordered, "uniform"),
        calibration_error_quantile=calibration_error_of(ordered, "quantile"),
        **(at_threshold | {"undefined": undefined}),
    )


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
