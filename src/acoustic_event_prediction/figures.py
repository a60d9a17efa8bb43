"""ROC curve, precision-recall curve and confusion matrices, at the width of a paper's column.

A split in which all frames have one label has no curve; the legend says so.
"""

from collections.abc import Mapping
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from acoustic_event_prediction.curves import Floats, ScoreCurve, score_curve
from acoustic_event_prediction.figure_style import (
    GREY,
    LINES,
    RARE,
    SMALL,
    STYLE,
    WIDTH_INCHES,
    plain_log_ticks,
    say_empty,
)
from acoustic_event_prediction.metrics import ConfusionMatrix, threshold_metrics

_GRID = 2000
_DARK = 0.6


class SplitFrames(NamedTuple):
    """Labels int8 [N] and scores float64 [N] of one split."""

    labels: npt.NDArray[np.int8]
    scores: Floats


def roc_figure(splits: Mapping[str, SplitFrames], threshold: float) -> Figure:
    """Draw the ROC curve of each split, with the operating point and the line of chance.

    Args:
        splits: frames by name, "validation" or "test".
        threshold: the operating point.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, 3.9), layout="constrained")
        axes = figure.add_subplot()
        num_curves = 0
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle=":", label="chance")
        for name, frames in splits.items():
            curve = score_curve(frames.labels, frames.scores)
            if _is_undrawable(axes, name, curve):
                continue
            num_curves += 1
            label = f"{name}: AUROC {curve.auroc():.3f}, {_prevalence(curve)}"
            true_rate = np.append(0, curve.true_positive / curve.num_positive)
            false_positive = curve.predicted_positive - curve.true_positive
            false_rate = np.append(0, false_positive / curve.num_negative)
            axes.plot(*thin(false_rate, true_rate), label=label, **LINES[name])
            cells = threshold_metrics(frames.labels, frames.scores, threshold)["confusion_matrix"]
            _mark(
                axes,
                name,
                cells["false_positive"] / curve.num_negative,
                cells["true_positive"] / curve.num_positive,
            )
        axes.set(xlabel="False positive rate", ylabel="True positive rate (recall)")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        _finish(figure, axes, threshold, num_curves=num_curves)
    return figure


def pr_figure(splits: Mapping[str, SplitFrames], threshold: float) -> Figure:
    """Draw precision against recall for each split, with the operating point and the prevalence.

    Precision is drawn as the step function whose area is the AUPRC; its axis is logarithmic when
    positives are rare.

    Args:
        splits: frames by name, "validation" or "test".
        threshold: the operating point.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, 3.5), layout="constrained")
        axes = figure.add_subplot()
        num_curves, lowest = 0, 1.0
        for name, frames in splits.items():
            curve = score_curve(frames.labels, frames.scores)
            if _is_undrawable(axes, name, curve):
                continue
            num_curves += 1
            prevalence = curve.num_positive / curve.num_frames
            label = f"{name}: AUPRC {curve.auprc():.3g}, {_prevalence(curve)}"
            recall, precision = _precision_steps(curve)
            lowest = min(lowest, prevalence, precision.min())
            recall, precision = thin(recall, precision)
            axes.plot(recall, precision, label=label, drawstyle="steps-pre", **LINES[name])
            axes.axhline(prevalence, color=LINES[name]["color"], linewidth=0.8, linestyle=":")
            point = threshold_metrics(frames.labels, frames.scores, threshold)
            # With no true positive the point has no place on a logarithmic axis.
            if point["precision"] and point["recall"]:
                lowest = min(lowest, point["precision"])
                _mark(axes, name, point["recall"], point["precision"])
        axes.set(xlabel="Recall", xlim=(-0.02, 1.02))
        _scale_precision(axes, lowest)
        if num_curves:
            axes.plot([], [], color=GREY, linewidth=0.8, linestyle=":", label="prevalence")
        _finish(figure, axes, threshold, num_curves=num_curves)
    return figure


def confusion_figure(matrices: Mapping[str, ConfusionMatrix], threshold: float) -> Figure:
    """Draw one confusion matrix per split; the shade is the share of the row, the true class.

    Args:
        matrices: cells by split name.
        threshold: the operating point.
    """
    with mpl.rc_context(STYLE):
        height = 0.5 + 1.45 * len(matrices)
        figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
        figure.suptitle(f"frames at threshold {threshold:.3g}, share of each row", fontsize=8)
        panels = figure.subplots(len(matrices), 1, squeeze=False)[:, 0]
        for axes, (name, cells) in zip(panels, matrices.items(), strict=True):
            counts = np.array(
                [
                    [cells["true_negative"], cells["false_positive"]],
                    [cells["false_negative"], cells["true_positive"]],
                ]
            )
            _draw_cells(axes, counts)
            axes.set_title(name)
        panels[-1].set_xlabel("Predicted")
    return figure


def thin(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Reduce a curve of non-decreasing x in [0, 1] to a few thousand points that look the same.

    Within each 1/2000 of the x axis the first, smallest, largest and last y are kept.

    Args:
        x: float64 [N], non-decreasing, 0 to 1.
        y: float64 [N].

    Returns:
        x and y, each [M], M at most about 8000.
    """
    if x.size <= 4 * _GRID:
        return x, y
    column = np.floor(x * _GRID)
    starts = np.flatnonzero(np.append(True, column[1:] != column[:-1]))
    ends = np.append(starts[1:], x.size) - 1
    low, high = np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts)
    thin_x = np.stack([x[starts], x[starts], x[ends], x[ends]], axis=1)
    return thin_x.ravel(), np.stack([y[starts], low, high, y[ends]], axis=1).ravel()


def _precision_steps(curve: ScoreCurve) -> tuple[Floats, Floats]:
    """Return recall and precision from the first true positive on, begun at recall 0."""
    first = int(np.argmax(curve.true_positive > 0))
    recall = curve.true_positive[first:] / curve.num_positive
    precision = curve.true_positive[first:] / curve.predicted_positive[first:]
    return np.append(0, recall), np.append(precision[0], precision)


def _is_undrawable(axes: Axes, name: str, curve: ScoreCurve) -> bool:
    if curve.has_both_classes:
        return False
    missing = "positive" if curve.num_positive == 0 else "negative"
    label = f"{name}: no curve, none of {curve.num_frames:,} frames is {missing}"
    axes.plot([], [], label=label, **LINES[name])
    return True


def _prevalence(curve: ScoreCurve) -> str:
    return f"prevalence {100 * curve.num_positive / curve.num_frames:.2g} %"


def _mark(axes: Axes, name: str, x: float, y: float) -> None:
    color = LINES[name]["color"]
    axes.plot(x, y, "o", color=color, markersize=5, markeredgecolor="white", zorder=5)


def _scale_precision(axes: Axes, lowest: float) -> None:
    if lowest >= RARE:
        axes.set(ylabel="Precision", ylim=(-0.02, 1.02))
        return
    axes.set(ylabel="Precision (log scale)", yscale="log", ylim=(lowest / 1.5, 1.15))
    plain_log_ticks(axes.yaxis, lowest, 1.0)


def _finish(figure: Figure, axes: Axes, threshold: float, *, num_curves: int) -> None:
    axes.tick_params(labelsize=SMALL)
    if num_curves:
        axes.plot([], [], "o", color=GREY, markersize=5, label=f"threshold {threshold:.3g}")
    else:
        say_empty(axes, "no curve: no split has both\npositive and negative frames")
    figure.legend(loc="outside lower left", frameon=False)


def _draw_cells(axes: Axes, counts: npt.NDArray[np.int64]) -> None:
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        share = f"{100 * shares[row, column]:.1f} %" if totals[row, 0] else "no such frames"
        color = "white" if shares[row, column] > _DARK else "black"
        text = f"{count:,}\n{share}"
        axes.text(column, row, text, ha="center", va="center", color=color)
    axes.set_xticks([0, 1], ["negative", "positive"])
    axes.set_yticks([0, 1], ["negative", "positive"], rotation=90, va="center")
    axes.set_ylabel("True")
    axes.tick_params(length=0, labelsize=SMALL)
    axes.spines[:].set_visible(False)
