"""The predictor beside simpler systems, as a forest plot."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from acoustic_event_prediction.figure_style import (
    BLUE,
    GREY,
    SMALL,
    STYLE,
    WIDTH_INCHES,
    name_rows,
    plain_log_ticks,
    say_empty,
)

_ROW_INCHES = 0.22
_NAME_INCHES = 1.15
_THREE_DIGITS = 999.5


def baselines_figure(table: pd.DataFrame) -> Figure:
    """Draw AUPRC over prevalence of each system with its interval, and the line of chance at 1.

    A value of 0 lies on the left edge; an interval that reaches it ends there. NaN is undefined:
    a row without a value says so, one without an interval has a dot only.

    Args:
        table: one row per system, the predictor first; columns name, value, low, high.
    """
    with mpl.rc_context(STYLE):
        height = 1.0 + _ROW_INCHES * max(3, len(table))
        figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(1.0, color=GREY, linewidth=0.8, linestyle=":", label="chance")
        left = _scale_values(axes, table)
        rows = list(range(len(table)))
        for row, system in enumerate(table.itertuples()):
            _draw_system(axes, row, system, left)
        name_rows(axes, rows, [str(name) for name in table["name"]], _NAME_INCHES)
        axes.set(ylim=(max(len(table), 1) - 0.4, -0.6), xlabel="AUPRC / prevalence (log scale)")
        _write_values(axes, table)
        if table["value"].isna().all():
            say_empty(axes, "undefined:\nno system has\na value" if len(table) else "no systems")
        interval: Any = {"marker": "_", "linestyle": "", "markersize": 12}
        axes.plot([], [], color=GREY, label="95 % interval", **interval)
        figure.legend(loc="outside lower left", frameon=False, ncols=2)
    return figure


def _scale_values(axes: Axes, table: pd.DataFrame) -> float:
    """Set the logarithmic scale to all positive numbers and 1; return its lower end."""
    numbers = table[["value", "low", "high"]].to_numpy(dtype=np.float64)
    positive = np.append(numbers[numbers > 0], 1.0)
    left, right = positive.min() / 1.25, positive.max() * 1.25
    axes.set(xscale="log", xlim=(left, right))
    plain_log_ticks(axes.xaxis, left, right)
    axes.tick_params(labelsize=SMALL)
    return float(left)


def _draw_system(axes: Axes, row: int, system: Any, left: float) -> None:
    is_first = row == 0
    color = BLUE if is_first else GREY
    if is_first:
        axes.axhspan(row - 0.5, row + 0.5, color="#E8F1F8", zorder=0)
    if np.isfinite([system.low, system.high]).all():
        ends = np.maximum([system.low, system.high], left)
        axes.hlines(row, *ends, color=color, linewidth=1.8 if is_first else 1.0)
    if np.isfinite(system.value):
        place = max(system.value, left)
        style: Any = {"markersize": 6 if is_first else 4, "markeredgecolor": "white"}
        axes.plot(place, row, "D" if is_first else "o", color=color, clip_on=False, **style)


def _write_values(axes: Axes, table: pd.DataFrame) -> None:
    """Write each value and interval on the right."""
    right = axes.secondary_yaxis("right")
    texts = [_format(system) for system in table.itertuples()]
    right.set_yticks(np.arange(len(table)), texts)
    right.tick_params(length=0, labelsize=SMALL)
    right.spines[:].set_visible(False)


def _format(system: Any) -> str:
    if not np.isfinite(system.value):
        return "undefined"
    if not np.isfinite([system.low, system.high]).all():
        return _short(system.value)
    return f"{_short(system.value)} ({_short(system.low)} to {_short(system.high)})"


def _short(number: float) -> str:
    return f"{number:.3g}" if number < _THREE_DIGITS else f"{number:,.0f}"
