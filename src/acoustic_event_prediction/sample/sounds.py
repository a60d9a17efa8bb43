"""Sounds that are not speech: breaths, laughs and room noise, all float32 at 24 kHz."""

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, sosfilt

from acoustic_event_prediction.sample.voices import SAMPLE_RATE_HZ

Waveform = npt.NDArray[np.float32]

_BREATH_BAND_HZ = (1_000.0, 5_500.0)
_BREATH_AMPLITUDE = 0.1
_ROOM_BAND_HZ = (60.0, 4_000.0)
_LAUGH_NOISE_BAND_HZ = (800.0, 4_000.0)
_NUM_LAUGH_HARMONICS = 11


def in_breath(rng: np.random.Generator, *, seconds: float, gain: float) -> Waveform:
    """Return the noise of air drawn in, which swells and fades; [N]."""
    num_samples = round(seconds * SAMPLE_RATE_HZ)
    envelope = np.hanning(num_samples) * _BREATH_AMPLITUDE * gain
    noise = _band_noise(rng, num_samples, _BREATH_BAND_HZ) * envelope
    return noise.astype(np.float32)


def laugh(rng: np.random.Generator, *, pitch_hz: float) -> Waveform:
    """Return three to seven "ha" bursts of falling pitch with aspiration between them; [N]."""
    pieces = []
    for burst in range(int(rng.integers(3, 8))):
        num_voiced = round(rng.uniform(0.07, 0.12) * SAMPLE_RATE_HZ)
        num_aspirated = round(rng.uniform(0.06, 0.10) * SAMPLE_RATE_HZ)
        phase = 2 * np.pi * pitch_hz * (1 - 0.05 * burst) * np.arange(num_voiced) / SAMPLE_RATE_HZ
        voiced = sum(np.sin(k * phase) / k for k in range(1, _NUM_LAUGH_HARMONICS + 1))
        pieces.append(0.25 * voiced * np.hanning(num_voiced))
        pieces.append(0.02 * _band_noise(rng, num_aspirated, _LAUGH_NOISE_BAND_HZ))
    waveform: Waveform = np.concatenate(pieces).astype(np.float32)
    return waveform


def room_noise(rng: np.random.Generator, *, num_samples: int, level: float) -> Waveform:
    """Return steady background noise of about the given standard deviation; [num_samples]."""
    white = rng.standard_normal(num_samples)
    low = _band_noise(rng, num_samples, _ROOM_BAND_HZ)
    return (level * (0.5 * white + low)).astype(np.float32)


def _band_noise(
    rng: np.random.Generator, num_samples: int, band_hz: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Return band-limited Gaussian noise; [num_samples]."""
    sections = butter(4, band_hz, "bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    filtered: npt.NDArray[np.float64] = sosfilt(sections, rng.standard_normal(num_samples))
    return filtered
