"""Audio files as float32 samples: streamed, mixed down, resampled and checked.

Decoding goes through libsndfile, which honours the encoder delay that an MP3 declares: the times of
the annotation stay true.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr

from acoustic_event_prediction.errors import AudioError

Samples = npt.NDArray[np.float32]

_BLOCK_SAMPLES = 65_536
# Writers that don't know the length in advance (pipes) claim nearly 2 or 4 GiB in the header.
_UNKNOWN_WAV_BYTES = 0x7FFF_0000
_REENCODE = "make the file again from its source, or leave the episode out"


class AudioFileError(AudioError):
    """One audio file can't be used.

    Args:
        path: the file.
        problem: what is wrong, and where.
        remedy: what to do.
    """

    def __init__(self, path: Path, problem: str, remedy: str = _REENCODE) -> None:
        super().__init__(f"{path}: {problem}: {remedy}")
        self.path = path
        self.problem = problem
        self.remedy = remedy


class AudioHeader(NamedTuple):
    """What a file says about itself; `num_samples` is per channel."""

    num_samples: int
    sample_rate_hz: int
    num_channels: int


class Waveform(NamedTuple):
    """Decoded audio: samples float32 [C, N]."""

    samples: Samples
    sample_rate_hz: int


def read_header(path: Path) -> AudioHeader:
    """Return length, rate and channels without decoding.

    Raises:
        AudioError: missing, empty, unknown format, or a WAV that ends before its header says.
    """
    with _open(path) as file:
        return _header_of(file)


def check_audio(path: Path) -> AudioHeader:
    """Decode the file block by block, and return its header if every sample is there and finite.

    Raises:
        AudioError: what `read_header` and `MonoReader` raise.
    """
    with _open(path) as file:
        for _ in _decode(file, path):
            pass
        return _header_of(file)


def load_waveform(path: Path) -> Waveform:
    """Return the whole file at its own rate, all channels.

    Raises:
        AudioError: what `read_header` and `MonoReader` raise.
    """
    with _open(path) as file:
        samples = np.concatenate(list(_decode(file, path)))  # [N, C]
        return Waveform(np.ascontiguousarray(samples.T), _header_of(file).sample_rate_hz)


def read_mono(path: Path, target_rate_hz: int) -> Samples:
    """Return the whole file as float32 [N], mixed down and resampled.

    Raises:
        AudioError: what `MonoReader` raises.
    """
    with MonoReader(path, target_rate_hz) as reader:
        return reader.read(reader.num_samples)


class MonoReader:
    """Reads a file as mono at a wished rate, front to back; its length does not cost memory.

    Channels are averaged. The samples don't depend on the sizes that `read` is asked for; at equal
    rates they are the file's own, bit by bit. Exactly ceil(N * target rate / file rate) come out,
    so ceil(samples / samples per frame) equals the number of frames that the file begins.

    Args:
        path: WAV, MP3, FLAC, OGG.
        target_rate_hz: of the samples that come out.

    Raises:
        AudioError: missing, empty, undecodable, cut short, or with samples that are no finite
            numbers; the last three can also come from `read`.
    """

    def __init__(self, path: Path, target_rate_hz: int) -> None:
        self._path = path
        self._target_rate_hz = target_rate_hz
        self._file = _open(path)
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
        mixed = (_mix_down(block) for block in _decode(self._file, self._path))
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


def _open(path: Path) -> Any:
    """Open an audio file and check what can be checked without decoding it."""
    if not path.is_file():
        raise AudioFileError(path, "there is no such file", "restore it, or leave the episode out")
    try:
        file = _ForwardReader(path)
    except (sf.SoundFileError, OSError) as error:
        problem = "the file is empty" if path.stat().st_size == 0 else f"can't be decoded ({error})"
        raise AudioFileError(path, problem) from error
    try:
        if file.frames <= 0:
            raise AudioFileError(path, "holds no samples")
        _check_wav_length(path, _header_of(file))
    except BaseException:
        file.close()
        raise
    return file


def _header_of(file: Any) -> AudioHeader:
    return AudioHeader(file.frames, file.samplerate, file.channels)


def _decode(file: Any, path: Path) -> Iterator[Samples]:
    """Yield the file in blocks [n, C] and check each."""
    header = _header_of(file)
    position = 0
    while position < header.num_samples:
        try:
            block: Samples = file.read(_BLOCK_SAMPLES, dtype="float32", always_2d=True)
        except sf.SoundFileError as error:
            where = _seconds(position, header)
            raise AudioFileError(path, f"can't be decoded after {where} ({error})") from error
        if not np.isfinite(block).all():
            first = position + int(np.argmin(np.isfinite(block).all(axis=1)))
            raise AudioFileError(path, f"NaN or infinite sample at {_seconds(first, header)}")
        position += len(block)
        if len(block) < _BLOCK_SAMPLES and position < header.num_samples:
            raise _cut_short(path, _seconds(position, header), _seconds(header.num_samples, header))
        yield block


def _check_wav_length(path: Path, header: AudioHeader) -> None:
    """Refuse a WAV that was cut off: libsndfile just takes such a file as a shorter one."""
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            return
        file.seek(12)
        while len(chunk := file.read(8)) == 8:  # noqa: PLR2004
            promised = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                break
            file.seek(promised + promised % 2, os.SEEK_CUR)
        else:
            return
        held = path.stat().st_size - file.tell()
    if held < promised < _UNKNOWN_WAV_BYTES:
        total = header.num_samples * promised // max(held, 1)
        raise _cut_short(path, _seconds(header.num_samples, header), _seconds(total, header))


def _cut_short(path: Path, held: str, promised: str) -> AudioFileError:
    return AudioFileError(
        path, f"cut short: it ends at {held}, its header promises {promised}", "copy it again"
    )


def _seconds(sample: int, header: AudioHeader) -> str:
    return f"{sample / header.sample_rate_hz:.3f} s"
