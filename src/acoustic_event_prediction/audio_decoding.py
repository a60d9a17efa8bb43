"""One decoder for sound from anywhere: front to back, in blocks, every sample checked."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import soundfile as sf

from acoustic_event_prediction.audio_containers import recognise_container
from acoustic_event_prediction.audio_source import (
    AudioChannel,
    AudioFileError,
    AudioSource,
    HeldWaveform,
    hold,
    open_binary,
    place_of,
)

Samples = npt.NDArray[np.float32]

_BLOCK_SAMPLES = 65_536
# Writers that don't know the length in advance (pipes) claim nearly 2 or 4 GiB in the header.
_UNKNOWN_WAV_BYTES = 0x7FFF_0000
_MOST_SAMPLES = 2**48
# 40 dB above full scale: no mix of floats is so loud, integers that became floats are.
_HIGHEST_AMPLITUDE = 100.0


class AudioHeader(NamedTuple):
    """What a source says about itself; `num_samples` is per channel."""

    num_samples: int
    sample_rate_hz: int
    num_channels: int


class Decoder:
    """Yields the samples of a source once, in blocks float32 [n, C]; a context manager.

    Attributes:
        header: of what is read: a single channel of a file has one.

    Raises:
        AudioError: missing, empty, undecodable, cut short, without the channel that is asked for,
            or with samples that are no finite numbers; the iteration may raise it as well.
    """

    def __init__(self, source: AudioSource) -> None:
        self._source = source
        self._channel = source.channel if isinstance(source, AudioChannel) else None
        self._file = _HeldSamples(source) if isinstance(source, HeldWaveform) else _open(source)
        header = _header_of(self._file)
        if self._channel is not None:
            if not 0 <= self._channel < header.num_channels:
                self._file.close()
                raise AudioFileError(
                    source,
                    f"the file has no such channel: it has {header.num_channels}, counted from 0",
                    "give one of these, or the whole file",
                )
            header = header._replace(num_channels=1)
        self.header = header

    def __enter__(self) -> Self:
        """Return the decoder itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __iter__(self) -> Iterator[Samples]:
        """Yield what has not been read yet."""
        header = self.header
        position = 0
        while position < header.num_samples:
            block = self._read_block(position)
            position += len(block)
            if len(block) < _BLOCK_SAMPLES and position < header.num_samples:
                raise _cut_short(
                    self._source,
                    _seconds(position, header),
                    _seconds(header.num_samples, header),
                )
            yield block

    def _read_block(self, position: int) -> Samples:
        try:
            block: Samples = self._file.read(_BLOCK_SAMPLES, dtype="float32", always_2d=True)
        except sf.SoundFileError as error:
            where = _seconds(position, self.header)
            raise AudioFileError(
                self._source, f"can't be decoded after {where} ({_reason(error)})"
            ) from error
        if self._channel is not None:
            block = np.ascontiguousarray(block[:, self._channel, None])
        if block.size:
            peak = float(np.maximum(block.max(), -block.min()))
            if not peak <= _HIGHEST_AMPLITUDE:  # so is NaN
                raise self._unusable(block, position, peak)
        return block

    def _unusable(self, block: Samples, position: int, peak: float) -> AudioFileError:
        is_finite = np.isfinite(block).all(axis=1)
        if is_finite.all():
            return AudioFileError(
                self._source,
                f"its samples reach {peak:.3g}, full scale is 1",
                "divide them by their full scale, 32768 for 16 bits",
            )
        first = position + int(np.argmin(is_finite))
        problem = f"NaN or infinite sample at {_seconds(first, self.header)}"
        if isinstance(self._source, HeldWaveform):
            return AudioFileError(
                self._source, problem, "correct what computes it; `numpy.nan_to_num` hides it"
            )
        return AudioFileError(self._source, problem)


class _HeldSamples:
    """Samples in memory, with as much of soundfile's interface as is used here."""

    def __init__(self, source: HeldWaveform) -> None:
        self._samples = source.channels  # [C, N]
        self._position = 0
        self.channels, self.frames = self._samples.shape
        self.samplerate = source.sample_rate_hz

    def read(self, num_samples: int, **_: object) -> Samples:
        """Return the next samples, [n, C]; a copy, which the reader may change."""
        start, self._position = self._position, self._position + num_samples
        return self._samples[:, start : self._position].T.copy()

    def close(self) -> None:
        """Do nothing."""


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
    place = place_of(source)
    if place is not None and not place.path.is_file():
        raise AudioFileError(
            source, "there is no such file", "restore it, or leave the episode out"
        )
    held = hold(source)
    _require_known_format(source, held)
    file = held.source if isinstance(held, AudioChannel) else held
    try:
        opened = _ForwardReader(file if isinstance(file, Path) else open_binary(file))
    except (sf.SoundFileError, OSError) as error:
        raise AudioFileError(source, f"can't be decoded ({_reason(error)})") from error
    try:
        if opened.frames <= 0:
            raise AudioFileError(source, "holds no samples")
        if opened.frames > _MOST_SAMPLES:
            raise AudioFileError(
                source,
                "its header does not say how long it is, as encoders write into pipes",
                "encode it again from a file, or convert it to WAV",
            )
        _check_wav_length(held, _header_of(opened))
    except BaseException:
        opened.close()
        raise
    return opened


def _require_known_format(source: AudioSource, held: AudioSource) -> None:
    """Refuse what is empty, and containers that are known not to be decodable.

    libsndfile takes a file of any content for an MP3 if its name says so, and finds frames in it.
    """
    with open_binary(held) as encoded:
        if not encoded.read(1):
            raise AudioFileError(source, "the file is empty")
        encoded.seek(0)
        container = recognise_container(encoded)
    if container is not None:
        raise AudioFileError(
            source,
            f"is {container.name}, which can't be decoded here",
            f"convert it, e.g. `ffmpeg -i in.{container.suffix} out.wav`",
        )


# libsndfile says so of data in which it finds no format that it knows.
_NO_FORMAT = "possibly a pipe"


def _reason(error: Exception) -> str:
    """Return libsndfile's reason, without the name of the file, which the message has already."""
    reason = str(getattr(error, "error_string", error))
    return "it is of no format that libsndfile knows" if _NO_FORMAT in reason else reason


def _header_of(file: Any) -> AudioHeader:
    return AudioHeader(file.frames, file.samplerate, file.channels)


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
