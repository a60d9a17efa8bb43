import re
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from acoustic_event_prediction.audio import check_audio, read_header
from acoustic_event_prediction.audio_source import AudioFileError, EmbeddedAudio
from tests.corpus.shards import row, write_shard

BODY = bytes(np.random.default_rng(0).integers(0, 256, 2000, dtype=np.uint8))
# 200 frames of 207 bytes: MPEG-4, no checksum, 44.1 kHz, two channels.
ADTS = b"".join(b"\xff\xf1\x50\x80\x19\xff\xfc" + BODY[n : n + 200] for n in range(200))
ID3 = b"ID3\x04\0\0\0\0\x01\x02" + bytes(130)
MP4 = b"\0\0\0\x20ftypisom\0\0\x02\0"
M4A = b"\0\0\0\x20ftypM4A \0\0\x02\0"
WEBM = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm"
MATROSKA = WEBM.replace(b"\x84webm", b"\x88matroska")


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a"])
@pytest.mark.parametrize(
    ("content", "what", "suffix"),
    [
        (M4A + BODY, "an MPEG-4 or QuickTime file", "m4a"),
        (MP4 + BODY, "an MPEG-4 or QuickTime file", "mp4"),
        (M4A + ADTS, "an MPEG-4 or QuickTime file", "m4a"),
        (ADTS, "AAC sound", "aac"),
        (ID3 + ADTS, "AAC sound", "aac"),
        (WEBM + BODY, "a WebM file", "webm"),
        (MATROSKA + BODY, "a Matroska file", "mkv"),
        (b"RIFF\0\x08\0\0AVI LIST" + BODY, "an AVI file", "avi"),
    ],
)
def test_a_container_is_recognised_whatever_its_name(
    tmp_path: Path, name: str, content: bytes, what: str, suffix: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = f"is {what}, which can't be decoded here: convert it, e.g. `ffmpeg -i in.{suffix} "
    with pytest.raises(AudioFileError, match=re.escape(message)):
        read_header(path)


def test_a_container_in_a_shard_is_recognised(tmp_path: Path) -> None:
    shard = write_shard(tmp_path / "a.parquet", [row(audio={"bytes": M4A + BODY, "path": "a.mp3"})])
    with pytest.raises(AudioFileError, match=r"row 0: is an MPEG-4 or QuickTime file"):
        read_header(EmbeddedAudio(shard, 0))


@pytest.mark.parametrize("content", [ID3, b"ID3", b"\xff", b"text", BODY, b"RIFF"])
def test_what_is_no_known_container_only_can_not_be_decoded(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(AudioFileError, match=r"a\.wav: can't be decoded \(.*leave the episode out"):
        read_header(path)


@pytest.mark.parametrize(
    ("kind", "tags"),
    [(kind, b"") for kind in ("MP3", "WAV", "FLAC", "OGG", "AIFF")] + [("MP3", ID3), ("FLAC", ID3)],
)
def test_sound_that_can_be_decoded_is_taken_for_no_container(
    tmp_path: Path, kind: str, tags: bytes
) -> None:
    path = tmp_path / "a.mp4"
    sf.write(path, 0.1 * np.random.default_rng(0).standard_normal(8000), 8000, format=kind)
    path.write_bytes(tags + path.read_bytes())
    assert check_audio(path).num_samples == 8000
