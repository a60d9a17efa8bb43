"""Catalog type of a figure."""

import base64
import io
import threading
from pathlib import Path
from typing import Any

import matplotlib as mpl
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import ImagePreview
from matplotlib.figure import Figure

from acoustic_event_prediction.atomic import replacing

# Type 42 embeds the font as text that editors and journals accept; type 3 is drawings of letters.
_PDF_STYLE: Any = {"pdf.fonttype": 42}
# The style is the process's: another thread that leaves it would take it from under this one.
_drawing_lock = threading.Lock()
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class FigureDataset(AbstractDataset[Figure | bytes, bytes]):
    """One figure as PNG, and as PDF beside it; both are of the same state, also after a failure.

    What is a PNG already is written as it is, without a PDF: drawing takes longer than all else.
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

    def save(self, data: Figure | bytes) -> None:
        """Write both files; the old ones are there until both new ones are complete.

        Args:
            data: a figure; or a PNG file.

        Raises:
            ValueError: bytes that are no PNG.
        """
        pdf_path = self._filepath.with_suffix(".pdf")
        if isinstance(data, bytes):
            if not data.startswith(_PNG_SIGNATURE):
                raise ValueError(f"{self._filepath}: the bytes are no PNG but {data[:8]!r}")
            with replacing(self._filepath) as part:
                part.write_bytes(data)
                pdf_path.unlink(missing_ok=True)
            return
        with _drawing_lock:
            # A constrained layout that is solved again, from where it was, moves by part of a dot.
            data.draw_without_rendering()
            data.set_layout_engine("none")
            png = _drawn(data, format="png", dpi=self._dpi)
            with mpl.rc_context(_PDF_STYLE):
                pdf = _drawn(data, format="pdf", metadata={"CreationDate": None})
        with replacing(self._filepath) as png_part, replacing(pdf_path) as pdf_part:
            png_part.write_bytes(png)
            pdf_part.write_bytes(pdf)

    def preview(self) -> ImagePreview:
        """Return the PNG in base64, for kedro-viz."""
        return ImagePreview(base64.b64encode(self.load()).decode("ascii"))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "dpi": self._dpi}


def _drawn(figure: Figure, **arguments: Any) -> bytes:
    # Not straight to the file: a full disk would be an error of zlib about its own state.
    buffer = io.BytesIO()
    figure.savefig(buffer, **arguments)
    return buffer.getvalue()
