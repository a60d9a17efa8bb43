"""Audio files as float32 samples: streamed, mixed down, resampled and checked.

Decoding goes through libsndfile, which honours the encoder delay that an MP3 declares: the times of
the annotation stay true.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr

from acoustic_event_prediction.audio_source import (
    AudioFileError,
    AudioSource,
    hold,
    open_binary,
)

Samples = npt.NDArray[np.float32]

_BLOCK_SAMPLES = 65_536
# Writers that don't know the length in advance (pipes) claim nearly 2 or 4 GiB in the header.
_UNKNOWN_WAV_BYTES = 0x7FFF_0000
_MOST_SAMPLES = 2**48


class AudioHeader(NamedTuple):
    """What a file says about itself; `num_samples` is per channel."""

    num_samples: int
    sample_rate_hz: int
    num_channels: int


class Waveform(NamedTuple):
    """Decoded audio: samples float32 [C, N]."""

    samples: Samples
    sample_rate_hz: int


def read_header(source: AudioSource) -> AudioHeader:
    """Return length, rate and channels without decoding.

    Raises:
        AudioError: missing, empty, unknown format, or a WAV that ends before its header says.
    """
    with _open(source) as file:
        return _header_of(file)


def check_audio(source: AudioSource) -> AudioHeader:
    """Decode the file block by block, and return its header if every sample is there and finite.

    Raises:
        AudioError: what `read_header` and `MonoReader` raise.
    """
    with _open(source) as file:
        for _ in _decode(file, source):
            pass
        return _header_of(file)


def load_waveform(source: AudioSource) -> Waveform:
    """Return the whole file at its own rate, all channels.

    Raises:
        AudioError: what `read_header` and `MonoReader` raise.
    """
    with _open(source) as file:
        samples = np.concatenate(list(_decode(file, source)))  # [N, C]
        return Waveform(np.ascontiguousarray(samples.T), _header_of(file).sample_rate_hz)


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
        source: WAV, MP3, FLAC, OGG.
        target_rate_hz: of the samples that come out.

    Raises:
        AudioError: missing, empty, undecodable, cut short, or with samples that are no finite
            numbers; the last three can also come from `read`.
    """

    def __init__(self, source: AudioSource, target_rate_hz: int) -> None:
        self._source = source
        self._target_rate_hz = target_rate_hz
        self._file = _open(source)
        self.header = _header_of(self._file)
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
        self._file.close()

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
        rate = self.header.sample_rate_hz
        mixed = (_mix_down(block) for block in _decode(self._file, self._source))
        if rate == self._target_rate_hz:
            yield from mixed
            return
        resampler = soxr.ResampleStream(rate, self._target_rate_hz, num_channels=1, dtype="float32")
        for block in mixed:
            yield resampler.resample_chunk(block)
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _mix_down(block: Samples) -> Samples:
    """Average the channels: [n, C] to [n]."""
    if block.shape[1] == 1:
        return block[:, 0]
    mixed: Samples = block.mean(axis=1, dtype=np.float32)
    return mixed


class _ForwardReader(sf.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A file that is read from start to end.

    soundfile seeks to where it already is before and after each block. In an MP3 that makes
    libmpg123 decode from the middle of its bit reservoir and complain on stderr.
    """

    def seekable(self) -> bool:
        """Return False: soundfile then leaves the position alone."""
        return False


def _open(source: AudioSource) -> Any:
    """Open an audio file and check what can be checked without decoding it."""
    if not (source if isinstance(source, Path) else source.path).is_file():
        raise AudioFileError(
            source, "there is no such file", "restore it, or leave the episode out"
        )
    held = hold(source)
    try:
        file = _ForwardReader(held if isinstance(held, Path) else open_binary(held))
    except (sf.SoundFileError, OSError) as error:
        with open_binary(held) as encoded:
            is_empty = not encoded.read(1)
        problem = "the file is empty" if is_empty else f"can't be decoded ({_reason(error)})"
        raise AudioFileError(source, problem) from error
    try:
        if file.frames <= 0:
            raise AudioFileError(source, "holds no samples")
        if file.frames > _MOST_SAMPLES:
            raise AudioFileError(
                source,
                "its header does not say how long it is, as encoders write into pipes",
                "encode it again from a file, or convert it to WAV",
            )
        _check_wav_length(held, _header_of(file))
    except BaseException:
        file.close()
        raise
    return file


def _reason(error: Exception) -> str:
    """Return libsndfile's reason, without the name of the file, which the message has already."""
    return str(getattr(error, "error_string", error))


def _header_of(file: Any) -> AudioHeader:
    return AudioHeader(file.frames, file.samplerate, file.channels)


def _decode(file: Any, source: AudioSource) -> Iterator[Samples]:
    """Yield the file in blocks [n, C] and check each."""
    header = _header_of(file)
    position = 0
    while position < header.num_samples:
        try:
            block: Samples = file.read(_BLOCK_SAMPLES, dtype="float32", always_2d=True)
        except sf.SoundFileError as error:
            where = _seconds(position, header)
            raise AudioFileError(
                source, f"can't be decoded after {where} ({_reason(error)})"
            ) from error
        if not np.isfinite(block).all():
            first = position + int(np.argmin(np.isfinite(block).all(axis=1)))
            raise AudioFileError(source, f"NaN or infinite sample at {_seconds(first, header)}")
        position += len(block)
        if len(block) < _BLOCK_SAMPLES and position < header.num_samples:
            raise _cut_short(
                source, _seconds(position, header), _seconds(header.num_samples, header)
            )
        yield block


def _check_wav_length(source: AudioSource, header: AudioHeader) -> None:
    """Refuse a WAV that was cut off: libsndfile just takes such a file as a shorter one."""
    with open_binary(source) as file:
        kind = file.read(4)
        if kind not in {b"RIFF", b"RIFX", b"RF64"}:
            return
        order: Literal["little", "big"] = "big" if kind == b"RIFX" else "little"
        file.seek(12)
        large = 0
        while len(chunk := file.read(8)) == 8:  # noqa: PLR2004
            promised = int.from_bytes(chunk[4:], order)
            if chunk[:4] == b"ds64":  # the sizes of RF64: of the file, then of the data
                large = int.from_bytes(file.read(16)[8:], order)
                file.seek(-16, os.SEEK_CUR)
            if chunk[:4] == b"data":
                promised = large if kind == b"RF64" else promised
                break
            file.seek(promised + promised % 2, os.SEEK_CUR)
        else:
            return
        start = file.tell()
        held = file.seek(0, os.SEEK_END) - start
    if held < promised and (kind == b"RF64" or promised < _UNKNOWN_WAV_BYTES):
        total = header.num_samples * promised // max(held, 1)
        raise _cut_short(source, _seconds(header.num_samples, header), _seconds(total, header))


def _cut_short(source: AudioSource, held: str, promised: str) -> AudioFileError:
    return AudioFileError(
        source, f"cut short: it ends at {held}, its header promises {promised}", "copy it again"
    )


def _seconds(sample: int, header: AudioHeader) -> str:
    return f"{sample / header.sample_rate_hz:.3f} s"
