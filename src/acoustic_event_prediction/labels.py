"""The label rule: which frames are positive before an onset."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.errors import LabelError
from acoustic_event_prediction.frames import frame_at

# Of an int16: 43 minutes ahead.
MAX_DISTANCE = 32767


def onset_distances(onsets: npt.ArrayLike, num_frames: int) -> npt.NDArray[np.int16]:
    """Return how many frames ahead the next onset is: the labels of all horizons in one array.

    Args:
        onsets: [E], onset times in seconds, any order.
        num_frames: T.

    Returns:
        int16 [T], s - t with s the frame of the first onset after frame t; 0 where there is none,
        or none within 32767 frames.

    Raises:
        ValueError: an onset is negative, not finite or past the last frame.

    Source: docs/labeling.md

    >>> onset_distances([0.40], num_frames=7).tolist()
    [5, 4, 3, 2, 1, 0, 0]
    """
    onset_frames = np.sort(frame_at(np.asarray(onsets, dtype=np.float64)))  # [E]
    if onset_frames.size and not 0 <= onset_frames[0] <= onset_frames[-1] <= num_frames:
        raise ValueError(
            f"onsets lie in frames {onset_frames[0]} to {onset_frames[-1]}, "
            f"the episode has frames 0 to {num_frames - 1}"
        )
    frames = np.arange(num_frames)
    following = np.searchsorted(onset_frames, frames, side="right")  # [T]
    distances = np.append(onset_frames, 0)[following] - frames
    distances[(following == onset_frames.size) | (distances > MAX_DISTANCE)] = 0
    as_int16: npt.NDArray[np.int16] = distances.astype(np.int16)
    return as_int16


def label_within(distances: npt.NDArray[np.int16], shift_frames: int) -> npt.NDArray[np.int8]:
    """Mark the frames whose next onset lies at most `shift_frames` ahead, int8 [T].

    Args:
        distances: [T], see `onset_distances`.
        shift_frames: horizon n in frames, >= 1 (one frame is 80 ms).
    """
    if shift_frames < 1:
        raise ValueError(f"shift_frames counts frames ahead and is at least 1, got {shift_frames}")
    return ((distances > 0) & (distances <= shift_frames)).astype(np.int8)


def label_before_onset(
    onsets: npt.ArrayLike, num_frames: int, shift_frames: int
) -> npt.NDArray[np.int8]:
    """Mark the frames from which an onset lies at most `shift_frames` ahead.

    With s the onset's frame, frames s - shift_frames ... s - 1 are positive, as far as they exist.
    Frame s is not, unless another onset makes it so: the event is audible there.

    Args:
        onsets: [E], onset times in seconds, any order.
        num_frames: T.
        shift_frames: horizon n in frames, >= 1 (one frame is 80 ms).

    Returns:
        int8 [T]; 1 where positive.

    Raises:
        ValueError: an onset is negative, not finite or past the last frame, or shift_frames < 1.

    Source: docs/labeling.md

    >>> label_before_onset([0.40], num_frames=7, shift_frames=2).tolist()
    [0, 0, 0, 1, 1, 0, 0]
    """
    return label_within(onset_distances(onsets, num_frames), shift_frames)


def require_labeling(summary: Mapping[str, Any], wanted: Mapping[str, Any], by: str) -> None:
    """Check that stored labels are the wanted ones: their folder names only the horizon.

    Args:
        summary: `label_summary` of the stored labels.
        wanted: event, target and shift_frames.
        by: who wants them, for the message.

    Raises:
        LabelError: they differ; the message shows both.
    """
    stored = summary["labeling"]
    differing = [name for name in wanted if stored[name] != wanted[name]]
    if differing:
        raise LabelError(
            f"the stored labels have {', '.join(f'{name}={stored[name]}' for name in differing)}, "
            f"but {by} needs {', '.join(f'{name}={wanted[name]}' for name in differing)}; make "
            "them with `kedro run --pipelines labeling` and the settings that you mean"
        )
