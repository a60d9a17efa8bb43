"""Parquet shards with one recording a row: found and indexed without reading any audio."""

from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from acoustic_event_prediction.audio_source import EmbeddedAudio
from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.raw import normalise, strip_audio_suffix

# In order of preference.
_NAMES = ("episode_name", "file_name")
_SPLIT = "original_split"
_LICENCE = "license"
_FETCH_AGAIN = "fetch the parquet file again"


class ShardRow(NamedTuple):
    """One row of a shard, without its audio.

    Attributes:
        audio: where it lies.
        names: of the episode, without suffix, in Unicode NFC, the preferred one first; may be
            empty.
        split: as written.
        licence: as written.
    """

    audio: EmbeddedAudio
    names: tuple[str, ...]
    split: str | None
    licence: str | None


def find_shards(root: Path) -> list[Path]:
    """Return all parquet files below a folder, sorted; without AppleDouble files."""
    return sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() == ".parquet" and path.is_file() and not path.name.startswith("._")
    )


def read_shard(path: Path) -> list[ShardRow] | None:
    """Return the rows of a shard; None for a parquet file that is of something else.

    Raises:
        FileProblem: no parquet file, or cut short, or without audio or split.
    """
    try:
        with pq.ParquetFile(path) as file:
            if not _is_shard(file.schema_arrow):
                return None
            present = [
                name for name in (*_NAMES, _SPLIT, _LICENCE) if name in file.schema_arrow.names
            ]
            rows = file.read(columns=present).to_pylist()
    except PermissionError:
        raise
    except (OSError, ArithmeticError, ValueError, LookupError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise FileProblem(
            f"is no parquet file, or one that was cut short ({reason})", _FETCH_AGAIN
        ) from error
    return [_shard_row(path, place, row) for place, row in enumerate(rows)]


def _is_shard(schema: Any) -> bool:
    """Return whether the columns are those of a shard.

    Raises:
        FileProblem: they nearly are.
    """
    if "audio" not in schema.names or not set(_NAMES) & set(schema.names):
        return False
    if schema.names.count("audio") > 1:
        raise FileProblem("has more than one column `audio`", _FETCH_AGAIN)
    kind = schema.field("audio").type
    place = kind.get_field_index("bytes") if pa.types.is_struct(kind) else -1
    if place < 0 or not _is_binary(kind.field(place).type):
        raise FileProblem(
            f"its column `audio` is {kind}, not a struct with the audio in `bytes`",
            "take a copy that holds the audio itself, not paths to it",
        )
    if _SPLIT not in schema.names:
        raise FileProblem(
            f"has no column {_SPLIT} (it has: {', '.join(schema.names)})",
            "take a copy that says each episode's split",
        )
    return True


def _is_binary(kind: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _shard_row(path: Path, place: int, row: dict[str, Any]) -> ShardRow:
    texts = {key: text for key, value in row.items() if (text := _text(value))}
    names = (strip_audio_suffix(normalise(texts[key])) for key in _NAMES if key in texts)
    return ShardRow(
        audio=EmbeddedAudio(path, place, texts.get("file_name", "")),
        names=tuple(dict.fromkeys(names)),
        split=texts.get(_SPLIT),
        licence=texts.get(_LICENCE),
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
