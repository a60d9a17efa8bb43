"""Turns of the pipeline `diarization`, as the ingestion takes them."""

from pathlib import Path

import pandas as pd
import pytest

from acoustic_event_prediction.corpus.content import sha256_of
from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.tables import Interval
from acoustic_event_prediction.corpus.turns import found_table, read_found_turns
from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.pipelines.ingestion.nodes import IngestedCorpus, read_corpus
from tests.corpus.tiny import TURNS, TinyCorpus
from tests.made import ingestion_params

EPISODE = "train/show_1"


@pytest.fixture
def corpus(tmp_path: Path) -> TinyCorpus:
    return TinyCorpus(tmp_path / "corpus").add(turns=None)


def found(corpus: TinyCorpus, *turns: tuple[float, float, str], sha256: str = "") -> Path:
    """A file as the pipeline writes it."""
    origin = {"audio_sha256": sha256 or sha256_of(corpus.audio()), "source": "rttm"}
    path = corpus.root.parent / "found.parquet"
    found_table([Interval(*turn) for turn in turns], origin).to_parquet(path)
    return path


def ingest(corpus: TinyCorpus, path: Path) -> IngestedCorpus:
    params = ingestion_params(splits=("train",), on_invalid="raise")
    return read_corpus(corpus.root, params, {EPISODE: path})


def speakers(table: pd.DataFrame) -> list[str]:
    return list(table["speaker"])


def test_an_episode_without_turns_takes_those_that_were_found(corpus: TinyCorpus) -> None:
    ingested = ingest(corpus, found(corpus, *TURNS))
    assert [tuple(row) for row in ingested.turns[EPISODE].to_numpy()] == list(TURNS)
    assert ingested.episodes[EPISODE]["sources"] == ["diarization", "mono"]
    assert ingested.episodes[EPISODE]["turns_from"] == "diarization"
    assert ingested.report["turns_from"] == {"diarization": 1}
    assert ingested.report["warnings"] == []


def test_events_and_words_get_their_speakers_from_found_turns(corpus: TinyCorpus) -> None:
    # The laugh from 2.32 to 3.0 s lies in B's turn, the filler and the first word in A's.
    ingested = ingest(corpus, found(corpus, *TURNS))
    assert speakers(ingested.events[EPISODE]) == ["A", "B"]
    assert speakers(ingested.words[EPISODE]) == ["A", "B"]


def test_a_mapping_file_still_overrules_found_turns(corpus: TinyCorpus) -> None:
    corpus.add(turns=None, mapping=[("Laughter", 2.32, 3.0, "A")])
    assert speakers(ingest(corpus, found(corpus, *TURNS)).events[EPISODE]) == ["A", "A"]


def test_turns_of_the_corpus_come_before_found_ones(corpus: TinyCorpus) -> None:
    corpus.add()
    ingested = ingest(corpus, found(corpus, (0.0, 4.0, "Z")))
    assert speakers(ingested.turns[EPISODE]) == ["A", "B"]
    assert ingested.report["turns_from"] == {"corpus": 1}


def test_turns_of_other_audio_are_not_used_and_that_is_said(corpus: TinyCorpus) -> None:
    ingested = ingest(corpus, found(corpus, *TURNS, sha256="0" * 64))
    assert ingested.turns[EPISODE].empty
    assert ingested.episodes[EPISODE]["sources"] == ["mono"]
    assert ingested.report["turns_from"] == {"nowhere": 1}
    (warning,) = [text for text in ingested.report["warnings"] if "other audio" in text]
    assert "run `kedro run --pipelines diarization`, and then the ingestion again" in warning


@pytest.mark.parametrize(
    ("turn", "problem"),
    [
        ((0.0, 1.0, "../A"), "'../A' holds a slash"),
        ((2.0, 1.0, "A"), "end before its start"),
        ((-1.0, 1.0, "A"), "negative time"),
        ((9.0, 10.0, "A"), "past the audio's end"),
    ],
)
def test_found_turns_are_checked_like_any_other(
    corpus: TinyCorpus, turn: tuple[float, float, str], problem: str
) -> None:
    path = found(corpus, turn)
    with pytest.raises(CorpusError, match=f"(?s){path}.*{problem}"):
        ingest(corpus, path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet"])
def test_a_damaged_file_is_a_problem_of_its_episode(corpus: TinyCorpus, content: bytes) -> None:
    path = found(corpus, *TURNS)
    path.write_bytes(content)
    with pytest.raises(
        CorpusError, match=rf"(?s){EPISODE}: {path}: is no table of turns.*delete it"
    ):
        ingest(corpus, path)


def test_a_table_that_names_no_audio_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pd.DataFrame({"onset": [0.0], "offset": [1.0], "speaker": ["A"]}).to_parquet(path)
    with pytest.raises(FileProblem, match="does not say what audio"):
        read_found_turns(path)
    pd.DataFrame({"onset": [0.0]}).to_parquet(path)
    with pytest.raises(FileProblem, match="is no table of turns"):
        read_found_turns(path)


def test_nobody_speaking_is_kept_with_its_origin(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    found_table([], {"audio_sha256": "a"}).to_parquet(path)
    assert read_found_turns(path) == ([], {"audio_sha256": "a"})
