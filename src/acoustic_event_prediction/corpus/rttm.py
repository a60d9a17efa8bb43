"""RTTM files: who speaks when, and what is heard beside speech; one line each, cells by blanks.

Source: NIST, "The Rich Transcription 2009 (RT-09) Evaluation Plan", appendix A.
"""

import math
from pathlib import Path
from typing import NamedTuple

from acoustic_event_prediction.corpus.findings import FileProblem, require_file

_LEAST_CELLS = 8
_MISSING = "<NA>"


class RttmLine(NamedTuple):
    """One line of an RTTM file; times in seconds.

    Attributes:
        line: its number, from 1.
        kind: SPEAKER, NON-LEX, NON-SPEECH, LEXEME, ...
        file: that the line is about.
        onset: begin.
        offset: end; NaN, as the begin, where the cell holds no number.
        subtype: laugh, breath, noise, ...; None where the cell says `<NA>`.
        name: of the speaker; None where the cell says `<NA>`.
    """

    line: int
    kind: str
    file: str
    onset: float
    offset: float
    subtype: str | None
    name: str | None


def read_rttm(path: Path) -> list[RttmLine]:
    """Return the lines of an RTTM file; blank lines and comments (`;;`) are skipped.

    Raises:
        FileProblem: not UTF-8, or a line has fewer than 8 cells, or more than 10.
    """
    require_file(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileProblem(f"is no RTTM file in UTF-8 ({error})") from error
    lines = []
    for number, line in enumerate(text.split("\n"), start=1):
        cells = line.split()
        if not cells or cells[0].startswith(";;"):
            continue
        if not _LEAST_CELLS <= len(cells) <= _LEAST_CELLS + 2:
            raise FileProblem(
                f"line {number} has {len(cells)} cells; RTTM has 10, divided by blanks, with names "
                "that hold none: type, file, channel, onset, duration, orthography, subtype, name"
            )
        onset, duration = _as_number(cells[3]), _as_number(cells[4])
        lines.append(
            RttmLine(
                line=number,
                kind=cells[0].upper(),
                file=cells[1],
                onset=onset,
                offset=onset + duration,
                subtype=_as_text(cells[6]),
                name=_as_text(cells[7]),
            )
        )
    return lines


def _as_text(cell: str) -> str | None:
    return None if cell == _MISSING else cell


def _as_number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
