from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import StepPatch

from acoustic_event_prediction.figures import SplitFrames
from acoustic_event_prediction.figures_scores import reliability_figure, score_histogram_figure
from tests.drawn import assert_is_whole, legend_of, texts_of

NO_POSITIVES = SplitFrames(np.zeros(10, dtype=np.int8), np.linspace(0, 1, 10))


@dataclass(frozen=True)
class Bins:
    mean_score: npt.NDArray[np.float64]
    positive_share: npt.NDArray[np.float64]
    count: npt.NDArray[np.int64]


def make_bins(scores: list[float], shares: list[float], counts: list[int]) -> Bins:
    return Bins(np.array(scores, dtype=float), np.array(shares, dtype=float), np.array(counts))


COMMON = make_bins([0.1, 0.5, 0.9], [0.0, 0.4, 1.0], [10, 10, 10])
RARE = make_bins([0.001, 0.01, 0.2], [0.0, 0.02, 0.1], [100, 100, 100])


def make_frames(num_frames: int, prevalence: float) -> SplitFrames:
    rng = np.random.default_rng(0)
    labels = (rng.random(num_frames) < prevalence).astype(np.int8)
    return SplitFrames(labels, rng.random(num_frames) ** (4 - 3 * labels))


def test_common_positives_get_linear_axes_with_every_bin_at_its_place() -> None:
    axes = reliability_figure({"test": COMMON}).axes[0]

    diagonal, curve, *_ = axes.lines
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Mean score", "Share of positives")
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    assert curve.get_xydata().tolist() == [[0.1, 0.0], [0.5, 0.4], [0.9, 1.0]]


def test_bars_are_wilson_intervals() -> None:
    # Wilson, z = 1.95996, 4 of 10: 0.16818 to 0.68733.
    (bars,) = reliability_figure({"test": COMMON}).axes[0].collections

    assert bars.get_segments()[1][:, 1] == pytest.approx([0.16818, 0.68733], abs=1e-5)


def test_rare_positives_get_logarithmic_axes_and_empty_bins_the_lower_edge() -> None:
    figure = reliability_figure({"test": RARE})

    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.get_ylabel() == "Share of positives (log scale)"
    _, curve, edge, *_ = axes.lines
    assert curve.get_xydata().tolist() == [[0.01, 0.02], [0.2, 0.1]]
    assert edge.get_xydata().tolist() == [[0.001, axes.get_ylim()[0]]]
    assert "no positive frame in the bin" in legend_of(figure)
    assert_is_whole(figure)


def test_legend_tells_bins_and_what_the_bars_assume() -> None:
    uneven = make_bins([0.1, 0.9], [0.5, 0.5], [1000, 2000])

    assert legend_of(reliability_figure({"validation": uneven, "test": COMMON})) == [
        "calibrated",
        "validation: 2 bins of 1,000 to 2,000 frames",
        "test: 3 bins of 10 frames",
        "95 % interval, frames as independent",
    ]


def test_bins_without_frames_are_not_drawn() -> None:
    bins = make_bins([0.1, np.nan, 0.9], [0.5, np.nan, 0.5], [10, 0, 10])

    figure = reliability_figure({"test": bins})

    assert figure.axes[0].lines[1].get_xdata().tolist() == [0.1, 0.9]
    assert "test: 2 bins of 10 frames" in legend_of(figure)


@pytest.mark.parametrize(
    ("bins", "reason"),
    [
        (make_bins([0.1], [0.0], [1234]), "no curve, none of 1,234 frames is positive"),
        (make_bins([], [], []), "no frames"),
        (make_bins([1.5], [0.5], [4]), "no curve, scores outside [0, 1]"),
    ],
)
def test_split_without_a_reliability_is_explained(bins: Bins, reason: str) -> None:
    beside = reliability_figure({"validation": RARE, "test": bins})
    alone = reliability_figure({"test": bins})

    assert f"test: {reason}" in legend_of(beside)
    assert f"test: {reason}" in legend_of(alone)
    assert any(text.startswith("no curve: no split") for text in texts_of(alone))
    assert_is_whole(beside)
    assert_is_whole(alone)


@pytest.mark.parametrize(
    "bins",
    [
        make_bins([0.0, 0.0], [0.0, 0.01], [100, 100]),
        make_bins([1e-12, 1.0], [0.001, 0.2], [100_000, 100_000]),
        make_bins([0.004], [0.004], [1_000_000]),
        make_bins([0.5, 0.6], [1.0, 1.0], [10, 10]),
    ],
    ids=["scores of 0", "many decades", "one bin", "all positive"],
)
def test_extreme_bins_are_drawn_whole(bins: Bins) -> None:
    assert_is_whole(reliability_figure({"test": bins}))


def test_histogram_counts_every_frame_of_either_class() -> None:
    frames = SplitFrames(np.array([0, 0, 1], dtype=np.int8), np.array([0.0, 0.0, 1.0]))

    axes = score_histogram_figure({"test": frames}, 0.5).axes[0]

    negative, positive = axes.findobj(StepPatch)
    counts, edges, _ = negative.get_data()
    assert (counts[0], counts.sum()) == (2, 2)
    assert (edges[0], edges[-1]) == (0, 1)
    assert positive.get_data().values[-1] == 1
    assert positive.get_data().values.sum() == 1
    assert axes.get_yscale() == "log"


def test_classes_differ_by_more_than_colour() -> None:
    axes = score_histogram_figure({"test": make_frames(100, 0.2)}, 0.5).axes[0]

    negative, positive = axes.findobj(StepPatch)
    assert negative.get_fill()
    assert not positive.get_fill()
    assert to_hex(positive.get_edgecolor()) == "#0072b2"


def test_histogram_has_a_panel_per_split_with_units_and_counts() -> None:
    frames = SplitFrames(np.array([0, 0, 1], dtype=np.int8), np.array([0.0, 0.5, 1.0]))

    figure = score_histogram_figure({"validation": frames, "test": NO_POSITIVES}, 0.123456)

    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["validation: 1 of 3 frames positive", "test: none of 10 frames is positive"]
    assert figure.axes[0].get_ylabel() == "Frames per bin\n(log scale)"
    assert figure.axes[-1].get_xlabel() == "Score"
    assert legend_of(figure) == [
        "negative frames",
        "positive frames, validation",
        "positive frames, test",
        "threshold 0.123",
    ]
    assert_is_whole(figure)


@pytest.mark.parametrize("prevalence", [0.005, 0.05, 0.5])
def test_histograms_are_drawn_whole(prevalence: float) -> None:
    frames = make_frames(30_000, prevalence)

    assert_is_whole(score_histogram_figure({"validation": frames, "test": frames}, 0.7))


def test_threshold_beyond_all_scores_is_in_view() -> None:
    axes = score_histogram_figure({"test": NO_POSITIVES}, 3.0).axes[0]

    assert axes.get_xlim()[1] >= 3.0


def test_equal_scores_fill_one_bin() -> None:
    frames = SplitFrames(np.array([0, 1, 1], dtype=np.int8), np.full(3, 0.5))

    figure = score_histogram_figure({"test": frames}, 0.5)

    negative, positive = figure.axes[0].findobj(StepPatch)
    assert (negative.get_data().values.max(), positive.get_data().values.max()) == (1, 2)
    assert_is_whole(figure)


def test_histogram_without_splits_says_so() -> None:
    figure = score_histogram_figure({}, 0.5)

    assert "no split has frames" in texts_of(figure)
    assert_is_whole(figure)
