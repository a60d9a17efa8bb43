"""The events of one partition as sorted arrays: which are one, which come first, what they cover.

Onsets and offsets are seconds from the partition's start, [E], sorted by onset.
"""

import math

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.frames import frame_at

Seconds = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Sums of decimal seconds differ from the sum by less.
TOLERANCE_SECONDS = 1e-6


def merge_same_frame(onsets: npt.ArrayLike, offsets: npt.ArrayLike) -> tuple[Seconds, Seconds]:
    """Make one event of those whose onsets lie in one frame: earliest onset, latest offset.

    Args:
        onsets: [E] in seconds, sorted.
        offsets: [E] in seconds.

    Returns:
        Onsets and offsets of the events that are left.

    Raises:
        ValueError: see `check_events`.

    >>> [times.tolist() for times in merge_same_frame([0.40, 0.45, 0.48], [0.90, 0.80, 0.60])]
    [[0.4, 0.48], [0.9, 0.6]]
    """
    begun, ended = check_events(onsets, offsets)
    frames = frame_at(begun)
    first = np.flatnonzero(np.diff(frames, prepend=-1))
    return begun[first], np.maximum.reduceat(ended, first)


def first_of_bout(onsets: npt.ArrayLike, offsets: npt.ArrayLike, bout_gap_seconds: float) -> Flags:
    """Tell which events begin a bout: nothing of their kind was heard just before.

    An event follows another when an earlier one is still going on at its onset or ended less than
    `bout_gap_seconds` before. Of two with the same onset the one listed first may begin the bout.

    Args:
        onsets: [E] in seconds, sorted.
        offsets: [E] in seconds.
        bout_gap_seconds: at least 0.

    Returns:
        bool [E].

    Raises:
        ValueError: see `check_events`; or the gap is negative or not finite.

    >>> first_of_bout([1.0, 2.0, 6.0], [5.0, 3.0, 7.0], bout_gap_seconds=1.0).tolist()
    [True, False, True]
    """
    begun, ended = check_events(onsets, offsets)
    gap = _check_duration("bout_gap_seconds", bout_gap_seconds)
    latest_end = np.maximum.accumulate(ended)
    pause = np.full(begun.size, np.inf)
    pause[1:] = begun[1:] - latest_end[:-1]
    is_first: Flags = pause >= gap - TOLERANCE_SECONDS
    return is_first


def ignored_frames(
    onsets: npt.ArrayLike,
    offsets: npt.ArrayLike,
    num_frames: int,
    *,
    inside: bool,
    tail_seconds: float,
) -> Flags:
    """Mark the frames in which an event goes on or has just ended, where no alarm is judged.

    Args:
        onsets: [E] in seconds, sorted.
        offsets: [E] in seconds; an event may end after the last frame.
        num_frames: T.
        inside: mark the frames that an event covers at least partly; its onset's frame always is.
        tail_seconds: mark the frames that begin at an offset or less than this after it; 0: none.

    Returns:
        bool [T].

    Raises:
        ValueError: see `check_events`; or an onset is past the last frame, or `tail_seconds` is
            negative or not finite.

    >>> ignored_frames([0.20], [0.40], 8, inside=True, tail_seconds=0.08).tolist()
    [False, False, True, True, True, True, False, False]
    """
    begun, ended = check_events(onsets, offsets)
    tail = _check_duration("tail_seconds", tail_seconds)
    first = frame_at(begun)
    if first.size and first[-1] > num_frames:
        raise ValueError(
            f"an onset lies in frame {first[-1]}, the partition has frames 0 to {num_frames - 1}"
        )
    after = first_frame_from(ended)
    is_ignored = _cover(after, first_frame_from(ended + tail), num_frames)
    if inside:
        is_ignored |= _cover(first, np.maximum(after, first + 1), num_frames)
    return is_ignored


def first_frame_from(seconds: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the first frame that begins at each time or after it: the ceiling of `frame_at`.

    >>> first_frame_from([0.40, 0.41]).tolist()
    [5, 6]
    """
    return -frame_at(-np.asarray(seconds, dtype=np.float64))


def check_events(onsets: npt.ArrayLike, offsets: npt.ArrayLike) -> tuple[Seconds, Seconds]:
    """Return onsets and offsets as float64 [E] after checking both.

    Raises:
        ValueError: not 1-D, of different length, not finite, unsorted, negative, or an event ends
            before its onset; the message says which.
    """
    begun, ended = np.asarray(onsets, np.float64), np.asarray(offsets, np.float64)
    if begun.ndim != 1 or begun.shape != ended.shape:
        raise ValueError(
            "onsets and offsets must be 1-D and equally long, "
            f"got shapes {begun.shape} and {ended.shape}"
        )
    is_bad = ~(np.isfinite(begun) & np.isfinite(ended)) | (begun < 0) | (ended < begun)
    is_bad[1:] |= begun[1:] < begun[:-1]
    if is_bad.any():
        index = int(np.argmax(is_bad))
        raise ValueError(
            f"event {index} lies at {begun[index]:g} to {ended[index]:g} s; events must be sorted "
            "by onset, begin at 0 s or later, and not end before their onset"
        )
    return begun, ended


def _check_duration(name: str, seconds: float) -> float:
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"{name} must be finite and at least 0, got {seconds}")
    return seconds


def _cover(first: npt.NDArray[np.int64], stop: npt.NDArray[np.int64], num_frames: int) -> Flags:
    """Mark the frames `first[e]:stop[e]` of every event, as far as they exist, bool [T]."""
    size = num_frames + 1
    begun = np.bincount(np.minimum(first, num_frames), minlength=size)
    ended = np.bincount(np.minimum(stop, num_frames), minlength=size)
    is_covered: Flags = np.cumsum(begun - ended)[:num_frames] > 0
    return is_covered
