import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DataCatalog
from tests.corpus.tiny import TinyCorpus, noise
from tests.made import ingestion_params

from acoustic_event_prediction.corpus import recordings
from acoustic_event_prediction.corpus.content import sha256_of
from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.errors import CorpusError, StoreError
from acoustic_event_prediction.pipelines.ingestion import create_pipeline
from acoustic_event_prediction.pipelines.ingestion.nodes import (
    IngestedCorpus,
    assign_users,
    read_corpus,
)

SPLITS = ("train", "validation", "test")


@pytest.fixture
def corpus(tmp_path: Path) -> TinyCorpus:
    corpus = TinyCorpus(tmp_path)
    for split, count in zip(SPLITS, (3, 1, 1), strict=True):
        for number in range(count):
            # Equal audio in two splits would be a warning.
            samples = noise(4.0) * np.float32(1 - 0.1 * number - 0.013 * len(split))
            corpus.add(split, f"{split} show_{number}", samples=samples)
    return corpus


def ingest(corpus: TinyCorpus, **changes: Any) -> IngestedCorpus:
    return read_corpus(corpus.root, ingestion_params(**changes))


def assigned(ingested: IngestedCorpus, **changes: Any) -> dict[str, dict[str, Any]]:
    params = {
        "source": "auto",
        "min_speaker_share": 0.2,
        "max_users": None,
        "mask_laughter": "both",
    }
    return assign_users(
        lazily(ingested.episodes),
        lazily(ingested.turns),
        StreamParams.model_validate(params | changes),
    )


def lazily(values: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    return {key: partial(lambda value: value, value) for key, value in values.items()}


def test_every_episode_comes_with_all_its_tables(corpus: TinyCorpus) -> None:
    ingested = ingest(corpus)
    assert len(ingested.episodes) == 5
    for tables in (ingested.events, ingested.turns, ingested.words):
        assert list(tables) == list(ingested.episodes)


def test_the_report_counts_by_split_and_is_json(corpus: TinyCorpus) -> None:
    report = json.loads(json.dumps(ingest(corpus).report, allow_nan=False))
    train = report["splits"]["train"]
    assert (train["episodes"], train["speakers"], train["words"]) == (3, 6, 6)
    assert train["hours"] == pytest.approx(12 / 3600, abs=1e-4)
    assert train["events"] == {"Laughter": 3, "Um": 3}
    assert report["sources"] == {"diarization": 5}
    assert report["transcript_unit_seconds"] == {"1e-07 s": 5}
    assert report["warnings"] == report["problems"] == []


def test_splits_limit_and_exclusions_choose_the_episodes(corpus: TinyCorpus) -> None:
    chosen = ingest(
        corpus, splits=("train", "test"), limit=1, exclude_episodes=("train/train show_0",)
    )
    assert list(chosen.episodes) == ["train/train show_1", "test/test show_0"]


def test_an_excluded_episode_that_is_unknown_is_an_error(corpus: TinyCorpus) -> None:
    with pytest.raises(CorpusError, match=r"'train/trian show_0'.*like 'train/train show_0'"):
        ingest(corpus, exclude_episodes=("train/trian show_0",))


def test_a_choice_of_nothing_is_an_error(corpus: TinyCorpus) -> None:
    with pytest.raises(CorpusError, match=r"change ingestion\.splits or exclude_episodes"):
        ingest(corpus, splits=("test",), exclude_episodes=("test/test show_0",))


def test_all_problems_of_all_episodes_are_in_one_error(corpus: TinyCorpus) -> None:
    corpus.add("train", "train show_0", events=[("Um", 3.0, 2.0)])
    corpus.audio("test", "test show_0").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"2 of 5 episodes(?s:.*)on_invalid=skip") as error:
        ingest(corpus)
    assert "train/train show_0: metadata/episode_annotations" in str(error.value)
    assert "test/test show_0: audio/episode_wav/test/test show_0.wav: the file is empty" in str(
        error.value
    )


def test_a_long_list_of_problems_is_cut(tmp_path: Path) -> None:
    corpus = TinyCorpus(tmp_path)
    for number in range(52):
        corpus.add(name=f"show_{number}", events=None, turns=None, words=None)
    with pytest.raises(CorpusError, match="and 2 more"):
        ingest(corpus)


def test_broken_episodes_are_skipped_when_asked_and_stay_in_the_report(
    corpus: TinyCorpus, caplog: pytest.LogCaptureFixture
) -> None:
    corpus.audio("train", "train show_0").write_bytes(b"")
    ingested = ingest(corpus, on_invalid="skip")
    assert len(ingested.episodes) == len(ingested.words) == 4
    assert len(ingested.report["problems"]) == 1
    assert "1 of 5 episodes are left out" in caplog.text


def test_nothing_but_broken_episodes_is_an_error_even_when_skipping(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="1 of 1 episodes"):
        ingest(TinyCorpus(tmp_path).add(events=None), on_invalid="skip")


def test_a_split_without_laughter_is_a_warning(tmp_path: Path) -> None:
    corpus = TinyCorpus(tmp_path).add(events=[("Um", 1.0, 2.0)])
    warnings = ingest(corpus, splits=("train",)).report["warnings"]
    assert "nobody laughs in the whole train split" in warnings


def test_the_log_says_which_episodes_are_one_stream(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ingested = ingest(TinyCorpus(tmp_path).add(turns=None, words=None))
    assert "1 episodes have neither tracks nor turns and are used as one stream" in caplog.text
    assert list(assigned(ingested)) == ["train/show_1/mix"]


def test_both_speakers_are_the_user_once(corpus: TinyCorpus) -> None:
    assignments = assigned(ingest(corpus))
    assert len(assignments) == 10
    first = assignments["train/train show_0/A"]
    assert (first["user"], first["systems"], first["source"]) == ("A", ["B"], "diarization")
    assert first["user_share"] == pytest.approx(2 / 3)
    assert first["num_frames"] == 50


def test_separated_tracks_are_preferred(tmp_path: Path) -> None:
    ingested = ingest(TinyCorpus(tmp_path).add(tracks=["A", "B"]))
    assert {item["source"] for item in assigned(ingested).values()} == {"separated"}
    assert list(assigned(ingested, source="mono")) == ["train/show_1/mix"]


def test_a_source_that_an_episode_lacks_is_an_error_that_names_it(corpus: TinyCorpus) -> None:
    corpus.add("test", "test show_0", tracks=["A", "B"])
    with pytest.raises(CorpusError, match=r"4 of 5 episodes have no separated.*train show_0"):
        assigned(ingest(corpus), source="separated")


def test_a_user_below_the_share_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ingested = ingest(TinyCorpus(tmp_path).add())
    with caplog.at_level(logging.WARNING):
        assert list(assigned(ingested, min_speaker_share=0.9)) == ["train/show_1/A"]
    assert "nobody in train/show_1 has 90 %" in caplog.text


def test_the_pipeline_names_its_nodes_after_their_functions() -> None:
    pipeline = create_pipeline()
    assert {node.name for node in pipeline.nodes} == {"read_corpus", "assign_users"}
    assert pipeline.outputs() == {
        "events",
        "words",
        "ingestion_report",
        "ingestion_splits",
        "ingestion_events",
        "ingestion_episodes",
        "assignments",
    }
    assert "raw_corpus" in pipeline.inputs()


def test_tables_survive_the_catalog(corpus: TinyCorpus, tmp_path: Path) -> None:
    catalog = DataCatalog.from_config(
        {
            "words": {
                "type": "acoustic_event_prediction.datasets.sealed.SealedPartitions",
                "path": str(tmp_path / "words"),
                "dataset": "pandas.ParquetDataset",
                "filename_suffix": ".parquet",
            }
        }
    )
    ingested = ingest(corpus)
    catalog.save("words", ingested.words)
    loaded = catalog.load("words")["train/train show_0"]()
    assert loaded.equals(ingested.words["train/train show_0"])
    assert loaded["text"][0] == "null"


def test_the_report_tells_overlap_and_how_rare_positive_frames_are(corpus: TinyCorpus) -> None:
    train = ingest(corpus).report["splits"]["train"]

    # A and B speak for 3 of 4 s, one after the other; the laugh is in frame 29 of 50.
    assert (train["shows"], train["speech_share"], train["overlap_share"]) == (1, 0.75, 0.0)
    assert train["positive_share_at_frames"]["Laughter"] == pytest.approx(
        {"1": 0.02, "5": 0.1, "10": 0.2, "25": 0.5}
    )


def test_audio_that_has_not_changed_is_not_decoded_again(
    corpus: TinyCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ingest(corpus)
    earlier = {name: partial(dict, record) for name, record in first.episodes.items()}
    changed = corpus.audio("train", "train show_1")
    corpus.write_audio(changed, noise(4.0) * np.float32(0.5))
    decoded: list[Path] = []

    def note(source: Path) -> None:
        decoded.append(source)

    monkeypatch.setattr(recordings, "check_audio", note)
    again = read_corpus(corpus.root, ingestion_params(), None, earlier)

    assert decoded == [changed]
    old, new = (done.episodes["train/train show_1"]["audio"] for done in (first, again))
    assert new["sha256"] == sha256_of(changed) != old["sha256"]
    others = [name for name in first.episodes if name != "train/train show_1"]
    assert all(again.episodes[name] == first.episodes[name] for name in others)


@pytest.mark.parametrize("damage", ["{}", None])
def test_earlier_records_that_cannot_be_read_only_cost_time(
    corpus: TinyCorpus, damage: str | None
) -> None:
    first = ingest(corpus)

    def load() -> dict[str, Any]:
        if damage is None:
            raise StoreError("gone")
        return json.loads(damage)

    again = read_corpus(corpus.root, ingestion_params(), None, dict.fromkeys(first.episodes, load))

    assert again.episodes == first.episodes


def test_headers_are_read_before_any_audio_is_decoded(
    corpus: TinyCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    for name in ("read_header", "check_audio"):
        original = getattr(recordings, name)

        def noted(source: Path, name: str = name, original: Any = original) -> Any:
            steps.append(name)
            return original(source)

        monkeypatch.setattr(recordings, name, noted)

    ingest(corpus)

    assert steps == ["read_header"] * 5 + ["check_audio"] * 5
