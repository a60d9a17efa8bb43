from pathlib import Path

import pytest
from kedro.io import DatasetError
from tests.corpus.tiny import RATE_HZ, TinyCorpus

from acoustic_event_prediction.datasets.raw_corpus import RawAudioDataset, RawCorpusDataset
from acoustic_event_prediction.errors import CorpusError


def test_corpus_loads_as_an_index_without_opening_audio(tmp_path: Path) -> None:
    corpus = TinyCorpus(tmp_path).add()
    corpus.audio().write_bytes(b"no audio at all")
    (episode,) = RawCorpusDataset(path=str(tmp_path)).load().episodes
    assert episode.episode_id == "train/show_1"


def test_missing_corpus_says_where_it_was_looked_for_and_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"nowhere(?s:.*)episode_wav(?s:.*)zenodo(?s:.*)--params"
    ):
        RawCorpusDataset(path=str(tmp_path / "nowhere")).load()


@pytest.mark.parametrize("dataset_type", [RawCorpusDataset, RawAudioDataset])
def test_raw_files_are_never_written(tmp_path: Path, dataset_type: type) -> None:
    with pytest.raises(DatasetError, match="never written"):
        dataset_type(path=str(tmp_path)).save("anything")


def test_audio_is_decoded_lazily_by_episode_and_track(tmp_path: Path) -> None:
    TinyCorpus(tmp_path).add(tracks=["A", "B"])
    loads = RawAudioDataset(path=str(tmp_path)).load()
    assert list(loads) == ["train/show_1", "train/show_1/A", "train/show_1/B"]
    waveform = loads["train/show_1/B"]()
    assert waveform.samples.shape == (1, 4 * RATE_HZ)
    assert waveform.sample_rate_hz == RATE_HZ


def test_audio_of_a_missing_corpus_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    recordings = RawAudioDataset(path=str(tmp_path / "nowhere")).load()
    with pytest.raises(CorpusError, match="nowhere"):
        recordings["train/show_1"]


def test_a_worker_opens_a_file_by_its_relative_path(tmp_path: Path) -> None:
    TinyCorpus(tmp_path).add()
    audio = RawAudioDataset(path=str(tmp_path))
    with audio.open_mono("audio/episode_wav/train/show_1.wav", 24_000) as reader:
        assert len(reader.read(200_000)) == 4 * 24_000


@pytest.mark.parametrize("path", ["../evil.wav", "/etc/passwd", "a/../../b", "a\\b", "", "a\0b"])
def test_a_path_that_leaves_the_corpus_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(CorpusError, match="no path inside the corpus"):
        RawAudioDataset(path=str(tmp_path)).resolve(path)
