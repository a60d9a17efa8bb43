from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from acoustic_event_prediction.audio import (
    AudioHeader,
    MonoReader,
    check_audio,
    load_waveform,
    read_header,
    read_mono,
)
from acoustic_event_prediction.errors import AudioError
from acoustic_event_prediction.frames import SAMPLES_PER_FRAME, count_frames

RATE_HZ = 16_000


def write(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ, **options: str) -> Path:
    sf.write(path, samples, rate_hz, **options)
    return path


def noise(*shape: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def test_equal_rates_give_the_files_own_samples(tmp_path: Path) -> None:
    samples = noise(5000)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    np.testing.assert_array_equal(read_mono(path, RATE_HZ), samples)


def test_channels_are_averaged(tmp_path: Path) -> None:
    samples = np.tile(np.float32([0.5, 0.25]), (100, 1))
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    np.testing.assert_array_equal(read_mono(path, RATE_HZ), np.full(100, 0.375, np.float32))


@pytest.mark.parametrize("block", [1, 7, 1920, 100_000])
def test_output_does_not_depend_on_the_block_size(tmp_path: Path, block: int) -> None:
    path = write(tmp_path / "a.wav", noise(3001), 44_100)
    with MonoReader(path, 24_000) as reader:
        blocks = []
        while len(samples := reader.read(block)):
            blocks.append(samples)
    assert all(len(samples) == block for samples in blocks[:-1])
    np.testing.assert_array_equal(np.concatenate(blocks), read_mono(path, 24_000))


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("num_samples", [1, 2, 1919, 70_001])
def test_length_is_the_exact_quotient_rounded_up(
    tmp_path: Path, rate_hz: int, num_samples: int
) -> None:
    path = write(tmp_path / "a.wav", noise(num_samples), rate_hz)
    samples = read_mono(path, 24_000)
    assert samples.dtype == np.float32
    assert 0 <= len(samples) - num_samples * 24_000 / rate_hz < 1
    # So nobody counts another number of frames after resampling than before.
    assert -(-len(samples) // SAMPLES_PER_FRAME) == count_frames(num_samples, rate_hz)


def test_resampling_keeps_a_tone_in_place(tmp_path: Path) -> None:
    def tone(rate_hz: int) -> np.ndarray:
        return np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz).astype(np.float32)

    path = write(tmp_path / "a.wav", tone(44_100), 44_100, subtype="FLOAT")
    inner = slice(2400, -2400)  # the filter rings at the edges
    np.testing.assert_allclose(read_mono(path, 24_000)[inner], tone(24_000)[inner], atol=1e-4)


def test_mp3_keeps_length_and_alignment(tmp_path: Path) -> None:
    samples = noise(2 * RATE_HZ)
    path = write(tmp_path / "a.mp3", samples, format="MP3")
    decoded = read_mono(path, RATE_HZ)
    assert len(decoded) == len(samples)
    correlation = np.correlate(decoded[4000:12_000], samples[3000:13_000], mode="valid")
    assert int(correlation.argmax()) == 1000  # lag 0


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "wav"])
def test_every_format_is_read(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", noise(RATE_HZ, 2))
    assert read_header(path) == check_audio(path) == AudioHeader(RATE_HZ, RATE_HZ, 2)
    waveform = load_waveform(path)
    assert waveform.samples.shape == (2, RATE_HZ)
    assert waveform.sample_rate_hz == RATE_HZ


def test_silence_is_allowed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.zeros(RATE_HZ, np.float32))
    assert not read_mono(path, 24_000).any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_sample_that_is_no_number_is_refused_with_its_time(tmp_path: Path, value: float) -> None:
    samples = noise(5 * RATE_HZ, 2)
    samples[4 * RATE_HZ + 800, 1] = value
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"a\.wav: NaN or infinite sample at 4\.050 s"):
        check_audio(path)


@pytest.mark.parametrize("suffix", ["wav", "mp3", "flac"])
def test_truncated_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", noise(10 * RATE_HZ))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match=r"cut short: it ends at .* promises 10\.000 s|decoded"):
        read_mono(path, 24_000)


def test_wav_from_a_pipe_has_no_length_to_keep(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(100))
    content = bytearray(path.read_bytes())
    content[40:44] = b"\xff\xff\xff\xff"  # size of the data chunk, unknown to the writer
    path.write_bytes(content)
    assert len(read_mono(path, RATE_HZ)) == 100


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"hello" * 100, "can't be decoded"),
        (None, "there is no such file"),
    ],
)
def test_file_without_audio_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AudioError, match=rf"a\.wav: {message}.*leave the episode out"):
        read_header(path)


def test_file_without_samples_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.zeros(0, np.float32))
    with pytest.raises(AudioError, match="holds no samples"):
        read_header(path)


@pytest.mark.parametrize(("container", "endian"), [("RF64", "FILE"), ("WAV", "BIG")])
def test_other_wav_headers_tell_a_cut_too(tmp_path: Path, container: str, endian: str) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, np.full(RATE_HZ, 0.25), RATE_HZ, format=container, endian=endian)
    assert check_audio(path).num_samples == RATE_HZ
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match="cut short"):
        read_header(path)


def test_a_flac_that_does_not_know_its_length_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    sf.write(path, np.full(RATE_HZ, 0.25), RATE_HZ)
    content = bytearray(path.read_bytes())
    # STREAMINFO: the number of samples is the last 36 bits before the checksum.
    content[21] &= 0xF0
    content[22:26] = b"\0\0\0\0"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"does not say how long it is.*convert it to WAV"):
        read_header(path)
