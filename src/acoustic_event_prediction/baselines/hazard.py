"""The hazard of the next event: how likely it is, by the time since the last one.

It knows the true past of an episode and nothing else, so it tells how much of a predictor's
success is that events come in bouts.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.frames import frame_at
from acoustic_event_prediction.target_events import check_events, first_frame_from

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

# Bins of the time since the last event: inside it, then frames that double, then no event so far.
_EDGES = 2 ** np.arange(16)  # in frames: up to 44 minutes
NUM_BINS = _EDGES.size + 2


@dataclass(frozen=True)
class Hazard:
    """Share of positive frames in each bin of the time since the last event, float64 [B]."""

    positive_share: Floats

    def scores(self, onsets: npt.ArrayLike, offsets: npt.ArrayLike, num_frames: int) -> Floats:
        """Return the probability of a positive label for each frame, float64 [T].

        Args:
            onsets: [E] in seconds, sorted.
            offsets: [E] in seconds.
            num_frames: T.

        Raises:
            ValueError: see `check_events`.
        """
        return self.positive_share[time_bins(onsets, offsets, num_frames)]


def fit_hazard(bins_and_labels: Iterable[tuple[Indices, npt.NDArray[np.int8]]]) -> Hazard:
    """Return the hazard of training partitions.

    A bin with few frames is drawn towards the share of all: it counts one frame more, which is
    positive by that share.

    Args:
        bins_and_labels: for each partition, `time_bins` [T] and labels [T].

    Raises:
        ValueError: there is no frame.
    """
    frames, positives = np.zeros(NUM_BINS), np.zeros(NUM_BINS)
    for bins, labels in bins_and_labels:
        frames += np.bincount(bins, minlength=NUM_BINS)
        positives += np.bincount(bins, labels, minlength=NUM_BINS)
    if not frames.any():
        raise ValueError("need at least one frame to fit a hazard, got none")
    return Hazard((positives + positives.sum() / frames.sum()) / (frames + 1))


def time_bins(onsets: npt.ArrayLike, offsets: npt.ArrayLike, num_frames: int) -> Indices:
    """Return the bin of the time since the last event for each frame, int64 [T].

    Like a feature, frame t knows what was before it: an event whose onset's frame is t - 1 or
    earlier, and that it has ended if its end is not after the start of frame t.

    Args:
        onsets: [E] in seconds, sorted.
        offsets: [E] in seconds.
        num_frames: T.

    Returns:
        0 inside an event; 1 + k, with 2^k the largest power of two that is at most the number of
        frames since the last end, counting from 1; the last bin where no event has begun.

    Raises:
        ValueError: see `check_events`.

    >>> time_bins([0.10], [0.24], 8).tolist()
    [17, 17, 0, 1, 2, 2, 3, 3]
    """
    begun, ended = check_events(onsets, offsets)
    frames = np.arange(num_frames)
    known = np.searchsorted(frame_at(begun), frames, side="left")  # [T], events begun before
    # Of all events so far the latest end counts: a short one may lie inside a long one.
    last_end = np.append(0, np.maximum.accumulate(first_frame_from(ended)))[known]
    since = frames - last_end + 1
    bins = np.where(since < 1, 0, np.searchsorted(_EDGES, np.maximum(since, 1), side="right"))
    bins[known == 0] = NUM_BINS - 1
    as_int64: Indices = bins.astype(np.int64)
    return as_int64
