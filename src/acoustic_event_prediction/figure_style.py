"""What all figures share: widths, fonts, colours, and text that the font can show.

Figures are built without pyplot, so nothing is shown, registered or left over.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from typing import Any

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

WIDTH_INCHES = 3.5
PAGE_WIDTH_INCHES = 7.1
# matplotlib brings this font along, so that a figure looks the same on every machine.
FONT = "DejaVu Sans"
SMALL = 7
STYLE: Any = {
    "font.family": FONT,
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "lines.linewidth": 1.4,
    "hatch.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
BLUE, ORANGE, VERMILION = "#0072B2", "#E69F00", "#D55E00"
GREEN, PINK, SKY_BLUE = "#009E73", "#CC79A7", "#56B4E9"
GREY, LIGHT_GREY = "#555555", "#C8C8C8"
# Okabe and Ito's palette: apart for every kind of colour vision, and in grey by dashes or markers.
LINES: dict[str, dict[str, Any]] = {
    "validation": {"color": VERMILION, "linestyle": (0, (4, 1.5))},
    "test": {"color": BLUE, "linestyle": "-"},
}
# Of users in rows of their own; alarms are vermilion.
USER_COLORS = (BLUE, GREEN, PINK, ORANGE, SKY_BLUE, GREY)
MARKERS = {"validation": "s", "test": "o"}
# Below this share of positives a linear axis shows everything at its bottom.
RARE = 0.2

_FEW_DECADES, _MANY_DECADES = 30, 1000
_MISSING_GLYPH = "\N{WHITE SQUARE}"
_MOST_CHARACTERS = 200
_MEASURE_DPI = 720


def printable(text: str, max_inches: float | None = None) -> str:
    r"""Return a name or word of a corpus as the font can show it, on one line.

    Control characters become spaces, characters without a glyph become squares.

    Args:
        text: any.
        max_inches: what is wider at the small size of type ends in an ellipsis.

    >>> printable("a\tb \N{CJK UNIFIED IDEOGRAPH-7B11}"), printable("Mary Anne", 0.4)
    ('a b □', 'Mary…')
    """
    glyphs = _glyphs()
    kinds = [(char, unicodedata.category(char)) for char in text]
    spaced = [
        " " if kind[0] == "Z" or kind == "Cc" else char for char, kind in kinds if kind != "Cf"
    ]
    line = " ".join("".join(spaced).split())
    line = "".join(char if ord(char) in glyphs else _MISSING_GLYPH for char in line)
    fits = len(line) <= _MOST_CHARACTERS
    if max_inches is None or (fits and text_inches(line) <= max_inches):
        return line
    line = line[:_MOST_CHARACTERS]
    lengths = range(1, len(line) + 1)
    length = bisect_right(lengths, max_inches, key=lambda n: text_inches(line[:n] + "…"))
    return line[:length].rstrip() + "…"


def text_inches(text: str) -> float:
    """Return the width of printable text in inches, at the small size of type."""
    small = FontProperties(family=FONT, size=SMALL)
    width, _, _ = _renderer().get_text_width_height_descent(text, small, ismath=False)
    return float(width) / _MEASURE_DPI


@cache
def _renderer() -> Any:
    # matplotlib's renderers have no types.
    make_renderer: Any = RendererAgg
    return make_renderer(1, 1, dpi=_MEASURE_DPI)


@cache
def _glyphs() -> frozenset[int]:
    font = font_manager.get_font(font_manager.findfont(FONT))
    return frozenset(font.get_charmap())


def name_rows(axes: Axes, rows: Sequence[float], names: Sequence[str], max_inches: float) -> None:
    """Label rows of the y axis with names, which are never read as mathematics."""
    texts = [printable(name, max_inches) or "unnamed" for name in names]
    axes.set_yticks(rows, texts, parse_math=False)
    axes.tick_params(axis="y", length=0, labelsize=SMALL)


def say_empty(axes: Axes, text: str) -> None:
    """Write into the middle of the axes why there is nothing to see."""
    place: Any = {"ha": "center", "va": "center", "transform": axes.transAxes}
    axes.text(0.5, 0.5, text, **place, bbox={"color": "white"})


def plain_log_ticks(axis: Axis, lowest: float, highest: float) -> None:
    """Label a logarithmic axis in plain decimals, as densely as its length in decades allows.

    Args:
        axis: on a logarithmic scale already.
        lowest: about its lower end.
        highest: about its upper end.
    """
    ratio = highest / lowest
    steps: tuple[float, ...] = (1.0, 2.0, 5.0)
    if ratio > _FEW_DECADES:
        steps = (1.0, 3.0) if ratio < _MANY_DECADES else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
