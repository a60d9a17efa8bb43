"""The rows of the metadata files, as they are written: times unchecked, names unmatched."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from acoustic_event_prediction.corpus.findings import FileProblem

# Two spellings: that of the published file, and that of its documentation.
_COLUMNS = {
    "episode": ("podcast_filename",),
    "label": ("label_consolidated_vocab", "consolidated_label"),
    "label_full": ("label_full_vocab", "fullvoc_label"),
    "onset": ("event_start_inepisode",),
    "offset": ("event_end_inepisode",),
}
_OPTIONAL = {"label_full"}
_COLUMN_REMEDY = "restore the column, or use the corpus's own CSV"
_KEY_REMEDY = "write the file again in the corpus's format, or remove it"


class Annotation(NamedTuple):
    """One row of an annotation CSV; times in seconds, NaN where the cell holds no number."""

    line: int
    episode: str
    label: str
    label_full: str
    onset: float
    offset: float


class Interval(NamedTuple):
    """A named stretch of time: a speaker's turn in seconds, or a word in transcript ticks."""

    onset: float
    offset: float
    name: str


class MappedEvent(NamedTuple):
    """One entry of an event-speaker mapping."""

    label: str
    onset: float
    offset: float
    speaker: str | None


def read_annotations(path: Path) -> list[Annotation]:
    """Return the rows of an annotation CSV, columns found by name; cells stay text, even `null`.

    Raises:
        FileProblem: not a CSV in UTF-8, a column is missing, or a row has more or fewer cells.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = [cell.strip() for cell in next(rows, [])]
            places = _find_columns(header)
            return [
                _annotation(row, places, rows.line_num, len(header)) for row in rows if any(row)
            ]
    except (csv.Error, UnicodeDecodeError) as error:
        raise FileProblem(f"is no CSV file in UTF-8 ({error})") from error


def _find_columns(header: list[str]) -> dict[str, int]:
    places = {
        field: header.index(name)
        for field, names in _COLUMNS.items()
        for name in names
        if name in header
    }
    missing = [
        " or ".join(names)
        for field, names in _COLUMNS.items()
        if field not in places and field not in _OPTIONAL
    ]
    if missing:
        raise FileProblem(
            f"has no column {', '.join(missing)} (it has: {', '.join(header) or 'none'})",
            _COLUMN_REMEDY,
        )
    return {"label_full": places["label"]} | places


def _annotation(row: list[str], places: dict[str, int], line: int, width: int) -> Annotation:
    if len(row) != width:
        raise FileProblem(f"line {line} has {len(row)} cells, the header {width}")
    cells = {field: row[place].strip() for field, place in places.items()}
    return Annotation(
        line=line,
        episode=cells["episode"],
        label=cells["label"],
        label_full=cells["label_full"],
        onset=_as_number(cells["onset"]),
        offset=_as_number(cells["offset"]),
    )


def read_turns(path: Path) -> list[Interval]:
    """Return the segments of a diarization.

    Raises:
        FileProblem: no JSON, or a segment without `start`, `end` or `speaker_id`.
    """
    return [
        Interval(
            onset=_as_number(_value(segment, "start", place)),
            offset=_as_number(_value(segment, "end", place)),
            name=str(_value(segment, "speaker_id", place)),
        )
        for place, segment in _entries(path, "segments")
    ]


def read_words(path: Path) -> list[Interval]:
    """Return the words of the best hypothesis of each segment, times in ticks as written.

    Segments without a hypothesis or without words are skipped, as are words without text.

    Raises:
        FileProblem: no JSON, or a word without `offset` or `duration`.
    """
    words = []
    for place, segment in _entries(path, "segments"):
        for word in _best_words(segment, place):
            if text := str(word.get("text") or "").strip():
                onset = _as_number(_value(word, "offset", place))
                length = _as_number(_value(word, "duration", place))
                words.append(Interval(onset, onset + length, text))
    return words


def _best_words(segment: Mapping[str, Any], place: str) -> Iterable[Mapping[str, Any]]:
    nbest = segment.get("nbest") or [{}]
    try:
        words = nbest[0].get("words") or []
    except (TypeError, AttributeError, KeyError) as error:
        raise FileProblem(f"{place} has no list `nbest` with `words`", _KEY_REMEDY) from error
    if not all(isinstance(word, dict) for word in words):
        raise FileProblem(f"{place} has a word that is no object", _KEY_REMEDY)
    return words


def read_mapping(path: Path) -> list[MappedEvent]:
    """Return the entries of an event-speaker mapping.

    Raises:
        FileProblem: no JSON, or an entry without label or times.
    """
    return [
        MappedEvent(
            str(_value(event, _spelling(event, "label"), place)),
            _as_number(_value(event, "event_start_inepisode", place)),
            _as_number(_value(event, "event_end_inepisode", place)),
            str(event["speaker_id"]) if event.get("speaker_id") else None,
        )
        for place, event in _entries(path, "events")
    ]


def _spelling(entry: Mapping[str, Any], field: str) -> str:
    published, documented = _COLUMNS[field]
    return documented if documented in entry else published


def _entries(path: Path, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the objects of a JSON file's list `key`, each with its place for messages."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FileProblem(f"is no JSON ({error})") from error
    entries = document.get(key) if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise FileProblem(f"has no list `{key}`", _KEY_REMEDY)
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise FileProblem(f"{key}[{index}] is no object", _KEY_REMEDY)
        yield f"{key}[{index}]", entry


def _value(entry: Mapping[str, Any], key: str, place: str) -> Any:
    if entry.get(key) is None:
        raise FileProblem(f"{place} has no `{key}`", _KEY_REMEDY)
    return entry[key]


def _as_number(value: Any) -> float:
    """Return a float; NaN for what is no number, which the check of the times then names."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")
