"""Catalog type of a figure."""

import base64
from pathlib import Path
from typing import Any

import matplotlib as mpl
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import ImagePreview
from matplotlib.figure import Figure

from acoustic_event_prediction.atomic import replacing

# Type 42 embeds the font as text that editors and journals accept; type 3 is drawings of letters.
_PDF_STYLE: Any = {"pdf.fonttype": 42}


class FigureDataset(AbstractDataset[Figure, bytes]):
    """One figure as PNG, and as PDF beside it; both are of the same state, also after a failure.

    Equal figures give equal bytes: neither file holds a date. Saving settles the figure's layout.

    Args:
        filepath: the PNG; the PDF has the same name with the suffix `.pdf`.
        dpi: dots per inch of the PNG.
        metadata: ignored by Kedro; used by its plug-ins.

    Raises:
        DatasetError: `filepath` does not end in `.png`.
    """

    def __init__(
        self, *, filepath: str, dpi: float, metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = Path(filepath)
        if self._filepath.suffix != ".png":
            raise DatasetError(
                f"a figure's filepath is its PNG, got {filepath!r}; end it in .png (the PDF is "
                "written beside it)"
            )
        self._dpi = dpi
        self.metadata = metadata

    def load(self) -> bytes:
        """Return the PNG file: a drawn figure is no figure object any more."""
        return self._filepath.read_bytes()

    def save(self, data: Figure) -> None:
        """Write both files; the old ones are there until both new ones are complete."""
        pdf = self._filepath.with_suffix(".pdf")
        # A constrained layout that is solved again, from where it was, moves by part of a dot.
        data.draw_without_rendering()
        data.set_layout_engine("none")
        with replacing(self._filepath) as png_part, replacing(pdf) as pdf_part:
            data.savefig(png_part, format="png", dpi=self._dpi)
            with mpl.rc_context(_PDF_STYLE):
                data.savefig(pdf_part, format="pdf", metadata={"CreationDate": None})

    def preview(self) -> ImagePreview:
        """Return the PNG in base64, for kedro-viz."""
        return ImagePreview(base64.b64encode(self.load()).decode("ascii"))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "dpi": self._dpi}
