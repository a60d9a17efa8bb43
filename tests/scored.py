"""A scored recording made by hand; a test names only what it is about."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from acoustic_event_prediction.scored_recording import ScoredRecording

Alarm = tuple[str, float, float, float]


def make_alarms(*alarms: Alarm) -> pd.DataFrame:
    """A table of alarms: user, onset, offset, peak."""
    table = pd.DataFrame(alarms, columns=["user", "onset", "offset", "peak"])
    return table.astype({"user": "str", "onset": float, "offset": float, "peak": float})


def make_scores(
    num_users: int = 1, num_frames: int = 125, num_horizons: int = 1
) -> npt.NDArray[np.float32]:
    """Scores [U, T, H], all different, below 1."""
    size = num_users * num_frames * num_horizons
    scores = np.arange(size, dtype=np.float32) / np.float32(size)
    return scores.reshape(num_users, num_frames, num_horizons)


def scored_recording(**changes: Any) -> ScoredRecording:
    """Ten seconds of one user with one alarm, or as many seconds as there are scores."""
    values: dict[str, Any] = {
        "name": "talk.wav",
        "event": "Laughter",
        "target": "any",
        "horizons": (5,),
        "main_horizon": 5,
        "users": ("mix",),
        "scores": make_scores(),
        "threshold": 0.5,
        "alarms": make_alarms(("mix", 5.04, 6.0, 0.6)),
    } | changes
    values.setdefault("duration_seconds", values["scores"].shape[1] * 0.08)
    return ScoredRecording(**values)


def make_peaks(recording: ScoredRecording) -> npt.NDArray[np.float32]:
    """Peaks [T] from 0 to a half."""
    return np.linspace(0, 0.5, recording.scores.shape[1], dtype=np.float32)
