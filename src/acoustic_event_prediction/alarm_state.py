"""Alarms while the scores come, one frame after another."""

from acoustic_event_prediction.alarms import AlarmRule


class AlarmState:
    """Raises the alarms that `alarms.find_alarms` finds, each in the frame that decides it.

    Args:
        rule: what an alarm is.
    """

    def __init__(self, rule: AlarmRule) -> None:
        self._threshold = rule.threshold
        self._longest_step = rule.merge_gap_frames + 1
        self._minimum_frames = rule.minimum_frames
        self._distance = max(1, rule.refractory_frames)
        self._frame = -1
        self._begin: int | None = None  # of the run
        self._last_reached = 0
        self._is_decided = False
        self._last_alarm: int | None = None

    def push(self, score: float) -> bool:
        """Take the score of the next frame, and return whether an alarm is raised in it."""
        self._frame += 1
        if not score >= self._threshold:
            return False
        if self._begin is None or self._frame - self._last_reached > self._longest_step:
            self._begin, self._is_decided = self._frame, False
        self._last_reached = self._frame
        if self._is_decided or self._frame - self._begin + 1 < self._minimum_frames:
            return False
        self._is_decided = True
        if self._last_alarm is not None and self._frame - self._last_alarm < self._distance:
            return False
        self._last_alarm = self._frame
        return True
