import io

import pytest
from matplotlib.figure import Figure

from acoustic_event_prediction.figure_style import FONT, printable, text_inches
from tests.drawn import HOSTILE_NAMES

NAMES = (*HOSTILE_NAMES, "lone surrogate \ud800")


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("file_format", ["png", "pdf"])
def test_printable_text_is_drawn_without_a_warning(name: str, file_format: str) -> None:
    figure = Figure()
    figure.text(0.5, 0.5, printable(name, 2.0), family=FONT, parse_math=False)

    figure.savefig(io.BytesIO(), format=file_format)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Zoë, 9 %", "Zoë, 9 %"),
        (" a\t\nb\0 ", "a b"),
        ("\N{CJK UNIFIED IDEOGRAPH-7B11}a", "□a"),
        ("right\u202eleft", "rightleft"),
        ("$x$", "$x$"),
    ],
)
def test_printable_text_keeps_what_the_font_has(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_wide_text_is_cut_to_its_room() -> None:
    assert text_inches(printable("W" * 1000, 1.0)) <= 1.0
    assert text_inches(printable("W" * 1000, 1.0)) > 0.85
    assert printable("iii", 1.0) == "iii"


def test_measured_width_is_the_drawn_width() -> None:
    figure = Figure(dpi=200)
    text = figure.text(0, 0, "extraordinarily", family=FONT, size=7)
    figure.draw_without_rendering()

    drawn = text.get_window_extent().width / 200

    assert text_inches("extraordinarily") == pytest.approx(drawn, rel=0.04)
