"""Events and turns from files that lie beside a recording: Audacity label tracks and RTTM."""

import math
from collections.abc import Sequence
from pathlib import Path

from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.rttm import RttmLine, read_rttm
from acoustic_event_prediction.corpus.tables import Annotation, Interval, as_number

# RTTM: sounds of a speaker that are no words, and sounds of nobody.
EVENT_KINDS = frozenset({"NON-LEX", "NON-SPEECH"})
TURN_KIND = "SPEAKER"
_LEAST_CELLS = 2
_MAX_SHOWN = 40


def read_audacity(path: Path) -> list[Annotation]:
    r"""Return the labels of an Audacity label track: onset, offset, label, divided by tabs.

    Blank lines are skipped, as are those that begin with a backslash: the frequencies of the label
    before.

    Raises:
        FileProblem: not UTF-8, or a line that does not begin with two times.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileProblem(f"is no label track in UTF-8 ({error})") from error
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("\\"):
            continue
        cells = line.split("\t", maxsplit=_LEAST_CELLS)
        times = [as_number(cell) for cell in cells[:_LEAST_CELLS]]
        if len(times) < _LEAST_CELLS or any(map(math.isnan, times)):
            raise FileProblem(
                f"line {number}, {line.strip()[:_MAX_SHOWN]!r}, is no label",
                "an Audacity label track has onset and offset in seconds, and a label, divided by "
                "tabs; rename the file if it is something else",
            )
        label = cells[_LEAST_CELLS].strip() if len(cells) > _LEAST_CELLS else ""
        rows.append(Annotation(number, None, label, label, times[0], times[1]))
    return rows


def read_rttm_events(path: Path, *, with_turns: bool) -> list[Annotation]:
    """Return the events of an RTTM file of one recording.

    Args:
        path: of the file.
        with_turns: SPEAKER lines are events as well, and their label is the speaker.

    Raises:
        FileProblem: no RTTM file, or one about several recordings.
    """
    return [
        event._replace(episode=None)
        for event in _events(_lines_of_one(path), with_turns=with_turns)
    ]


def read_rttm_table(path: Path, *, with_turns: bool) -> list[Annotation]:
    """Return the events of an RTTM file of any recordings; `episode` is the file that a line names.

    Args:
        path: of the file.
        with_turns: SPEAKER lines are events as well, and their label is the speaker.

    Raises:
        FileProblem: no RTTM file.
    """
    return _events(read_rttm(path), with_turns=with_turns)


def read_rttm_turns(path: Path) -> list[Interval]:
    """Return the SPEAKER lines of an RTTM file of one recording.

    Raises:
        FileProblem: no RTTM file, one about several recordings, or a turn of nobody.
    """
    return [turn._replace(recording=None) for turn in _turns(_lines_of_one(path))]


def read_rttm_turn_table(path: Path) -> list[Interval]:
    """Return the SPEAKER lines of an RTTM file of any recordings; `recording` is whose.

    Raises:
        FileProblem: no RTTM file, or a turn of nobody.
    """
    return _turns(read_rttm(path))


def _lines_of_one(path: Path) -> list[RttmLine]:
    """Return the lines of an RTTM file; its own name says which recording it is about."""
    lines = read_rttm(path)
    files = list(dict.fromkeys(line.file for line in lines))
    if len(files) > 1:
        raise FileProblem(
            f"is about {len(files)} recordings, {', '.join(files[:2])}{', ...' * (len(files) > 2)}",  # noqa: PLR2004
            "write an RTTM file for each, or give this one as ingestion.table.events",
        )
    return lines


def _turns(lines: Sequence[RttmLine]) -> list[Interval]:
    turns = []
    for line in lines:
        if line.kind == TURN_KIND:
            if line.name is None:
                raise FileProblem(
                    f"line {line.line} names no speaker", "write the speaker into its eighth cell"
                )
            turns.append(Interval(line.onset, line.offset, line.name, line.file))
    return turns


def _events(lines: Sequence[RttmLine], *, with_turns: bool) -> list[Annotation]:
    events = []
    for line in lines:
        if line.kind in EVENT_KINDS:
            label = line.subtype or line.kind
        elif line.kind == TURN_KIND and with_turns:
            label = line.name or line.kind
        else:
            continue
        events.append(
            Annotation(line.line, line.file, label, label, line.onset, line.offset, line.name)
        )
    return events
