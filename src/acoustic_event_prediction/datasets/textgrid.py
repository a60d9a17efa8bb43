"""Catalog type of a Praat TextGrid."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset
from praatio import textgrid

from acoustic_event_prediction.annotations import COLUMNS, AnnotationTiers, one_line


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
        """Write the tiers, each name and text in one line.

        Words that the format itself is made of, such as `intervals [1]:`, get round brackets:
        readers look for them anywhere.
        """
        limits = (0.0, data.duration_seconds)
        grid = textgrid.Textgrid(*limits)
        for name, table in data.tiers.items():
            rows = zip(*(table[column].tolist() for column in COLUMNS), strict=True)
            entries = [(onset, offset, _plain(text)) for onset, offset, text in rows]
            grid.addTier(textgrid.IntervalTier(_plain(name), entries, *limits))
        grid.save(str(self._filepath), format="long_textgrid", includeBlankSpaces=True)

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


def _plain(text: str) -> str:
    return re.sub(r"(item|intervals|points) *\[([^]]*)\]", r"\1 (\2)", one_line(text))
