"""The rows of the metadata files, as they are written: times unchecked, names unmatched."""

import csv
import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from acoustic_event_prediction.corpus.findings import FileProblem, require_file

# In order of preference: the published file's spelling, its documentation's, and the plain one.
EVENT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "episode": ("podcast_filename", "episode"),
    "label": ("label_consolidated_vocab", "consolidated_label", "label"),
    "label_full": ("label_full_vocab", "fullvoc_label"),
    "onset": ("event_start_inepisode", "onset"),
    "offset": ("event_end_inepisode", "offset"),
    "speaker": ("speaker",),
    "split": ("split",),
    "show": ("show",),
}
OPTIONAL_COLUMNS = frozenset({"label_full", "speaker", "split", "show"})
_COLUMN_REMEDY = "name the columns so, or use the corpus's own file"
_KEY_REMEDY = "write the file again in the corpus's format, or remove it"


class Annotation(NamedTuple):
    """One row of a table of events; times in seconds, NaN where the cell holds no number.

    `episode` is None in a file of one episode, which need not name it; `speaker`, `split` and
    `show` where nobody says.
    """

    line: int
    episode: str | None
    label: str
    label_full: str
    onset: float
    offset: float
    speaker: str | None = None
    split: str | None = None
    show: str | None = None


class Interval(NamedTuple):
    """A named stretch of time: a speaker's turn in seconds, a word in seconds or in ticks.

    `recording` is what the file says that it is about; None where files don't say it.
    """

    onset: float
    offset: float
    name: str
    recording: str | None = None


class MappedEvent(NamedTuple):
    """One entry of an event-speaker mapping."""

    label: str
    onset: float
    offset: float
    speaker: str | None


def read_annotations(path: Path, *, names_episode: bool = True) -> list[Annotation]:
    """Return the rows of an annotation CSV, columns found by name; cells stay text, even `null`.

    Args:
        path: of the file.
        names_episode: the column of the episode's name must be there.

    Raises:
        FileProblem: not a CSV in UTF-8, a column is missing, or a row has more or fewer cells.
    """
    optional = OPTIONAL_COLUMNS if names_episode else OPTIONAL_COLUMNS | {"episode"}
    return [annotation(line, cells) for line, cells in read_rows(path, EVENT_COLUMNS, optional)]


def annotation(line: int, cells: Mapping[str, Any]) -> Annotation:
    """Return a row of a table of events.

    Args:
        line: or number of the row, for messages.
        cells: by the names of `EVENT_COLUMNS`.
    """
    label = str(cells["label"])
    return Annotation(
        line=line,
        episode=str(cells["episode"]) if "episode" in cells else None,
        label=label,
        label_full=str(cells.get("label_full", label)),
        onset=as_number(cells["onset"]),
        offset=as_number(cells["offset"]),
        speaker=cells.get("speaker") or None,
        split=cells.get("split") or None,
        show=cells.get("show") or None,
    )


def read_rows(
    path: Path, columns: Mapping[str, tuple[str, ...]], optional: Container[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the cells, by field, of each row of a CSV that is not blank.

    Args:
        path: of the file.
        columns: spellings of each field's column, the preferred one first.
        optional: fields that need not be there.

    Raises:
        FileProblem: not a CSV in UTF-8, a column is missing, or a row has more or fewer cells.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)  # a quote that is never closed is an error
            header = [cell.strip() for cell in next(rows, [])]
            places = find_columns(header, columns, optional)
            line = rows.line_num
            for row in rows:
                first, line = line + 1, rows.line_num
                if not any(row):
                    continue
                if line > first and any("\n" in cell for cell in row):
                    raise FileProblem(
                        f"line {first} opens a quote that is closed in line {line} only",
                        "close the quote, or double it where it is part of a name",
                    )
                if len(row) != len(header):
                    raise FileProblem(
                        f"line {rows.line_num} has {len(row)} cells, the header {len(header)}"
                    )
                yield rows.line_num, {field: row[place].strip() for field, place in places.items()}
    except (csv.Error, UnicodeDecodeError) as error:
        raise FileProblem(f"is no CSV file in UTF-8 ({error})") from error


def find_columns(
    header: Sequence[str], columns: Mapping[str, tuple[str, ...]], optional: Container[str]
) -> dict[str, int]:
    """Return the place of each field's column.

    Args:
        header: names of the columns.
        columns: spellings of each field's column, the preferred one first.
        optional: fields that need not be there.

    Raises:
        FileProblem: a column is missing.
    """
    places = {
        field: header.index(name)
        for field, names in columns.items()
        for name in reversed(names)
        if name in header
    }
    missing = [
        " or ".join(names)
        for field, names in columns.items()
        if field not in places and field not in optional
    ]
    if missing:
        is_one_cell = len(header) == 1 and any(mark in header[0] for mark in ";\t|")
        raise FileProblem(
            f"has no column {', '.join(missing)} (it has: {', '.join(header) or 'none'})",
            "divide the cells by commas" if is_one_cell else _COLUMN_REMEDY,
        )
    return places


def read_turns(path: Path) -> list[Interval]:
    """Return the segments of a diarization.

    Raises:
        FileProblem: no JSON, or a segment without `start`, `end` or `speaker_id`.
    """
    return [
        Interval(
            onset=as_number(_value(segment, "start", place)),
            offset=as_number(_value(segment, "end", place)),
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
                onset, length = word.get("offset"), word.get("duration")
                if onset is None or length is None:  # in an hour there are ten thousand
                    onset, length = (_value(word, key, place) for key in ("offset", "duration"))
                onset = as_number(onset)
                words.append(Interval(onset, onset + as_number(length), text))
    return words


def _best_words(segment: Mapping[str, Any], place: str) -> Iterable[Mapping[str, Any]]:
    nbest = segment.get("nbest") or [{}]
    try:
        words = list(nbest[0].get("words") or [])
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
    require_file(path)
    return [
        MappedEvent(
            str(_value(event, _spelling(event, "label"), place)),
            as_number(_value(event, "event_start_inepisode", place)),
            as_number(_value(event, "event_end_inepisode", place)),
            str(event["speaker_id"]) if event.get("speaker_id") else None,
        )
        for place, event in _entries(path, "events")
    ]


def _spelling(entry: Mapping[str, Any], field: str) -> str:
    return next((name for name in EVENT_COLUMNS[field] if name in entry), EVENT_COLUMNS[field][0])


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


def as_number(value: Any) -> float:
    """Return a float; NaN for what is no number, which the check of the times then names."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")
