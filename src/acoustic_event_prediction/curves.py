"""Counts of positives at every distinct score, and the areas under the curves they form.

A frame is predicted positive when its score is at least the threshold. Frames with equal scores
can't be told apart by any threshold, so they count as one block everywhere.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.frames import FRAMES_PER_HOUR

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int8]


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
        return float(gained @ (self.true_positive / self.predicted_positive)) / self.num_positive

    def recall_at_false_alarms(self, per_hour: float) -> float | None:
        """Return the recall at the lowest threshold with at most so many false alarms, or None.

        A false alarm is a negative frame with a score of at least the threshold. Where even the
        highest score has too many, nothing is predicted positive and the recall is 0.

        Args:
            per_hour: false alarms per hour of frames, of both classes; finite, at least 0.

        >>> score_curve([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6]).recall_at_false_alarms(45_000 / 4)
        1.0
        """
        if not self.has_both_classes:
            return None
        # Through the decimal digits: the float 0.3 is below 3/10, and one alarm would be too many.
        limit = Fraction(str(per_hour)) * self.num_frames // FRAMES_PER_HOUR
        false_positive = self.predicted_positive - self.true_positive
        most = min(limit, self.num_negative)
        num_allowed = int(np.searchsorted(false_positive, most, side="right"))
        return int(self.true_positive[num_allowed - 1]) / self.num_positive if num_allowed else 0.0


@dataclass(frozen=True)
class EpisodeFrames:
    """The frames of E episodes, sorted for counting.

    Attributes:
        scores: E arrays float64 [N_e], ascending.
        positive_scores: float64 [P], descending.
        positive_episodes: int64 [P], the episode of each positive frame, 0 to E - 1.
    """

    scores: list[Floats]
    positive_scores: Floats
    positive_episodes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Return E."""
        return len(self.scores)

    def num_frames(self) -> Floats:
        """Return the frames of each episode, float64 [E]."""
        return np.array([len(scores) for scores in self.scores], dtype=np.float64)

    def num_positive(self, threshold: float = -np.inf) -> Floats:
        """Return each episode's positive frames with a score of at least `threshold`, [E]."""
        chosen = self.positive_episodes[self.positive_scores >= threshold]
        return np.bincount(chosen, minlength=len(self)).astype(np.float64)


def score_curve(labels: npt.ArrayLike, scores: npt.ArrayLike) -> ScoreCurve:
    """Count positives and predictions at every distinct score, with one sort of the scores.

    Args:
        labels: [N], 0 or 1.
        scores: [N], finite.

    Raises:
        ValueError: the arrays differ in length, are empty or hold other values.
    """
    label_array, score_array = check_frames(labels, scores)
    ascending = np.sort(score_array)
    starts = np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]]))
    thresholds = ascending[starts]
    positive = np.sort(score_array[label_array == 1])
    true_positive = positive.size - np.searchsorted(positive, thresholds, side="left")
    return ScoreCurve(
        thresholds=thresholds[::-1],
        true_positive=true_positive[::-1],
        predicted_positive=(score_array.size - starts)[::-1],
        num_frames=score_array.size,
        num_positive=positive.size,
    )


def group_frames(
    labels: npt.ArrayLike, scores: npt.ArrayLike, episodes: npt.ArrayLike
) -> EpisodeFrames:
    """Sort the frames of each episode by score; episode numbers are used in ascending order.

    Raises:
        ValueError: see `check_frames`; or `episodes` has another length.
    """
    label_array, score_array = check_frames(labels, scores)
    episode_array = np.asarray(episodes)
    if episode_array.shape != score_array.shape:
        raise ValueError(
            f"need one episode number per frame, got {episode_array.shape} for {score_array.shape}"
        )
    numbers, members = np.unique(episode_array, return_inverse=True)  # [E], [N]
    grouped = score_array[np.argsort(members, kind="stable")]
    ends = np.cumsum(np.bincount(members, minlength=numbers.size))
    positive = np.flatnonzero(label_array)
    positive = positive[np.argsort(-score_array[positive], kind="stable")]
    return EpisodeFrames(
        scores=[np.sort(part) for part in np.split(grouped, ends[:-1])],
        positive_scores=score_array[positive],
        positive_episodes=members[positive],
    )


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
