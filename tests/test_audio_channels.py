from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from acoustic_event_prediction.audio import AudioHeader, check_audio
from acoustic_event_prediction.audio_channels import ChannelSurvey, survey_channels
from acoustic_event_prediction.audio_source import AudioChannel, AudioFileError, HeldWaveform

RATE_HZ = 8000
SECONDS = 60


def speech(seed: int, spans: list[tuple[float, float]], level: float = 0.1) -> np.ndarray:
    """Noise in syllables of 0.2 s with random loudness and short gaps, inside the spans only."""
    random = np.random.default_rng(seed)
    syllables = np.exp(random.normal(0, 0.7, SECONDS * 5)) * (random.random(SECONDS * 5) < 0.8)
    envelope = np.repeat(syllables, RATE_HZ // 5)
    time = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    is_spoken = np.any([(time >= start) & (time < end) for start, end in spans], axis=0)
    return level * envelope * is_spoken * random.standard_normal(time.size)


def turns(first: float) -> list[tuple[float, float]]:
    """Turns of 4 s every 7.5 s: two speakers overlap by 0.25 s at either end of a turn."""
    return [(start, start + 4) for start in np.arange(first, SECONDS, 7.5)]


A, B = speech(1, turns(0.0)), speech(2, turns(3.75))


def survey(*channels: np.ndarray) -> ChannelSurvey:
    return survey_channels(HeldWaveform(np.stack(channels).astype(np.float32), RATE_HZ))


def room(level_db: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(SECONDS * RATE_HZ)
    return 10 ** (level_db / 20) * noise


def delayed(samples: np.ndarray, milliseconds: int) -> np.ndarray:
    return np.roll(samples, milliseconds * RATE_HZ // 1000)


@pytest.mark.parametrize("gain_db", [0, -12])
@pytest.mark.parametrize("noise_db", [-200, -60, -40])
@pytest.mark.parametrize("crosstalk_db", [-200, -40, -30, -20, -15])
def test_a_microphone_per_speaker_is_told(
    gain_db: float, noise_db: float, crosstalk_db: float
) -> None:
    crosstalk = 10 ** (crosstalk_db / 20)
    second = 10 ** (gain_db / 20) * (B + crosstalk * A)
    found = survey(A + crosstalk * B + room(noise_db, 3), second + room(noise_db, 4))
    assert found.holds_speakers, found


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param(A + B, A + B, id="identical"),
        pytest.param(A + B, 0.25 * (A + B), id="gains"),
        pytest.param(A + B, -(A + B), id="inverted"),
        pytest.param(A + B, delayed(A + B, 1), id="delayed by 1 ms"),
        pytest.param(A + B, 0.8 * delayed(A + B, 10), id="delayed by 10 ms"),
        pytest.param(A + 0.7 * B, 0.7 * A + B, id="panned"),
        pytest.param(A + B, A + 0.35 * B, id="one voice panned"),
        pytest.param(A + B + 0.6 * delayed(A, 7), A + B - 0.6 * delayed(A, 7), id="widened"),
        pytest.param(A + 0.5 * B, 0.5 * A + B, id="crosstalk of -6 dB"),
    ],
)
@pytest.mark.parametrize("noise_db", [-200, -40])
def test_a_mix_is_no_speakers(left: np.ndarray, right: np.ndarray, noise_db: float) -> None:
    found = survey(left + room(noise_db, 3), right + room(noise_db, 4))
    assert not found.holds_speakers, found


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(0 * A, id="silence"),
        pytest.param(0 * A + 0.01, id="direct current"),
        pytest.param(room(-40, 5), id="noise"),
        pytest.param(room(-80, 5), id="faint noise"),
        pytest.param(0.01 * np.sin(np.arange(A.size) * 2 * np.pi * 50 / RATE_HZ), id="hum"),
        pytest.param(np.where(np.arange(A.size) % 56_000, 0, 0.5), id="clicks"),
        pytest.param(1e-3 * B, id="a voice 60 dB below"),
    ],
)
def test_a_channel_without_a_voice_of_its_own_is_no_speaker(other: np.ndarray) -> None:
    assert not survey(A + B, other).holds_speakers
    assert not survey(A, B, other).holds_speakers


def test_of_more_channels_the_two_most_alike_count() -> None:
    third = speech(3, [(start + 1.5, end - 1.5) for start, end in turns(2.0)])
    assert survey(A, B, third).holds_speakers
    assert not survey(A, B, 0.5 * A).holds_speakers
    assert survey(A, B, 0.5 * A).level_correlation == pytest.approx(1.0)


def test_one_channel_relates_to_none(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, np.stack([A, B], axis=1), RATE_HZ, subtype="FLOAT")
    found = survey_channels(AudioChannel(path, 1))
    assert found.level_correlation is None
    assert not found.holds_speakers
    assert found.levels_db == survey(B).levels_db


def test_levels_are_in_decibels_of_full_scale_and_count_every_sample() -> None:
    # 1.05 s: the last half frame has a tenth of the loudness, and silence has the floor.
    samples = np.full((2, 8400), 0.5, np.float32)
    samples[0, 8000:] = 0.05
    samples[1] = 0
    found = survey_channels(HeldWaveform(samples, RATE_HZ))
    mean_square = (8000 * 0.25 + 400 * 0.0025) / 8400
    assert found.levels_db == pytest.approx((10 * np.log10(mean_square), -120.0), abs=1e-4)
    assert found.loud_levels_db == pytest.approx((20 * np.log10(0.5), -120.0), abs=1e-4)
    assert found.ranges_db == pytest.approx((0.0, 0.0), abs=1e-4)
    assert found.level_correlation is None


@pytest.mark.parametrize("num_samples", [1, 799, 7999])
def test_less_than_a_second_says_nothing(num_samples: int) -> None:
    found = survey(A[:num_samples], B[:num_samples])
    assert found.level_correlation is None
    assert not found.holds_speakers


@pytest.mark.parametrize("rate_hz", [5, 8000, 11_025, 44_100])
def test_frames_do_not_depend_on_the_decoders_blocks(rate_hz: int) -> None:
    random = np.random.default_rng(0)
    samples = random.uniform(-0.5, 0.5, (2, 200_001)).astype(np.float32)
    samples *= np.repeat(random.random((2, 2001)), 100, axis=1)[:, :200_001].astype(np.float32)
    size = max(1, round(0.1 * rate_hz))
    whole = samples[:, : samples.shape[1] // size * size].astype(np.float64)
    amplitudes = np.sqrt(np.square(whole.reshape(2, -1, size)).mean(axis=2))
    found = survey_channels(HeldWaveform(samples, rate_hz))
    assert found.level_correlation == pytest.approx(np.corrcoef(amplitudes)[0, 1], abs=1e-6)


def test_joint_stereo_does_not_hide_the_speakers(tmp_path: Path) -> None:
    def survey_mp3(*channels: np.ndarray) -> ChannelSurvey:
        sf.write(tmp_path / "a.mp3", np.clip(np.stack(channels, axis=1), -1, 1), RATE_HZ)
        return survey_channels(tmp_path / "a.mp3")

    assert survey_mp3(A, B).holds_speakers
    assert not survey_mp3(A + B, 0.9 * (A + B)).holds_speakers


def test_the_one_pass_checks_what_check_audio_checks(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    samples = np.stack([A, B], axis=1)
    sf.write(path, samples, RATE_HZ, subtype="FLOAT")
    assert survey_channels(path).header == check_audio(path) == AudioHeader(A.size, RATE_HZ, 2)
    samples[-1, 1] = np.nan
    sf.write(path, samples, RATE_HZ, subtype="FLOAT")
    with pytest.raises(AudioFileError, match=r"NaN or infinite sample at 60\.000 s"):
        survey_channels(path)
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(AudioFileError, match="cut short"):
        survey_channels(path)
