import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acoustic_event_prediction.alarms import AlarmRule, Alarms, find_alarms

Triples = list[tuple[int, int, int]]
drawings = st.lists(st.sampled_from("#####...x|"), max_size=40).map("".join)


def rule(gap: float = 0.0, minimum: float = 0.08, refractory: float = 0.0) -> AlarmRule:
    return AlarmRule(0.5, gap, minimum, refractory)


def triples(alarms: Alarms) -> Triples:
    """Begin, end and decided of each alarm."""
    columns = (alarms.begin.tolist(), alarms.end.tolist(), alarms.decided.tolist())
    return list(zip(*columns, strict=True))


def alarms_of(drawing: str, by: AlarmRule) -> Triples:
    """Draw partitions between bars: # reaches the threshold, . does not, x is ignored."""
    parts = drawing.split("|")
    frames = "".join(parts)
    scores = np.array([{"#": 0.5, ".": 0.49, "x": 0.9}[mark] for mark in frames])
    starts = np.cumsum([0, *map(len, parts)])
    return triples(find_alarms(scores, np.array([m == "x" for m in frames], bool), starts, by))


def live_alarms(drawing: str, by: AlarmRule) -> Triples:
    """Say frame by frame what a live system does, with the durations in frames."""
    found: list[list[int]] = []
    first_frame = 0
    for part in drawing.split("|"):
        begin = last = last_alarm = None
        is_decided = is_kept = False
        for frame, mark in enumerate(part, start=first_frame):
            if mark == "x":
                begin = None
            if mark != "#":
                continue
            if begin is None or last is None or frame - last - 1 > by.merge_gap_frames:
                begin, is_decided, is_kept = frame, False, False
            last = frame
            if not is_decided and frame - begin + 1 >= by.minimum_frames:
                is_decided = True
                if last_alarm is None or frame - last_alarm >= by.refractory_frames:
                    is_kept, last_alarm = True, frame
                    found.append([begin, frame + 1, frame])
            if is_kept:
                found[-1][1] = frame + 1
        first_frame += len(part)
    return [(begin, end, decided) for begin, end, decided in found]


def test_a_run_is_one_alarm_decided_at_its_first_frame() -> None:
    #                 0123456
    assert alarms_of(".##..#.", rule()) == [(1, 3, 1), (5, 6, 5)]


def test_runs_are_joined_over_a_gap_of_at_most_so_many_frames() -> None:
    #                 012345678
    assert alarms_of("#..#...#.", rule(gap=0.16)) == [(0, 4, 0), (7, 8, 7)]
    # 0.23 s are two whole frames.
    assert alarms_of("#..#...#.", rule(gap=0.23)) == [(0, 4, 0), (7, 8, 7)]
    assert alarms_of("#..#...#.", rule(gap=0.24)) == [(0, 8, 0)]


def test_a_run_that_is_too_short_is_no_alarm() -> None:
    #                 012345678
    assert alarms_of("##.###.#.", rule(minimum=0.24)) == [(3, 6, 5)]
    # 0.17 s take three frames.
    assert alarms_of("##.###.#.", rule(minimum=0.17)) == [(3, 6, 5)]
    assert alarms_of("##.###.#.", rule(minimum=0.16)) == [(0, 2, 1), (3, 6, 4)]


def test_a_joined_run_is_decided_when_the_gap_is_known_to_be_short() -> None:
    # Three frames have passed at frame 2, but only frame 4 tells that the run goes on.
    #                 012345
    assert alarms_of("#...#.", rule(gap=0.24, minimum=0.24)) == [(0, 5, 4)]
    assert alarms_of("#.....", rule(gap=0.24, minimum=0.24)) == []


def test_an_alarm_soon_after_the_last_one_is_dropped_with_all_of_its_run() -> None:
    # Decided at 0, 3, 5 and 9; at least 5 frames apart: 0, then 5, whose run frame 9 is not of.
    #                 01234567890
    assert alarms_of("#..#.#...#.", rule(refractory=0.40)) == [(0, 1, 0), (5, 6, 5)]
    # The run from 3 on outlasts the refractory time and is dropped all the same.
    assert alarms_of("#..#######.", rule(refractory=0.40)) == [(0, 1, 0)]


def test_a_dropped_alarm_starts_no_refractory_time() -> None:
    # Decided at 0, 2, 4, 6: 2 is dropped, 4 is four frames after 0.
    #                 0123456
    assert alarms_of("#.#.#.#", rule(refractory=0.32)) == [(0, 1, 0), (4, 5, 4)]


def test_the_refractory_time_counts_from_decision_to_decision() -> None:
    # Runs begin 4 frames apart, but are decided at 1 and 5: 0.32 s later.
    #                 0123456
    assert alarms_of("##..##.", rule(minimum=0.16, refractory=0.32)) == [(0, 2, 1), (4, 6, 5)]
    assert alarms_of("##..##.", rule(minimum=0.16, refractory=0.33)) == [(0, 2, 1)]


def test_an_ignored_frame_ends_a_run_and_is_never_part_of_one() -> None:
    #                 0123456
    assert alarms_of("##x##xx", rule(gap=0.40)) == [(0, 2, 0), (3, 5, 3)]
    assert alarms_of("#.x.#..", rule(gap=0.40)) == [(0, 1, 0), (4, 5, 4)]
    # The refractory time goes on meanwhile.
    assert alarms_of("##x##xx", rule(refractory=0.32)) == [(0, 2, 0)]


def test_a_border_of_partitions_ends_run_gap_and_refractory_time() -> None:
    #                 0 12 34
    assert alarms_of("#|##|.#", rule(gap=0.40, refractory=8)) == [(0, 1, 0), (1, 3, 1), (4, 5, 4)]
    assert alarms_of(".#|#..", rule(minimum=0.16)) == []
    assert alarms_of("#||#", rule()) == [(0, 1, 0), (1, 2, 1)]


@pytest.mark.parametrize("drawing", ["", "....", "xxxx", "|", "x|."])
def test_without_a_frame_that_reaches_the_threshold_there_is_no_alarm(drawing: str) -> None:
    assert alarms_of(drawing, rule()) == []


@given(
    drawings,
    st.integers(0, 3),
    st.integers(0, 4),
    st.integers(0, 9),
)
def test_alarms_are_those_of_a_live_system(
    drawing: str, gap: int, minimum: int, refractory: int
) -> None:
    by = rule(gap * 0.08, minimum * 0.08, refractory * 0.08)
    assert alarms_of(drawing, by) == live_alarms(drawing, by)


@given(drawings, st.integers(0, 3), st.integers(0, 4))
def test_what_is_decided_does_not_change_with_what_comes_after(
    drawing: str, gap: int, minimum: int
) -> None:
    by = rule(gap * 0.08, minimum * 0.08, 0.40)
    decided = [alarm[2] for alarm in alarms_of(drawing, by)]
    for length in range(len(drawing)):
        heard = drawing[:length]
        num_frames = len(heard.replace("|", ""))
        expected = [frame for frame in decided if frame < num_frames]
        assert [alarm[2] for alarm in alarms_of(heard, by)] == expected


def test_durations_on_the_grid_are_whole_frames() -> None:
    for frames in range(200):
        durations = AlarmRule(0.5, frames * 0.08, frames * 0.08, frames * 0.08)
        assert durations.merge_gap_frames == durations.refractory_frames == frames
        assert durations.minimum_frames == max(1, frames)


@pytest.mark.parametrize(
    "settings", [(np.nan, 0, 0, 0), (0.5, -0.1, 0, 0), (0.5, 0, np.inf, 0), (0.5, 0, 0, -1)]
)
def test_impossible_rules_are_refused(settings: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="settings must be finite and durations at least 0 s"):
        AlarmRule(*settings)


def test_a_score_that_is_not_finite_may_only_be_ignored() -> None:
    scores = np.array([0.9, np.nan])
    assert triples(find_alarms(scores, [False, True], [0, 2], rule())) == [(0, 1, 0)]
    with pytest.raises(ValueError, match="got 1 NaN or infinite among 1 frames"):
        find_alarms(scores, [True, False], [0, 2], rule())


@pytest.mark.parametrize(
    ("ignored", "starts", "message"),
    [
        ([False], [0, 2], "equally long"),
        ([0, 1], [0, 2], "ignored of int64"),
        ([False, False], [0, 1], "starts must ascend from 0 to the number of frames"),
        ([False, False], [1, 2], "starts must ascend"),
        ([False, False], [0, 2, 1, 2], "starts must ascend"),
        ([False, False], [], "starts must ascend"),
    ],
)
def test_frames_that_do_not_fit_are_refused(
    ignored: list[int], starts: list[int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        find_alarms([0.1, 0.2], ignored, starts, rule())
