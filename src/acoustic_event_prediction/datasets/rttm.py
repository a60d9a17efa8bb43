"""Catalog type of events in RTTM."""

import math
import re
import unicodedata
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset

from acoustic_event_prediction.atomic import replacing
from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.rttm import read_rttm

_COLUMNS = {"onset": "float64", "offset": "float64", "name": "str"}
_DECIMALS = 3  # of a time in seconds, as pyannote.core writes it
_EXACT_DECIMALS = 9  # 1.2 + 0.16 is 1.3599999999999999
# Readers built on pandas take these for no value, and lose the line.
_NO_VALUE = re.compile(r"[-#<]?(n/?an?|null|none)>?", re.IGNORECASE)


class RttmDataset(AbstractDataset[pd.DataFrame, pd.DataFrame]):
    """Events of one recording as SPEAKER lines of an RTTM file, written by pyannote.core.

    The file has whole milliseconds. Times on our grid of 80 ms, and all others of whole
    milliseconds, come back as they were; any other is rounded to the nearest millisecond. Cells are
    divided by blanks, so that names can't hold any: see `rttm_cell`. Overlapping events stay apart,
    equal ones as well.

    Args:
        filepath: the file.
        uri: name of the recording in the lines; by default that of the folder of the file.
        metadata: ignored by Kedro; used by its plug-ins.
    """

    def __init__(
        self, *, filepath: str, uri: str | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self._filepath = Path(filepath)
        self._uri = self._filepath.absolute().parent.name if uri is None else uri
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Return the SPEAKER lines in the order of the file: onset and offset in seconds, name."""
        rows = []
        for line in read_rttm(self._filepath):
            if line.kind != "SPEAKER":
                continue
            if not line.onset <= line.offset:
                raise FileProblem(f"line {line.line}: its onset or duration is no time in seconds")
            rows.append((line.onset, round(line.offset, _EXACT_DECIMALS), line.name or ""))
        return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)

    def save(self, data: pd.DataFrame) -> None:
        """Write the events by onset; the old file is there until the new one is complete.

        Args:
            data: onset and offset in seconds, and name, which may be missing.

        Raises:
            ValueError: an event begins before 0, is shorter than a millisecond or has no end.
        """
        # Not at the top: it brings matplotlib.pyplot, which takes a second.
        from pyannote.core import Annotation, Segment  # noqa: PLC0415

        annotation = Annotation(uri=rttm_cell(self._uri))
        names = data["name"].fillna("").tolist()
        times = zip(data["onset"].tolist(), data["offset"].tolist(), strict=True)
        for row, ((onset, offset), name) in enumerate(zip(times, names, strict=True)):
            start, end = _rounded(onset), _rounded(offset)
            if not 0 <= start < end < math.inf:
                raise ValueError(
                    f"row {row} goes from {onset} s to {offset} s; an RTTM line begins at 0 s or "
                    "later and lasts a millisecond or more: leave the row out"
                )
            # One track each, or equal segments replace one another; tracks are sorted as text.
            annotation[Segment(start, end), f"{row:012d}"] = rttm_cell(str(name))
        with replacing(self._filepath) as part:
            part.write_bytes(annotation.to_rttm().encode("utf-8"))

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "uri": self._uri}


def rttm_cell(text: str) -> str:
    r"""Return a text as a cell that any reader of RTTM takes for one: `_` replaces what divides.

    That is blanks, control characters, and double quotes, which table readers pair. An empty text
    becomes `_`, and a word that means "no value" gets one at its end. Texts that differ in these
    alone become equal.

    >>> [rttm_cell(text) for text in ("Half past\tfour", "", "<NA>", 'Zoë "Z"')]
    ['Half_past_four', '_', '<NA>_', 'Zoë__Z_']
    """
    cell = "".join("_" if _divides(character) else character for character in text)
    return f"{cell}_" if not cell or _NO_VALUE.fullmatch(cell) else cell


def _rounded(seconds: float) -> float:
    return round(float(seconds), _DECIMALS) + 0.0  # -0.0 would be written as such


def _divides(character: str) -> bool:
    return (
        character == '"'
        or character.isspace()
        or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp", "Zs"}
    )
