import pandas as pd
import pytest

from acoustic_event_prediction.assignments import (
    Speaker,
    assign,
    choose_users,
    require_source,
    speaking_shares,
)
from acoustic_event_prediction.corpus.records import Assignment, Episode, Source
from acoustic_event_prediction.errors import CorpusError
from tests.made import audio_file

FILE = audio_file(num_samples=8000, sample_rate_hz=8000)
# 10 s in all: A has a share of 0.6, B of 0.3, C of 0.1.
TURNS = pd.DataFrame(
    {
        "onset": [0.0, 4.0, 7.0, 8.0],
        "offset": [4.0, 7.0, 8.0, 10.0],
        "speaker": ["A", "B", "C", "A"],
    }
)


def episode(*tracks: str) -> Episode:
    return Episode(
        episode_id="train/show",
        split="train",
        name="show",
        duration_seconds=1.0,
        num_frames=13,
        audio=FILE,
        tracks=dict.fromkeys(tracks, FILE),
        sources=("separated", "diarization", "mono"),
        transcript_unit_seconds=None,
    )


def assigned(
    source: Source,
    *tracks: str,
    turns: pd.DataFrame = TURNS,
    share: float = 0.2,
    max_users: int | None = None,
) -> list[Assignment]:
    return assign(episode(*tracks), turns, source, min_speaker_share=share, max_users=max_users)


def test_everybody_with_the_share_is_the_user_once_and_all_others_are_the_system() -> None:
    first, second = assigned("diarization")
    assert (first.assignment_id, first.user, first.systems) == ("train/show/A", "A", ("B", "C"))
    assert (second.assignment_id, second.user, second.systems) == ("train/show/B", "B", ("A", "C"))
    assert first.user_share == pytest.approx(0.6)
    assert first.num_frames == 13


def test_a_share_that_is_just_reached_is_enough() -> None:
    assert [item.user for item in assigned("diarization", share=0.3)] == ["A", "B"]


def test_max_users_keeps_the_most_talkative() -> None:
    assert [item.user for item in assigned("diarization", share=0.0, max_users=2)] == ["A", "B"]


def test_the_most_talkative_is_the_user_when_nobody_has_the_share() -> None:
    assert [item.user for item in assigned("diarization", share=0.9)] == ["A"]


def test_a_single_speaker_has_no_system() -> None:
    (only,) = assigned("diarization", turns=TURNS[TURNS["speaker"] == "B"])
    assert (only.user, only.systems, only.user_share) == ("B", (), 1.0)


def test_mono_has_one_user_whom_nobody_knows() -> None:
    (only,) = assigned("mono")
    assert (only.assignment_id, only.systems, only.user_share) == ("train/show/mix", (), None)


def test_in_separated_mode_only_those_with_a_track_take_part() -> None:
    assert [(item.user, item.systems) for item in assigned("separated", "B", "C")] == [
        ("B", ("C",))
    ]


def test_tracks_without_turns_make_everybody_a_user() -> None:
    users = assigned("separated", "B", "A", turns=TURNS[:0])
    assert [(item.user, item.user_share) for item in users] == [("A", None), ("B", None)]


def test_equal_shares_are_ordered_by_name() -> None:
    speakers = [Speaker("b", 0.5), Speaker("a", 0.5)]
    assert [user.name for user in choose_users(speakers, 0.2, None)] == ["a", "b"]


def test_shares_add_up_to_one_and_are_empty_without_turns() -> None:
    assert speaking_shares(TURNS) == pytest.approx({"A": 0.6, "B": 0.3, "C": 0.1})
    assert speaking_shares(TURNS[:0]) == {}


def test_an_assignment_survives_json() -> None:
    (first, _) = assigned("diarization")
    assert Assignment.model_validate_json(first.model_dump_json()) == first


def test_assignments_of_another_source_are_refused() -> None:
    made = assigned("diarization")
    require_source(made, "auto")
    require_source(made, "diarization")
    with pytest.raises(CorpusError, match=r"streams\.source is mono.*--pipelines ingestion"):
        require_source(made, "mono")
