"""Where sound lies: a file, a row of a parquet file, one channel of these, or memory."""

import io
import threading
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from acoustic_event_prediction.errors import AudioError

# Writers put the audio of a whole row group into one compressed page, which has to be unpacked as a
# whole. One at a time: side by side, threads would need gigabytes each.
_UNPACKING = threading.Lock()
_REENCODE = "make the file again from its source, or leave the episode out"
# As many as libsndfile takes; samples of the shape [N, C] have more.
_MOST_CHANNELS = 1024
_HIGHEST_RATE_HZ = 2**31 - 1


class AudioFileError(AudioError):
    """One audio file can't be used.

    Args:
        source: the file.
        problem: what is wrong, and where.
        remedy: what to do.
    """

    def __init__(self, source: "AudioSource", problem: str, remedy: str = _REENCODE) -> None:
        super().__init__(f"{source}: {problem}: {remedy}")
        self.source = source
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True)
class EmbeddedAudio:
    """An audio file that lies in a parquet file, in the column `audio` with a field `bytes`.

    Attributes:
        path: of the parquet file.
        row: counted over all row groups, from 0.
        name: of the audio file, for messages.
        encoded: its content, where it is held in memory.
    """

    path: Path
    row: int
    name: str = ""
    encoded: bytes | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        """Return the parquet file, the row and the name."""
        return f"{self.path}, row {self.row}" + (f" ({self.name})" if self.name else "")

    def read_bytes(self) -> bytes:
        """Return the encoded audio; of the parquet file only the row group that holds it is read.

        For a moment this needs twice the memory of that group: once as it is stored, once as cells.

        Raises:
            AudioFileError: the file can't be read, or the row is not there or holds no audio.
        """
        if self.encoded is not None:
            return self.encoded
        try:
            with _UNPACKING:
                cell = _read_cell(self.path, self.row)
                # The allocator would keep the unpacked group for later.
                pa.default_memory_pool().release_unused()
        except (OSError, ValueError, LookupError, TypeError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise AudioFileError(
                self, f"can't be read ({reason})", "fetch the parquet file again"
            ) from error
        encoded: bytes | None = (cell or {}).get("bytes")
        if encoded is None:
            raise AudioFileError(
                self, "holds no audio", "fetch the parquet file again, or leave the episode out"
            )
        return encoded


@dataclass(frozen=True)
class AudioChannel:
    """One channel of a file, which is read as mono.

    Attributes:
        source: the file.
        channel: counted from 0; whether the file has it turns out when it is opened.
    """

    source: Path | EmbeddedAudio
    channel: int

    def __str__(self) -> str:
        """Return the file and the channel."""
        return f"{self.source}, channel {self.channel}"


@dataclass(frozen=True, eq=False)
class HeldWaveform:
    """Samples that lie in memory already; they are not copied as a whole.

    Attributes:
        samples: float32 [C, N] or [N]; that they are finite is checked as they are read.
        sample_rate_hz: a positive whole number.
        name: for messages.

    Raises:
        AudioFileError: samples of another type or shape, none at all, or no such rate.
    """

    samples: npt.NDArray[np.float32] = field(repr=False)
    sample_rate_hz: int
    name: str = "waveform"

    def __post_init__(self) -> None:
        _check_samples(self)
        rate: Any = self.sample_rate_hz
        is_number = isinstance(rate, int | float | np.integer | np.floating)
        is_rate = is_number and not isinstance(rate, bool) and 0 < rate <= _HIGHEST_RATE_HZ
        if not is_rate or not float(rate).is_integer():
            raise AudioFileError(
                self,
                f"has a rate of {rate!r} samples a second",
                "give a positive whole number, such as 24000",
            )
        object.__setattr__(self, "sample_rate_hz", int(rate))

    def __str__(self) -> str:
        """Return the name, and that it is no file's."""
        return f"{self.name} (samples in memory)"

    @property
    def channels(self) -> npt.NDArray[np.float32]:
        """The samples as [C, N]; not a copy."""
        return np.atleast_2d(self.samples)


AudioSource = Path | EmbeddedAudio | AudioChannel | HeldWaveform


class AudioPlace(NamedTuple):
    """Where on the disk a source lies.

    Attributes:
        path: of the file.
        row: of a parquet file that holds the audio; None for a file of its own.
        channel: that is read; None: all, mixed down.
    """

    path: Path
    row: int | None
    channel: int | None

    @property
    def part(self) -> str:
        """Which part of the file, for messages; empty if it is all of it."""
        row = "" if self.row is None else f", row {self.row}"
        return row + ("" if self.channel is None else f", channel {self.channel}")


def place_of(source: AudioSource) -> AudioPlace | None:
    """Return where on the disk a source lies; None for samples in memory."""
    match source:
        case Path():
            return AudioPlace(source, None, None)
        case EmbeddedAudio():
            return AudioPlace(source.path, source.row, None)
        case AudioChannel():
            place = place_of(source.source)
            return place and place._replace(channel=source.channel)
        case HeldWaveform():
            return None


def hold(source: AudioSource) -> AudioSource:
    """Return the same audio; embedded audio is read, so that opening it again reads no more.

    Raises:
        AudioFileError: see `EmbeddedAudio.read_bytes`.
    """
    match source:
        case AudioChannel(source=EmbeddedAudio() as file):
            return replace(source, source=replace(file, encoded=file.read_bytes()))
        case EmbeddedAudio():
            return replace(source, encoded=source.read_bytes())
        case _:
            return source


def open_binary(source: AudioSource) -> BinaryIO:
    """Return the encoded audio as a file; embedded audio is held in memory.

    Of one channel that is the file with all its channels.

    Raises:
        OSError: the file can't be opened.
        AudioFileError: samples in memory are not encoded; or see `EmbeddedAudio.read_bytes`.
    """
    match source:
        case Path():
            return source.open("rb")
        case EmbeddedAudio():
            return io.BytesIO(source.read_bytes())
        case AudioChannel():
            return open_binary(source.source)
        case HeldWaveform():
            raise AudioFileError(
                source, "has no encoded form that could be opened", "write it to a WAV file first"
            )


def _check_samples(source: HeldWaveform) -> None:
    """Refuse what is no float32 [C, N] or [N], and what is empty."""
    samples: Any = source.samples
    kind = getattr(samples, "dtype", None)
    if not isinstance(samples, np.ndarray) or kind != np.float32:
        remedy = "give a NumPy array of float32"
        if isinstance(samples, np.ndarray) and np.issubdtype(samples.dtype, np.integer):
            remedy = "divide the samples by their full scale, 32768 for 16 bits, and give float32"
        what = f"{type(samples).__name__}" + (f" of {kind}" if kind is not None else "")
        raise AudioFileError(source, f"its samples are a {what}, not an array of float32", remedy)
    if samples.ndim not in (1, 2):
        raise AudioFileError(
            source, f"its samples have the shape {samples.shape}", "give [C, N] or [N]"
        )
    if samples.size == 0:
        raise AudioFileError(source, "holds no samples", "leave it out")
    if source.channels.shape[0] > _MOST_CHANNELS:
        raise AudioFileError(
            source,
            f"its samples have the shape {samples.shape}: more than {_MOST_CHANNELS} channels",
            "give [C, N], the channels first (`samples.T`)",
        )


def _read_cell(path: Path, row: int) -> dict[str, Any] | None:
    """Return the cell `audio` of a row; the rows before it in its group are skipped one by one."""
    with pq.ParquetFile(path, memory_map=True) as file:
        group, place = _locate(file, row)
        batches = file.iter_batches(
            batch_size=1, row_groups=[group], columns=["audio.bytes"], use_threads=False
        )
        batch = next(islice(batches, place, None))
        if "audio" not in batch.schema.names:
            raise LookupError("it has no column `audio` with a field `bytes`")
        cell: dict[str, Any] | None = batch["audio"][0].as_py()
        return cell


def _locate(file: Any, row: int) -> tuple[int, int]:
    """Return the row group that holds a row, and the row's number in it."""
    first = 0
    for group in range(file.num_row_groups):
        num_rows = file.metadata.row_group(group).num_rows
        if first <= row < first + num_rows:
            return group, row - first
        first += num_rows
    raise LookupError(f"it has {first} rows")
