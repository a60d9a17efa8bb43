import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acoustic_event_prediction.frames import frame_at
from acoustic_event_prediction.target_events import (
    check_events,
    first_of_bout,
    ignored_frames,
    merge_same_frame,
)

# Multiples of 20 ms: a quarter of a frame, so that times on the grid are frequent.
events_on_a_raster = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=6)


def ignored(onsets: list[float], offsets: list[float], **changes: float) -> str:
    """The marks of ten frames, # for an ignored one."""
    options = {"inside": True, "tail_seconds": 0.0} | changes
    marks = ignored_frames(onsets, offsets, 10, **options)  # type: ignore[arg-type]
    return "".join(".#"[int(mark)] for mark in marks)


def test_frames_that_an_event_covers_partly_are_inside() -> None:
    # Frame 2 begins at 0.16 s and frame 5 ends at 0.48 s.
    assert ignored([0.20], [0.41]) == "..####...."


def test_the_frame_that_begins_with_the_offset_is_not_inside() -> None:
    # 0.40 s begins frame 5; 0.24 s begins frame 3.
    assert ignored([0.24], [0.40]) == "...##....."


def test_an_event_without_duration_covers_the_frame_of_its_onset() -> None:
    assert ignored([0.40], [0.40]) == ".....#...."
    assert ignored([0.41], [0.41]) == ".....#...."


def test_the_tail_has_the_frames_that_begin_within_it() -> None:
    # The event ends at 0.30 s, in frame 3; frames 4 and 5 begin at 0.32 and 0.40 s; the tail ends
    # at 0.46 s.
    assert ignored([0.20], [0.30], inside=False, tail_seconds=0.16) == "....##...."
    assert ignored([0.20], [0.30], inside=True, tail_seconds=0.16) == "..####...."
    # A frame that begins with the offset is of the tail, one that begins with the tail's end not.
    assert ignored([0.20], [0.32], inside=False, tail_seconds=0.16) == "....##...."


def test_nothing_is_ignored_without_a_tail_and_the_inside() -> None:
    assert ignored([0.20], [0.41], inside=False) == ".........."
    assert ignored([], [], tail_seconds=1.0) == ".........."


def test_frames_past_the_end_do_not_exist() -> None:
    assert ignored([0.72], [2.00], tail_seconds=1.0) == ".........#"
    # The onset is the end of the audio, where frame 10 would begin.
    assert ignored([0.80], [0.80]) == ".........."


@given(events_on_a_raster, st.booleans(), st.integers(0, 30))
def test_ignored_frames_are_those_that_a_frame_by_frame_look_finds(
    raster: list[tuple[int, int]], inside: bool, tail: int
) -> None:
    raster = sorted(raster)
    expected = np.zeros(25, dtype=bool)
    for frame in range(25):
        begin, end = 4 * frame, 4 * frame + 4  # in 20 ms
        for onset, length in raster:
            offset = onset + length
            is_covered = begin <= onset < end or (onset < end and begin < offset)
            is_tail = offset <= begin < offset + tail
            expected[frame] |= (inside and is_covered) or is_tail
    got = ignored_frames(
        [onset * 0.02 for onset, _ in raster],
        [(onset + length) * 0.02 for onset, length in raster],
        25,
        inside=inside,
        tail_seconds=tail * 0.02,
    )
    assert got.tolist() == expected.tolist()


def test_a_bout_begins_after_the_gap() -> None:
    # 1.0--1.5, 2.4--2.6 after 0.9 s, 3.6--3.7 after exactly 1.0 s.
    got = first_of_bout([1.0, 2.4, 3.6], [1.5, 2.6, 3.7], bout_gap_seconds=1.0)
    assert got.tolist() == [True, False, True]


def test_a_long_event_holds_the_bout_together_past_a_short_one() -> None:
    # 0--10 is still going on at 8, although 1--2, the event before, ended long ago.
    got = first_of_bout([0.0, 1.0, 8.0, 10.0], [10.0, 2.0, 9.0, 11.0], bout_gap_seconds=0.0)
    assert got.tolist() == [True, False, False, True]


def test_a_gap_of_decimal_seconds_is_reached_exactly() -> None:
    # 0.7 - 0.6 is 0.09999999999999998 in binary.
    assert first_of_bout([0.5, 0.7], [0.6, 0.8], bout_gap_seconds=0.1).tolist() == [True, True]


def test_events_of_one_onset_frame_are_one() -> None:
    # Frame 5 is 0.40 to 0.48 s. The third event begins in frame 6.
    onsets, offsets = merge_same_frame([0.40, 0.47, 0.48, 0.90], [1.50, 0.60, 0.50, 1.00])
    assert onsets.tolist() == [0.40, 0.48, 0.90]
    assert offsets.tolist() == [1.50, 0.50, 1.00]


@given(events_on_a_raster)
def test_merged_events_have_distinct_onset_frames_and_the_same_ones(
    raster: list[tuple[int, int]],
) -> None:
    onsets = np.array([onset * 0.02 for onset, _ in sorted(raster)])
    offsets = onsets + np.array([length * 0.02 for _, length in sorted(raster)])
    merged, ended = merge_same_frame(onsets, offsets)
    assert frame_at(merged).tolist() == sorted(set(frame_at(onsets).tolist()))
    assert max(ended, default=0) == max(offsets, default=0)


def test_no_events_stay_none() -> None:
    assert first_of_bout([], [], bout_gap_seconds=1.0).tolist() == []
    assert [times.tolist() for times in merge_same_frame([], [])] == [[], []]


@pytest.mark.parametrize(
    ("onsets", "offsets", "message"),
    [
        ([2.0, 1.0], [3.0, 3.0], "event 1 lies at 1 to 3 s"),
        ([1.0, 2.0], [1.5, 1.9], "event 1 lies at 2 to 1.9 s"),
        ([-0.1], [1.0], "event 0 lies at -0.1 to 1 s"),
        ([1.0], [np.nan], "event 0 lies at 1 to nan s"),
        ([1.0], [2.0, 3.0], r"got shapes \(1,\) and \(2,\)"),
    ],
)
def test_impossible_events_are_named(
    onsets: list[float], offsets: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_events(onsets, offsets)


def test_impossible_settings_are_named() -> None:
    with pytest.raises(ValueError, match="bout_gap_seconds must be finite"):
        first_of_bout([], [], bout_gap_seconds=-1.0)
    with pytest.raises(ValueError, match="tail_seconds must be finite"):
        ignored_frames([], [], 3, inside=True, tail_seconds=np.inf)
    with pytest.raises(ValueError, match="an onset lies in frame 12"):
        ignored_frames([1.0], [1.1], 10, inside=True, tail_seconds=0.0)
