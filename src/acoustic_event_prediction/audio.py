"""Sound as float32 samples: streamed, mixed down, resampled and checked.

Decoding goes through libsndfile, which honours the encoder delay that an MP3 declares: the times of
the annotation stay true.
"""

from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import soxr

from acoustic_event_prediction.audio_decoding import AudioHeader, Decoder, Samples
from acoustic_event_prediction.audio_source import AudioSource, HeldWaveform

__all__ = [
    "AudioHeader",
    "MonoReader",
    "Samples",
    "Waveform",
    "check_audio",
    "load_waveform",
    "read_header",
    "read_mono",
]


class Waveform(NamedTuple):
    """Decoded audio: samples float32 [C, N]."""

    samples: Samples
    sample_rate_hz: int


def read_header(source: AudioSource) -> AudioHeader:
    """Return length, rate and channels without decoding.

    Raises:
        AudioError: missing, empty, unknown format, a WAV that ends before its header says, or a
            channel that the file does not have.
    """
    with Decoder(source) as decoder:
        return decoder.header


def check_audio(source: AudioSource) -> AudioHeader:
    """Decode the file block by block, and return its header if every sample is there and finite.

    Raises:
        AudioError: what `read_header` and `MonoReader` raise.
    """
    with Decoder(source) as decoder:
        for _ in decoder:
            pass
        return decoder.header


def load_waveform(source: AudioSource) -> Waveform:
    """Return the whole file at its own rate, all channels; of samples in memory not a copy.

    Raises:
        AudioError: what `read_header` and `MonoReader` raise.
    """
    if isinstance(source, HeldWaveform):
        return Waveform(source.channels, check_audio(source).sample_rate_hz)
    with Decoder(source) as decoder:
        samples = np.concatenate(list(decoder))  # [N, C]
        return Waveform(np.ascontiguousarray(samples.T), decoder.header.sample_rate_hz)


def read_mono(source: AudioSource, target_rate_hz: int) -> Samples:
    """Return the whole file as float32 [N], mixed down and resampled.

    Raises:
        AudioError: what `MonoReader` raises.
    """
    with MonoReader(source, target_rate_hz) as reader:
        return reader.read(reader.num_samples)


class MonoReader:
    """Reads a file as mono at a wished rate, front to back; its length does not cost memory.

    Channels are averaged. The samples don't depend on the sizes that `read` is asked for; at equal
    rates they are the file's own, bit by bit. Exactly ceil(N * target rate / file rate) come out,
    so ceil(samples / samples per frame) equals the number of frames that the file begins.

    Args:
        source: WAV, MP3, FLAC, OGG, one channel of these, or samples in memory.
        target_rate_hz: of the samples that come out.

    Raises:
        AudioError: missing, without the channel that is asked for, empty, undecodable, cut short,
            or with samples that are no finite numbers; the last three can also come from `read`.
    """

    def __init__(self, source: AudioSource, target_rate_hz: int) -> None:
        self._target_rate_hz = target_rate_hz
        self._decoder = Decoder(source)
        self.header = self._decoder.header
        self.num_samples = -(
            -self.header.num_samples * target_rate_hz // self.header.sample_rate_hz
        )
        self._blocks = self._exact_blocks()
        self._rest: Samples = np.zeros(0, np.float32)

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._decoder.close()

    def read(self, num_samples: int) -> Samples:
        """Return the next samples, float32 [n]; n < num_samples only at the end, then 0."""
        parts, held = [self._rest], len(self._rest)
        while held < num_samples and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            held += len(block)
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self._rest = joined[num_samples:]
        return joined[:num_samples]

    def _exact_blocks(self) -> Iterator[Samples]:
        """Yield `num_samples` samples in all: the resampler rounds its length either way."""
        missing = self.num_samples
        for block in self._resampled_blocks():
            yield block[:missing]
            missing -= min(missing, len(block))
        if missing:
            yield np.zeros(missing, np.float32)

    def _resampled_blocks(self) -> Iterator[Samples]:
        resampler = Resampler(self.header.sample_rate_hz, self._target_rate_hz)
        for block in self._decoder:
            yield resampler.push(mix_down(block))
        yield resampler.finish()


class Resampler:
    """Another rate for sound that comes in blocks; at equal rates it gives the samples as they are.

    What comes out does not depend on the sizes of the blocks. It comes late, by the length of the
    filter.

    Args:
        rate_hz: of the samples that go in.
        target_rate_hz: of those that come out.
    """

    def __init__(self, rate_hz: int, target_rate_hz: int) -> None:
        self._stream = None
        if rate_hz != target_rate_hz:
            self._stream = soxr.ResampleStream(
                rate_hz, target_rate_hz, num_channels=1, dtype="float32"
            )

    def push(self, samples: Samples) -> Samples:
        """Take the next samples, float32 [n], and return what is ready, float32 [m]."""
        if self._stream is None:
            return samples
        resampled: Samples = self._stream.resample_chunk(samples)
        return resampled

    def finish(self) -> Samples:
        """Return the samples that were still held back; nothing can be pushed after that."""
        rest = np.zeros(0, np.float32)
        if self._stream is None:
            return rest
        resampled: Samples = self._stream.resample_chunk(rest, last=True)
        return resampled


def mix_down(block: Samples) -> Samples:
    """Average the channels: [n, C] to [n]."""
    if block.shape[1] == 1:
        return block[:, 0]
    mixed: Samples = block.mean(axis=1, dtype=np.float32)
    return mixed
