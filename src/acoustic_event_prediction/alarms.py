"""From scores to alarms, as a live system raises them: one at a time, never with hindsight.

All work is done on the few frames that reach a threshold, so that many rules can be tried.
"""

import math
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.frames import frame_at
from acoustic_event_prediction.target_events import first_frame_from

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class AlarmRule:
    """When frame scores are an alarm.

    A run is a sequence of scored frames that reach the threshold. Runs are joined over short gaps,
    but never over an ignored frame or from one partition to the next. An alarm is decided at the
    first frame that reaches the threshold and is at least the minimum duration into its run: only
    then does a live system know that the run is long enough, and that a gap was short.

    Attributes:
        threshold: a frame reaches it with a score of at least this.
        merge_gap_seconds: runs are joined when the frames between them last at most this.
        minimum_duration_seconds: a run, from its first to its last frame, that lasts less is no
            alarm; 0 as well as 0.08 mean one frame.
        refractory_seconds: a run decided less than this after the last alarm of its partition was
            decided is no alarm, however long it goes on.

    Raises:
        ValueError: a setting is not finite, or a duration is negative.
    """

    threshold: float
    merge_gap_seconds: float
    minimum_duration_seconds: float
    refractory_seconds: float

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, astuple(self))) or min(astuple(self)[1:]) < 0:
            raise ValueError(f"settings must be finite and durations at least 0 s, got {self}")

    @property
    def merge_gap_frames(self) -> int:
        """Longest gap between joined runs: the whole frames in `merge_gap_seconds`."""
        return int(frame_at(self.merge_gap_seconds))

    @property
    def minimum_frames(self) -> int:
        """Shortest run: the frames that `minimum_duration_seconds` begin, at least one."""
        return max(1, int(first_frame_from(self.minimum_duration_seconds)))

    @property
    def refractory_frames(self) -> int:
        """Least distance of two alarms: the frames that `refractory_seconds` begin."""
        return int(first_frame_from(self.refractory_seconds))


@dataclass(frozen=True)
class Alarms:
    """Alarms in time order; frames are counted over all partitions.

    Attributes:
        begin: first frame of the run, int64 [A].
        end: the frame after the last of the run, int64 [A].
        decided: the frame with which a live system raises the alarm, int64 [A].
    """

    begin: Indices
    end: Indices
    decided: Indices


@dataclass(frozen=True)
class ReachedFrames:
    """The scored frames with a score of at least some threshold, M of them in time order.

    Attributes:
        frames: int64 [M], counted over all partitions.
        scores: float64 [M].
        stretches: int64 [M]; frames with the same number have neither an ignored frame nor a
            partition's border between them.
        partitions: int64 [M].
    """

    frames: Indices
    scores: Floats
    stretches: Indices
    partitions: Indices

    def above(self, threshold: float) -> "ReachedFrames":
        """Return those that reach a higher threshold."""
        chosen = self.scores >= threshold
        return ReachedFrames(
            self.frames[chosen],
            self.scores[chosen],
            self.stretches[chosen],
            self.partitions[chosen],
        )


@dataclass(frozen=True)
class AlarmRows:
    """Alarms by rows of the `ReachedFrames` that they were found in.

    Attributes:
        first: row of the first frame of each run, int64 [A].
        last: row of the last frame of each run, int64 [A].
        decided: row of the frame at which each alarm is decided, int64 [A].
    """

    first: Indices
    last: Indices
    decided: Indices

    def choose(self, chosen: Flags) -> "AlarmRows":
        """Return the alarms where `chosen`, bool [A], is true."""
        return AlarmRows(self.first[chosen], self.last[chosen], self.decided[chosen])


def find_alarms(
    scores: npt.ArrayLike, ignored: npt.ArrayLike, starts: npt.ArrayLike, rule: AlarmRule
) -> Alarms:
    """Return the alarms that a rule makes of the scores of partitions one after another.

    Args:
        scores: [N], finite where not ignored.
        ignored: bool [N], frames in which no alarm can begin, go on or be decided.
        starts: int [P + 1], the first frame of each partition, then N.
        rule: what an alarm is.

    Raises:
        ValueError: see `check_partitions`.

    >>> rule = AlarmRule(0.5, 0.08, minimum_duration_seconds=0.16, refractory_seconds=0)
    >>> find_alarms([0, 1, 0, 1, 0, 0], [False] * 6, [0, 6], rule)
    Alarms(begin=array([1]), end=array([4]), decided=array([3]))
    """
    reached = reached_frames(scores, ignored, starts, rule.threshold)
    rows = alarm_rows(reached, rule)
    frames = reached.frames
    return Alarms(frames[rows.first], frames[rows.last] + 1, frames[rows.decided])


def reached_frames(
    scores: npt.ArrayLike, ignored: npt.ArrayLike, starts: npt.ArrayLike, threshold: float
) -> ReachedFrames:
    """Return the frames that are not ignored and have a score of at least `threshold`.

    Args:
        scores: [N], finite where not ignored.
        ignored: bool [N].
        starts: int [P + 1], the first frame of each partition, then N.
        threshold: the lowest that will be asked for.

    Raises:
        ValueError: see `check_partitions`.
    """
    values, is_ignored, firsts = check_partitions(scores, ignored, starts)
    frames = np.flatnonzero((values >= threshold) & ~is_ignored)
    barriers = np.sort(np.concatenate([np.flatnonzero(is_ignored), firsts]))
    return ReachedFrames(
        frames,
        values[frames],
        np.searchsorted(barriers, frames, side="right"),
        np.searchsorted(firsts, frames, side="right") - 1,
    )


def alarm_rows(reached: ReachedFrames, rule: AlarmRule) -> AlarmRows:
    """Return the alarms in frames of which each reaches the rule's threshold."""
    frames = reached.frames
    is_near = np.diff(frames) <= rule.merge_gap_frames + 1
    is_joined = is_near & (np.diff(reached.stretches) == 0)
    # Where there is no frame there is no run either.
    first = np.flatnonzero(np.concatenate([[True], ~is_joined])[: frames.size])
    last = np.append(first, frames.size)[1:] - 1
    decided = np.searchsorted(frames, frames[first] + rule.minimum_frames - 1)
    runs = AlarmRows(first, last, decided)
    runs = runs.choose(runs.decided <= runs.last)
    distance = max(1, rule.refractory_frames)
    # Alarms of two partitions are never too close.
    keys = frames[runs.decided] + reached.partitions[runs.decided] * distance
    return runs.choose(_keep_apart(keys, distance))


def check_partitions(
    scores: npt.ArrayLike, ignored: npt.ArrayLike, starts: npt.ArrayLike
) -> tuple[Floats, Flags, Indices]:
    """Return scores as float64 [N], ignored as bool [N] and starts as int64 [P + 1].

    Raises:
        ValueError: the shapes don't fit, `starts` does not ascend from 0 to N, `ignored` is not
            boolean, or the score of a frame that is not ignored is not finite.
    """
    values, is_ignored, firsts = np.asarray(scores), np.asarray(ignored), np.asarray(starts)
    if values.ndim != 1 or values.shape != is_ignored.shape or is_ignored.dtype != np.bool_:
        raise ValueError(
            "scores and ignored must be 1-D and equally long, ignored boolean, got shapes "
            f"{values.shape} and {is_ignored.shape}, ignored of {is_ignored.dtype}"
        )
    is_range = firsts.ndim == 1 and firsts.size > 0 and firsts[0] == 0
    if not is_range or firsts[-1] != values.size or (np.diff(firsts) < 0).any():
        raise ValueError(
            "starts must ascend from 0 to the number of frames, "
            f"got {firsts[:3]} ... {firsts[-3:]} for {values.size} frames"
        )
    num_bad = int(np.count_nonzero(~np.isfinite(values) & ~is_ignored))
    if num_bad:
        raise ValueError(
            f"scores must be finite, got {num_bad} NaN or infinite among "
            f"{int(np.count_nonzero(~is_ignored))} frames that are not ignored"
        )
    return values.astype(np.float64, copy=False), is_ignored, firsts.astype(np.int64, copy=False)


def _keep_apart(keys: Indices, distance: int) -> Flags:
    """Choose keys from the first on, each at least `distance` after the last that was chosen.

    A key that far after its predecessor is chosen whatever happened before, so the groups that
    begin with such keys are walked through side by side.

    Args:
        keys: int64 [A], strictly ascending.
        distance: in the unit of the keys, at least 1.

    Returns:
        bool [A].
    """
    is_kept = np.zeros(keys.size, dtype=np.bool_)
    is_first = np.concatenate([[True], np.diff(keys) >= distance])[: keys.size]
    group = np.append(np.cumsum(is_first), 0)
    following = np.searchsorted(keys, keys + distance)
    current = np.flatnonzero(is_first)
    while current.size:
        is_kept[current] = True
        candidates = following[current]
        current = candidates[group[candidates] == group[current]]
    return is_kept
