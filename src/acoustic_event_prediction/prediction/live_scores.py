"""What a piece of sound has led to."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class LiveScores:
    """The scores that a piece of sound has led to: F frames, perhaps none; U users, H horizons.

    Attributes:
        time_seconds: start of each frame since the first sound, float64 [F].
        scores: at the main horizon, float32 [U, F].
        horizon_scores: float32 [U, F, H].
    """

    time_seconds: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float32]
    horizon_scores: npt.NDArray[np.float32]
    _alarms: npt.NDArray[np.bool_] | None = field(repr=False)

    @property
    def alarms(self) -> npt.NDArray[np.bool_]:
        """Whether an alarm is raised in the frame, bool [U, F].

        Raises:
            ValueError: the predictor has no rule for alarms, and none was given.
        """
        if self._alarms is None:
            raise ValueError(
                "the predictor has no rule for alarms: run `kedro run --pipelines evaluation`, or "
                "give one, e.g. Predictor.listen(..., rule=AlarmRule(0.5, 0.0, 0.08, 1.0))"
            )
        return self._alarms
