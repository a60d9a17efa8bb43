from pathlib import Path

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from kedro.io import DatasetError
from tests.corpus.tiny import RATE_HZ, TinyCorpus

from acoustic_event_prediction.corpus import location
from acoustic_event_prediction.corpus.layouts.podcastfillers import find_corpus
from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.corpus.survey import read_episodes
from acoustic_event_prediction.datasets.raw_corpus import RawAudioDataset, RawCorpusDataset
from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.errors import CorpusError


@pytest.fixture
def audio(tmp_path: Path) -> RawAudioDataset:
    return RawAudioDataset(path=str(tmp_path / "corpus"), episodes=str(tmp_path / "episodes"))


def ingest(root: Path, **changes: object) -> Episode:
    """Write a corpus of one episode with two tracks, and its record."""
    corpus = find_corpus(TinyCorpus(root / "corpus").add(tracks=["A", "B"]).root)
    (reading,) = read_episodes(corpus, corpus.episodes)
    assert reading.episode is not None
    record = reading.episode.model_dump(mode="json") | changes
    SealedPartitions(
        path=str(root / "episodes"), dataset="json.JSONDataset", filename_suffix=".json"
    ).save({"train/show_1": record})
    return reading.episode


def test_the_corpus_loads_as_its_folder_which_need_not_be_there(tmp_path: Path) -> None:
    assert RawCorpusDataset(path=str(tmp_path / "nowhere")).load() == tmp_path / "nowhere"


def test_raw_files_are_never_written(tmp_path: Path, audio: RawAudioDataset) -> None:
    for dataset in (RawCorpusDataset(path=str(tmp_path)), audio):
        with pytest.raises(DatasetError, match="never written"):
            dataset.save("anything")  # type: ignore[arg-type]


def test_audio_is_decoded_lazily_by_episode_and_track(
    tmp_path: Path, audio: RawAudioDataset
) -> None:
    ingest(tmp_path)

    loads = audio.load()

    assert list(loads) == ["train/show_1", "train/show_1/A", "train/show_1/B"]
    waveform = loads["train/show_1/B"]()
    assert waveform.samples.shape == (1, 4 * RATE_HZ)
    assert waveform.sample_rate_hz == RATE_HZ


def test_a_recording_that_is_gone_is_not_in_the_index(
    tmp_path: Path, audio: RawAudioDataset
) -> None:
    episode = ingest(tmp_path)
    (tmp_path / "corpus" / episode.tracks["A"].path).unlink()

    assert list(audio.load()) == ["train/show_1", "train/show_1/B"]


def test_before_ingestion_a_recording_is_refused_when_it_is_asked_for(
    tmp_path: Path, audio: RawAudioDataset
) -> None:
    recordings = audio.load()
    with pytest.raises(CorpusError, match=r"no corpus at .*corpus.*dataset_root"):
        recordings["train/show_1"]
    (tmp_path / "corpus").mkdir()
    with pytest.raises(DatasetError, match="episodes is not complete"):
        recordings["train/show_1"]


def test_a_worker_opens_a_file_by_its_record(tmp_path: Path, audio: RawAudioDataset) -> None:
    with audio.open_mono(ingest(tmp_path).audio, 24_000) as reader:
        assert len(reader.read(200_000)) == 4 * 24_000


def test_a_corpus_on_the_hub_is_fetched_by_the_ingestion_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    episode = ingest(tmp_path)
    asked: list[bool] = []

    def snapshot_download(name: str, *, local_files_only: bool, **_: object) -> str:
        assert name == "me/mine"
        asked.append(not local_files_only)
        return str(tmp_path / "corpus")

    monkeypatch.setattr(location, "snapshot_download", snapshot_download)
    assert RawCorpusDataset(path="hf://me/mine").load() == tmp_path / "corpus"
    assert asked == [True]

    audio = RawAudioDataset(path="hf://me/mine", episodes=str(tmp_path / "episodes"))
    assert audio.root == tmp_path / "corpus"
    assert audio.load()["train/show_1"]().sample_rate_hz == RATE_HZ
    with audio.open_mono(episode.audio, RATE_HZ) as reader:
        assert reader.num_samples == 4 * RATE_HZ
    assert asked == [True, False, False, False]


def test_a_corpus_that_is_not_in_the_hubs_cache_does_not_exist(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def snapshot_download(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("not here")

    monkeypatch.setattr(location, "snapshot_download", snapshot_download)
    assert not RawCorpusDataset(path="hf://me/mine").exists()
