"""Where encoded audio lies: in a file of its own, or in a row of a parquet file."""

import io
import threading
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from acoustic_event_prediction.errors import AudioError

# Writers put the audio of a whole row group into one compressed page, which has to be unpacked as a
# whole. One at a time: side by side, threads would need gigabytes each.
_UNPACKING = threading.Lock()
_REENCODE = "make the file again from its source, or leave the episode out"


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


AudioSource = Path | EmbeddedAudio


def hold(source: AudioSource) -> AudioSource:
    """Return the same audio; embedded audio is read, so that opening it again reads no more.

    Raises:
        AudioFileError: see `EmbeddedAudio.read_bytes`.
    """
    return source if isinstance(source, Path) else replace(source, encoded=source.read_bytes())


def open_binary(source: AudioSource) -> BinaryIO:
    """Return the encoded audio as a file; embedded audio is held in memory.

    Raises:
        OSError: the file can't be opened.
        AudioFileError: see `EmbeddedAudio.read_bytes`.
    """
    if isinstance(source, Path):
        return source.open("rb")
    return io.BytesIO(source.read_bytes())


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
