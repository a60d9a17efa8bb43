"""How long before its onset an event is announced."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from acoustic_event_prediction.curves import Floats
from acoustic_event_prediction.figure_style import (
    LINES,
    SMALL,
    STYLE,
    WIDTH_INCHES,
    say_empty,
)
from acoustic_event_prediction.frames import FRAME_MILLISECONDS, FRAME_RATE_HZ

_MOST_TICKS = 8
# Apart in grey too.
_HATCHES = {"validation": "////", "test": ""}


def lead_time_figure(
    lead_seconds: Mapping[str, Floats],
    horizon_frames: int,
    num_missed: Mapping[str, int],
    *,
    empty: str = "no split has events",
) -> Figure:
    """Draw how many events are hit at which lead time, one panel per split.

    Args:
        lead_seconds: float64 [H] by split name, "validation" or "test": how long before its onset
            each of H hit events is announced. It is drawn in the bin of the nearest whole frame.
        horizon_frames: longest lead time that counts as a hit, in frames.
        num_missed: events without a hit, by split name.
        empty: what is said in place of panels where there is no split.

    Raises:
        ValueError: a lead time is not finite, or rounds to less than 0 frames or to more than the
            horizon.
    """
    leads = {
        name: _whole_frames(name, seconds, horizon_frames) for name, seconds in lead_seconds.items()
    }
    with mpl.rc_context(STYLE):
        num_panels = max(1, len(leads))
        figure = Figure(figsize=(WIDTH_INCHES, 0.5 + 1.6 * num_panels), layout="constrained")
        panels = figure.subplots(num_panels, 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, frames) in zip(panels, leads.items(), strict=False):
            _draw_leads(axes, name, frames, horizon_frames, num_missed[name])
        if not leads:
            say_empty(panels[0], empty)
        panels[-1].set_xlabel(f"Lead time (ms, bins of {FRAME_MILLISECONDS} ms)")
        _scale_leads(panels[-1], leads, horizon_frames)
    return figure


def _whole_frames(name: str, seconds: Floats, horizon_frames: int) -> npt.NDArray[np.int64]:
    frames = np.rint(np.asarray(seconds, dtype=np.float64) * FRAME_RATE_HZ)
    is_bad = ~((frames >= 0) & (frames <= horizon_frames))
    if is_bad.any():
        raise ValueError(
            f"{is_bad.sum()} of {frames.size} lead times of {name} are not within 0 to "
            f"{horizon_frames} frames, the first: {np.asarray(seconds)[is_bad][0]} s; give the "
            "horizon that the hits were counted with"
        )
    return frames.astype(np.int64)


def _draw_leads(
    axes: Axes,
    name: str,
    frames: npt.NDArray[np.int64],
    horizon_frames: int,
    num_missed: int,
) -> None:
    axes.set_ylabel("Hit events")
    num_hit = frames.size
    num_events = num_hit + num_missed
    if num_hit == 0:
        axes.set_title(name)
        axes.set(ylim=(0, 1), yticks=[])
        say_empty(axes, f"none of {num_events:,} events is hit" if num_events else "no events")
        return
    counts = np.bincount(frames, minlength=horizon_frames + 1)
    bars: Any = {"facecolor": LINES[name]["color"], "hatch": _HATCHES[name]}
    # An outline in white keeps neighbouring bars apart, and colours the hatch.
    bars |= {"edgecolor": "white", "linewidth": 0.5, "width": FRAME_MILLISECONDS}
    axes.bar(np.arange(counts.size) * FRAME_MILLISECONDS, counts, **bars)
    axes.set_ylim(0, 1.08 * counts.max())
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    median = np.median(frames) * FRAME_MILLISECONDS
    axes.set_title(
        f"{name}: {num_hit:,} of {num_events:,} events hit\n"
        f"{num_missed:,} missed, median lead time {median:g} ms"
    )


def _scale_leads(
    axes: Axes, leads: Mapping[str, npt.NDArray[np.int64]], horizon_frames: int
) -> None:
    first = min([1, *(int(frames.min()) for frames in leads.values() if frames.size)])
    axes.set_xlim((first - 0.6) * FRAME_MILLISECONDS, (horizon_frames + 0.6) * FRAME_MILLISECONDS)
    numbers = np.arange(first, horizon_frames + 1)
    step = -(-numbers.size // _MOST_TICKS)
    axes.set_xticks(numbers[::-step][::-1] * FRAME_MILLISECONDS)
    axes.tick_params(labelsize=SMALL)
