"""What each horizon is worth: frames and events against the lead time, at a column's width."""

from itertools import cycle
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from acoustic_event_prediction.figure_style import GREY, LINES, STYLE, WIDTH_INCHES, say_empty

_MARKERS = "osD^vPX"
_MOST_TICKS = 8
# Splits stand beside each other, so that one's interval does not hide the other's.
_SHIFTS = {"validation": 1 / 1.03, "test": 1.03}


def horizons_figure(table: pd.DataFrame) -> Figure:
    """Draw AUPRC over prevalence, AUROC, recall and event F1 against the lead time.

    Bars are intervals; a dotted line is what chance would give. Undefined values are left out.

    Args:
        table: one row per split and horizon, columns split, lead_time_ms (log scale), the two
            measures and event_f1 with `_low` and `_high`, and `recall_at_<k>_per_hour` for any k.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, 7.6), layout="constrained")
        panels = figure.subplots(4, 1, sharex=True)
        _draw_measure(panels[0], table, "auprc_over_prevalence", chance=1.0)
        panels[0].set(ylabel="AUPRC / prevalence\n(log scale)", yscale="log")
        panels[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panels[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panels[0].yaxis.set_minor_formatter(NullFormatter())
        _draw_measure(panels[1], table, "auroc", chance=0.5)
        panels[1].set(ylabel="AUROC")
        rates = _draw_recalls(panels[2], table)
        panels[2].set(ylabel="Recall of frames at\na false alarm rate")
        _draw_measure(panels[3], table, "event_f1", chance=None)
        panels[3].set(ylabel="F1 of events", xlabel="Lead time (ms, log scale)")
        _scale_leads(panels[3], sorted(set(table["lead_time_ms"])))
        if table["auroc"].isna().all():
            say_empty(panels[0], "undefined: no horizon has both\npositive and negative frames")
        _add_legend(figure, table, rates)
    return figure


def _draw_measure(axes: Axes, table: pd.DataFrame, name: str, *, chance: float | None) -> None:
    if chance is not None:
        axes.axhline(chance, color=GREY, linewidth=0.8, linestyle=":")
    for split, rows in table.groupby("split", sort=False):
        style = LINES[str(split)]
        leads = rows["lead_time_ms"] * _SHIFTS[str(split)]
        axes.plot(leads, rows[name], marker="o", markersize=3, **style)
        axes.vlines(
            leads, rows[f"{name}_low"], rows[f"{name}_high"], color=style["color"], linewidth=0.8
        )


def _draw_recalls(axes: Axes, table: pd.DataFrame) -> dict[str, str]:
    """Draw recall at each rate of false alarms; return the marker of each rate."""
    columns = table.filter(regex=r"^recall_at_.*_per_hour$").columns
    markers = dict(zip(columns, cycle(_MARKERS), strict=False))
    for split, rows in table.groupby("split", sort=False):
        leads = rows["lead_time_ms"] * _SHIFTS[str(split)]
        for column, marker in markers.items():
            axes.plot(leads, rows[column], marker=marker, markersize=4, **LINES[str(split)])
    top = axes.get_ylim()[1]
    axes.set_ylim(-0.03 * top, top)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    return {
        column.removeprefix("recall_at_").removesuffix("_per_hour"): marker
        for column, marker in markers.items()
    }


def _scale_leads(axes: Axes, leads: list[float]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(leads[0] / 1.25, leads[-1] * 1.25)
    axes.xaxis.set_major_locator(FixedLocator(spread_ticks(leads)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def spread_ticks(leads: list[float]) -> list[float]:
    """Return those of ascending leads whose labels have room on a logarithmic axis, descending.

    >>> spread_ticks([80, 160, 400, 800, 2000])
    [2000, 800, 400, 160, 80]
    >>> spread_ticks([80, 1840, 1920, 2000])
    [2000, 80]
    """
    smallest_ratio = (leads[-1] / leads[0]) ** (1 / _MOST_TICKS)
    ticks = [leads[-1]]
    for lead in reversed(leads[:-1]):
        if ticks[-1] / lead >= smallest_ratio:
            ticks.append(lead)
    return ticks


def _add_legend(figure: Figure, table: pd.DataFrame, rates: dict[str, str]) -> None:
    axes = figure.axes[-1]
    for split, rows in table.groupby("split", sort=False):
        note = ": undefined" if rows["auroc"].isna().all() else ""
        axes.plot([], [], label=f"{split}{note}", **LINES[str(split)])
    axes.plot([], [], color=GREY, linewidth=0.8, linestyle=":", label="chance")
    interval: Any = {"marker": "|", "linestyle": "", "markersize": 8}
    axes.plot([], [], color=GREY, label="95 % interval", **interval)
    for rate, marker in rates.items():
        label = f"≤ {rate} false alarms/h"
        axes.plot([], [], color=GREY, marker=marker, markersize=4, linestyle="", label=label)
    figure.legend(loc="outside lower left", frameon=False, ncols=2)
