"""A whole recording in one figure: its waveform, and the scores and alarms of each user."""

from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MultipleLocator

from acoustic_event_prediction.figure_style import (
    GREY,
    PAGE_WIDTH_INCHES,
    SMALL,
    STYLE,
    USER_COLORS,
    VERMILION,
    printable,
)
from acoustic_event_prediction.frames import FRAME_SECONDS
from acoustic_event_prediction.report.cells import clock
from acoustic_event_prediction.scored_recording import ScoredRecording

_TITLE_INCHES = 5.5
_WAVE_INCHES = 0.7
_ROW_INCHES, _DENSE_ROW_INCHES, _MANY_USERS = 1.0, 0.65, 3
_AROUND_INCHES = 1.0
# About two columns per point of the figure's width; more could not be told apart.
_COLUMNS = 1000
_MOST_TICKS = 9
_HOUR_SECONDS = 3600
_TICK_SECONDS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400),
)


def recording_figure(recording: ScoredRecording, peaks: npt.NDArray[np.float32]) -> Figure:
    """Draw the waveform, and below it for each user the scores, the threshold and the alarms.

    Of a long recording the highest score and peak of neighbouring frames is drawn, and each alarm
    is at least a line wide: none is lost.

    Args:
        recording: from a few frames to hours.
        peaks: highest absolute amplitude of each frame, [T].

    Raises:
        ValueError: the number of peaks is not that of the frames, or one is not finite.
    """
    _check(recording, peaks)
    num_users = len(recording.users)
    row_inches = _ROW_INCHES if num_users <= _MANY_USERS else _DENSE_ROW_INCHES
    heights = [_WAVE_INCHES, *[row_inches] * num_users]
    with mpl.rc_context(STYLE):
        figure = Figure(
            figsize=(PAGE_WIDTH_INCHES, sum(heights) + _AROUND_INCHES), layout="constrained"
        )
        figure.suptitle(printable(recording.name, _TITLE_INCHES), fontsize=8, parse_math=False)
        wave, *rows = figure.subplots(num_users + 1, 1, sharex=True, height_ratios=heights)
        _draw_waveform(wave, peaks)
        for number, axes in enumerate(rows):
            _draw_user(axes, recording, number)
        _draw_time(rows[-1], recording)
        label = f"Score of {printable(recording.event, 0.6)}"
        figure.supylabel(label, fontsize=8, parse_math=False)
        figure.legend(*_legend_entries(recording), loc="outside lower left", frameon=False, ncols=4)
    return figure


def _check(recording: ScoredRecording, peaks: npt.NDArray[np.float32]) -> None:
    num_frames = recording.scores.shape[1]
    if peaks.shape != (num_frames,) or not np.isfinite(peaks).all():
        raise ValueError(
            f"need {num_frames} finite peaks, one per frame of {recording.name!r}, got the shape "
            f"{peaks.shape}"
        )


def _columns(values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the highest of neighbouring frames [C], and their edges in seconds [C + 1]."""
    size = -(-values.size // _COLUMNS)
    starts = np.arange(0, values.size, size)
    return np.maximum.reduceat(values, starts), np.append(starts, values.size) * FRAME_SECONDS


def _draw_waveform(axes: Axes, peaks: npt.NDArray[np.float32]) -> None:
    highest, edges = _columns(peaks)
    axes.stairs(highest, edges, baseline=-highest, fill=True, color=GREY, linewidth=0)
    limit = float(highest.max()) or 1.0
    axes.set(ylim=(-limit, limit), yticks=[])
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.set_title("waveform", loc="left", fontsize=SMALL, pad=2)


def _draw_user(axes: Axes, recording: ScoredRecording, number: int) -> None:
    color, user = USER_COLORS[number % len(USER_COLORS)], recording.users[number]
    highest, edges = _columns(recording.main_scores[number])
    axes.stairs(highest, edges, fill=True, color=color, alpha=0.25, linewidth=0)
    width = 0.9 if highest.size == recording.scores.shape[1] else 0.6
    axes.stairs(highest, edges, baseline=None, color=color, linewidth=width)
    axes.axhline(recording.threshold, color="black", linewidth=0.8, linestyle="--")
    own = recording.alarms[recording.alarms["user"] == user]
    onsets = own["onset"].to_numpy(dtype=np.float64)
    spans = [*zip(onsets, own["offset"].to_numpy(dtype=np.float64) - onsets, strict=True)]
    over: Any = {"transform": axes.get_xaxis_transform(), "zorder": 0.5}
    # The edge keeps a short alarm of a long recording visible.
    axes.broken_barh(
        spans, (0, 1), facecolor=VERMILION, edgecolor=VERMILION, linewidth=0.8, alpha=0.35, **over
    )
    if spans:
        marker: Any = {"color": VERMILION, "markeredgecolor": "black", "markeredgewidth": 0.4}
        marker |= {"markersize": 4, "transform": axes.get_xaxis_transform(), "clip_on": False}
        axes.plot(onsets, np.ones(len(spans)), "v", **marker)
    limit = recording.score_limit
    axes.set(ylim=(min(0.0, recording.threshold), limit), yticks=[0, limit / 2, limit])
    axes.set_yticklabels([f"{tick:g}" for tick in axes.get_yticks()])
    axes.set_title(
        printable(user, _TITLE_INCHES) or "unnamed",
        loc="left",
        fontsize=SMALL,
        pad=6,
        parse_math=False,
    )
    axes.tick_params(axis="x", labelbottom=False)


def _draw_time(axes: Axes, recording: ScoredRecording) -> None:
    end = recording.duration_seconds
    step = next((step for step in _TICK_SECONDS if end / step <= _MOST_TICKS), _TICK_SECONDS[-1])
    axes.set_xlim(0, end)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _tick_text(seconds, step)))
    axes.tick_params(axis="x", labelbottom=True)
    axes.set_xlabel("Time (h:mm:ss)" if end >= _HOUR_SECONDS else "Time (m:ss)")


def _tick_text(seconds: float, step: float) -> str:
    text = clock(max(0.0, seconds))
    return text.removesuffix(".0") if step >= 1 else text


def _legend_entries(recording: ScoredRecording) -> tuple[list[Any], list[str]]:
    num_alarms = len(recording.alarms)
    counted = "1 alarm" if num_alarms == 1 else f"{num_alarms} alarms"
    line = Line2D([], [], color="black", linewidth=0.8, linestyle="--")
    marker: Any = {"markeredgecolor": "black", "markeredgewidth": 0.4, "markersize": 4}
    alarm = Line2D([], [], color=VERMILION, linestyle="", marker="v", **marker)
    names = [f"alarm threshold {recording.threshold:.3g}", counted if num_alarms else "no alarm"]
    return [line, alarm if num_alarms else Line2D([], [], linestyle="")], names
