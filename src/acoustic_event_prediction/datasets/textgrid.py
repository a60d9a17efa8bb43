"""Catalog type of a Praat TextGrid."""

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset
from praatio import textgrid

from acoustic_event_prediction.annotations import COLUMNS, AnnotationTiers


class TextGridDataset(AbstractDataset[AnnotationTiers, AnnotationTiers]):
    """Annotation tiers in a Praat TextGrid, one interval tier each.

    Args:
        filepath: the file.
        metadata: ignored by Kedro; used by its plug-ins.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> AnnotationTiers:
        """Return the tiers; intervals without text are gaps and left out."""
        grid = textgrid.openTextgrid(str(self._filepath), includeEmptyIntervals=False)
        tiers = {
            name: pd.DataFrame(
                [(entry.start, entry.end, entry.label) for entry in grid.getTier(name).entries],
                columns=list(COLUMNS),
            )
            for name in grid.tierNames
        }
        return AnnotationTiers(duration_seconds=float(grid.maxTimestamp), tiers=tiers)

    def save(self, data: AnnotationTiers) -> None:
        """Write the tiers."""
        limits = (0.0, data.duration_seconds)
        grid = textgrid.Textgrid(*limits)
        for name, table in data.tiers.items():
            rows = zip(*(table[column].tolist() for column in COLUMNS), strict=True)
            grid.addTier(textgrid.IntervalTier(name, list(rows), *limits))
        grid.save(str(self._filepath), format="long_textgrid", includeBlankSpaces=True)

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
