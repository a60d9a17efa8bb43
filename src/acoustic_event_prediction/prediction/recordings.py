"""The recordings that a user names, and the turns, words and laughs that belong to them."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from acoustic_event_prediction.corpus.findings import FileProblem, Finding, Findings
from acoustic_event_prediction.corpus.folder_files import FilesByName
from acoustic_event_prediction.corpus.formats import (
    EVENTS,
    TURNS,
    WORDS,
    EventReaders,
    TurnReaders,
)
from acoustic_event_prediction.corpus.label_files import read_rttm_table, read_rttm_turn_table
from acoustic_event_prediction.corpus.named_lines import some_names
from acoustic_event_prediction.corpus.raw import (
    AUDIO_SUFFIXES,
    Listing,
    RawCorpus,
    RawEpisode,
    audio_files,
    list_folder,
    match_names,
    normalise,
)
from acoustic_event_prediction.corpus.rttm import read_rttm
from acoustic_event_prediction.corpus.tables import (
    EVENT_COLUMNS,
    OPTIONAL_COLUMNS,
    Annotation,
    annotation,
    read_rows,
)
from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.params import PredictionParams

# Takes the place of a split in the ids of recordings.
SPLIT = "recordings"
# What libsndfile can't decode is named with the reason; it would not be missed otherwise.
_SUFFIXES = (
    *AUDIO_SUFFIXES,
    *(".opus", ".oga", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64"),
    *(".m4a", ".mp4", ".m4b", ".aac", ".wma", ".webm", ".mka", ".mkv", ".mov", ".amr", ".ac3"),
)


def _read_laughs(path: Path) -> list[Annotation]:
    """Return the rows of a CSV; without a column of labels each is a laugh."""
    rows = read_rows(path, EVENT_COLUMNS, OPTIONAL_COLUMNS | {"episode", "label"})
    return [annotation(line, {"label": "Laughter", **cells}) for line, cells in rows]


def _of_this_recording(read: Callable[[Path], list[Annotation]], path: Path) -> list[Annotation]:
    """Return events as this recording's: the file was given for it, whatever its rows name."""
    return [row._replace(episode=None) for row in read(path)]


# In RTTM each line says what it is about; the reading takes this recording's.
_TURNS: TurnReaders = {**TURNS, ".rttm": read_rttm_turn_table}
_LAUGHS: EventReaders = {
    **{
        suffix: partial(_of_this_recording, read)
        for suffix, read in {**EVENTS, ".csv": _read_laughs}.items()
    },
    ".rttm": partial(read_rttm_table, with_turns=True),
}
_KINDS = {"turns": _TURNS, "words": WORDS, "laughs": _LAUGHS}


def find_recordings(params: PredictionParams) -> RawCorpus:
    """Return an index of the recordings, each with the files that belong to it.

    A recording is named after its file; where two bear one name, the suffix is part of it. In a
    folder of turns, words or laughs, the file of a recording bears its name, or at least the same
    letters and digits. One RTTM file may be of several recordings, which its lines name.

    Args:
        params: names the recording or a folder, and what belongs to it.

    Raises:
        CorpusError: there is no such file or folder, no recording in it, or one file of turns,
            words or laughs is given for several recordings.
    """
    if params.recording is None:
        raise CorpusError(
            "which recording? give prediction.recording=path/to/file.mp3 (wav, flac, mp3, ogg), or "
            "a folder of recordings"
        )
    path = Path(params.recording)
    files = _audio_files(path)
    recordings = _by_name(files)
    root = path if path.is_dir() else path.parent
    if params.tracks is not None:
        # Records name all audio relative to one folder.
        root = Path(os.path.commonpath([root.absolute(), Path(params.tracks).absolute()]))
        recordings = {name: file.absolute() for name, file in recordings.items()}
    findings = Findings(root, "")
    tracks = _find_tracks(params.tracks, recordings)
    sides = {
        kind: _find_sides(kind, getattr(params, kind), recordings, findings) for kind in _KINDS
    }
    episodes = tuple(
        RawEpisode(
            split=SPLIT,
            name=name,
            audio=file,
            tracks=tracks.get(name, {}),
            annotation=sides["laughs"].get(name),
            transcript=sides["words"].get(name),
            diarization=sides["turns"].get(name),
            mapping=None,
            problems=_of(findings.problems, name),
            warnings=_of(findings.warnings, name),
        )
        for name, file in recordings.items()
    )
    return RawCorpus(
        root=root,
        episodes=episodes,
        annotations=None,
        get_annotations="",
        needs_annotations=False,
        event_readers=_LAUGHS,
        turn_readers=_TURNS,
    )


def _audio_files(path: Path) -> list[Path]:
    if not os.path.exists(path):  # False, too, for a name that no file system takes
        raise CorpusError(
            f"prediction.recording={path}: there is no such file or folder (looked for "
            f"{path.absolute()})"
        )
    if path.is_dir():
        found = [
            file
            for file in list_folder(path)
            if file.suffix.lower() in _SUFFIXES and not file.is_dir()
        ]
        if not found:
            deeper = sum(entry.is_dir() for entry in list_folder(path))
            raise CorpusError(
                f"prediction.recording={path} is a folder without recordings "
                f"({', '.join(AUDIO_SUFFIXES)}; its {deeper} sub-folders are not looked into)"
            )
        return found
    return [path]


def _by_name(files: Sequence[Path]) -> dict[str, Path]:
    stems = Counter(normalise(file.stem) for file in files)
    names = Counter(normalise(file.name) for file in files)
    found = {}
    for file in files:
        stem, name = normalise(file.stem), normalise(file.name)
        # Two files may differ only in how an umlaut is composed.
        found[stem if stems[stem] == 1 else name if names[name] == 1 else file.name] = file
    return found


def _find_tracks(given: str | None, recordings: Mapping[str, Path]) -> dict[str, dict[str, Path]]:
    """Return the files of the speakers of each recording that has tracks."""
    if given is None:
        return {}
    folder = Path(given).absolute()
    if not folder.is_dir():
        raise CorpusError(
            f"prediction.tracks={given} is no folder (looked for {folder}); give one that holds "
            "<speaker>.wav of the recording, or <recording>/<speaker>.wav"
        )
    folders = Listing(folder, "", recordings)
    tracks = {}
    for name in recordings:
        found = folders.find(name)
        if found is not None and found.is_dir():
            tracks[name] = audio_files(found)
    if not tracks and len(recordings) == 1:
        tracks = {name: audio_files(folder) for name in recordings}
    if not any(tracks.values()):
        raise CorpusError(
            f"prediction.tracks={given} holds no tracks of any of the {len(recordings)} "
            "recordings; expected <recording>/<speaker>.wav, e.g. "
            f"{next(iter(recordings))}/SPEAKER_00.wav"
        )
    return tracks


def _find_sides(
    kind: str, given: str | None, recordings: Mapping[str, Path], findings: Findings
) -> dict[str, Path]:
    """Return the file of a kind of each recording that has one."""
    if given is None:
        return {}
    path = Path(given)
    if not os.path.exists(path):
        raise CorpusError(
            f"prediction.{kind}={path}: there is no such file or folder (looked for "
            f"{path.absolute()})"
        )
    if not path.is_dir():
        if len(recordings) > 1:
            return dict.fromkeys(_in_one_file(kind, path, recordings, findings), path)
        return dict.fromkeys(recordings, path)
    files = list_folder(path)
    # `.words.json` ends with `.json`: only the longest suffix counts.
    suffixes = sorted(_KINDS[kind], key=len, reverse=True)
    listings = [
        FilesByName(files, suffix, recordings, others=tuple(suffixes[:place]))
        for place, suffix in enumerate(suffixes)
    ]
    sides = {}
    for name in recordings:
        candidates = (file for listing in listings for file in listing.find(name, path))
        found = list(dict.fromkeys(candidates))
        if len(found) > 1:
            others = ", ".join(file.name for file in found[1:])
            findings.of(name).problem(
                found[0],
                f"is not the only file of {kind} of this recording: also {others}",
                "keep one of them",
            )
        elif found:
            sides[name] = found[0]
    if not sides and not findings.problems:
        raise CorpusError(
            f"prediction.{kind}={path} holds no file of any of the {len(recordings)} recordings; "
            f"name it after the recording, with one of the suffixes {', '.join(sorted(suffixes))}, "
            f"e.g. {next(iter(recordings))}{min(suffixes)}"
        )
    return sides


def _in_one_file(
    kind: str, path: Path, recordings: Mapping[str, Path], findings: Findings
) -> Iterable[str]:
    """Return the recordings that the lines of a file name; the others get a warning."""
    if path.suffix.lower() != ".rttm" or ".rttm" not in _KINDS[kind]:
        also = ", or one RTTM file of all" if ".rttm" in _KINDS[kind] else ""
        raise CorpusError(
            f"prediction.{kind}={path} is one file, but there are {len(recordings)} recordings: "
            f"give a folder with a file for each, named as the recordings are{also}"
        )
    try:
        written = {line.file for line in read_rttm(path)}
    except (FileProblem, OSError) as error:
        raise CorpusError(f"prediction.{kind}={path}: {error}") from error
    found = set(match_names(written, recordings).values())
    if not found:
        raise CorpusError(
            f"prediction.{kind}={path} has lines about {some_names(written) or 'nothing'}, and "
            f"about none of the {len(recordings)} recordings, such as {some_names(recordings)}: "
            "the second cell of a line is the recording's name; letters and digits must agree"
        )
    for name in recordings:
        if name not in found:
            findings.of(name).warn(
                path, f"has no line about this recording: its {kind} are missing"
            )
    return found


def _of(problems: Sequence[Finding], name: str) -> tuple[Finding, ...]:
    return tuple(
        problem._replace(episode_id=f"{SPLIT}/{name}")
        for problem in problems
        if problem.episode_id == name
    )
