"""Whether scores are probabilities: of the frames scored 0.3, three in ten should be positive.

Reliability is measured in bins of scores. Frames with equal scores are always in one bin.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.curves import Counts, Floats, SortedFrames, sort_frames

Spacing = Literal["uniform", "quantile"]
# The number that the calibration error is usually reported with.
NUM_BINS = 15
NOT_PROBABILITIES = "a score lies outside [0, 1], so scores are no probabilities"


@dataclass(frozen=True)
class Reliability:
    """The B bins that hold a frame, from low to high scores, each array [B].

    Attributes:
        lower: float64, lower edge; a frame with just this score is in the bin below, if there is
            one.
        upper: float64, upper edge; a frame with just this score is in the bin.
        count: int64, frames in the bin.
        mean_score: float64, their mean score.
        positive_share: float64, the share of them that is positive.
    """

    lower: Floats
    upper: Floats
    count: Counts
    mean_score: Floats
    positive_share: Floats


def reliability(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    num_bins: int = NUM_BINS,
    spacing: Spacing = "uniform",
) -> Reliability:
    """Return the mean score and the share of positives in bins of scores.

    Args:
        labels: [N], 0 or 1.
        scores: [N], probabilities in [0, 1].
        num_bins: at least 1; bins without frames are left out.
        spacing: "uniform" divides [0, 1] into bins of equal width. "quantile" divides the sorted
            frames into bins of equal mass, moves each cut to the nearer end of a run of equal
            scores, and so may give fewer bins.

    Raises:
        ValueError: see `check_frames`; a score lies outside [0, 1]; or there is no bin.

    >>> reliability([0, 1, 1], [0.2, 0.6, 1.0], num_bins=2).positive_share.tolist()
    [0.0, 1.0]
    """
    return _reliability(sort_frames(labels, scores), num_bins, spacing)


def calibration_error(
    labels: npt.ArrayLike, scores: npt.ArrayLike, *, spacing: Spacing
) -> float | None:
    """Return the expected calibration error, or None where a score is no probability.

    It is the mean over frames of how far their bin's mean score is from its share of positives:
    sum of n_b / N * |mean score - share of positives| over `NUM_BINS` bins.

    Args:
        labels: [N], 0 or 1.
        scores: [N], finite.
        spacing: see `reliability`.

    Raises:
        ValueError: see `check_frames`.

    >>> calibration_error([0, 1], [0.25, 0.25], spacing="uniform")
    0.25
    """
    return calibration_error_of(sort_frames(labels, scores), spacing)


def calibration_error_of(frames: SortedFrames, spacing: Spacing) -> float | None:
    """Return the expected calibration error of sorted frames; see `calibration_error`."""
    if not are_probabilities(frames):
        return None
    bins = _reliability(frames, NUM_BINS, spacing)
    gaps = np.abs(bins.mean_score - bins.positive_share)
    return float(bins.count @ gaps) / frames.scores.size


def are_probabilities(frames: SortedFrames) -> bool:
    """Return whether all scores lie in [0, 1]."""
    return bool(frames.scores[0] >= 0 and frames.scores[-1] <= 1)


def _reliability(frames: SortedFrames, num_bins: int, spacing: Spacing) -> Reliability:
    scores, positive = frames
    if not are_probabilities(frames):
        raise ValueError(f"scores must lie in [0, 1], got {scores[0]} to {scores[-1]}")
    if num_bins < 1:
        raise ValueError(f"num_bins must be at least 1, got {num_bins}")
    if spacing == "uniform":
        edges: Floats = np.linspace(0.0, 1.0, num_bins + 1, dtype=np.float64)
    elif spacing == "quantile":
        edges = _edges_of_equal_mass(scores, num_bins)
    else:
        raise ValueError(f"spacing must be 'uniform' or 'quantile', got {spacing!r}")
    ends = np.searchsorted(scores, edges[1:], side="right")
    count = np.diff(ends, prepend=0)
    held = count > 0
    starts = (ends - count)[held]
    num_positive = np.diff(np.searchsorted(positive, edges[1:], side="right"), prepend=0)
    return Reliability(
        lower=edges[:-1][held],
        upper=edges[1:][held],
        count=count[held],
        mean_score=np.add.reduceat(scores, starts) / count[held],
        positive_share=num_positive[held] / count[held],
    )


def _edges_of_equal_mass(ascending: Floats, num_bins: int) -> Floats:
    wanted = np.arange(1, num_bins) * ascending.size // num_bins  # [num_bins - 1]
    # A cut before position k would divide the run of scores equal to the one at k.
    first = np.searchsorted(ascending, ascending[wanted], side="left")
    last = np.searchsorted(ascending, ascending[wanted], side="right")
    cuts = np.unique(np.where(wanted - first <= last - wanted, first, last))
    cuts = cuts[(cuts > 0) & (cuts < ascending.size)]
    return np.concatenate([ascending[:1], ascending[cuts - 1], ascending[-1:]])
