from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from acoustic_event_prediction.audio_spans import Recording
from acoustic_event_prediction.errors import AudioError

RATE_HZ = 8000


def record(path: Path, seconds: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * rate_hz), 2))
    sf.write(path, samples, rate_hz, subtype="FLOAT")
    return samples.astype(np.float32).mean(axis=1)


def test_parts_are_the_samples_at_their_times_in_the_order_asked_for(tmp_path: Path) -> None:
    samples = record(tmp_path / "a.wav", 25)

    # Over the border of a block of 10 s, inside the first, and overlapping the latter.
    late, early, again = Recording(tmp_path / "a.wav").read_spans(
        [(9.5, 21.0), (1.0, 2.0), (1.5, 1.75)], RATE_HZ
    )

    np.testing.assert_allclose(late, samples[76_000:168_000], atol=1e-7)
    np.testing.assert_allclose(early, samples[8000:16_000], atol=1e-7)
    np.testing.assert_array_equal(again, early[4000:6000])


def test_what_lies_outside_the_file_is_left_out(tmp_path: Path) -> None:
    record(tmp_path / "a.wav", 3)

    parts = Recording(tmp_path / "a.wav").read_spans([(-1.0, 0.5), (2.5, 9.0), (5.0, 6.0)], RATE_HZ)

    assert [len(part) for part in parts] == [4000, 4000, 0]


def test_a_part_has_the_rate_that_is_asked_for(tmp_path: Path) -> None:
    time = np.arange(3 * 48_000) / 48_000
    sf.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 500 * time), 48_000, subtype="FLOAT")

    (part,) = Recording(tmp_path / "a.wav").read_spans([(1.0, 2.0)], RATE_HZ)

    expected = 0.5 * np.sin(2 * np.pi * 500 * np.arange(RATE_HZ) / RATE_HZ)
    np.testing.assert_allclose(part, expected, atol=1e-3)


def test_nothing_after_the_last_part_is_decoded(tmp_path: Path) -> None:
    samples = np.zeros(30 * RATE_HZ, np.float32)
    samples[-1] = np.nan
    sf.write(tmp_path / "a.wav", samples, RATE_HZ, subtype="FLOAT")
    recording = Recording(tmp_path / "a.wav")

    assert len(recording.read_spans([(1.0, 2.0)], RATE_HZ)[0]) == RATE_HZ
    with pytest.raises(AudioError, match="NaN"):
        recording.read_spans([(29.0, 30.0)], RATE_HZ)


def test_no_parts_of_a_file_are_none(tmp_path: Path) -> None:
    record(tmp_path / "a.wav", 1)

    assert Recording(tmp_path / "a.wav").read_spans([], RATE_HZ) == []
