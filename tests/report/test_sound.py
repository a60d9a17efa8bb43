import base64
import io
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from acoustic_event_prediction.audio import Samples
from acoustic_event_prediction.errors import AudioError
from acoustic_event_prediction.report.sound import Sound, hear

RATE_HZ = 24_000
SETTING = "prediction.report.max_megabytes"


def write(path: Path, samples: Samples, rate_hz: int = RATE_HZ) -> Path:
    sf.write(path, samples, rate_hz)
    return path


def encoded(sound: Sound) -> bytes:
    assert sound.uri is not None
    return base64.b64decode(sound.uri.partition(",")[2])


def decode(sound: Sound) -> tuple[Samples, int]:
    samples, rate_hz = sf.read(io.BytesIO(encoded(sound)), dtype="float32")
    return np.asarray(samples), int(rate_hz)


def noise(seconds: float) -> Samples:
    samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE_HZ))
    return samples.astype(np.float32)


def test_peaks_are_the_highest_amplitudes_of_the_frames_of_the_mix(tmp_path: Path) -> None:
    samples = np.zeros((4000, 2), np.float32)  # frames 0 and 1, and 160 samples of frame 2
    samples[1919] = (0.5, 0.25)
    samples[1920] = (-0.75, -0.25)

    sound = hear(write(tmp_path / "a.wav", samples), 3, 1.0)

    assert sound.peaks == pytest.approx([0.375, 0.5, 0.0], abs=1e-4)
    assert sound.peaks.dtype == np.float32


@pytest.mark.parametrize("num_frames", [100, 125, 126, 200, 400])
def test_there_are_as_many_peaks_as_frames_of_the_scores(tmp_path: Path, num_frames: int) -> None:
    path = write(tmp_path / "a.wav", np.full(20 * RATE_HZ, 0.5, np.float32))

    sound = hear(path, num_frames, 0.0)

    assert sound.peaks.shape == (num_frames,)
    assert sound.peaks[:250] == pytest.approx(0.5, abs=1e-4)
    assert not sound.peaks[250:].any()


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 44_100])
def test_sound_is_heard_at_its_time(tmp_path: Path, rate_hz: int) -> None:
    clicks = np.zeros((62 * rate_hz, 2), np.float32)
    for seconds in (1, 30, 60):
        clicks[seconds * rate_hz : seconds * rate_hz + rate_hz // 500] = 0.8

    sound = hear(write(tmp_path / "a.flac", clicks, rate_hz), 775, 10.0)

    samples, found_rate_hz = decode(sound)
    assert len(samples) / found_rate_hz == pytest.approx(62, abs=0.001)
    for seconds in (1, 30, 60):
        around = samples[round((seconds - 0.5) * found_rate_hz) :][:found_rate_hz]
        heard = np.argmax(np.abs(around) > 0.3) / found_rate_hz - 0.5
        assert abs(heard) < 0.002


def test_sound_sounds_alike_over_the_seams_of_blocks(tmp_path: Path) -> None:
    time = np.arange(25 * RATE_HZ) / RATE_HZ
    tone = (0.5 * np.sin(2 * np.pi * (200 * time + 40 * time**2))).astype(np.float32)

    samples, rate_hz = decode(hear(write(tmp_path / "a.wav", tone), 313, 10.0))

    expected = np.interp(np.arange(len(samples)) / rate_hz, time, tone)
    assert np.abs(samples - expected)[rate_hz:-rate_hz].max() < 0.05


def test_the_bit_rate_is_constant_so_that_a_seek_ends_where_it_should(tmp_path: Path) -> None:
    speech = np.concatenate([noise(10), np.zeros(20 * RATE_HZ, np.float32)])
    sizes = {
        len(encoded(hear(write(tmp_path / "a.wav", samples), 375, 10.0)))
        for samples in (speech, speech[::-1], noise(30))
    }
    assert max(sizes) - min(sizes) < 1000
    assert max(sizes) == pytest.approx(30 * 5000, rel=0.02)


def test_without_mp3_it_is_ogg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = sf.check_format
    monkeypatch.setattr(sf, "check_format", lambda kind, sub: kind != "MP3" and check(kind, sub))

    sound = hear(write(tmp_path / "a.wav", noise(3)), 38, 10.0)

    assert str(sound.uri).startswith("data:audio/ogg;base64,")
    samples, rate_hz = decode(sound)
    assert len(samples) == 3 * rate_hz


def test_too_large_sound_is_left_out_but_all_peaks_are_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.full(60 * RATE_HZ, 0.5, np.float32))

    sound = hear(path, 750, 0.1)

    assert sound.uri is None
    needed = re.fullmatch(
        rf"it needs about (\S+) MB, more than the 0.1 MB that {SETTING} allows", str(sound.missing)
    )
    assert needed
    assert float(needed[1]) == pytest.approx(0.4, rel=0.02)
    assert sound.peaks == pytest.approx(0.5, abs=1e-4)


def test_sound_fits_the_size_that_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(60))
    size = len(str(hear(path, 750, 1.0).uri)) / 1e6

    assert hear(path, 750, size).uri is not None
    assert hear(path, 750, 0.99 * size).uri is None


def test_no_megabytes_are_no_sound(tmp_path: Path) -> None:
    sound = hear(write(tmp_path / "a.wav", noise(1)), 13, 0.0)
    assert (sound.uri, sound.missing) == (None, f"{SETTING} is 0")


def test_a_long_recording_is_never_in_memory(tmp_path: Path) -> None:
    num_seconds = 20 * 60  # 115 MB as samples
    path = tmp_path / "a.wav"
    with sf.SoundFile(path, "w", RATE_HZ, 1, subtype="PCM_U8", format="WAV") as file:
        for _ in range(num_seconds // 60):
            file.write(np.zeros(60 * RATE_HZ, np.float32))

    tracemalloc.start()
    hear(path, num_seconds * 25 // 2, 0.01)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 10e6


def test_a_recording_that_can_not_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"no audio")
    with pytest.raises(AudioError, match="can't be decoded"):
        hear(path, 13, 1.0)


@pytest.mark.parametrize(("uri", "missing", "got"), [(None, None, "neither"), ("x", "y", "both")])
def test_there_is_either_sound_or_a_reason(uri: str | None, missing: str | None, got: str) -> None:
    with pytest.raises(ValueError, match=got):
        Sound(np.zeros(1, np.float32), uri, missing)


def test_the_caller_is_asked_before_each_block_of_ten_seconds(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(25.0))
    asked: list[None] = []

    def stop_at_the_third() -> None:
        asked.append(None)
        if len(asked) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hear(path, 313, 1.0, stop_at_the_third)
    assert len(asked) == 3
