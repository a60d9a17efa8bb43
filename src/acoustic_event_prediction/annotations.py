"""Time spans with texts, in tiers: what annotation tools show under a recording."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

COLUMNS = ("onset", "offset", "text")


@dataclass(frozen=True)
class AnnotationTiers:
    """Spans of one recording.

    Attributes:
        duration_seconds: of the recording.
        tiers: by name, tables with onset and offset in seconds, and text; a tier's spans may not
            overlap.
    """

    duration_seconds: float
    tiers: Mapping[str, pd.DataFrame]


def disjoint_tier(table: pd.DataFrame, duration_seconds: float) -> pd.DataFrame:
    """Return the spans of a tier by onset, clipped to the recording, with overlapping ones united.

    United spans keep the text of the first; a span that is empty, or outside, is left out.

    Args:
        table: onset and offset in seconds, and text.
        duration_seconds: of the recording.

    >>> spans = pd.DataFrame({"onset": [0, 1, 5], "offset": [2, 3, 9], "text": ["a", "b", "c"]})
    >>> disjoint_tier(spans, 7.0).values.tolist()
    [[0.0, 3.0, 'a'], [5.0, 7.0, 'c']]
    """
    rows: list[tuple[float, float, str]] = []
    ordered = table.sort_values(["onset", "offset"], kind="stable")
    for onset, offset, text in zip(*(ordered[name].tolist() for name in COLUMNS), strict=True):
        start, end = max(float(onset), 0.0), min(float(offset), duration_seconds)
        if end <= start:
            continue
        if rows and start < rows[-1][1]:
            rows[-1] = (rows[-1][0], max(rows[-1][1], end), rows[-1][2])
        else:
            rows.append((start, end, text))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"onset": float, "offset": float})


def as_labels(annotations: AnnotationTiers) -> pd.DataFrame:
    """Return the spans of all tiers by onset, as rows of an Audacity label track.

    Returns:
        onset and offset in seconds, and text: `<tier>: <text>`, in one line.
    """
    tables = [
        table.assign(text=[one_line(f"{name}: {text}") for text in table["text"]])
        for name, table in annotations.tiers.items()
        if len(table)
    ]
    if not tables:
        return pd.DataFrame(columns=list(COLUMNS))
    joined = pd.concat(tables, ignore_index=True)[list(COLUMNS)]
    return joined.sort_values(["onset", "offset"], kind="stable", ignore_index=True)


def one_line(text: str) -> str:
    r"""Return a text without tabs, line breaks and other control characters.

    They divide a label track, and the lines of a TextGrid.

    >>> one_line("a\tb \x1f\n c")
    'a b c'
    """
    printable = "".join(c if unicodedata.category(c) != "Cc" else " " for c in text)
    return " ".join(printable.split())
