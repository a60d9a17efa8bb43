import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acoustic_event_prediction.audio import check_audio, load_waveform, read_mono
from acoustic_event_prediction.audio_source import (
    AudioFileError,
    EmbeddedAudio,
    hold,
    open_binary,
)
from tests.corpus.shards import damage_audio, encoded, row, write_shard
from tests.corpus.tiny import noise


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """Three row groups of two; row n lasts n + 1 seconds."""
    rows = [row(f"e{n}", audio={"bytes": encoded(noise(n + 1.0)), "path": "x"}) for n in range(6)]
    return write_shard(tmp_path / "a.parquet", rows, row_group_size=2)


@pytest.mark.parametrize("place", range(6))
def test_each_row_of_each_row_group_is_found(shard: Path, place: int) -> None:
    header = check_audio(EmbeddedAudio(shard, place))
    assert header.num_samples == (place + 1) * 8000


@pytest.mark.parametrize("place", [6, -1])
def test_a_row_out_of_range_is_named(shard: Path, place: int) -> None:
    with pytest.raises(AudioFileError, match=rf"a\.parquet, row {place} .*it has 6 rows.*fetch"):
        EmbeddedAudio(shard, place, "e.mp3").read_bytes()


@pytest.mark.parametrize("audio", [None, {"bytes": None, "path": "x.mp3"}])
def test_a_row_without_audio_is_named(tmp_path: Path, audio: object) -> None:
    shard = write_shard(tmp_path / "a.parquet", [row(), row("b", audio=audio)])
    with pytest.raises(AudioFileError, match="row 1: holds no audio"):
        check_audio(EmbeddedAudio(shard, 1))


@pytest.mark.parametrize(
    ("content", "problem"), [(b"", "the file is empty"), (b"text", "can't be decoded")]
)
def test_a_row_that_is_no_audio_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    shard = write_shard(tmp_path / "a.parquet", [row(audio={"bytes": content, "path": "x"})])
    with pytest.raises(AudioFileError, match=f"row 0: {problem}"):
        check_audio(EmbeddedAudio(shard, 0))


def test_a_wav_that_was_cut_off_before_it_was_put_in_is_refused(tmp_path: Path) -> None:
    content = encoded(kind="WAV")[:-8000]
    shard = write_shard(tmp_path / "a.parquet", [row(audio={"bytes": content, "path": "x"})])
    with pytest.raises(AudioFileError, match="row 0: cut short"):
        check_audio(EmbeddedAudio(shard, 0))


def test_a_missing_file_damaged_pages_and_a_foreign_table_are_told(
    shard: Path, tmp_path: Path
) -> None:
    with pytest.raises(AudioFileError, match="there is no such file"):
        check_audio(EmbeddedAudio(tmp_path / "b.parquet", 0))
    pq.write_table(pa.table({"audio": ["x.mp3"]}), tmp_path / "b.parquet")
    with pytest.raises(AudioFileError, match="no column `audio` with a field `bytes`"):
        EmbeddedAudio(tmp_path / "b.parquet", 0).read_bytes()
    damage_audio(shard)
    with pytest.raises(AudioFileError, match=r"row 3: can't be read .*fetch the parquet file"):
        EmbeddedAudio(shard, 3).read_bytes()


@pytest.mark.parametrize("kind", ["FLAC", "MP3", "WAV", "OGG"])
def test_samples_do_not_depend_on_where_the_audio_lies(tmp_path: Path, kind: str) -> None:
    content = encoded(noise(3.0, num_channels=2), kind)
    file = tmp_path / f"a.{kind.lower()}"
    file.write_bytes(content)
    shard = write_shard(tmp_path / "a.parquet", [row(audio={"bytes": content, "path": "x"})])
    embedded = EmbeddedAudio(shard, 0)
    assert np.array_equal(read_mono(embedded, 24_000), read_mono(file, 24_000))
    assert np.array_equal(load_waveform(embedded).samples, load_waveform(file).samples)


def test_held_audio_is_read_no_more(shard: Path) -> None:
    held = hold(EmbeddedAudio(shard, 1))
    content = open_binary(EmbeddedAudio(shard, 1)).read()
    shard.unlink()
    assert open_binary(held).read() == open_binary(held).read() == content


def test_a_file_is_held_as_it_is(tmp_path: Path) -> None:
    assert hold(tmp_path / "a.wav") == tmp_path / "a.wav"


def test_rows_can_be_read_by_several_threads(shard: Path) -> None:
    lengths: dict[int, int] = {}

    def read(place: int) -> None:
        lengths[place] = check_audio(EmbeddedAudio(shard, place)).num_samples

    threads = [threading.Thread(target=read, args=(place,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == {place: (place + 1) * 8000 for place in range(6)}
