"""Events, turns and words from files of any known format, told apart by the file name's suffix."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from acoustic_event_prediction.corpus.findings import FileProblem, require_file
from acoustic_event_prediction.corpus.label_files import (
    read_audacity,
    read_rttm_events,
    read_rttm_turns,
)
from acoustic_event_prediction.corpus.parquet_tables import read_parquet_annotations
from acoustic_event_prediction.corpus.plain_words import (
    Words,
    read_words_csv,
    read_words_json,
)
from acoustic_event_prediction.corpus.tables import (
    Annotation,
    Interval,
    read_annotations,
    read_turns,
)
from acoustic_event_prediction.corpus.textgrid_file import read_textgrid

T = TypeVar("T")
EventReaders = Mapping[str, Callable[[Path], list[Annotation]]]
TurnReaders = Mapping[str, Callable[[Path], list[Interval]]]

EVENTS: EventReaders = {
    ".csv": read_annotations,
    ".parquet": read_parquet_annotations,
    ".txt": read_audacity,
    ".textgrid": partial(read_textgrid, label_is="text"),
    ".rttm": partial(read_rttm_events, with_turns=False),
}
TURNS: TurnReaders = {
    ".json": read_turns,
    ".rttm": read_rttm_turns,
}
WORDS: Mapping[str, Callable[[Path], Words]] = {
    ".json": read_words_json,
    ".csv": read_words_csv,
    ".words.json": read_words_json,
    ".words.csv": read_words_csv,
}


def read_file(path: Path, readers: Mapping[str, Callable[[Path], T]]) -> T:
    """Return what the file holds.

    Args:
        path: of the file.
        readers: by suffix, in lower case; the longest that the name ends with is taken.

    Raises:
        FileProblem: no reader knows the suffix, or it is no file, or not of its format.
    """
    known = [suffix for suffix in readers if path.name.lower().endswith(suffix)]
    if not known:
        raise FileProblem(
            f"is of no known format {path.suffix!r}; known are {', '.join(sorted(readers))}"
        )
    require_file(path)
    return readers[max(known, key=len)](path)
