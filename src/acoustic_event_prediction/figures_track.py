"""A stretch of one episode: scores and alarms over what is said, by whom, and what happens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from acoustic_event_prediction.curves import Floats
from acoustic_event_prediction.figure_style import (
    BLUE,
    GREEN,
    LIGHT_GREY,
    ORANGE,
    PAGE_WIDTH_INCHES,
    PINK,
    SKY_BLUE,
    SMALL,
    STYLE,
    VERMILION,
    name_rows,
    printable,
    say_empty,
    text_inches,
)
from acoustic_event_prediction.frames import FRAME_RATE_HZ

_NAME_INCHES = 0.9
_TITLE_INCHES = 5.5
_WORD_INCHES = 1.5
_WORD_LANES = 3
_WORD_GAP_INCHES = 0.05
_SPEAKER_COLORS = (BLUE, ORANGE, GREEN, PINK, SKY_BLUE, VERMILION)


@dataclass(frozen=True)
class ScoreTrack:
    """Consecutive frames of one episode, and its tables; T frames.

    The tables and alarms may be those of the whole episode: what lies outside is not drawn.

    Attributes:
        title: names the episode and whose events are predicted.
        start_frame: number of the first frame in the episode.
        scores: float64 [T], finite.
        labels: int8 [T], 1 in the window before an onset.
        threshold: of alarms, or of frames where there is no alarm rule.
        alarm_frames: int64 [A], numbers of frames in the episode; None without an alarm rule.
        events: columns onset and offset in seconds of the episode; those that are predicted.
        turns: columns onset, offset and speaker, who may be missing.
        words: columns onset, offset and text.
    """

    title: str
    start_frame: int
    scores: Floats
    labels: npt.NDArray[np.int8]
    threshold: float
    alarm_frames: npt.NDArray[np.int64] | None
    events: pd.DataFrame
    turns: pd.DataFrame
    words: pd.DataFrame

    @property
    def edges(self) -> Floats:
        """Where the frames begin, and the end of the last, in seconds of the episode, [T + 1]."""
        return (self.start_frame + np.arange(self.scores.size + 1)) / FRAME_RATE_HZ

    def within(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that overlap the frames, cut to them."""
        start, end = self.edges[0], self.edges[-1]
        held: pd.DataFrame = table[(table["offset"] > start) & (table["onset"] < end)]
        return held.assign(
            onset=held["onset"].clip(lower=start), offset=held["offset"].clip(upper=end)
        )


def score_track_figure(track: ScoreTrack) -> Figure:
    """Draw the scores of a stretch with threshold, events and alarms; turns and words below.

    About a minute is legible. Words that have no room are left out; the label counts those shown.

    Args:
        track: the stretch, at least one frame.

    Raises:
        ValueError: no frame, labels of another number, or a score that is not finite.
    """
    _check(track)
    turns, words = track.within(track.turns), track.within(track.words)
    speakers = list(dict.fromkeys(_speaker_names(turns)))
    num_rows = max(1, len(speakers))
    heights = [1.8, 0.2 * num_rows, 0.16 * _WORD_LANES]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(PAGE_WIDTH_INCHES, sum(heights) + 1.0), layout="constrained")
        figure.suptitle(printable(track.title, _TITLE_INCHES), fontsize=8, parse_math=False)
        score, strip, lanes = figure.subplots(3, 1, sharex=True, height_ratios=heights)
        _draw_scores(score, track)
        _draw_turns(strip, turns, speakers)
        strip.spines[:].set_visible(False)
        lanes.spines["left"].set_visible(False)
        lanes.set(xlabel="Time in the episode (s)", xlim=(track.edges[0], track.edges[-1]))
        lanes.set(ylim=(_WORD_LANES, 0), yticks=[])
        lanes.tick_params(labelsize=SMALL)
        figure.legend(loc="outside lower left", frameon=False, ncols=5)
        _draw_words(figure, lanes, words)
    return figure


def _check(track: ScoreTrack) -> None:
    if track.scores.ndim != 1 or not track.scores.size or track.labels.shape != track.scores.shape:
        raise ValueError(
            "need at least one frame and one label per score, got shapes "
            f"{track.scores.shape} of scores and {track.labels.shape} of labels"
        )
    if not np.isfinite(track.scores).all():
        raise ValueError(f"scores of {track.title!r} must be finite, got NaN or infinity")


def _draw_scores(axes: Axes, track: ScoreTrack) -> None:
    events = track.within(track.events)
    for number, (onset, offset) in enumerate(_times(events)):
        label = "event (line: onset)" if number == 0 else None
        axes.axvspan(onset, offset, color=LIGHT_GREY, linewidth=0, label=label)
    # A stretch may begin inside an event; its onset is elsewhere then.
    onsets = events["onset"][events["onset"] > track.edges[0]]
    axes.vlines(onsets, 0, 1, color="black", linewidth=0.8, transform=axes.get_xaxis_transform())
    for number, (first, end) in enumerate(_runs(track.labels)):
        span: Any = {"facecolor": "none", "edgecolor": ORANGE, "hatch": "//////", "linewidth": 0}
        label = "positive frames" if number == 0 else None
        axes.axvspan(track.edges[first], track.edges[end], label=label, **span)
    axes.stairs(track.scores, track.edges, baseline=None, color=BLUE, linewidth=1.0, label="score")
    style: Any = {"color": "black", "linewidth": 0.8, "linestyle": "--"}
    kind = "threshold" if track.alarm_frames is None else "alarm threshold"
    axes.axhline(track.threshold, label=f"{kind} {track.threshold:.3g}", **style)
    low = min(0.0, float(track.scores.min()), track.threshold)
    high = max(float(track.scores.max()), track.threshold)
    axes.set(ylabel="Score", ylim=(low, low + 1.25 * (high - low or 1.0)))
    # The room above is for the alarms; there is no score.
    axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= max(high, 1.0)])
    axes.tick_params(labelbottom=False, labelsize=SMALL)
    _draw_alarms(axes, track)
    if events.empty:
        axes.plot([], [], " ", label="no event in this stretch")


def _draw_alarms(axes: Axes, track: ScoreTrack) -> None:
    if track.alarm_frames is None:
        axes.plot([], [], " ", label="no alarm rule, so no alarms")
        return
    frames = track.alarm_frames - track.start_frame
    frames = frames[(frames >= 0) & (frames < track.scores.size)]
    middles = (track.start_frame + frames + 0.5) / FRAME_RATE_HZ
    if not frames.size:
        axes.plot([], [], " ", label="no alarm in this stretch")
        return
    marker: Any = {"color": VERMILION, "markeredgecolor": "black", "markeredgewidth": 0.5}
    marker |= {"markersize": 5, "zorder": 5, "transform": axes.get_xaxis_transform()}
    axes.plot(middles, np.full(frames.size, 0.94), "v", label="alarm", **marker)


def _runs(labels: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Return first and end (exclusive) of every run of positive frames, [R, 2]."""
    changes = np.flatnonzero(np.diff(labels == 1, prepend=False, append=False))
    return changes.reshape(-1, 2)


def _times(table: pd.DataFrame) -> list[tuple[float, float]]:
    times = table[["onset", "offset"]].to_numpy(dtype=np.float64)
    return [(float(onset), float(offset)) for onset, offset in times]


def _speaker_names(turns: pd.DataFrame) -> list[str]:
    return [str(name) for name in turns["speaker"].fillna("unknown")]


def _draw_turns(axes: Axes, turns: pd.DataFrame, speakers: Sequence[str]) -> None:
    names = _speaker_names(turns)
    for row, speaker in enumerate(speakers):
        own = turns[[name == speaker for name in names]]
        bars = [(onset, offset - onset) for onset, offset in _times(own)]
        color = _SPEAKER_COLORS[row % len(_SPEAKER_COLORS)]
        axes.broken_barh(bars, (row - 0.35, 0.7), facecolor=color, edgecolor="white", linewidth=0.5)
    name_rows(axes, range(len(speakers)), speakers, _NAME_INCHES)
    axes.set_ylim(max(1, len(speakers)) - 0.5, -0.5)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    if not speakers:
        axes.set_ylim(0, 1)
        say_empty(axes, "no turns in this stretch")


def _draw_words(figure: Figure, axes: Axes, words: pd.DataFrame) -> None:
    """Write words at their onsets, each in the first lane that has room."""
    if words.empty:
        say_empty(axes, "no words in this stretch")
        return
    # The longest label there can be: the layout must not grow once the room is measured.
    name_rows(axes, [_WORD_LANES / 2], [f"{len(words)} of {len(words)} words"], _NAME_INCHES)
    figure.draw_without_rendering()
    width = axes.get_window_extent().width / figure.dpi
    start, end = axes.get_xlim()
    lane_ends = np.full(_WORD_LANES, -np.inf)
    num_shown = 0
    words = words.sort_values("onset", kind="stable")
    for (onset, _), word in zip(_times(words), words["text"], strict=True):
        left = (onset - start) / (end - start) * width
        free = np.flatnonzero(lane_ends <= left)
        if not free.size:
            continue
        text = printable(str(word), _WORD_INCHES)
        right = left + text_inches(text) + _WORD_GAP_INCHES
        if not text or right > width:
            continue
        lane_ends[free[0]] = right
        place: Any = {"fontsize": SMALL, "va": "center", "parse_math": False, "in_layout": False}
        axes.text(onset, free[0] + 0.5, text, **place)
        num_shown += 1
    label = f"{num_shown} of {len(words)} words"
    name_rows(axes, [_WORD_LANES / 2], [label], _NAME_INCHES)
