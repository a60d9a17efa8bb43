import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acoustic_event_prediction.alarms import Alarms
from acoustic_event_prediction.event_frames import (
    EventFrames,
    Matches,
    match_alarms,
    num_new_events,
)


def split(*parts: str) -> EventFrames:
    """Draw partitions: x is ignored, . not; ^ and X are the same with an onset; the mark after the
    last frame is $ for an onset at the very end."""
    lengths = [len(part.rstrip("$")) for part in parts]
    onsets = [[f * 0.08 for f, mark in enumerate(part) if mark in "^X$"] for part in parts]
    return EventFrames.join(
        scores=[np.zeros(length) for length in lengths],
        ignored=[[mark in "xX" for mark in part.rstrip("$")] for part in parts],
        onset_seconds=onsets,
        is_first=[np.ones(len(times), dtype=bool) for times in onsets],
        units=list(range(len(parts))),
    )


def decided_at(*frames: int) -> Alarms:
    decided = np.array(frames, dtype=np.int64)
    return Alarms(decided, decided + 1, decided)


def match(frames: EventFrames, *decided: int, horizon: int) -> Matches:
    return match_alarms(frames, decided_at(*decided), horizon)


def test_partitions_lie_one_after_another() -> None:
    frames = split("..^.", "", ".X$")
    assert frames.starts.tolist() == [0, 4, 4, 6]
    assert frames.event_partitions.tolist() == [0, 2, 2]
    assert frames.onsets.tolist() == [2, 5, 6]
    assert frames.num_scored().tolist() == [4, 0, 1]
    assert frames.partitions_of(np.array([0, 3, 4, 5])).tolist() == [0, 0, 2, 2]


def test_an_alarm_hits_from_the_first_frame_of_the_window_to_the_last_before_the_onset() -> None:
    # Onset at 5, horizon 3: frames 2, 3 and 4.
    #               01234567
    frames = split(".....^..")
    for frame in range(8):
        matches = match(frames, frame, horizon=3)
        is_inside = frame in (2, 3, 4)
        assert matches.is_hit.tolist() == matches.is_true.tolist() == [is_inside]
        assert matches.lead_frames.tolist() == [5 - frame if is_inside else 0]


def test_the_first_of_two_alarms_gives_the_lead_and_the_other_is_repeated() -> None:
    matches = match(split(".....^.."), 2, 4, horizon=3)
    assert matches.is_hit.tolist() == [True]
    assert matches.lead_frames.tolist() == [3]
    assert matches.is_true.tolist() == [True, True]
    assert matches.is_repeated.tolist() == [False, True]


def test_one_alarm_announces_all_events_of_its_window() -> None:
    # Onsets at 3 and 5; frame 2 is in both windows.
    #                     0123456
    matches = match(split("...^.^."), 2, horizon=3)
    assert matches.is_hit.tolist() == [True, True]
    assert matches.lead_frames.tolist() == [1, 3]
    assert matches.is_repeated.tolist() == [False]


def test_an_alarm_that_announces_one_more_event_is_not_repeated() -> None:
    # Onsets at 3 and 5, horizon 3. Frame 1 announces the first, 2 both, 4 the second again.
    matches = match(split("...^.^."), 1, 2, 4, horizon=3)
    assert matches.is_true.tolist() == [True, True, True]
    assert matches.is_repeated.tolist() == [False, False, True]
    assert matches.lead_frames.tolist() == [2, 3]


def test_an_alarm_in_the_onset_frame_is_too_late() -> None:
    assert match(split(".....^.."), 5, horizon=3).is_true.tolist() == [False]
    # Except for the next event.
    assert match(split(".....^.^"), 5, horizon=3).is_true.tolist() == [True]


def test_an_event_in_frame_0_is_not_reachable() -> None:
    matches = match(split("^...", "^.^."), 3, horizon=3)
    assert matches.is_reachable.tolist() == [False, False, True]
    # Frame 3 is one before the onset of the next partition, which it does not announce.
    assert matches.is_hit.tolist() == [False, False, False]
    assert matches.is_true.tolist() == [False]


def test_an_event_is_reachable_by_one_scored_frame_in_its_window() -> None:
    # Horizon 2: all of the window of the onset at 2 is ignored, half of that at 5 is scored.
    #               0123456
    frames = split("xx^.x^x")
    assert frames.num_scored_in_windows(2).tolist() == [0, 1]
    assert match(frames, horizon=2).is_reachable.tolist() == [False, True]


def test_an_event_at_the_very_end_is_announced_in_its_partition_only() -> None:
    # Onsets at frame 3 of the first partition, which has none, and at frame 0 of the second.
    #               012   3456
    frames = split("...$", "^...")
    matches = match(frames, 2, 3, horizon=2)
    assert matches.is_hit.tolist() == [True, False]
    assert matches.is_true.tolist() == [True, False]


def test_without_events_every_alarm_is_false_and_without_alarms_no_event_is_hit() -> None:
    matches = match(split("...."), 1, 2, horizon=2)
    assert matches.is_true.tolist() == matches.is_repeated.tolist() == [False, False]
    assert matches.is_hit.size == 0
    matches = match(split("..^."), horizon=2)
    assert matches.is_hit.tolist() == [False]
    assert matches.is_true.size == 0
    assert match(split(), horizon=2).is_hit.size == 0


parts = st.lists(
    st.tuples(st.text(alphabet=".^xX", max_size=12), st.sampled_from(["", "$"])).map("".join),
    max_size=4,
)


def look_up(frames: EventFrames, decided: list[int], horizon: int) -> list[list[bool]]:
    """Say for each alarm and event whether the one announces the other, [A, E]."""
    starts = frames.starts.tolist()
    table = []
    for frame in decided:
        partition = max(p for p in range(len(starts) - 1) if starts[p] <= frame < starts[p + 1])
        table.append(
            [
                partition == event_partition and 1 <= onset - frame <= horizon
                for event_partition, onset in zip(
                    frames.event_partitions.tolist(), frames.onsets.tolist(), strict=True
                )
            ]
        )
    return table


@given(parts, st.data(), st.integers(1, 5))
def test_matches_are_those_of_a_look_at_every_pair(
    parts: list[str], data: st.DataObject, horizon: int
) -> None:
    frames = split(*parts)
    scored = np.flatnonzero(~frames.ignored).tolist()
    decided = sorted(data.draw(st.sets(st.sampled_from(scored)))) if scored else []
    table: npt.NDArray[np.bool_] = np.array(look_up(frames, decided, horizon), dtype=bool).reshape(
        len(decided), frames.onsets.size
    )

    matches = match(frames, *decided, horizon=horizon)

    assert matches.is_hit.tolist() == table.any(axis=0).tolist()
    assert matches.is_true.tolist() == table.any(axis=1).tolist()
    assert matches.is_repeated.tolist() == [
        bool(row.any() and not (row & ~table[:a].any(axis=0)).any()) for a, row in enumerate(table)
    ]
    leads = [
        frames.onsets[e] - decided[int(np.argmax(column))] if column.any() else 0
        for e, column in enumerate(table.T)
    ]
    assert matches.lead_frames.tolist() == leads
    reachable = np.array(look_up(frames, scored, horizon), dtype=bool)
    reachable = reachable.reshape(len(scored), frames.onsets.size)
    assert frames.num_scored_in_windows(horizon).tolist() == reachable.sum(axis=0).tolist()
    assert not (matches.is_hit & ~matches.is_reachable).any()


def test_events_announced_before_are_not_new() -> None:
    # Events 0 and 1, then 1, then 1 to 3, then none.
    first, stop = np.array([0, 1, 1, 4]), np.array([2, 2, 4, 4])
    assert num_new_events(first, stop).tolist() == [2, 0, 2, 0]


def test_a_horizon_of_no_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="horizon counts frames ahead and is at least 1, got 0"):
        match(split("..^"), horizon=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"onset_seconds": [[0.08, 0.10]]}, "event 1 begins at 0.1 s of partition 0"),
        ({"onset_seconds": [[0.16, 0.08]]}, "event 1 begins at 0.08 s"),
        ({"onset_seconds": [[0.08, 0.40]]}, "event 1 begins at 0.4 s .* which has 4 frames"),
        ({"onset_seconds": [[-0.1, 0.08]]}, "event 0 begins at -0.1 s"),
        ({"is_first": [[True]]}, "event arrays must be 1-D and equally long"),
        ({"units": [0, 1]}, r"need 1 units, got shape \(2,\)"),
        ({"ignored": [[False]]}, "scores and ignored must be 1-D and equally long"),
        ({"onset_seconds": [[], [0.0, 0.1]]}, "an event lies in no partition, they are 0 to 0"),
    ],
)
def test_events_that_contradict_the_frames_are_refused(
    changes: dict[str, list[object]], message: str
) -> None:
    arrays: dict[str, list[object]] = {
        "scores": [np.zeros(4)],
        "ignored": [np.zeros(4, dtype=bool)],
        "onset_seconds": [[0.08, 0.16]],
        "is_first": [[True, False]],
        "units": [7],
    }
    EventFrames.join(**arrays)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        EventFrames.join(**(arrays | changes))  # type: ignore[arg-type]
