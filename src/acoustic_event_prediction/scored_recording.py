"""What a prediction on a recording says: scores of its users, and the alarms that they make."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

ALARM_COLUMNS = ("user", "onset", "offset", "peak")


@dataclass(frozen=True)
class ScoredRecording:
    """The scores of a recording and their alarms; U users, T frames of 80 ms, H horizons.

    Attributes:
        name: of the recording, any Unicode.
        duration_seconds: of the recording.
        event: label of the predicted event, as in `Laughter`.
        target: whose events: of any speaker, or of the user.
        horizons: in frames, one per output.
        main_horizon: the one that alarms are made of, one of `horizons`.
        users: their names, each once.
        scores: float32 [U, T, H], 0 to 1.
        threshold: of alarms.
        alarms: columns user, onset and offset in seconds, and peak, the highest score; by onset.

    Raises:
        ValueError: something does not fit together; the message says what.
    """

    name: str
    duration_seconds: float
    event: str
    target: Literal["any", "user"]
    horizons: tuple[int, ...]
    main_horizon: int
    users: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    threshold: float
    alarms: pd.DataFrame

    def __post_init__(self) -> None:
        _check_axes(self)
        _check_values(self)
        _check_alarms(self)

    @property
    def main_scores(self) -> npt.NDArray[np.float32]:
        """Scores of the main horizon, float32 [U, T]."""
        return self.scores_at(self.main_horizon)

    @property
    def score_limit(self) -> float:
        """Upper end of the main horizon's score axis, see `score_limit_at`."""
        return self.score_limit_at(self.main_horizon)

    def scores_at(self, horizon: int) -> npt.NDArray[np.float32]:
        """Return the scores of one of the horizons, given in frames; float32 [U, T].

        Raises:
            ValueError: it is none of `horizons`.
        """
        if horizon not in self.horizons:
            raise ValueError(f"there are scores at {self.horizons} frames, none at {horizon}")
        return self.scores[:, :, self.horizons.index(horizon)]

    def score_limit_at(self, horizon: int) -> float:
        """Return the end of a score axis: the first of ..., 0.1, 0.2, 0.5, 1 that holds all scores.

        The main horizon's has the threshold on it, too. Scores of rare events may all be far
        below 1.

        Raises:
            ValueError: see `scores_at`.
        """
        highest = float(self.scores_at(horizon).max())
        if horizon == self.main_horizon:
            highest = max(highest, self.threshold)
        if highest <= 0:
            return 1.0
        decade = 10.0 ** math.floor(math.log10(highest))
        steps = (decade, 2 * decade, 5 * decade, 10 * decade)
        # A float32 score of 0.1 is a little more than 0.1.
        return float(f"{next(step for step in steps if highest <= step * (1 + 1e-6)):.1g}")


def _check_axes(recording: ScoredRecording) -> None:
    shape, users, horizons = recording.scores.shape, recording.users, recording.horizons
    if recording.scores.dtype != np.float32:
        raise ValueError(f"scores must be float32, got {recording.scores.dtype}")
    if shape[:1] + shape[2:] != (len(users), len(horizons)) or 0 in shape:
        raise ValueError(
            f"scores of {len(users)} users and {len(horizons)} horizons must have the shape "
            f"({len(users)}, T, {len(horizons)}) with at least one of each, got {shape}"
        )
    if len(set(users)) < len(users):
        raise ValueError(f"each user must be named once, got {users}")
    if len(set(horizons)) < len(horizons) or min(horizons) < 1:
        raise ValueError(f"each horizon must be at least 1 frame and there once, got {horizons}")
    if recording.main_horizon not in horizons:
        raise ValueError(
            f"the main horizon must be one of {horizons}, got {recording.main_horizon}"
        )


def _check_values(recording: ScoredRecording) -> None:
    scores = recording.scores
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError(
            f"scores must lie from 0 to 1, got {scores.min():g} to {scores.max():g} "
            f"and {int(np.isnan(scores).sum())} NaN"
        )
    if not (math.isfinite(recording.duration_seconds) and recording.duration_seconds > 0):
        raise ValueError(f"the duration must be above 0 s, got {recording.duration_seconds}")
    if not math.isfinite(recording.threshold):
        raise ValueError(f"the threshold must be a finite number, got {recording.threshold}")


def _check_alarms(recording: ScoredRecording) -> None:
    alarms = recording.alarms
    missing = [column for column in ALARM_COLUMNS if column not in alarms]
    if missing:
        raise ValueError(f"alarms need the columns {ALARM_COLUMNS}, missing: {missing}")
    unknown = sorted(set(alarms["user"]) - set(recording.users))
    if unknown:
        raise ValueError(f"alarms of {unknown}, who are none of the users {recording.users}")
    times = alarms[["onset", "offset", "peak"]].to_numpy(dtype=np.float64)  # [A, 3]
    if not np.isfinite(times).all() or (times[:, 0] > times[:, 1]).any():
        raise ValueError("each alarm needs finite times and peak, and an offset after its onset")
    if (np.diff(times[:, 0]) < 0).any():
        raise ValueError("alarms must be sorted by onset")
