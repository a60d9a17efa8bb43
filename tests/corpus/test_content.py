import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from acoustic_event_prediction.corpus.content import (
    channel_of,
    is_unchanged,
    seems_unchanged,
    sha256_of,
)
from acoustic_event_prediction.corpus.records import AudioFile
from tests.made import audio_file


@pytest.fixture
def file(tmp_path: Path) -> AudioFile:
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    status = path.stat()
    return audio_file(
        num_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        sha256=sha256_of(path),
    )


def test_a_file_that_was_only_touched_or_copied_is_unchanged(
    file: AudioFile, tmp_path: Path
) -> None:
    os.utime(tmp_path / "a.wav", ns=(1, 1))
    assert seems_unchanged(file, tmp_path)
    assert is_unchanged(file, tmp_path)


def test_other_content_of_the_same_size_is_a_change(file: AudioFile, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"SOUND")
    os.utime(path, ns=(1, 1))
    assert not seems_unchanged(file, tmp_path)
    # Setting the old time does not help: the time of the entry's change can't be set.
    os.utime(path, ns=(file.modified_ns, file.modified_ns))
    assert not seems_unchanged(file, tmp_path)
    assert not is_unchanged(file, tmp_path)  # what the workers ask before they read it


@pytest.mark.parametrize("path", ["/etc/passwd", "../a.wav", "a/../../b.wav", "a\\b", "", "a\0b"])
def test_a_record_whose_path_leaves_the_corpus_is_refused(file: AudioFile, path: str) -> None:
    with pytest.raises(ValueError, match="no path inside the corpus"):
        AudioFile.model_validate(file.model_dump() | {"path": path})


def test_the_record_of_a_channel_is_true_of_the_file(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.zeros((80, 2)), 8000)
    whole = audio_file(path="a.wav", num_channels=2, sha256=sha256_of(tmp_path / "a.wav"))
    first, second = (channel_of(whole, channel) for channel in (0, 1))
    assert is_unchanged(first, tmp_path)
    assert is_unchanged(second, tmp_path)
    assert len({whole.sha256, first.sha256, second.sha256}) == 3
