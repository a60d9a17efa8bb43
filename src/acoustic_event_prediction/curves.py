"""Counts of positives at every distinct score, and the areas under the curves they form.

A frame is predicted positive when its score is at least the threshold. Frames with equal scores
can't be told apart by any threshold, so they count as one block everywhere.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.frames import FRAMES_PER_HOUR

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int8]


class SortedFrames(NamedTuple):
    """The scores of N frames and of the P positive ones among them, each float64 and ascending."""

    scores: Floats
    positive_scores: Floats


@dataclass(frozen=True)
class ScoreCurve:
    """Counts at every distinct score, highest first; K distinct scores.

    Attributes:
        thresholds: float64 [K], descending.
        true_positive: int64 [K], positive frames with a score of at least the threshold.
        predicted_positive: int64 [K], frames with a score of at least the threshold.
        num_frames: N.
        num_positive: P.
    """

    thresholds: Floats
    true_positive: Counts
    predicted_positive: Counts
    num_frames: int
    num_positive: int

    @property
    def num_negative(self) -> int:
        """Number of negative frames."""
        return self.num_frames - self.num_positive

    @property
    def has_both_classes(self) -> bool:
        """Whether there is a positive and a negative frame; without both no curve is defined."""
        return 0 < self.num_positive < self.num_frames

    def auroc(self) -> float | None:
        """Return the area under the ROC curve (trapezoids, so a tie counts half), or None."""
        if not self.has_both_classes:
            return None
        false_positive = self.predicted_positive - self.true_positive
        heights = self.true_positive + np.concatenate([[0], self.true_positive[:-1]])
        doubled_area = int(np.dot(np.diff(false_positive, prepend=0), heights))
        return doubled_area / (2 * self.num_positive * self.num_negative)

    def auprc(self) -> float | None:
        """Return the average precision, sum of (R_k - R_k-1) * precision_k, or None."""
        if not self.has_both_classes:
            return None
        gained = np.diff(self.true_positive, prepend=0)
        at = np.flatnonzero(gained)
        precision = self.true_positive[at] / self.predicted_positive[at]
        return float(gained[at] @ precision) / self.num_positive

    def threshold_at_false_alarms(self, per_hour: float) -> float:
        """Return the lowest threshold with at most so many false alarms per hour.

        A false alarm is a negative frame with a score of at least the threshold. Where even the
        highest score has too many, the threshold is infinite: nothing is predicted positive.

        Args:
            per_hour: false alarms per hour of frames, of both classes; finite, at least 0.

        >>> score_curve([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6]).threshold_at_false_alarms(45_000 / 4)
        0.7
        """
        false_positive = self.predicted_positive - self.true_positive
        most = min(allowed_false_positives(per_hour, self.num_frames), self.num_negative)
        num_allowed = int(np.searchsorted(false_positive, most, side="right"))
        return float(self.thresholds[num_allowed - 1]) if num_allowed else np.inf


def score_curve(labels: npt.ArrayLike, scores: npt.ArrayLike) -> ScoreCurve:
    """Count positives and predictions at every distinct score, with one sort of the scores.

    Args:
        labels: [N], 0 or 1.
        scores: [N], finite.

    Raises:
        ValueError: the arrays differ in length, are empty or hold other values.
    """
    return curve_of(sort_frames(labels, scores))


def sort_frames(labels: npt.ArrayLike, scores: npt.ArrayLike) -> SortedFrames:
    """Sort the scores once; what needs nothing else of the frames can share them.

    Raises:
        ValueError: see `check_frames`.
    """
    label_array, score_array = check_frames(labels, scores)
    return SortedFrames(np.sort(score_array), np.sort(score_array[label_array == 1]))


def curve_of(frames: SortedFrames) -> ScoreCurve:
    """Count positives and predictions at every distinct score; see `score_curve`."""
    ascending, positive = frames
    starts = np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]]))
    thresholds = ascending[starts]
    # Mostly there are far fewer positives than scores, so positives are what is searched for.
    gained = np.bincount(np.searchsorted(thresholds, positive), minlength=thresholds.size)
    return ScoreCurve(
        thresholds=thresholds[::-1],
        true_positive=np.cumsum(gained[::-1]),
        predicted_positive=(ascending.size - starts)[::-1],
        num_frames=ascending.size,
        num_positive=positive.size,
    )


def allowed_false_positives(per_hour: float, num_frames: int) -> int:
    """Return the largest number of false positives that is at most `per_hour` of these frames.

    >>> allowed_false_positives(0.3, 150_000)
    1
    """
    # Through the decimal digits: the float 0.3 is below 3/10, and one alarm would be too many.
    return Fraction(str(per_hour)) * num_frames // FRAMES_PER_HOUR


def check_frames(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Labels, Floats]:
    """Return labels as int8 [N] and scores as float64 [N] after checking both.

    Raises:
        ValueError: not 1-D, of different length, empty, a label other than 0 and 1, or a score that
            is not finite; the message says what was got.
    """
    label_array, score_array = np.asarray(labels), np.asarray(scores)
    if label_array.ndim != 1 or label_array.shape != score_array.shape:
        raise ValueError(
            "labels and scores must be 1-D and equally long, "
            f"got shapes {label_array.shape} and {score_array.shape}"
        )
    if label_array.size == 0:
        raise ValueError("need at least one frame, got none")
    is_binary = (label_array == 0) | (label_array == 1)
    if not is_binary.all():
        raise ValueError(f"labels must be 0 or 1, got {np.unique(label_array[~is_binary])[:5]}")
    score_array = score_array.astype(np.float64, copy=False)
    num_bad = score_array.size - int(np.isfinite(score_array).sum())
    if num_bad:
        raise ValueError(
            f"scores must be finite, got {num_bad} NaN or infinite of {score_array.size}"
        )
    return label_array.astype(np.int8, copy=False), score_array
