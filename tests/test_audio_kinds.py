"""One channel of a file, and samples in memory, are read as files are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from acoustic_event_prediction.audio import (
    AudioHeader,
    MonoReader,
    check_audio,
    load_waveform,
    read_header,
    read_mono,
)
from acoustic_event_prediction.audio_source import (
    AudioChannel,
    AudioFileError,
    AudioPlace,
    AudioSource,
    EmbeddedAudio,
    HeldWaveform,
    hold,
    open_binary,
    place_of,
)
from acoustic_event_prediction.audio_spans import Recording
from acoustic_event_prediction.corpus.content import is_unchanged, sha256_of
from acoustic_event_prediction.corpus.findings import Findings
from acoustic_event_prediction.corpus.records import AudioFile
from tests.corpus.shards import encoded, row, write_shard
from tests.made import audio_file

RATE_HZ = 16_000


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


@pytest.fixture
def stereo(tmp_path: Path) -> Path:
    """Longer than a block of the decoder."""
    path = tmp_path / "a.wav"
    sf.write(path, noise(70_001, 2), RATE_HZ, subtype="FLOAT")
    return path


@pytest.mark.parametrize("channel", [0, 1])
def test_a_channel_is_the_files_own_bit_by_bit(stereo: Path, channel: int) -> None:
    source = AudioChannel(stereo, channel)
    expected = noise(70_001, 2)[:, channel]
    assert read_header(source) == check_audio(source) == AudioHeader(70_001, RATE_HZ, 1)
    np.testing.assert_array_equal(read_mono(source, RATE_HZ), expected)
    np.testing.assert_array_equal(load_waveform(source).samples, expected[None])


@pytest.mark.parametrize("kind", ["MP3", "FLAC", "OGG"])
def test_a_channel_is_resampled_as_a_file_of_its_own(tmp_path: Path, kind: str) -> None:
    path, alone = tmp_path / "a.audio", tmp_path / "b.wav"
    sf.write(path, noise(20_000, 2), 44_100, format=kind)
    sf.write(alone, load_waveform(path).samples[1], 44_100, subtype="FLOAT")
    np.testing.assert_array_equal(
        read_mono(AudioChannel(path, 1), 24_000), read_mono(alone, 24_000)
    )


def test_two_channels_of_a_file_are_read_side_by_side(stereo: Path) -> None:
    expected = noise(70_001, 2)
    parts: list[list[np.ndarray]] = [[], []]
    with (
        MonoReader(AudioChannel(stereo, 0), RATE_HZ) as left,
        MonoReader(AudioChannel(stereo, 1), RATE_HZ) as right,
    ):
        while (block := left.read(1920)).size:
            parts[0].append(block)
            parts[1].append(right.read(1920))
    np.testing.assert_array_equal(np.stack([np.concatenate(part) for part in parts]), expected.T)


def test_a_channel_of_embedded_audio_is_held_with_its_file(tmp_path: Path) -> None:
    content = encoded(noise(9000, 2), "WAV")
    shard = write_shard(tmp_path / "a.parquet", [row(audio={"bytes": content, "path": "x"})])
    source = AudioChannel(EmbeddedAudio(shard, 0), 1)
    expected = read_mono(source, 8000)
    held = hold(source)
    shard.write_bytes(b"")
    np.testing.assert_array_equal(read_mono(held, 8000), expected)
    assert open_binary(held).read() == content
    assert place_of(source) == AudioPlace(shard, 0, 1)


@pytest.mark.parametrize("channel", [2, -1])
def test_a_channel_that_the_file_lacks_is_refused(stereo: Path, channel: int) -> None:
    message = rf"a\.wav, channel {channel}: .*no such channel: it has 2, counted from 0: give one"
    for use in (read_header, check_audio, load_waveform):
        with pytest.raises(AudioFileError, match=message):
            use(AudioChannel(stereo, channel))


def test_a_channel_is_sound_if_only_the_other_is_damaged(tmp_path: Path) -> None:
    samples = noise(RATE_HZ, 2)
    samples[800, 1] = np.nan
    path = tmp_path / "a.wav"
    sf.write(path, samples, RATE_HZ, subtype="FLOAT")
    check_audio(AudioChannel(path, 0))
    with pytest.raises(AudioFileError, match=r"channel 1: NaN or infinite sample at 0\.050 s"):
        check_audio(AudioChannel(path, 1))


@given(
    num_channels=st.integers(1, 3),
    num_samples=st.sampled_from([1, 2, 1920, 65_536, 65_537, 70_001]),
    rate_hz=st.sampled_from([8000, 24_000, 44_100]),
)
def test_held_samples_are_read_as_those_of_a_file(
    tmp_path_factory: pytest.TempPathFactory, num_channels: int, num_samples: int, rate_hz: int
) -> None:
    samples = noise(num_channels, num_samples)
    path = tmp_path_factory.mktemp("held") / "a.wav"
    sf.write(path, samples.T, rate_hz, subtype="FLOAT")
    held = HeldWaveform(samples, rate_hz)
    assert read_header(held) == check_audio(held) == read_header(path)
    np.testing.assert_array_equal(read_mono(held, 24_000), read_mono(path, 24_000))
    np.testing.assert_array_equal(load_waveform(held).samples, samples)


def test_one_row_of_samples_is_mono_and_is_not_copied_as_a_whole() -> None:
    samples = noise(5000)
    held = HeldWaveform(samples, RATE_HZ)
    assert np.shares_memory(load_waveform(held).samples, samples)
    assert load_waveform(held).samples.shape == (1, 5000)
    read_mono(held, RATE_HZ)[:] = 0  # what a reader gives is the caller's own
    np.testing.assert_array_equal(samples, noise(5000))


@pytest.mark.parametrize("source", ["channel", "held"])
def test_parts_are_read_of_every_kind(stereo: Path, source: str) -> None:
    samples = noise(70_001, 2)[:, 1]
    kinds: dict[str, AudioSource] = {
        "channel": AudioChannel(stereo, 1),
        "held": HeldWaveform(samples, RATE_HZ),
    }
    (part,) = Recording(kinds[source]).read_spans([(1.0, 2.0)], RATE_HZ)
    np.testing.assert_array_equal(part, samples[RATE_HZ : 2 * RATE_HZ])


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(9, np.int16), r"ndarray of int16, .*: divide .* by their full scale"),
        (np.zeros(9), r"ndarray of float64, not an array of float32: give a NumPy array"),
        ([0.1, 0.2], r"its samples are a list, not an array of float32"),
        (np.zeros(0, np.float32), "holds no samples"),
        (np.zeros((2, 0), np.float32), "holds no samples"),
        (np.zeros((), np.float32), r"shape \(\): give \[C, N\]"),
        (np.zeros((1, 2, 3), np.float32), r"shape \(1, 2, 3\): give \[C, N\]"),
        (np.zeros((2000, 2), np.float32), r"more than 1024 channels: .*`samples\.T`"),
    ],
)
def test_samples_of_another_type_or_shape_are_refused(samples: Any, message: str) -> None:
    with pytest.raises(AudioFileError, match=rf"mine \(samples in memory\): .*{message}"):
        HeldWaveform(samples, RATE_HZ, "mine")


@pytest.mark.parametrize("rate", [0, -8000, 44_100.5, 10**400, np.nan, np.inf, True, "8000", None])
def test_a_rate_that_is_no_positive_whole_number_is_refused(rate: Any) -> None:
    with pytest.raises(AudioFileError, match="samples a second: give a positive whole number"):
        HeldWaveform(noise(9), rate)


@pytest.mark.parametrize("rate", [8000.0, np.int64(8000), np.float32(8000)])
def test_a_whole_rate_of_any_type_is_taken(rate: Any) -> None:
    assert read_header(HeldWaveform(noise(9), rate)) == (9, 8000, 1)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_held_samples_that_are_no_numbers_are_refused_as_they_are_read(value: float) -> None:
    samples = noise(2, 5 * RATE_HZ)
    samples[1, 4 * RATE_HZ + 800] = value
    held = HeldWaveform(samples, RATE_HZ)
    for use in (check_audio, load_waveform):
        with pytest.raises(AudioFileError, match=r"sample at 4\.050 s: correct what computes it"):
            use(held)


def test_held_samples_have_no_encoded_form(tmp_path: Path) -> None:
    held = HeldWaveform(noise(9), RATE_HZ)
    assert hold(held) is held
    assert place_of(held) is None
    with pytest.raises(AudioFileError, match=r"no encoded form .*: write it to a WAV file"):
        open_binary(held)


def test_the_digest_of_held_samples_is_that_of_values_shape_and_rate() -> None:
    samples = noise(2, 3000)
    digest = sha256_of(HeldWaveform(samples, RATE_HZ))
    strided = np.asfortranarray(samples)
    assert sha256_of(HeldWaveform(strided, RATE_HZ, "another name")) == digest
    assert sha256_of(HeldWaveform(samples[:1], 8)) == sha256_of(HeldWaveform(samples[0], 8))
    others = [
        HeldWaveform(samples, 8000),
        HeldWaveform(samples.reshape(1, -1), RATE_HZ),
        HeldWaveform(samples[::-1], RATE_HZ),
    ]
    assert len({digest, *map(sha256_of, others)}) == 4


def test_the_digest_of_a_channel_is_neither_the_files_nor_another_channels(stereo: Path) -> None:
    sources = [stereo, AudioChannel(stereo, 0), AudioChannel(stereo, 1)]
    assert len({sha256_of(source) for source in sources}) == 3


def test_a_record_of_a_channel_locates_it_and_is_told_from_its_file(stereo: Path) -> None:
    source = AudioChannel(stereo, 1)
    record = audio_file(path="a.wav", channel=1, sha256=sha256_of(source))
    assert record.locate(stereo.parent) == source
    assert is_unchanged(record, stereo.parent)
    assert not is_unchanged(record.model_copy(update={"channel": 0}), stereo.parent)
    assert record.key != audio_file(path="a.wav").key
    row = audio_file(path="a.parquet", row=3, channel=1)
    assert row.locate(stereo.parent) == AudioChannel(
        EmbeddedAudio(stereo.parent / "a.parquet", 3), 1
    )
    with pytest.raises(ValueError, match="channel"):
        audio_file(channel=-1)


def test_a_stored_record_without_the_field_is_mixed_down(stereo: Path) -> None:
    stored = json.loads(audio_file(path="a.wav").model_dump_json(exclude={"channel"}))
    assert "channel" not in stored
    assert AudioFile.model_validate(stored).locate(stereo.parent) == stereo


def test_findings_name_every_kind(stereo: Path) -> None:
    findings = Findings(stereo.parent, "")
    embedded = EmbeddedAudio(stereo.parent / "b.parquet", 2)
    held = HeldWaveform(noise(9), RATE_HZ)
    for source in (stereo, AudioChannel(stereo, 1), AudioChannel(embedded, 0), held):
        findings.warn(source, "sounds")
    assert [finding.file for finding in findings.warnings] == [
        "a.wav",
        "a.wav, channel 1",
        "b.parquet, row 2, channel 0",
        "waveform (samples in memory)",
    ]
