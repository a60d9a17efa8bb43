import numpy as np
import pandas as pd
import pytest

from acoustic_event_prediction.figures_baselines import baselines_figure
from tests.drawn import HOSTILE_NAMES, assert_is_whole, legend_of, texts_of


def make_table(*rows: tuple[str, float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["name", "value", "low", "high"])


TABLE = make_table(("predictor", 5.0, 4.0, 6.5), ("energy", 2.0, 0.5, 3.0))


def test_each_system_is_a_dot_on_its_interval_the_first_on_top() -> None:
    axes = baselines_figure(TABLE).axes[0]

    dots = [line.get_xydata()[0].tolist() for line in axes.lines if line.get_marker() in ("D", "o")]
    intervals = [bar.get_segments()[0].tolist() for bar in axes.collections]
    assert dots == [[5, 0], [2, 1]]
    assert intervals == [[[4, 0], [6.5, 0]], [[0.5, 1], [3, 1]]]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["predictor", "energy"]


def test_predictor_stands_out_in_grey_too() -> None:
    dots = [line for line in baselines_figure(TABLE).axes[0].lines if line.get_marker() in "Do"]

    assert [dot.get_marker() for dot in dots] == ["D", "o"]
    assert dots[0].get_markersize() > dots[1].get_markersize()


def test_axis_is_logarithmic_with_chance_at_1() -> None:
    figure = baselines_figure(TABLE)

    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "AUPRC / prevalence (log scale)"
    assert axes.lines[0].get_xdata() == [1.0, 1.0]
    assert legend_of(figure) == ["chance", "95 % interval"]
    assert_is_whole(figure)


def test_values_are_written_beside_the_rows() -> None:
    table = make_table(
        ("a", 5.43, 4.0, 1234.5), ("b", 2.0, np.nan, np.nan), ("c", np.nan, np.nan, np.nan)
    )

    figure = baselines_figure(table)

    assert {"5.43 (4 to 1,234)", "2", "undefined"} <= set(texts_of(figure))
    assert len(figure.axes[0].collections) == 1
    assert_is_whole(figure)


def test_value_and_interval_that_reach_0_end_on_the_left_edge() -> None:
    figure = baselines_figure(make_table(("a", 0.0, 0.0, 2.0)))

    axes = figure.axes[0]
    left = axes.get_xlim()[0]
    assert axes.collections[0].get_segments()[0][0][0] == left
    assert axes.lines[1].get_xdata()[0] == left
    assert_is_whole(figure)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (make_table(("a", *3 * (np.nan,)), ("b", *3 * (np.nan,))), "undefined:\nno system has"),
        (TABLE.iloc[:0], "no systems"),
    ],
    ids=["undefined", "no rows"],
)
def test_figure_without_values_says_why(table: pd.DataFrame, text: str) -> None:
    figure = baselines_figure(table)

    assert any(found.startswith(text) for found in texts_of(figure))
    assert_is_whole(figure)


def test_any_name_is_shown_as_it_is_and_whole() -> None:
    table = make_table(*((name, 1000.0, 0.001, 1234.5) for name in HOSTILE_NAMES))

    figure = baselines_figure(table)

    assert_is_whole(figure)
    assert {"$\\bad{$", "a$b"} <= set(texts_of(figure))
