from pathlib import Path
from typing import Any

import pytest

from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.label_files import (
    read_audacity,
    read_rttm_events,
    read_rttm_table,
    read_rttm_turns,
)
from acoustic_event_prediction.corpus.raw import RawEpisode
from acoustic_event_prediction.corpus.tables import Interval
from acoustic_event_prediction.errors import CorpusError
from tests.corpus.recordings import HEADER, Recordings, problems, splits, warnings

ONE_SPLIT: dict[str, Any] = {"fractions": {"train": 1, "validation": 0, "test": 0}}
LAUGH = "NON-LEX a 1 1.50 0.25 <NA> laugh Ann <NA> <NA>"
NOISE = "NON-SPEECH a 1 2.00 0.50 <NA> noise <NA> <NA> <NA>"
TURN = "SPEAKER a 1 0.00 2.50 <NA> <NA> Ann <NA> <NA>"


@pytest.fixture
def corpus(tmp_path: Path) -> Recordings:
    return Recordings(tmp_path).add("a.wav")


def only(corpus: Recordings, **params: Any) -> RawEpisode:
    (episode,) = corpus.find(**ONE_SPLIT, **params).episodes
    return episode


def test_an_audacity_label_track_is_read(corpus: Recordings) -> None:
    corpus.write(
        "a.txt",
        "\ufeff0.5\t0.75\tLaughter",
        "\\\t100.0\t8000.0",
        "",
        "2\t2\tbreath\tin",
        "3\t3.5\t",
    )
    rows = [(r.line, r.onset, r.offset, r.label) for r in read_audacity(corpus.root / "a.txt")]
    assert rows == [(1, 0.5, 0.75, "Laughter"), (4, 2.0, 2.0, "breath\tin"), (5, 3.0, 3.5, "")]


@pytest.mark.parametrize("line", ["well, hello there", "1.0 2.0 Laughter", "1.0\tLaughter", "\t"])
def test_a_text_that_is_no_label_track_is_named_with_its_line(
    corpus: Recordings, line: str
) -> None:
    corpus.write("a.txt", "0.5\t0.75\tLaughter", f"{line}.")
    with pytest.raises(FileProblem, match=r"line 2, .*divided by tabs"):
        read_audacity(corpus.root / "a.txt")


def test_a_label_track_that_is_no_text_is_refused(corpus: Recordings) -> None:
    (corpus.root / "a.txt").write_bytes(b"\xff\xfe1\0")
    with pytest.raises(FileProblem, match="no label track in UTF-8"):
        read_audacity(corpus.root / "a.txt")


def test_sounds_in_an_rttm_file_are_events_with_subtype_and_speaker(corpus: Recordings) -> None:
    corpus.write("a.rttm", TURN, LAUGH, NOISE)
    events = read_rttm_events(corpus.root / "a.rttm", with_turns=False)
    assert [(e.onset, e.offset, e.label, e.speaker, e.episode) for e in events] == [
        (1.5, 1.75, "laugh", "Ann", None),
        (2.0, 2.5, "noise", None, None),
    ]
    assert read_rttm_turns(corpus.root / "a.rttm") == [Interval(0.0, 2.5, "Ann")]


def test_turns_as_events_bear_the_speakers_name(corpus: Recordings) -> None:
    corpus.write("a.rttm", TURN)
    (event,) = read_rttm_table(corpus.root / "a.rttm", with_turns=True)
    assert (event.label, event.episode) == ("Ann", "a")


def test_a_file_about_several_recordings_belongs_to_none(corpus: Recordings) -> None:
    corpus.write("a.rttm", TURN, TURN.replace(" a ", " b "))
    with pytest.raises(FileProblem, match=r"about 2 recordings, a, b: .*ingestion\.table\.events"):
        read_rttm_turns(corpus.root / "a.rttm")


def test_a_turn_of_nobody_is_refused(corpus: Recordings) -> None:
    corpus.write("a.rttm", TURN.replace("Ann", "<NA>"))
    with pytest.raises(FileProblem, match="line 1 names no speaker"):
        read_rttm_turns(corpus.root / "a.rttm")


@pytest.mark.parametrize("name", ["a.txt", "A.TextGrid", "labels/a.csv", "a.RTTM"])
def test_a_label_file_of_any_kind_and_place_is_found(corpus: Recordings, name: str) -> None:
    corpus.write(name, LAUGH)
    assert only(corpus).annotation == corpus.root / name


def test_a_label_file_beside_the_recording_is_preferred(corpus: Recordings) -> None:
    corpus.write("old/a.txt", "").write("a.txt", "")
    assert only(corpus).annotation == corpus.root / "a.txt"


def test_two_label_files_elsewhere_are_a_problem(corpus: Recordings) -> None:
    corpus.write("old/a.txt", "").write("new/a.txt", "")
    (problem,) = only(corpus).problems
    assert str(problem).startswith("train/a: new/a.txt: is not the only file that may be")


def test_two_kinds_of_label_files_are_a_problem_that_names_both(corpus: Recordings) -> None:
    corpus.write("a.txt", "").write("a.rttm", LAUGH, TURN)
    episode = only(corpus)
    (problem,) = episode.problems
    assert "a.txt: is not the only file" in str(problem)
    assert "also a.rttm: keep one of them" in str(problem)
    assert episode.annotation is None


def test_a_label_file_of_another_recordings_exact_name_is_not_lent(corpus: Recordings) -> None:
    corpus.add("A-.wav").write("a.txt", "")
    assert {e.name: e.annotation is not None for e in corpus.find(**ONE_SPLIT).episodes} == {
        "a": True,
        "A-": False,
    }


def test_speaker_lines_are_events_only_where_nothing_else_holds_events(
    corpus: Recordings,
) -> None:
    corpus.write("a.rttm", TURN)
    episode = only(corpus)
    assert (episode.annotation, episode.diarization) == (corpus.root / "a.rttm", None)
    assert (
        "SPEAKER lines of 1 RTTM files are taken as events" in warnings(corpus.find(**ONE_SPLIT))[0]
    )
    corpus.write("a.txt", "")
    episode = only(corpus)
    assert episode.annotation == corpus.root / "a.txt"
    assert episode.diarization == corpus.root / "a.rttm"


def test_beside_rttm_files_with_sounds_one_without_says_that_there_are_none(
    corpus: Recordings,
) -> None:
    corpus.add("b.wav").write("a.rttm", TURN, LAUGH).write("b.rttm", TURN.replace(" a ", " b "))
    for episode in corpus.find(**ONE_SPLIT).episodes:
        assert episode.annotation == episode.diarization == corpus.root / f"{episode.name}.rttm"


def test_the_setting_decides_what_speaker_lines_are(corpus: Recordings) -> None:
    corpus.write("a.rttm", TURN, LAUGH)
    assert only(corpus, rttm="events").diarization is None
    assert only(corpus, rttm="turns").diarization == corpus.root / "a.rttm"
    corpus.write("a.rttm", TURN)
    with pytest.raises(CorpusError, match="hold turns only"):
        corpus.find(rttm="turns")


def test_an_rttm_file_about_another_recording_is_a_warning(corpus: Recordings) -> None:
    corpus.write("a.rttm", LAUGH.replace(" a ", " waveform "))
    (warning,) = only(corpus).warnings
    assert "its lines are about 'waveform'; it is read as 'a'" in str(warning)


def test_turns_lie_beside_a_table_of_events(corpus: Recordings) -> None:
    corpus.table("a,1,2,L").write("a.rttm", TURN)
    episode = only(corpus)
    assert (episode.annotation, episode.diarization) == (None, corpus.root / "a.rttm")
    with pytest.raises(CorpusError, match="name two sources of events"):
        corpus.find(rttm="events")


def test_one_rttm_file_may_hold_all_events(corpus: Recordings) -> None:
    corpus.add("b 1.wav").write("all.rttm", LAUGH, LAUGH.replace(" a ", " b_1 "), TURN)
    found = corpus.find(events="all.rttm", **ONE_SPLIT)
    assert len(splits(found)) == 2
    assert problems(found) == []
    assert "its SPEAKER lines are turns, which are not read" in warnings(found)[0]


@pytest.mark.parametrize("name", ["a.words.csv", "a.words.json", "a.json", "text/a.json"])
def test_words_are_found_and_are_no_events(corpus: Recordings, name: str) -> None:
    corpus.write("a.txt", "").write(name, "")
    episode = only(corpus)
    assert episode.transcript == corpus.root / name
    assert episode.annotation == corpus.root / "a.txt"


def test_two_files_of_words_are_a_problem(corpus: Recordings) -> None:
    corpus.write("a.txt", "").write("a.words.csv", "").write("a.json", "")
    (problem,) = only(corpus).problems
    assert "a.words.csv: is not the only file" in str(problem)


def test_a_csv_of_one_recording_needs_no_episode(corpus: Recordings) -> None:
    corpus.write("a.csv", HEADER.removeprefix("episode,"), "1.0,2.0,Laughter")
    found = corpus.find(**ONE_SPLIT)
    (row,) = found.event_readers[".csv"](corpus.root / "a.csv")
    assert (row.episode, row.onset, row.label) == (None, 1.0, "Laughter")
