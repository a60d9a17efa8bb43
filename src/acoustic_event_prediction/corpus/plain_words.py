"""Words in seconds: a CSV, or a JSON list, of onset, offset, text and, where given, speaker."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.tables import Interval, as_number, read_rows, read_words

_FIELDS = ("onset", "offset", "text")
_SPEAKER = "speaker"
_REMEDY = "write a list of objects with onset and offset in seconds, and text"


class Words(NamedTuple):
    """The words of a transcript.

    Attributes:
        words: times in units.
        unit_seconds: what a unit lasts; None: the file does not say.
        speakers: of the words, in their order, None where the file names nobody; empty where its
            format knows no speakers.
    """

    words: list[Interval]
    unit_seconds: float | None
    speakers: Sequence[str | None] = ()


def read_words_in_ticks(path: Path) -> Words:
    """Return the words of a transcript of the PodcastFillers format.

    Raises:
        FileProblem: see `tables.read_words`.
    """
    return Words(read_words(path), None)


def read_words_csv(path: Path) -> Words:
    """Return the words of a CSV with the columns onset, offset, text and perhaps speaker.

    What has no text is no word.

    Raises:
        FileProblem: not a CSV in UTF-8, a column is missing, or a row has more or fewer cells.
    """
    columns = {field: (field,) for field in (*_FIELDS, _SPEAKER)}
    rows = read_rows(path, columns, {_SPEAKER})
    return _in_seconds([cells for _, cells in rows])


def read_words_json(path: Path) -> Words:
    """Return the words of a JSON list of objects; an object at the top is a transcript in ticks.

    Raises:
        FileProblem: no JSON, or an entry without onset, offset or text, or whose speaker is
            neither text nor a whole number.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FileProblem(f"is no JSON ({error})") from error
    if isinstance(document, dict):
        return read_words_in_ticks(path)
    if not isinstance(document, list):
        raise FileProblem("is no list", _REMEDY)
    for index, entry in enumerate(document):
        lacking = [
            field for field in _FIELDS if not isinstance(entry, dict) or entry.get(field) is None
        ]
        if lacking:
            raise FileProblem(f"entry [{index}] has no {', '.join(lacking)}", _REMEDY)
        speaker = entry.get(_SPEAKER)
        if isinstance(speaker, bool) or not isinstance(speaker, str | int | None):
            raise FileProblem(
                f"entry [{index}] has the speaker {speaker!r}",
                "write the speaker's name, or leave the field out",
            )
    return _in_seconds(document)


def _in_seconds(entries: Sequence[Mapping[str, Any]]) -> Words:
    spoken = [entry for entry in entries if str(entry["text"]).strip()]
    return Words([_word(entry) for entry in spoken], 1.0, [_speaker(entry) for entry in spoken])


def _word(entry: Mapping[str, Any]) -> Interval:
    return Interval(
        as_number(entry["onset"]), as_number(entry["offset"]), str(entry["text"]).strip()
    )


def _speaker(entry: Mapping[str, Any]) -> str | None:
    speaker = entry.get(_SPEAKER)
    return None if speaker is None else str(speaker).strip() or None
