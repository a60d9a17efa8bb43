"""Who says a word: the file of words, and where it names nobody, the turns."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from acoustic_event_prediction.corpus.episode_reading import EpisodeReading
from acoustic_event_prediction.corpus.survey import read_episodes
from tests.corpus.recordings import Recordings

HEADER = "onset,offset,text,speaker"
# A speaks from 0 to 2 s, B from 2.2 to 3.2 s.
TURNS = (
    "SPEAKER a 1 0 2 <NA> <NA> A <NA> <NA>",
    "SPEAKER a 1 2.2 1 <NA> <NA> B <NA> <NA>",
)


def read(
    folder: Path, *words: str, turns: Sequence[str] = TURNS, header: str = HEADER
) -> EpisodeReading:
    recordings = (
        Recordings(folder)
        .add("a.wav")
        .table("a,1,2,Laughter,train", header="episode,onset,offset,label,split")
    )
    recordings.write("a.words.csv", header, *words)
    if turns:
        recordings.write("a.rttm", *turns)
    corpus = recordings.find()
    (reading,) = read_episodes(corpus, corpus.episodes)
    assert reading.findings.problems == []
    return reading


def speakers(words: pd.DataFrame) -> list[str | None]:
    return [None if pd.isna(speaker) else speaker for speaker in words["speaker"]]


def test_a_given_speaker_overrules_the_turns_and_a_missing_one_is_theirs(tmp_path: Path) -> None:
    reading = read(tmp_path, "2.5,2.7,no,A", "0.5,0.7,yes,B", "1,1.2,well,", "2.9,3,so,")
    assert list(reading.words["text"]) == ["yes", "well", "no", "so"]
    assert speakers(reading.words) == ["B", "A", "A", "B"]
    assert list(reading.words.columns) == ["onset", "offset", "text", "speaker"]


def test_words_without_the_column_are_those_of_the_turns(tmp_path: Path) -> None:
    reading = read(tmp_path, "0.5,0.7,yes", "2.5,2.7,no", header="onset,offset,text")
    assert speakers(reading.words) == ["A", "B"]


def test_without_turns_only_given_speakers_are_known(tmp_path: Path) -> None:
    reading = read(tmp_path, "0.5,0.7,yes,B", "1,1.2,well,", turns=())
    assert speakers(reading.words) == ["B", None]
    assert [str(finding) for finding in reading.findings.warnings] == []


def test_two_who_say_the_same_at_once_are_no_repetition(tmp_path: Path) -> None:
    reading = read(tmp_path, "1,1.2,yes,A", "1,1.2,yes,B", "1,1.2,yes,B")
    assert speakers(reading.words) == ["A", "B"]


@pytest.mark.parametrize("named", ["b", "C"])
def test_a_speaker_whom_nobody_knows_is_a_warning(tmp_path: Path, named: str) -> None:
    reading = read(tmp_path, f"1,1.2,yes,{named}", "2.5,2.7,no,B")
    (warning,) = map(str, reading.findings.warnings)
    assert f"a.words.csv: 1 words are spoken by {named}, the episode has A, B" in warning
