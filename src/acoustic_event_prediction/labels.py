"""The label rule: which frames are positive before an onset."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.errors import LabelError
from acoustic_event_prediction.frames import frame_at


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
    if shift_frames < 1:
        raise ValueError(f"shift_frames counts frames ahead and is at least 1, got {shift_frames}")
    onset_frames = frame_at(np.asarray(onsets, dtype=np.float64))  # [E]
    if onset_frames.size and not 0 <= onset_frames.min() <= onset_frames.max() <= num_frames:
        raise ValueError(
            f"onsets lie in frames {onset_frames.min()} to {onset_frames.max()}, "
            f"the episode has frames 0 to {num_frames - 1}"
        )
    first = np.maximum(onset_frames - shift_frames, 0)
    # +1 where a window begins, -1 where it ends: the running sum counts the windows over a frame.
    steps = np.bincount(first, minlength=num_frames + 1)
    steps -= np.bincount(onset_frames, minlength=num_frames + 1)
    return (np.cumsum(steps[:num_frames]) > 0).astype(np.int8)  # [T]


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
