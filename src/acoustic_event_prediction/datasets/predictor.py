"""Catalog type of the trained predictor."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import JSONPreview

from acoustic_event_prediction.atomic import replacing
from acoustic_event_prediction.datasets.run_lock import RunLock
from acoustic_event_prediction.models.predictor import Predictor


class PredictorDataset(AbstractDataset[Predictor, Predictor | None]):
    """One predictor in a safetensors file.

    Args:
        filepath: the file.
        optional: it need not be there, and then loads as None.
        metadata: ignored by Kedro; used by its plug-ins.
    """

    def __init__(
        self, *, filepath: str, optional: bool = False, metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = Path(filepath)
        self._optional = optional
        self._lock = RunLock(self._filepath.parent)
        self.metadata = metadata

    def load(self) -> Predictor | None:
        """Return the predictor, on the CPU; None if it need not be there, and is not."""
        if self._optional and not self._filepath.exists():
            return None
        return Predictor.load(self._filepath)

    def save(self, data: Predictor) -> None:
        """Write the predictor; the old one is there until the new one is complete."""
        with replacing(self._filepath) as part:
            data.save(part)
        self.release()

    def lock(self) -> None:
        """Keep other runs from training in the same folder.

        Raises:
            StoreError: another run does.
        """
        self._lock.acquire()

    def release(self) -> None:
        """Let other runs train in the folder again."""
        self._lock.release()

    def preview(self) -> JSONPreview:
        """Return the header, for kedro-viz."""
        return JSONPreview(Predictor.load(self._filepath).header.model_dump_json())

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
