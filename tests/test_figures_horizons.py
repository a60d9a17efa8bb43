from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from acoustic_event_prediction.figures_horizons import horizons_figure
from tests.drawn import assert_is_whole, texts_of

MEASURES = ("auprc_over_prevalence", "auroc")


def make_table(
    leads: Sequence[int] = (80, 400), rates: Sequence[str] = ("10", "60"), *, auroc: float = 0.75
) -> pd.DataFrame:
    rows = [
        {
            "split": split,
            "lead_time_ms": lead,
            "auprc_over_prevalence": 4.0,
            "auprc_over_prevalence_low": 2.0,
            "auprc_over_prevalence_high": 8.0,
            "auroc": auroc,
            "auroc_low": auroc - 0.1,
            "auroc_high": auroc + 0.1,
            "event_f1": 0.4,
            "event_f1_low": 0.3,
            "event_f1_high": 0.5,
            **{f"recall_at_{rate}_per_hour": 0.5 for rate in rates},
        }
        for split in ("validation", "test")
        for lead in leads
    ]
    return pd.DataFrame(rows)


def undefined(table: pd.DataFrame, splits: Sequence[str]) -> pd.DataFrame:
    values = table.columns.difference(["split", "lead_time_ms"])
    table.loc[table["split"].isin(splits), values] = np.nan
    return table


@pytest.mark.parametrize(
    "table",
    [
        make_table(),
        make_table([80]),
        make_table(range(80, 80_080, 80), [str(1000 + rate) for rate in range(9)]),
        undefined(make_table(), ["test"]),
        undefined(make_table(), ["validation", "test"]),
    ],
    ids=["plain", "one horizon", "many horizons and rates", "one split undefined", "undefined"],
)
def test_figure_is_as_wide_as_a_column_and_nothing_is_clipped(table: pd.DataFrame) -> None:
    assert_is_whole(horizons_figure(table))


def test_ticks_are_the_lead_times() -> None:
    axes = horizons_figure(make_table([80, 160, 400, 800, 2000])).axes[-1]

    assert sorted(axes.get_xticks()) == [80, 160, 400, 800, 2000]
    assert axes.get_xlabel() == "Lead time (ms, log scale)"


def test_legend_names_splits_chance_and_rates() -> None:
    (legend,) = horizons_figure(make_table()).legends

    assert [text.get_text() for text in legend.get_texts()] == [
        "validation",
        "test",
        "chance",
        "95 % interval",
        "≤ 10 false alarms/h",
        "≤ 60 false alarms/h",
    ]


def test_lines_of_chance_are_1_and_one_half() -> None:
    panels = horizons_figure(make_table()).axes

    assert [set(axes.lines[0].get_ydata()) for axes in panels[:2]] == [{1.0}, {0.5}]


def test_intervals_that_leave_out_the_value_are_drawn() -> None:
    table = make_table()
    table["auroc_low"], table["auroc_high"] = 0.8, 0.9

    bars = horizons_figure(table).axes[1].collections

    assert [bar[:, 1].tolist() for bar in bars[0].get_segments()] == 2 * [[0.8, 0.9]]


def test_an_undefined_split_is_named_beside_the_other() -> None:
    texts = texts_of(horizons_figure(undefined(make_table(), ["test"])))

    assert {"validation", "test: undefined"} <= set(texts)
    assert not any("no horizon has both" in text for text in texts)


def test_figure_without_any_value_says_why() -> None:
    texts = texts_of(horizons_figure(undefined(make_table(), ["validation", "test"])))

    assert any("no horizon has both" in text for text in texts)
