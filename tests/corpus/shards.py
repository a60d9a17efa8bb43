"""Parquet shards and an annotation CSV with the schema of PodcastFillers' copy on the hub."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile as sf

from tests.corpus.tiny import COLUMNS, EVENTS, RATE_HZ, noise

SCHEMA = pa.schema(
    [
        ("license", pa.string()),
        ("audio", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        ("file_name", pa.string()),
        ("episode_name", pa.string()),
        ("original_split", pa.string()),
        ("sampling_rate", pa.int64()),
        ("audio_length", pa.float64()),
    ]
)


def encoded(samples: np.ndarray | None = None, kind: str = "FLAC") -> bytes:
    """Four seconds of noise, or the samples, as the bytes of an audio file."""
    file = io.BytesIO()
    sf.write(file, noise(4.0) if samples is None else samples, RATE_HZ, format=kind)
    return file.getvalue()


def row(name: str | None = "the_show-ep_1", **changes: Any) -> dict[str, Any]:
    """One episode, as the copy spells it."""
    values = {
        "license": "CC_BY_3.0",
        "audio": {"bytes": encoded(), "path": f"{name}.flac"},
        "file_name": f"{name}.flac" if name is not None else None,
        "episode_name": name,
        "original_split": "train",
        "sampling_rate": RATE_HZ,
        "audio_length": 4.0,
    }
    return values | changes


def write_shard(path: Path, rows: Sequence[dict[str, Any]], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), path, **options)
    return path


def write_annotations(path: Path, names: Sequence[str]) -> Path:
    """The events of `tiny.EVENTS` for each episode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows((label, label, name, *times) for name in names for label, *times in EVENTS)
    return path


def damage_audio(path: Path) -> None:
    """Overwrite the pages of the column with the audio; all else stays readable."""
    metadata = pq.read_metadata(path)
    content = bytearray(path.read_bytes())
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            column = metadata.row_group(group).column(place)
            if column.path_in_schema == "audio.bytes":
                start = column.dictionary_page_offset or column.data_page_offset
                stop = start + column.total_compressed_size
                content[start:stop] = b"\xff" * (stop - start)
    path.write_bytes(content)
