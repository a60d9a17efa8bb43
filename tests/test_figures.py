from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure

from acoustic_event_prediction.figures import (
    SplitFrames,
    confusion_figure,
    pr_figure,
    roc_figure,
    thin,
)
from tests.drawn import assert_is_whole, texts_of

NO_POSITIVES = SplitFrames(np.zeros(10, dtype=np.int8), np.linspace(0, 1, 10))


def make_frames(num_frames: int, prevalence: float) -> SplitFrames:
    rng = np.random.default_rng(0)
    labels = (rng.random(num_frames) < prevalence).astype(np.int8)
    labels[:2] = 0, 1
    return SplitFrames(labels, rng.random(num_frames) ** (4 - 3 * labels))


@pytest.mark.parametrize("prevalence", [0.0005, 0.01, 0.4])
def test_curves_are_as_wide_as_a_column_and_nothing_is_clipped(prevalence: float) -> None:
    frames = {name: make_frames(30_000, prevalence) for name in ("validation", "test")}

    for figure in (roc_figure(frames, 0.7), pr_figure(frames, 0.7)):
        assert_is_whole(figure)


def test_legends_give_area_and_prevalence() -> None:
    frames = {"test": SplitFrames(np.array([0, 1], dtype=np.int8), np.array([0.2, 0.8]))}

    assert "test: AUROC 1.000, prevalence 50 %" in texts_of(roc_figure(frames, 0.5))
    assert "test: AUPRC 1, prevalence 50 %" in texts_of(pr_figure(frames, 0.5))


def test_operating_point_lies_on_the_curve() -> None:
    # At 0.5: TP 1 of 2, FP 1 of 3, so recall 1/2, false positive rate 1/3, precision 1/2.
    frames = SplitFrames(
        np.array([1, 0, 1, 0, 0], dtype=np.int8), np.array([0.9, 0.8, 0.2, 0.1, 0])
    )

    points = [
        line.get_xydata().tolist()
        for figure in (roc_figure({"test": frames}, 0.5), pr_figure({"test": frames}, 0.5))
        for line in figure.axes[0].lines
        if line.get_marker() == "o" and line.get_xydata().size
    ]

    assert points == [[[1 / 3, 1 / 2]], [[1 / 2, 1 / 2]]]


def test_area_under_the_drawn_steps_is_the_auprc() -> None:
    frames = SplitFrames(np.array([0, 1, 0, 1], dtype=np.int8), np.array([0.9, 0.8, 0.7, 0.6]))

    (steps,) = [
        line
        for line in pr_figure({"test": frames}, 0.5).axes[0].lines
        if line.get_drawstyle() == "steps-pre"
    ]

    recall, precision = np.asarray(steps.get_xdata()), np.asarray(steps.get_ydata())
    assert np.sum(np.diff(recall) * precision[1:]) == pytest.approx(0.5 * 1 / 2 + 0.5 * 2 / 4)


Draw = Callable[[dict[str, SplitFrames], float], Figure]


@pytest.mark.parametrize("draw", [roc_figure, pr_figure])
def test_split_of_one_class_is_explained_beside_the_other_curve(draw: Draw) -> None:
    figure = draw({"validation": make_frames(100, 0.2), "test": NO_POSITIVES}, 0.5)

    assert "test: no curve, none of 10 frames is positive" in texts_of(figure)
    assert_is_whole(figure)


@pytest.mark.parametrize("draw", [roc_figure, pr_figure])
def test_figure_without_any_curve_says_why(draw: Draw) -> None:
    all_positive = SplitFrames(np.ones(3, dtype=np.int8), np.linspace(0, 1, 3))
    figure = draw({"validation": all_positive, "test": NO_POSITIVES}, 0.5)

    assert any("no curve: no split has both" in text for text in texts_of(figure))
    assert "validation: no curve, none of 3 frames is negative" in texts_of(figure)
    assert_is_whole(figure)


def test_threshold_above_all_scores_is_drawn_without_a_precision() -> None:
    assert_is_whole(pr_figure({"test": make_frames(100, 0.05)}, 1.0))


def test_confusion_matrix_gives_counts_and_shares_of_the_true_class() -> None:
    figure = confusion_figure(
        {
            "validation": {
                "true_negative": 12_345_678,
                "false_positive": 0,
                "false_negative": 1,
                "true_positive": 3,
            },
            "test": {
                "true_negative": 5,
                "false_positive": 5,
                "false_negative": 0,
                "true_positive": 0,
            },
        },
        0.5,
    )

    texts = texts_of(figure)
    assert "12,345,678\n100.0 %" in texts
    assert "3\n75.0 %" in texts
    assert texts.count("0\nno such frames") == 2
    assert_is_whole(figure)


def test_thinned_curve_keeps_ends_and_extremes() -> None:
    x = np.linspace(0, 1, 1_000_000)
    y = np.sin(40 * x) + np.random.default_rng(0).normal(size=x.size) / 10
    y[123_456] = 9.0

    thin_x, thin_y = thin(x, y)

    assert thin_x.size < 9000
    assert (np.diff(thin_x) >= 0).all()
    assert (thin_x[0], thin_x[-1]) == (0.0, 1.0)
    assert (thin_y.min(), thin_y.max()) == (y.min(), 9.0)
    assert thin_x[np.argmax(thin_y)] == pytest.approx(x[123_456], abs=1 / 2000)


def test_short_curve_is_not_thinned() -> None:
    x = np.linspace(0, 1, 100)

    assert thin(x, x**2)[1].tolist() == (x**2).tolist()
