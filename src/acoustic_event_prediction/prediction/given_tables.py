"""Turns, words and laughs that a caller gives, as tables."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from acoustic_event_prediction.corpus.intervals import complete_speakers, make_table
from acoustic_event_prediction.errors import CorpusError

# Sequences in the order of the columns, or mappings by their names.
Rows = Iterable[Sequence[Any] | Mapping[str, Any]]


@dataclass(frozen=True)
class GivenTables:
    """What is known of a waveform.

    Attributes:
        turns: columns onset, offset (seconds) and speaker.
        words: columns onset, offset (seconds), text and speaker.
        laughs: columns onset, offset (seconds) and label.
        given: which of them were given, be it empty.
    """

    turns: pd.DataFrame
    words: pd.DataFrame
    laughs: pd.DataFrame
    given: frozenset[str]

    @classmethod
    def of(
        cls,
        turns: pd.DataFrame | Rows | None,
        words: pd.DataFrame | Rows | None,
        laughs: pd.DataFrame | Rows | None,
        duration_seconds: float,
    ) -> Self:
        """Return what a caller has given, checked.

        Args:
            turns: table or rows of onset, offset, speaker; None: not known.
            words: table or rows of onset, offset, text and perhaps speaker, else the one whose
                turn overlaps most; None: not known.
            laughs: table or rows of onset, offset; None: not known.
            duration_seconds: of the waveform; what lies after it is left out.

        Raises:
            CorpusError: a column or cell is missing, or a time is impossible.
        """
        given = {"turns": turns, "words": words, "laughs": laughs}
        found_turns = _as_table("turns", turns, ("onset", "offset", "speaker"))
        if found_turns["speaker"].isna().any():
            raise CorpusError("turns: a row names no speaker; give each a name")
        found_turns = found_turns.assign(offset=found_turns["offset"].clip(upper=duration_seconds))
        found_turns = found_turns[found_turns["offset"] > found_turns["onset"]]
        found_words = _as_table("words", words, ("onset", "offset", "text"), ("speaker",))
        if found_words["text"].isna().any():
            raise CorpusError("words: a row has no text; leave it out")
        return cls(
            found_turns,
            complete_speakers(found_words, found_turns, or_nearest=True),
            _as_table("laughs", laughs, ("onset", "offset")).assign(label="Laughter"),
            frozenset(kind for kind, rows in given.items() if rows is not None),
        )

    def require_speakers(self, speakers: Collection[str]) -> None:
        """Check that the words are of those whose words are read.

        Args:
            speakers: those, at least one.

        Raises:
            CorpusError: there are words, and none is of anybody there.
        """
        if self.has_words_of_others(speakers):
            written = sorted(set(self.words["speaker"].dropna()))
            whose = f"are of {', '.join(written)}" if written else "name no speaker"
            raise CorpusError(
                f"words {whose}, those of {', '.join(sorted(speakers))} are read: name them in "
                "the column speaker, or leave words out if they are not known"
            )

    def has_words_of_others(self, speakers: Collection[str]) -> bool:
        """Return whether there are words, and none is of anybody among some speakers."""
        written = set(self.words["speaker"].dropna())
        return not self.words.empty and written.isdisjoint(speakers)


def _as_table(
    name: str,
    rows: pd.DataFrame | Rows | None,
    columns: tuple[str, ...],
    optional: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Return a table of the columns; an optional one that is not there is None in all rows."""
    names = (*columns, *optional)
    given: Iterable[Any] = () if rows is None else rows
    if isinstance(rows, pd.DataFrame):
        given = rows.to_dict(orient="records")
    try:
        table = make_table((_as_row(row, columns, optional) for row in given), names)
        spans = table[["onset", "offset"]].to_numpy()
    except (KeyError, IndexError, TypeError, ValueError) as error:
        may = f" and perhaps {', '.join(optional)}" if optional else ""
        raise CorpusError(
            f"{name} must be a table or rows of {', '.join(columns)}{may}, times in seconds "
            f"({type(error).__name__}: {error})"
        ) from error
    if not np.isfinite(spans).all() or (spans < 0).any() or (spans[:, 1] < spans[:, 0]).any():
        raise CorpusError(
            f"{name} have a time that is no number, negative, or ends before it begins"
        )
    return table


def _as_row(row: Any, columns: tuple[str, ...], optional: tuple[str, ...]) -> tuple[Any, ...]:
    if isinstance(row, Mapping):
        return tuple(row[name] for name in columns) + tuple(_cell(row.get(n)) for n in optional)
    cells = tuple(row)
    if len(cells) < len(columns):
        raise IndexError(f"a row has {len(cells)} cells")
    cells += (None,) * len(optional)
    return tuple(_cell(cell) for cell in cells[: len(columns) + len(optional)])


def _cell(value: Any) -> Any:
    """Return a cell, with None for what pandas takes as missing."""
    return None if pd.isna(value) else value
