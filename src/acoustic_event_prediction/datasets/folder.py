"""Catalog type of a folder that a worker fills."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError


class FolderDataset(AbstractDataset[None, Path]):
    """A folder for a worker's own files; loads as its path, created if need be.

    Args:
        path: the folder.
        metadata: ignored by Kedro; used by its plug-ins.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> Path:
        """Return the folder, created if it is not there."""
        self._path.mkdir(parents=True, exist_ok=True)
        return self._path

    def save(self, data: None) -> NoReturn:
        """Refuse: the worker that owns the folder writes its files itself."""
        raise DatasetError(f"{self._path} is filled by a worker, not by a node")

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
