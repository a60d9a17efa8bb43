import numpy as np
import pytest
from matplotlib.figure import Figure

from acoustic_event_prediction.figures_recording import recording_figure
from acoustic_event_prediction.scored_recording import ScoredRecording
from tests.drawn import HOSTILE_NAMES, assert_is_whole, legend_of, render, texts_of
from tests.scored import make_alarms, make_peaks, make_scores, scored_recording

THREE_HOURS = 135_000


def draw(recording: ScoredRecording) -> Figure:
    return recording_figure(recording, make_peaks(recording))


def ticks_of(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    axes = figure.axes[-1]
    start, end = axes.get_xlim()
    labels = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    return [label.get_text() for place, label in labels if start <= place <= end + 1e-6]


@pytest.mark.parametrize("num_frames", [1, 25, 7500, THREE_HOURS])
@pytest.mark.parametrize("num_users", [1, 6])
def test_the_figure_is_whole_from_a_frame_to_hours(num_frames: int, num_users: int) -> None:
    recording = scored_recording(
        users=tuple(f"channel_{n}" for n in range(num_users)),
        scores=make_scores(num_users, num_frames),
        alarms=make_alarms(("channel_0", 0.0, 0.08, 0.5)),
    )

    figure = draw(recording)

    assert len(figure.axes) == num_users + 1
    assert_is_whole(figure, width_pixels=710)


@pytest.mark.parametrize(
    ("seconds", "ticks"),
    [
        (2, ["0:00.0", "0:00.5", "0:01.0", "0:01.5", "0:02.0"]),
        (60, ["0:00", "0:10", "0:20", "0:30", "0:40", "0:50", "1:00"]),
        (10_800, ["0:00", "30:00", "1:00:00", "1:30:00", "2:00:00", "2:30:00", "3:00:00"]),
    ],
)
def test_time_is_in_the_units_of_clocks(seconds: int, ticks: list[str]) -> None:
    recording = scored_recording(scores=make_scores(1, round(seconds * 12.5)), alarms=make_alarms())
    assert ticks_of(draw(recording)) == ticks


def test_rows_show_the_scores_of_their_users_at_their_times() -> None:
    recording = scored_recording(users=("anna", "ben"), scores=make_scores(2), alarms=make_alarms())

    _, *rows = draw(recording).axes

    assert [axes.get_title("left") for axes in rows] == ["anna", "ben"]
    for row, axes in enumerate(rows):
        line = axes.patches[1].get_data()
        assert line.values.tolist() == recording.main_scores[row].tolist()
        assert line.edges[[0, -1]] == pytest.approx([0.0, 10.0])


def test_one_high_frame_and_one_loud_frame_are_seen_in_hours() -> None:
    scores = np.zeros((1, THREE_HOURS, 1), np.float32)
    scores[0, 77_777] = 0.75
    peaks = np.zeros(THREE_HOURS, np.float32)
    peaks[99_999] = 0.25
    recording = scored_recording(scores=scores, alarms=make_alarms())

    wave, row = recording_figure(recording, peaks).axes

    for steps, place, height in (
        (row.patches[1].get_data(), 77_777, 0.75),
        (wave.patches[0].get_data(), 99_999, 0.25),
    ):
        (column,) = np.flatnonzero(steps.values)
        assert steps.values[column] == height
        assert steps.edges[column] <= place * 0.08 < steps.edges[column + 1]
        assert len(steps.values) <= 1000


def test_an_alarm_of_one_frame_is_seen_in_hours() -> None:
    silent = scored_recording(scores=make_scores(1, THREE_HOURS), alarms=make_alarms())
    alarm = make_alarms(("mix", 5400.0, 5400.08, 0.5))
    alarming = scored_recording(scores=silent.scores, alarms=alarm)
    columns = slice(300, 500)  # the middle of the recording; the legends differ elsewhere

    before, after = (render(draw(each))[80:170, columns] for each in (silent, alarming))

    rows, _ = np.nonzero(np.abs(before - after).max(axis=2) > 0.1)
    assert len(set(rows)) > 40


def test_alarms_are_in_the_row_of_their_user() -> None:
    recording = scored_recording(
        users=("anna", "ben"),
        scores=make_scores(2),
        alarms=make_alarms(("ben", 1.0, 2.0, 0.5), ("ben", 4.0, 4.5, 0.5)),
    )

    figure = draw(recording)

    anna, ben = (axes.collections[0].get_paths() for axes in figure.axes[1:])
    assert not anna
    spans = [(path.get_extents().x0, path.get_extents().x1) for path in ben]
    assert spans == [(1.0, 2.0), (4.0, 4.5)]
    assert legend_of(figure) == ["alarm threshold 0.5", "2 alarms"]


def test_a_recording_without_alarms_says_so() -> None:
    assert legend_of(draw(scored_recording(alarms=make_alarms())))[1] == "no alarm"


def test_low_scores_fill_their_row() -> None:
    scores = make_scores() * np.float32(0.03)
    figure = draw(scored_recording(scores=scores, threshold=0.01, alarms=make_alarms()))
    assert figure.axes[1].get_ylim() == (0.0, 0.05)


def test_silence_is_a_waveform() -> None:
    figure = recording_figure(scored_recording(), np.zeros(125, np.float32))
    assert_is_whole(figure, width_pixels=710)


def test_any_name_is_drawn_as_it_is() -> None:
    recording = scored_recording(
        name="W" * 10_000,
        event="$\\bad{$",
        users=HOSTILE_NAMES,
        scores=make_scores(len(HOSTILE_NAMES)),
        alarms=make_alarms(),
    )

    figure = draw(recording)

    assert_is_whole(figure, width_pixels=710)
    assert {"$\\bad{$", "a$b", "%s {0} \\n", "unnamed"} <= set(texts_of(figure))


def test_peaks_of_other_frames_are_refused() -> None:
    with pytest.raises(ValueError, match=r"need 125 finite peaks.*'talk.wav'.*\(124,\)"):
        recording_figure(scored_recording(), np.zeros(124, np.float32))
    with pytest.raises(ValueError, match="finite"):
        recording_figure(scored_recording(), np.full(125, np.nan, np.float32))
