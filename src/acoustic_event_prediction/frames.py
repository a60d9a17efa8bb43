"""Seconds, samples and frames: the only place where a time becomes a frame number.

A frame lasts 80 ms (12.5 Hz), 1920 samples at Mimi's 24 kHz. Frame f covers the half-open interval
[f * 0.08 s, (f + 1) * 0.08 s).
"""

from fractions import Fraction

import numpy as np
import numpy.typing as npt

FRAME_RATE_HZ = 12.5
FRAME_SECONDS = 0.08
FRAME_MILLISECONDS = 80
FRAMES_PER_HOUR = 45_000
MODEL_SAMPLE_RATE_HZ = 24_000
SAMPLES_PER_FRAME = 1920

_FRAME_RATE = Fraction(25, 2)
# 2.32 s * 12.5 Hz is 28.999... in binary; the nudge (80 ns) puts a time on the grid into its frame.
_GRID_TOLERANCE_FRAMES = 1e-6


def count_frames(num_samples: int, sample_rate_hz: int) -> int:
    """Return T, the number of frames that `num_samples` samples begin, in exact arithmetic.

    >>> count_frames(24_000, 24_000), count_frames(1920, 24_000), count_frames(1921, 24_000)
    (13, 1, 2)
    """
    if num_samples < 0 or sample_rate_hz <= 0:
        raise ValueError(
            f"need num_samples >= 0 and sample_rate_hz > 0, got {num_samples} and {sample_rate_hz}"
        )
    return -((-num_samples * _FRAME_RATE) // sample_rate_hz)


def frame_at(seconds: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the frame that holds each time.

    Args:
        seconds: times in seconds, any shape, finite.

    Returns:
        int64, same shape.

    Raises:
        ValueError: a time is NaN or infinite.

    >>> int(frame_at(2.32)), int(2.32 * 12.5)
    (29, 28)
    """
    times = np.asarray(seconds, dtype=np.float64)
    if not np.isfinite(times).all():
        raise ValueError("a time is NaN or infinite; frames exist for finite times only")
    return np.floor(times * FRAME_RATE_HZ + _GRID_TOLERANCE_FRAMES).astype(np.int64)


def whole_frames(seconds: float) -> int:
    """Return the number of frames that a duration lasts.

    Raises:
        ValueError: it is no whole number of frames, or none at all.

    >>> whole_frames(210)
    2625
    """
    num_frames = round(seconds * FRAME_RATE_HZ)
    if num_frames < 1 or abs(num_frames / FRAME_RATE_HZ - seconds) > _GRID_TOLERANCE_FRAMES:
        below = max(1, int(seconds * FRAME_RATE_HZ))
        raise ValueError(
            f"{seconds:g} s is no multiple of a frame (0.08 s); the nearest are "
            f"{below / FRAME_RATE_HZ:g} and {(below + 1) / FRAME_RATE_HZ:g}"
        )
    return num_frames


def start_of(frame: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the time in seconds at which each frame begins, rounded to the microsecond.

    >>> float(start_of(29))
    2.32
    """
    return np.round(np.asarray(frame, dtype=np.float64) / FRAME_RATE_HZ, 6)
