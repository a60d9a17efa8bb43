from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from acoustic_event_prediction.figures_track import ScoreTrack, score_track_figure
from tests.drawn import HOSTILE_NAMES, assert_is_whole, legend_of, texts_of

NO_ROWS = pd.DataFrame(
    {
        "onset": pd.Series(dtype=float),
        "offset": pd.Series(dtype=float),
        "speaker": pd.Series(dtype="str"),
        "text": pd.Series(dtype="str"),
    }
)


def make_table(name: str, *rows: tuple[float, float, str | None]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["onset", "offset", name])
    return table.astype({name: "str"})


# Frames 100 to 224, that is 8 s to 18 s; the event's onset, 12.0 s, is in frame 150.
TRACK = ScoreTrack(
    title="test/episode, anna",
    start_frame=100,
    scores=np.linspace(0, 0.4, 125),
    labels=np.isin(np.arange(100, 225), [148, 149]).astype(np.int8),
    threshold=0.2,
    alarm_frames=np.array([50, 148, 200, 225]),
    events=make_table("label", (1.0, 2.0, "a"), (12.0, 13.5, "a")),
    turns=make_table("speaker", (0.0, 9.0, "anna"), (9.5, 30.0, "ben"), (15.0, 16.0, None)),
    words=make_table("text", (8.5, 8.9, "one"), (12.5, 13.0, "two"), (40.0, 41.0, "late")),
)


def words_of(figure: Figure) -> list[Text]:
    return list(figure.axes[2].texts)


def make_words(texts: list[str], seconds: float = 0.1) -> pd.DataFrame:
    onsets = 8 + seconds * np.arange(len(texts))
    return pd.DataFrame({"onset": onsets, "offset": onsets + seconds, "text": texts})


def test_figure_is_as_wide_as_a_page_and_whole() -> None:
    assert_is_whole(score_track_figure(TRACK), width_pixels=710)


def test_axes_and_legend_say_what_is_drawn() -> None:
    figure = score_track_figure(TRACK)

    assert figure.axes[0].get_ylabel() == "Score"
    assert figure.axes[2].get_xlabel() == "Time in the episode (s)"
    assert figure.axes[2].get_xlim() == (8.0, 18.0)
    assert legend_of(figure) == [
        "event (line: onset)",
        "positive frames",
        "score",
        "alarm threshold 0.2",
        "alarm",
    ]


def test_scores_events_and_positive_frames_are_at_their_times() -> None:
    axes = score_track_figure(TRACK).axes[0]

    event, positive, score = axes.patches
    assert (event.get_x(), event.get_x() + event.get_width()) == (12.0, 13.5)
    assert positive.get_x() == pytest.approx(148 * 0.08)
    assert positive.get_x() + positive.get_width() == pytest.approx(150 * 0.08)
    assert positive.get_hatch()
    assert score.get_data().edges[[0, -1]].tolist() == [8.0, 18.0]
    assert score.get_data().values.tolist() == TRACK.scores.tolist()


def test_alarms_within_the_stretch_are_marked_in_the_middle_of_their_frames() -> None:
    (alarms,) = [
        line for line in score_track_figure(TRACK).axes[0].lines if line.get_marker() == "v"
    ]

    assert alarms.get_xdata() == pytest.approx([148.5 * 0.08, 200.5 * 0.08])


def test_event_that_begins_before_the_stretch_has_no_onset_line() -> None:
    events = make_table("label", (7.0, 9.0, "a"))

    axes = score_track_figure(replace(TRACK, events=events)).axes[0]

    assert axes.patches[0].get_x() == 8.0
    assert axes.collections[0].get_segments() == []


def test_each_speaker_has_a_named_row_of_turns() -> None:
    axes = score_track_figure(TRACK).axes[1]

    assert [label.get_text() for label in axes.get_yticklabels()] == ["anna", "ben", "unknown"]
    first, second, _ = (bars.get_paths()[0].get_extents() for bars in axes.collections)
    assert (first.x0, first.x1) == (8.0, 9.0)
    assert (second.x0, second.x1) == (9.5, 18.0)
    assert len({tuple(bars.get_facecolor()[0]) for bars in axes.collections}) == 3


def test_words_of_the_stretch_begin_at_their_onsets() -> None:
    figure = score_track_figure(TRACK)

    words = {word.get_text(): word.get_position()[0] for word in words_of(figure)}
    assert words == {"one": 8.5, "two": 12.5}
    assert "2 of 2 words" in texts_of(figure)


@pytest.mark.parametrize("dpi", [72, 200])
@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.3])
def test_words_never_overlap_or_leave_the_axes(dpi: int, seconds: float) -> None:
    words = make_words(["I", "extraordinarily", "www", "$5", *HOSTILE_NAMES] * 40, seconds)
    figure = score_track_figure(replace(TRACK, words=words))
    figure.dpi = dpi
    figure.draw_without_rendering()

    boxes = [word.get_window_extent() for word in words_of(figure)]
    bounds = figure.axes[2].get_window_extent()
    rows = {word.get_position()[1] for word in words_of(figure)}

    assert len(boxes) > 20
    assert len(rows) == 3
    assert all(bounds.x0 - 1 <= box.x0 and box.x1 <= bounds.x1 + 1 for box in boxes)
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)
    assert any(text.startswith(f"{len(boxes)} of ") for text in texts_of(figure))


@pytest.mark.parametrize("title", ["W" * 10_000, "".join(HOSTILE_NAMES)[:60]])
def test_any_name_word_and_title_is_drawn_as_it_is_and_whole(title: str) -> None:
    turns = pd.DataFrame(
        {"onset": 8.0 + np.arange(len(HOSTILE_NAMES)), "offset": 17.0, "speaker": HOSTILE_NAMES}
    )
    track = replace(TRACK, title=title, turns=turns, words=make_words([*HOSTILE_NAMES]))

    figure = score_track_figure(track)

    assert_is_whole(figure, width_pixels=710)
    speakers = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    words = [word.get_text() for word in words_of(figure)]
    assert {"$\\bad{$", "a$b"} <= set(speakers)
    assert {"$\\bad{$", "a$b"} <= set(words)
    assert all(bars.get_paths() for bars in figure.axes[1].collections)


def test_stretch_in_which_nothing_happens_says_so() -> None:
    track = replace(
        TRACK,
        labels=np.zeros(125, dtype=np.int8),
        alarm_frames=np.array([], dtype=np.int64),
        events=NO_ROWS,
        turns=NO_ROWS,
        words=NO_ROWS,
    )

    figure = score_track_figure(track)

    texts = set(texts_of(figure))
    assert {"no turns in this stretch", "no words in this stretch"} <= texts
    assert {"no alarm in this stretch", "no event in this stretch"} <= set(legend_of(figure))
    assert_is_whole(figure, width_pixels=710)


@pytest.mark.parametrize("scores", [np.zeros(1), np.full(1, 1e-6), np.array([-3.0, 8.0])])
def test_scores_of_any_range_are_drawn_whole(scores: np.ndarray) -> None:
    labels = np.ones(scores.size, dtype=np.int8)
    track = replace(TRACK, scores=scores, labels=labels, threshold=0.0)

    assert_is_whole(score_track_figure(track), width_pixels=710)


def test_frames_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shapes \(3,\) of scores and \(125,\) of labels"):
        score_track_figure(replace(TRACK, scores=np.zeros(3)))
    with pytest.raises(ValueError, match="at least one frame"):
        score_track_figure(replace(TRACK, scores=np.array([]), labels=np.array([], dtype=np.int8)))
    with pytest.raises(ValueError, match="must be finite"):
        score_track_figure(replace(TRACK, scores=np.full(125, np.nan)))
