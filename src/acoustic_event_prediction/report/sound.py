"""The sound of a whole recording for a page, and the envelope of its waveform."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr

from acoustic_event_prediction.audio import MonoReader, Samples
from acoustic_event_prediction.audio_source import AudioSource
from acoustic_event_prediction.frames import MODEL_SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from acoustic_event_prediction.report.sound_format import choose_format, data_uri

_MEGABYTE = 1_000_000
_SETTING = "prediction.report.max_megabytes"
_BLOCK_FRAMES = 125  # 10 s
# MP3 of a constant bit rate: of a variable one, browsers only know where each hundredth of the file
# lies, and a seek in an hour ends seconds beside. At 40 kbit/s, 16 kHz is the highest rate whose
# MP3 frames have room for the encoder's delay; without it, all sound is 46 ms or more late.
_SOUND_RATE_HZ = 16_000
_CODING: dict[str, dict[str, Any]] = {
    "MP3": {"bitrate_mode": "CONSTANT", "compression_level": 0.8},
    "OGG": {"compression_level": 0.8},
}


@dataclass(frozen=True)
class Sound:
    """What is heard of a recording, and the outline of its waveform; T frames.

    Attributes:
        peaks: highest absolute amplitude of each frame of the mono mix, float32 [T].
        uri: data URI of the whole recording, mono.
        missing: why there is none; exactly one of `uri` and `missing` is None.
    """

    peaks: npt.NDArray[np.float32]
    uri: str | None
    missing: str | None

    def __post_init__(self) -> None:
        if (self.uri is None) == (self.missing is None):
            got = "neither" if self.uri is None else "both"
            raise ValueError(f"need either the sound or why there is none, got {got}")


def hear(
    source: AudioSource,
    num_frames: int,
    max_megabytes: float,
    on_block: Callable[[], None] = lambda: None,
) -> Sound:
    """Return the sound of a recording, decoded once; of its samples only a block is in memory.

    Args:
        source: the recording.
        num_frames: T; frames after the end of the recording have a peak of 0.
        max_megabytes: of the data URI; what is larger is left out. 0: no sound.
        on_block: called before each block of 10 s; what it raises ends the work.

    Raises:
        AudioError: see `MonoReader`.
    """
    peaks = np.zeros(num_frames, np.float32)
    with MonoReader(source, MODEL_SAMPLE_RATE_HZ) as reader:
        encoder = _Encoder(reader.num_samples, max_megabytes)
        first = 0
        on_block()
        while (block := reader.read(_BLOCK_FRAMES * SAMPLES_PER_FRAME)).size:
            found = _peaks(block)[: max(0, num_frames - first)]
            peaks[first : first + len(found)] = found
            first += _BLOCK_FRAMES
            encoder.write(block)
            on_block()
    return encoder.finish(peaks)


def _peaks(block: Samples) -> Samples:
    """Return the highest absolute amplitude of each frame that a block [n] begins."""
    padded = np.pad(np.abs(block), (0, -len(block) % SAMPLES_PER_FRAME))
    peaks: Samples = padded.reshape(-1, SAMPLES_PER_FRAME).max(axis=1)
    return peaks


class _Encoder:
    """Encodes until all is written, or until it is clear that the result is too large."""

    def __init__(self, num_samples: int, max_megabytes: float) -> None:
        self._num_samples, self._max_megabytes = num_samples, max_megabytes
        self._missing = None if max_megabytes > 0 else f"{_SETTING} is 0"
        self._num_written = 0
        self._format = choose_format()
        container, coding, _ = self._format
        self._resampler = soxr.ResampleStream(
            MODEL_SAMPLE_RATE_HZ, _SOUND_RATE_HZ, num_channels=1, dtype="float32"
        )
        self._encoded = io.BytesIO()
        options: Any = {"format": container, "subtype": coding, **_CODING[container]}
        self._file = sf.SoundFile(self._encoded, "w", _SOUND_RATE_HZ, 1, **options)

    def write(self, block: Samples) -> None:
        """Encode the next samples [n], at the model's rate."""
        if self._missing:
            return
        self._put(block, is_last=False)
        self._num_written += len(block)
        self._check_size()

    def finish(self, peaks: Samples) -> Sound:
        """Return the sound."""
        if not self._missing:
            self._put(np.zeros(0, np.float32), is_last=True)
        self._file.close()
        self._check_size()
        if self._missing:
            return Sound(peaks, None, self._missing)
        return Sound(peaks, data_uri(self._format.mime, self._encoded.getbuffer()), None)

    def _put(self, block: Samples, *, is_last: bool) -> None:
        sound = self._resampler.resample_chunk(block, last=is_last)
        self._file.write(np.clip(sound, -1, 1))

    def _check_size(self) -> None:
        """Give up if the URI is too large already; what is encoded is let go."""
        # A data URI needs four characters for three bytes.
        megabytes = self._encoded.getbuffer().nbytes * 4 / 3 / _MEGABYTE
        if self._missing or megabytes <= self._max_megabytes:
            return
        whole = megabytes * self._num_samples / self._num_written
        self._missing = (
            f"it needs about {whole:.3g} MB, more than the {self._max_megabytes:g} MB that "
            f"{_SETTING} allows"
        )
        self._encoded.truncate(0)
