import numpy as np
import pytest
from matplotlib.patches import Rectangle

from acoustic_event_prediction.figures_lead_time import lead_time_figure
from tests.drawn import assert_is_whole, texts_of


def test_bars_count_the_hits_of_each_frame() -> None:
    # 80, 160, 160 and 240 ms of at most 320 ms; frame 0 is no lead time.
    leads = {"test": np.array([0.24, 0.08, 0.16, 0.16])}

    axes = lead_time_figure(leads, 4, {"test": 2}).axes[0]

    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    centers = [round(bar.get_x() + bar.get_width() / 2) for bar in bars]
    counts = dict(zip(centers, [bar.get_height() for bar in bars], strict=True))
    assert counts == {0: 0, 80: 1, 160: 2, 240: 1, 320: 0}
    assert {bar.get_width() for bar in bars} == {80}


def test_title_counts_hits_and_misses_and_gives_the_median() -> None:
    figure = lead_time_figure({"test": np.array([0.08, 0.16])}, 4, {"test": 1000})

    expected = "test: 2 of 1,002 events hit\n1,000 missed, median lead time 120 ms"
    assert figure.axes[0].get_title() == expected
    assert figure.axes[0].get_ylabel() == "Hit events"
    assert figure.axes[0].get_xlabel() == "Lead time (ms, bins of 80 ms)"


@pytest.mark.parametrize("horizon_frames", [1, 5, 25, 250])
def test_ticks_are_whole_frames_up_to_the_horizon(horizon_frames: int) -> None:
    leads = {name: np.array([0.08] * 3) for name in ("validation", "test")}

    figure = lead_time_figure(leads, horizon_frames, dict.fromkeys(leads, 1_234_567))

    ticks = figure.axes[-1].get_xticks()
    assert ticks[-1] == 80 * horizon_frames
    assert len(ticks) <= 8
    assert (ticks % 80 == 0).all()
    assert_is_whole(figure)


def test_splits_differ_by_more_than_colour() -> None:
    leads = {name: np.array([0.08]) for name in ("validation", "test")}

    panels = lead_time_figure(leads, 1, dict.fromkeys(leads, 0)).axes

    assert len({axes.patches[0].get_hatch() for axes in panels}) == 2


def test_split_without_hits_or_without_events_says_so() -> None:
    none = np.array([])
    figure = lead_time_figure({"validation": none, "test": none}, 5, {"validation": 7, "test": 0})

    assert {"none of 7 events is hit", "no events"} <= set(texts_of(figure))
    assert [axes.get_title() for axes in figure.axes] == ["validation", "test"]
    assert_is_whole(figure)


def test_no_split_at_all_says_so() -> None:
    figure = lead_time_figure({}, 5, {})

    assert "no split has events" in texts_of(figure)
    assert_is_whole(figure)


@pytest.mark.parametrize("bad", [-0.08, 0.48, np.nan, np.inf])
def test_lead_time_that_cannot_be_a_hit_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="1 of 2 lead times of test are not within 0 to 5 frames"):
        lead_time_figure({"test": np.array([0.08, bad])}, 5, {"test": 0})
