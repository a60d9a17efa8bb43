"""Catalog type of a page or another text."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from acoustic_event_prediction.atomic import replacing


class TextFileDataset(AbstractDataset[str, str]):
    """One text in UTF-8; kedro-viz shows no preview of it, which for a page would be its source.

    Args:
        filepath: the file.
        metadata: ignored by Kedro; used by its plug-ins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> str:
        """Return the text, its line ends as they are."""
        return self._filepath.read_bytes().decode("utf-8")

    def save(self, data: str) -> None:
        """Write the text; the old one is there until the new one is complete."""
        with replacing(self._filepath) as part:
            part.write_bytes(data.encode("utf-8"))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
