"""Where the events and turns of a folder of recordings are: in one table, or beside each."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TypeVar

from acoustic_event_prediction.corpus.findings import FileProblem, Findings
from acoustic_event_prediction.corpus.folder_files import FilesByName
from acoustic_event_prediction.corpus.formats import EVENTS, EventReaders, read_file
from acoustic_event_prediction.corpus.label_files import (
    EVENT_KINDS,
    TURN_KIND,
    read_rttm_events,
    read_rttm_table,
)
from acoustic_event_prediction.corpus.raw import (
    match_names,
    normalise,
    strip_audio_suffix,
)
from acoustic_event_prediction.corpus.rttm import read_rttm
from acoustic_event_prediction.corpus.tables import Annotation, read_annotations
from acoustic_event_prediction.corpus.textgrid_file import read_textgrid
from acoustic_event_prediction.corpus_params import TableParams
from acoustic_event_prediction.errors import CorpusError

LABEL_SUFFIXES = (".txt", ".textgrid", ".csv")
WORD_SUFFIXES = (".words.csv", ".words.json", ".json")
_TABLE_SUFFIXES = (".csv", ".parquet", ".rttm")
_ONE_FILE = "keep one of them"

T = TypeVar("T")
RowsByEpisode = dict[str, list[Annotation]]


@dataclass
class EventSources:
    """What holds the events and turns of the recordings.

    Attributes:
        table: of all recordings, if there is one.
        readers: of tables and label files.
        rows: of the table, by recording.
        left_out: recordings whose rows may bear another name.
        annotations: label file of each recording that has one.
        diarizations: RTTM file with the turns of each recording that has one.
    """

    table: Path | None
    readers: EventReaders
    rows: RowsByEpisode = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    annotations: dict[str, Path] = field(default_factory=dict)
    diarizations: dict[str, Path] = field(default_factory=dict)


def from_table(
    path: Path,
    files: Sequence[Path],
    recordings: Mapping[str, Path],
    params: TableParams,
    findings: Findings,
) -> EventSources:
    """Return the events of one table of all recordings, with turns from RTTM files beside them.

    Args:
        path: of the table.
        files: of the corpus.
        recordings: by name.
        params: of the layout.
        findings: take what is wrong between the table and the recordings.

    Raises:
        CorpusError: the table can't be used.
    """
    is_rttm = path.suffix.lower() == ".rttm"
    if params.rttm == "events" and not is_rttm:
        raise CorpusError(
            f"ingestion.table.events={params.events} and ingestion.table.rttm=events name two "
            "sources of events; set ingestion.table.events=null or ingestion.table.rttm=auto"
        )
    readers = dict(EVENTS)
    if is_rttm:
        readers[".rttm"] = partial(
            read_rttm_table, with_turns=_turns_are_events(path, params, findings)
        )
    readers = {suffix: readers[suffix] for suffix in _TABLE_SUFFIXES}
    rows = _guarded(path, lambda: read_file(path, readers))
    if not rows:
        raise CorpusError(
            f"the table of events {path} has no row; a recording without events needs none, but "
            "some must have one"
        )
    by_recording, strange = _rows_by_recording(rows, recordings)
    silent = frozenset(recordings) - set(by_recording)
    if strange:
        _note_strangers(path, len(rows), strange, silent, findings)
    if not by_recording:
        raise CorpusError(str(findings.problems[-1]))
    sources = EventSources(path, readers, by_recording, silent if strange else frozenset())
    beside = FilesByName([file for file in files if file != path], ".rttm", recordings)
    for name, audio in recordings.items():
        if (rttm := _only(beside.find(name, audio.parent), findings.of(name))) is not None:
            sources.diarizations[name] = rttm
    return sources


def from_label_files(
    files: Sequence[Path],
    recordings: Mapping[str, Path],
    params: TableParams,
    findings: Findings,
) -> EventSources:
    """Return the label file, and the RTTM file with turns, of each recording.

    Args:
        files: of the corpus.
        recordings: by name.
        params: of the layout.
        findings: take label files of which it is not clear which one counts.
    """
    by_suffix = [
        FilesByName(files, suffix, recordings, others=(".words.csv",)) for suffix in LABEL_SUFFIXES
    ]
    rttm_files = FilesByName(files, ".rttm", recordings)
    labels: dict[str, list[Path]] = {}
    rttms: dict[str, Path] = {}
    for name, audio in recordings.items():
        found = [
            _only(of_kind.find(name, audio.parent), findings.of(name)) for of_kind in by_suffix
        ]
        labels[name] = [path for path in found if path is not None]
        if (rttm := _only(rttm_files.find(name, audio.parent), findings.of(name))) is not None:
            rttms[name] = rttm
    kinds = {name: _kinds(name, path, findings) for name, path in rttms.items()}
    rttm_has_events = any(held & EVENT_KINDS for held in kinds.values())
    with_turns = params.rttm == "events" or (
        params.rttm == "auto" and not rttm_has_events and not any(labels.values())
    )
    if with_turns and params.rttm == "auto" and rttms:
        findings.warn(
            next(iter(rttms.values())),
            f"the SPEAKER lines of {len(rttms)} RTTM files are taken as events, labelled with "
            "their names, because nothing else holds events",
            "if they are turns, add files of events",
        )
    readers: EventReaders = {
        ".csv": partial(read_annotations, names_episode=False),
        ".txt": EVENTS[".txt"],
        ".textgrid": partial(read_textgrid, label_is=params.textgrid),
        ".rttm": partial(read_rttm_events, with_turns=with_turns),
    }
    sources = EventSources(None, readers)
    for name, candidates in labels.items():
        held = kinds.get(name, frozenset())
        # Beside RTTM files with events, one without any says that there are none.
        is_label_file = held & EVENT_KINDS or with_turns or (rttm_has_events and not candidates)
        if name in rttms and is_label_file:
            candidates.append(rttms[name])
        if name in rttms and not with_turns:
            sources.diarizations[name] = rttms[name]
        if (label_file := _only(candidates, findings.of(name))) is not None:
            sources.annotations[name] = label_file
    return sources


def find_words(
    files: Sequence[Path], recordings: Mapping[str, Path], findings: Findings
) -> dict[str, Path]:
    """Return the file of words of each recording that has one.

    Args:
        files: of the corpus.
        recordings: by name.
        findings: take recordings with more than one.
    """
    by_suffix = [
        FilesByName(files, suffix, recordings, others=(".words.json",) * (suffix == ".json"))
        for suffix in WORD_SUFFIXES
    ]
    words = {}
    for name, audio in recordings.items():
        found = [path for of_kind in by_suffix for path in of_kind.find(name, audio.parent)]
        if (path := _only(found, findings.of(name))) is not None:
            words[name] = path
    return words


def _only(found: Sequence[Path], findings: Findings) -> Path | None:
    """Return the one file; more than one is a problem, and then none is taken."""
    if len(found) > 1:
        names = ", ".join(path.name for path in found[1:])
        findings.problem(
            found[0], f"is not the only file that may be this recording's: also {names}", _ONE_FILE
        )
        return None
    return found[0] if found else None


def _kinds(name: str, path: Path, findings: Findings) -> frozenset[str]:
    """Return which kinds of lines an RTTM file has; none if it can't be read, which comes later."""
    try:
        lines = read_rttm(path)
    except (FileProblem, OSError):
        return frozenset()
    written = {line.file for line in lines} - {"<NA>"}
    if len(written) == 1 and not match_names(written, {name}):
        findings.of(name).warn(
            path, f"its lines are about {written.pop()!r}; it is read as {name!r}"
        )
    return frozenset(line.kind for line in lines)


def _turns_are_events(path: Path, params: TableParams, findings: Findings) -> bool:
    """Return whether the SPEAKER lines of an RTTM file of all recordings are events."""
    kinds = {line.kind for line in _guarded(path, lambda: read_rttm(path))}
    if params.rttm == "events" or (params.rttm == "auto" and not kinds & EVENT_KINDS):
        return True
    if TURN_KIND in kinds:
        findings.warn(
            path,
            "its SPEAKER lines are turns, which are not read from a file of all recordings",
            "write an RTTM file beside each recording, or take them over with `kedro run "
            "--pipelines diarization --params diarization.source=rttm,diarization.rttm=...`",
        )
    return False


def _guarded(path: Path, read: Callable[[], list[T]]) -> list[T]:
    try:
        return read()
    except FileProblem as problem:
        raise CorpusError(f"the table of events {path} {problem}") from problem
    except OSError as error:
        raise CorpusError(
            f"the table of events {path} can't be read ({error.strerror}); give its place below "
            "dataset_root, or its whole path, as ingestion.table.events"
        ) from error


def _rows_by_recording(
    rows: Sequence[Annotation], recordings: Mapping[str, Path]
) -> tuple[RowsByEpisode, list[Annotation]]:
    """Return the rows of each recording, and those of none."""
    matches = match_names({row.episode or "" for row in rows}, recordings)
    by_recording: RowsByEpisode = {}
    strange = []
    for row in rows:
        name = matches.get(row.episode or "")
        if name is None:
            strange.append(row)
        else:
            by_recording.setdefault(name, []).append(row)
    return by_recording, strange


def _note_strangers(
    path: Path,
    num_rows: int,
    strange: Sequence[Annotation],
    silent: Collection[str],
    findings: Findings,
) -> None:
    """Note rows of no recording; with recordings of no row, their names are at odds: a problem."""
    first = strange[0].episode or ""
    num_names = len({row.episode for row in strange})
    text = (
        f"{len(strange)} of {num_rows} rows name {num_names} recordings that are not there, "
        f"the first: {first!r} (line {strange[0].line})"
    )
    if not silent:
        findings.warn(path, text)
        return
    plain = strip_audio_suffix(normalise(first))
    near = get_close_matches(plain, silent, n=3, cutoff=0.4) or sorted(silent)[:3]
    findings.problem(
        path,
        f"{text}, and {len(silent)} recordings have no row, the first: {min(silent)!r}; nearest "
        f"to {first!r} are {', '.join(map(repr, near))}",
        "write the recordings' file names into the column `episode`, or remove the rows of "
        "recordings that you do not have",
    )
