"""The scores of a few seconds as the paths of a small drawing."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.frames import FRAME_RATE_HZ, frame_at, start_of

WIDTH, HEIGHT = 600, 100


@dataclass(frozen=True)
class Span:
    """A rectangle over the full height of the drawing, in units of its width."""

    x: float
    width: float


@dataclass(frozen=True)
class Strip:
    """A drawing of `WIDTH` x `HEIGHT` units; a score of 1 is at the top, 0 at the bottom.

    Attributes:
        path: SVG path of the scores, a step per frame.
        threshold_y: height of the threshold.
        events: true events.
        windows: the frames in which an alarm would announce one.
        alarms: where alarms are decided.
    """

    path: str
    threshold_y: float
    events: tuple[Span, ...]
    windows: tuple[Span, ...]
    alarms: tuple[float, ...]


def draw_strip(
    scores: npt.NDArray[np.float64],
    start: float,
    end: float,
    *,
    threshold: float,
    events: Iterable[tuple[float, float]],
    alarms: Iterable[float],
    horizon: int,
) -> Strip:
    """Return the drawing of the seconds from `start` to `end` of a partition.

    Args:
        scores: [T] of the whole partition; a frame without a finite score is left out.
        start: in seconds; may lie before the first frame.
        end: in seconds, after `start`; may lie after the last frame.
        threshold: of alarms.
        events: onset and offset in seconds, of the whole partition.
        alarms: seconds at which alarms are decided, of the whole partition.
        horizon: n in frames.
    """
    scale = _Scale(start, end)
    known = list(events)
    onsets = frame_at(np.array([onset for onset, _ in known], np.float64))
    windows = zip(start_of(np.maximum(onsets - horizon, 0)), start_of(onsets), strict=True)
    return Strip(
        path=_steps(scores, scale),
        threshold_y=_height(threshold),
        events=scale.spans(known),
        windows=scale.spans(windows),
        alarms=tuple(scale.x(alarm) for alarm in alarms if start <= alarm <= end),
    )


@dataclass(frozen=True)
class _Scale:
    start: float
    end: float

    def x(self, seconds: float) -> float:
        share = (min(max(seconds, self.start), self.end) - self.start) / (self.end - self.start)
        return round(float(share) * WIDTH, 1)

    def spans(self, spans: Iterable[tuple[float, float]]) -> tuple[Span, ...]:
        """Return what is seen of the spans."""
        return tuple(
            Span(self.x(onset), round(self.x(offset) - self.x(onset), 1))
            for onset, offset in spans
            if offset > self.start and onset < self.end
        )


def _steps(scores: npt.NDArray[np.float64], scale: _Scale) -> str:
    first = max(0, int(frame_at(scale.start)))
    stop = min(len(scores), int(np.ceil(scale.end * FRAME_RATE_HZ)))
    steps, is_joined = [], False
    for frame in range(first, stop):
        if not np.isfinite(scores[frame]):
            is_joined = False
            continue
        begin, finish = scale.x(frame / FRAME_RATE_HZ), scale.x((frame + 1) / FRAME_RATE_HZ)
        height = _height(scores[frame])
        steps.append(
            f"V{height:g}H{finish:g}" if is_joined else f"M{begin:g},{height:g}H{finish:g}"
        )
        is_joined = True
    return "".join(steps)


def _height(score: float) -> float:
    return round((1 - min(max(float(score), 0.0), 1.0)) * HEIGHT, 1)
