"""The scored frames of a split with its events, and which alarm announces which event.

Partitions (one user of one episode each) lie one after another; frames are counted over all of
them. An alarm decided at frame t announces every event of its partition whose onset frame is
t + 1 ... t + n, with n the horizon: those for which frame t is positive (docs/labeling.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.alarms import Alarms, check_partitions
from acoustic_event_prediction.frames import frame_at

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class EventFrames:
    """Frames of P partitions with scores, N in all, and their E events.

    Attributes:
        scores: float64 [N], finite where not ignored.
        ignored: bool [N], frames in which no alarm is judged.
        starts: int64 [P + 1], the first frame of each partition, then N.
        units: int64 [P], what each partition is drawn with in the bootstrap: its episode.
        event_partitions: int64 [E], ascending.
        onset_seconds: float64 [E], from the partition's start, ascending within a partition, at
            most one in a frame.
        is_first: bool [E], whether the event is the first of its bout.

    Raises:
        ValueError: see `check_partitions`; or the events or units contradict them.
    """

    scores: Floats
    ignored: Flags
    starts: Indices
    units: Indices
    event_partitions: Indices
    onset_seconds: Floats
    is_first: Flags

    def __post_init__(self) -> None:
        check_partitions(self.scores, self.ignored, self.starts)
        num_partitions = self.starts.size - 1
        if self.units.shape != (num_partitions,):
            raise ValueError(f"need {num_partitions} units, got shape {self.units.shape}")
        shapes = {a.shape for a in (self.event_partitions, self.onset_seconds, self.is_first)}
        if shapes != {(self.event_partitions.size,)}:
            raise ValueError(f"event arrays must be 1-D and equally long, got shapes {shapes}")
        if not np.isin(self.event_partitions, np.arange(num_partitions)).all():
            raise ValueError(f"an event lies in no partition, they are 0 to {num_partitions - 1}")
        local = frame_at(self.onset_seconds)
        length = np.diff(self.starts)[self.event_partitions]
        # An event may begin with the very end of the audio, where the next frame would be.
        is_bad = (local < 0) | (local > length)
        step = np.diff(self.event_partitions)
        is_bad[1:] |= (step < 0) | ((step == 0) & (np.diff(local) <= 0))
        if is_bad.any():
            index = int(np.argmax(is_bad))
            raise ValueError(
                f"event {index} begins at {self.onset_seconds[index]:g} s of partition "
                f"{self.event_partitions[index]}, which has {length[index]} frames; onsets must "
                "lie in their partition and ascend frame by frame (see merge_same_frame)"
            )

    @classmethod
    def join(
        cls,
        scores: Sequence[npt.ArrayLike],
        ignored: Sequence[npt.ArrayLike],
        onset_seconds: Sequence[npt.ArrayLike],
        is_first: Sequence[npt.ArrayLike],
        units: Sequence[int],
    ) -> "EventFrames":
        """Put P partitions one after another.

        Args:
            scores: P arrays [T].
            ignored: P arrays bool [T].
            onset_seconds: P arrays, of the partition's events.
            is_first: P arrays bool, of the partition's events.
            units: P numbers.
        """
        lengths = [np.size(part) for part in scores]
        counts = [np.size(part) for part in onset_seconds]
        return cls(
            scores=_concatenate(scores, np.float64),
            ignored=_concatenate(ignored, np.bool_),
            starts=np.cumsum([0, *lengths], dtype=np.int64),
            units=np.asarray(units, dtype=np.int64),
            event_partitions=np.repeat(np.arange(len(counts)), counts),
            onset_seconds=_concatenate(onset_seconds, np.float64),
            is_first=_concatenate(is_first, np.bool_),
        )

    @property
    def onsets(self) -> Indices:
        """Onset frame of each event, counted over all partitions, int64 [E].

        It may be the first frame of the next partition: see `event_partitions`.
        """
        onsets: Indices = self.starts[self.event_partitions] + frame_at(self.onset_seconds)
        return onsets

    def partitions_of(self, frames: Indices) -> Indices:
        """Return the partition of each frame, int64 of the same shape."""
        partitions: Indices = np.searchsorted(self.starts, frames, side="right") - 1
        return partitions

    def num_scored(self) -> Indices:
        """Return each partition's frames that are not ignored, int64 [P]."""
        num_ignored = np.searchsorted(np.flatnonzero(self.ignored), self.starts)
        num_scored: Indices = np.diff(self.starts) - np.diff(num_ignored)
        return num_scored

    def windows(self, horizon: int) -> Indices:
        """Return the first frame of each event's window, which ends before its onset, int64 [E].

        Args:
            horizon: n in frames, at least 1; the partition's start cuts a window off.

        Raises:
            ValueError: the horizon is less than 1.
        """
        if horizon < 1:
            raise ValueError(f"horizon counts frames ahead and is at least 1, got {horizon}")
        return np.maximum(self.onsets - horizon, self.starts[self.event_partitions])

    def num_scored_in_windows(self, horizon: int) -> Indices:
        """Return how many frames of each event's window are not ignored, int64 [E]."""
        first, stop = self.windows(horizon), self.onsets
        ignored = np.flatnonzero(self.ignored)
        num_ignored = np.searchsorted(ignored, stop) - np.searchsorted(ignored, first)
        return stop - first - num_ignored


@dataclass(frozen=True)
class Matches:
    """What became of E events and A alarms.

    Attributes:
        is_reachable: some frame of the event's window is not ignored, bool [E].
        is_hit: an alarm is decided in the event's window, bool [E].
        lead_frames: frames from the first such alarm to the onset, int64 [E]; 0 for no hit.
        is_true: the alarm announces an event, bool [A].
        is_repeated: it does, but earlier alarms have announced all of them, bool [A].
    """

    is_reachable: Flags
    is_hit: Flags
    lead_frames: Indices
    is_true: Flags
    is_repeated: Flags


def match_alarms(frames: EventFrames, alarms: Alarms, horizon: int) -> Matches:
    """Compare alarms with the events they should announce.

    Several alarms may announce one event and one alarm several events: all of these are hits, and
    an alarm that tells nothing new is no false alarm but a repeated one.

    Args:
        frames: the frames that the alarms were found in.
        alarms: ascending.
        horizon: n in frames.

    Raises:
        ValueError: the horizon is less than 1.
    """
    window, onsets = frames.windows(horizon), frames.onsets
    earliest = np.searchsorted(alarms.decided, window)
    decided = np.append(alarms.decided, np.iinfo(np.int64).max)[earliest]
    is_hit = decided < onsets
    first, stop = announced_events(frames, alarms.decided, horizon)
    is_true = stop > first
    return Matches(
        is_reachable=frames.num_scored_in_windows(horizon) > 0,
        is_hit=is_hit,
        lead_frames=np.where(is_hit, onsets - decided, 0),
        is_true=is_true,
        is_repeated=is_true & (num_new_events(first, stop) == 0),
    )


def announced_events(
    frames: EventFrames, decided: Indices, horizon: int
) -> tuple[Indices, Indices]:
    """Return the events, `first:stop`, that an alarm at each frame announces, two int64 [A].

    Both ascend when `decided` does.
    """
    partitions = frames.partitions_of(decided)
    last = np.searchsorted(frames.event_partitions, partitions, side="right")
    first = np.searchsorted(frames.onsets, decided, side="right")
    stop = np.searchsorted(frames.onsets, decided + horizon, side="right")
    return first, np.minimum(stop, last)


def num_new_events(first: Indices, stop: Indices) -> Indices:
    """Return how many events no earlier alarm has announced, int64 [A].

    Args:
        first: int64 [A], ascending; alarm a announces events `first[a]:stop[a]`.
        stop: int64 [A], ascending.
    """
    announced = np.concatenate([[0], stop])[: stop.size]
    num_new: Indices = stop - np.maximum(first, announced)
    return num_new


def _concatenate(parts: Sequence[npt.ArrayLike], dtype: type[Scalar]) -> npt.NDArray[Scalar]:
    # The empty part gives the dtype where there is no other.
    return np.concatenate([np.empty(0, dtype), *(np.asarray(part, dtype) for part in parts)])
