"""What a test can see of a figure."""

import io

import numpy as np
import numpy.typing as npt
from matplotlib import image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

HOSTILE_NAMES = (
    "$\\bad{$",
    "a$b",
    "\N{CJK UNIFIED IDEOGRAPH-7B11}\N{GRINNING FACE}\N{DEVANAGARI LETTER NA}",
    "tab\tnewline\nbell\anul\0",
    "W" * 10_000,
    "",
    "\N{ARABIC LETTER AIN}\u202e\u200d",
    "%s {0} \\n",
)


def render(figure: Figure) -> npt.NDArray[np.float64]:
    png = io.BytesIO()
    figure.savefig(png, dpi=100)
    png.seek(0)
    return np.asarray(image.imread(png))


def texts_of(figure: Figure) -> list[str]:
    return [found.get_text() for found in figure.findobj(Text) if found.get_text()]


def legend_of(figure: Figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def assert_is_whole(figure: Figure, width_pixels: int = 350) -> None:
    """Nothing is clipped by the border, no text is smaller than 7 points."""
    pixels = render(figure)[..., :3]
    border = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
    assert all((edge == 1).all() for edge in border)
    assert pixels.shape[1] == width_pixels
    bounds = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer())
    assert bounds.x0 >= 0
    assert bounds.y0 >= 0
    assert bounds.x1 <= figure.get_figwidth()
    assert bounds.y1 <= figure.get_figheight()
    assert min(text.get_fontsize() for text in figure.findobj(Text)) >= 7
