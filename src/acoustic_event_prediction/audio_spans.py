"""Short parts of long recordings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acoustic_event_prediction.audio import MonoReader, Samples, Waveform, load_waveform
from acoustic_event_prediction.audio_source import AudioSource

_BLOCK_SECONDS = 10


@dataclass(frozen=True)
class Recording:
    """One recording; called, it is decoded as a whole.

    Attributes:
        source: WAV, MP3, FLAC, OGG, one channel of these, or samples in memory.
    """

    source: AudioSource

    def __call__(self) -> Waveform:
        """Return the whole file at its own rate, all channels.

        Raises:
            AudioError: see `load_waveform`.
        """
        return load_waveform(self.source)

    def read_spans(
        self, spans: Sequence[tuple[float, float]], target_rate_hz: int
    ) -> list[Samples]:
        """Return parts of the file as mono, each float32 [n]; its length does not cost memory.

        The file is decoded front to back, once, and no farther than the last part: a seek in an
        MP3 need not end where it should.

        Args:
            spans: start and end of each part in seconds, in any order; they may overlap. What lies
                outside the file is left out.
            target_rate_hz: of the samples that come out.

        Raises:
            AudioError: see `MonoReader`.
        """
        bounds = [
            (_sample(start, target_rate_hz), _sample(end, target_rate_hz)) for start, end in spans
        ]
        pieces: list[list[Samples]] = [[np.zeros(0, np.float32)] for _ in bounds]
        position, last = 0, max((stop for _, stop in bounds), default=0)
        with MonoReader(self.source, target_rate_hz) as reader:
            while position < last:
                block = reader.read(_BLOCK_SECONDS * target_rate_hz)
                if not block.size:
                    break
                for found, (first, stop) in zip(pieces, bounds, strict=True):
                    # A copy: a slice would keep the whole block.
                    found.append(block[max(0, first - position) : max(0, stop - position)].copy())
                position += block.size
        return [np.concatenate(found) for found in pieces]


def _sample(seconds: float, rate_hz: int) -> int:
    return max(0, round(seconds * rate_hz))
