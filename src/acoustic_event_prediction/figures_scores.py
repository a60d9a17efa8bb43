"""What the scores are: how well they tell the share of positives, and how they are distributed."""

from collections.abc import Mapping
from typing import Any, Protocol

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from scipy.stats import binomtest

from acoustic_event_prediction.curves import Floats
from acoustic_event_prediction.figure_style import (
    GREY,
    LIGHT_GREY,
    LINES,
    MARKERS,
    RARE,
    SMALL,
    STYLE,
    WIDTH_INCHES,
    plain_log_ticks,
    say_empty,
)
from acoustic_event_prediction.figures import SplitFrames

_NUM_BINS = 50
# The lower edge of logarithmic counts, so that a bin of one frame is seen.
_HALF_A_FRAME = 0.5


class ReliabilityBins(Protocol):
    """Frames grouped by score, K groups; a group without frames is left out or has a count of 0."""

    @property
    def mean_score(self) -> Floats:
        """Mean score of each group, float64 [K]."""

    @property
    def positive_share(self) -> Floats:
        """Share of positive frames of each group, float64 [K], 0 to 1."""

    @property
    def count(self) -> npt.NDArray[np.int64]:
        """Frames of each group, int64 [K]."""


def reliability_figure(splits: Mapping[str, ReliabilityBins]) -> Figure:
    """Draw the share of positives against the mean score of each bin, with the diagonal.

    Bars are 95 % Wilson intervals that take frames as independent; neighbouring frames are not, so
    the truth is less sure than they look. Both axes are logarithmic when positives are rare; a bin
    without positives then lies on the lower edge, as a triangle.

    Args:
        splits: bins by name, "validation" or "test".
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, 3.9), layout="constrained")
        axes = figure.add_subplot()
        reasons = {name: _why_unreliable(bins) for name, bins in splits.items()}
        drawn = [bins for name, bins in splits.items() if reasons[name] is None]
        is_rare = any(_share(bins) < RARE for bins in drawn)
        lows = _scale_reliability(axes, drawn, is_rare=is_rare)
        diagonal = np.array([max(lows), 1.0])
        axes.plot(diagonal, diagonal, color=GREY, linewidth=0.8, linestyle=":", label="calibrated")
        for name, bins in splits.items():
            if reasons[name] is None:
                _draw_reliability(axes, name, bins, lows)
            else:
                axes.plot([], [], label=f"{name}: {reasons[name]}", **LINES[name])
        _explain_reliability(axes, drawn, is_rare=is_rare)
        figure.legend(loc="outside lower left", frameon=False)
    return figure


def _why_unreliable(bins: ReliabilityBins) -> str | None:
    held = bins.count > 0
    if not held.any():
        return "no frames"
    if not bins.positive_share[held].any():
        return f"no curve, none of {bins.count.sum():,} frames is positive"
    if bins.mean_score[held].min() < 0 or bins.mean_score[held].max() > 1:
        return "no curve, scores outside [0, 1]"
    return None


def _share(bins: ReliabilityBins) -> float:
    held = bins.count > 0
    return float(np.average(bins.positive_share[held], weights=bins.count[held]))


def _scale_reliability(
    axes: Axes, drawn: list[ReliabilityBins], *, is_rare: bool
) -> tuple[float, float]:
    """Set the scales; return the lower ends of x and y."""
    if not is_rare:
        axes.set(xlabel="Mean score", ylabel="Share of positives")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        return 0.0, 0.0
    axes.set(xscale="log", xlabel="Mean score (log scale)")
    axes.set(yscale="log", ylabel="Share of positives (log scale)")
    scores = np.concatenate([bins.mean_score[bins.count > 0] for bins in drawn])
    shares = np.concatenate([bins.positive_share[bins.count > 0] for bins in drawn])
    highest_bar = max(float(_wilson(bins)[1].max()) for bins in drawn)
    left, right = _log_ends(scores, float(scores.max()))
    bottom, top = _log_ends(shares, highest_bar)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    plain_log_ticks(axes.xaxis, left, right)
    plain_log_ticks(axes.yaxis, bottom, top)
    return left, bottom


def _log_ends(values: Floats, highest: float) -> tuple[float, float]:
    """Return the ends of a logarithmic axis with room around the values above 0, up to 1."""
    lowest = float(values[values > 0].min(initial=1))
    return lowest / 2.5, min(1.5 * max(highest, lowest), 1.15)


def _wilson(bins: ReliabilityBins) -> tuple[Floats, Floats]:
    """Return the ends of the 95 % intervals of the bins that hold frames."""
    held = bins.count > 0
    counts = bins.count[held]
    positives = np.rint(bins.positive_share[held] * counts)
    intervals = [
        binomtest(int(positive), int(count)).proportion_ci(method="wilson")
        for positive, count in zip(positives, counts, strict=True)
    ]
    return np.array([ends.low for ends in intervals]), np.array([ends.high for ends in intervals])


def _draw_reliability(
    axes: Axes, name: str, bins: ReliabilityBins, lows: tuple[float, float]
) -> None:
    held = bins.count > 0
    # A score of 0 or a share of 0 has no place on a logarithmic axis but its lower end.
    score = np.maximum(bins.mean_score[held], lows[0])
    share = bins.positive_share[held]
    low, high = _wilson(bins)
    color = LINES[name]["color"]
    axes.vlines(score, np.maximum(low, lows[1]), high, color=color, linewidth=0.8)
    label = f"{name}: {held.sum()} bins of {_range(bins.count[held])} frames"
    style = {**LINES[name], "linewidth": 1.0, "marker": MARKERS[name], "markersize": 3.5}
    is_on_edge = (share == 0) & (lows[1] > 0)
    axes.plot(score[~is_on_edge], share[~is_on_edge], label=label, **style)
    if is_on_edge.any():
        edge = np.full(is_on_edge.sum(), lows[1])
        axes.plot(score[is_on_edge], edge, "v", color=color, markersize=4.5, clip_on=False)


def _range(counts: npt.NDArray[np.int64]) -> str:
    low, high = counts.min(), counts.max()
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _explain_reliability(axes: Axes, drawn: list[ReliabilityBins], *, is_rare: bool) -> None:
    if not drawn:
        say_empty(axes, "no curve: no split has positive frames\nand scores in [0, 1]")
        return
    interval: Any = {"marker": "|", "linestyle": "", "markersize": 8}
    axes.plot([], [], color=GREY, label="95 % interval, frames as independent", **interval)
    if is_rare and any((bins.positive_share[bins.count > 0] == 0).any() for bins in drawn):
        axes.plot([], [], "v", color=GREY, markersize=4.5, label="no positive frame in the bin")


def score_histogram_figure(splits: Mapping[str, SplitFrames], threshold: float) -> Figure:
    """Draw how many frames of either class have which score, one panel per split.

    Negatives are filled, positives a line, so that the two stay apart in grey; counts are
    logarithmic, since positives are rare.

    Args:
        splits: frames by name, "validation" or "test".
        threshold: the operating point.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(
            figsize=(WIDTH_INCHES, 0.9 + 1.5 * max(1, len(splits))), layout="constrained"
        )
        panels = figure.subplots(max(1, len(splits)), 1, sharex=True, squeeze=False)[:, 0]
        edges = _score_edges(splits, threshold)
        for axes, (name, frames) in zip(panels, splits.items(), strict=False):
            _draw_histogram(axes, name, frames, edges)
            axes.axvline(threshold, color="black", linewidth=1.0, linestyle="--")
        if not splits:
            say_empty(panels[0], "no split has frames")
        panels[-1].set_xlabel("Score")
        panels[-1].tick_params(labelsize=SMALL)
        _explain_histogram(figure, splits, threshold)
    return figure


def _score_edges(splits: Mapping[str, SplitFrames], threshold: float) -> Floats:
    ends = [threshold]
    for frames in splits.values():
        if frames.scores.size:
            ends += [float(frames.scores.min()), float(frames.scores.max())]
    low, high = min(ends), max(ends)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, _NUM_BINS + 1, dtype=np.float64)


def _draw_histogram(axes: Axes, name: str, frames: SplitFrames, edges: Floats) -> None:
    is_positive = frames.labels == 1
    negatives = np.histogram(frames.scores[~is_positive], edges)[0]
    positives = np.histogram(frames.scores[is_positive], edges)[0]
    axes.stairs(negatives, edges, fill=True, color=LIGHT_GREY, baseline=_HALF_A_FRAME)
    axes.stairs(positives, edges, baseline=_HALF_A_FRAME, color=LINES[name]["color"], linewidth=1.2)
    axes.set(yscale="log", ylim=(_HALF_A_FRAME, 2 * max(1, negatives.max(), positives.max())))
    axes.set_ylabel("Frames per bin\n(log scale)")
    axes.yaxis.set_major_locator(LogLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_title(f"{name}: {_count_classes(is_positive)}")


def _count_classes(is_positive: npt.NDArray[np.bool_]) -> str:
    num_positive, num_frames = int(is_positive.sum()), is_positive.size
    if num_positive in (0, num_frames):
        missing = "positive" if num_positive == 0 else "negative"
        return f"none of {num_frames:,} frames is {missing}"
    return f"{num_positive:,} of {num_frames:,} frames positive"


def _explain_histogram(figure: Figure, splits: Mapping[str, SplitFrames], threshold: float) -> None:
    axes = figure.axes[0]
    axes.fill_between([], [], color=LIGHT_GREY, label="negative frames")
    for name in splits:
        color = LINES[name]["color"]
        axes.plot([], [], color=color, linewidth=1.2, label=f"positive frames, {name}")
    label = f"threshold {threshold:.3g}"
    axes.plot([], [], color="black", linewidth=1.0, linestyle="--", label=label)
    figure.legend(loc="outside lower left", frameon=False, ncols=2)
