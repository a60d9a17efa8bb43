"""Catalog type of one frame array."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from acoustic_event_prediction.frame_arrays import (
    Array,
    FrameArrayHeader,
    read_frame_array,
    read_header,
    write_frame_array,
)


class FrameArrayDataset(AbstractDataset[Array, Array]):
    """One array [T] or [T, D] in a safetensors file; loads memory-mapped.

    Args:
        filepath: the file.
        metadata: ignored by Kedro; used by its plug-ins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Array:
        """Return the array, memory-mapped and read-only."""
        return read_frame_array(self._filepath)

    def save(self, data: Array) -> None:
        """Write the array; its provenance is empty, since nobody gave one."""
        write_frame_array(self._filepath, data, provenance={})

    def header(self) -> FrameArrayHeader:
        """Return shape, dtype and provenance without reading the rows."""
        return read_header(self._filepath)

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
