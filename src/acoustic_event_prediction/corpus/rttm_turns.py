"""Turns of a corpus's episodes from RTTM files: a folder with one for each, or one file of all."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from acoustic_event_prediction.corpus.findings import FileProblem, Finding, Findings, describe
from acoustic_event_prediction.corpus.raw import (
    list_folder,
    loose_key,
    match_names,
    normalise,
    strip_audio_suffix,
)
from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.corpus.rttm import RttmLine, read_rttm
from acoustic_event_prediction.corpus.tables import Interval
from acoustic_event_prediction.corpus.turns import check_turns
from acoustic_event_prediction.errors import CorpusError

_NAMING = (
    "name the files <episode>.rttm, or the episodes in the second cell of each line; letters and "
    "digits must agree"
)
_MAX_NAMED = 3


class ImportedTurns(NamedTuple):
    """Turns by episode id, and what the user should know about them."""

    turns: dict[str, pd.DataFrame]
    warnings: list[Finding]


def import_turns(path: Path, episodes: Sequence[Episode]) -> ImportedTurns:
    """Return the SPEAKER lines of the episodes, checked against their audio.

    A file or, where one file is for all, a name in the second cell belongs to the episode whose
    name it bears, else to the one whose letters and digits are the same.

    Args:
        path: a folder of `<episode>.rttm`, or one file of all episodes.
        episodes: that need turns, at least one.

    Raises:
        CorpusError: there is no such path, no episode is in it, or its lines can't be used; all
            problems are named.
    """
    sources = _find_sources(path)
    found = match_names(sources, {episode.name for episode in episodes})
    matches = {name: written for written, name in found.items()}
    if not matches:
        raise CorpusError(
            f"diarization.rttm={path} has turns of {_some(sources) or 'nobody'}, and of none of "
            f"the {len(episodes)} episodes without turns, such as "
            f"{_some(episode.name for episode in episodes)}; {_NAMING}"
        )
    turns: dict[str, pd.DataFrame] = {}
    problems: list[Finding] = []
    warnings: list[Finding] = []
    for episode in episodes:
        findings = Findings(path.parent, episode.episode_id)
        if episode.name in matches:
            source = sources[matches[episode.name]]
            table = _read_episode(source, path, episode, findings)
            if table is not None:
                turns[episode.episode_id] = table
        else:
            findings.warn(path, "has no turns of this episode", _NAMING)
        problems += findings.problems
        warnings += findings.warnings
    if problems:
        raise CorpusError(f"RTTM files that can't be used:\n{describe(problems)}")
    return ImportedTurns(turns, warnings)


Source = Path | list[RttmLine]


def _find_sources(path: Path) -> Mapping[str, Source]:
    """Return the files, or the lines of the one file, by the episode's name as it is there."""
    try:
        if path.is_dir():
            return {
                normalise(file.stem): file
                for file in list_folder(path)
                if file.suffix.lower() == ".rttm" and file.is_file()
            }
        if not path.is_file():
            raise CorpusError(
                f"diarization.rttm={path} is neither a folder nor a file (looked for "
                f"{path.absolute()})"
            )
        by_name: dict[str, list[RttmLine]] = {}
        for line in read_rttm(path):
            if line.kind == "SPEAKER":
                by_name.setdefault(strip_audio_suffix(normalise(line.file)), []).append(line)
        return by_name
    except (FileProblem, OSError) as error:
        raise CorpusError(f"diarization.rttm={path}: {error}") from error


def _read_episode(
    source: Source, path: Path, episode: Episode, findings: Findings
) -> pd.DataFrame | None:
    """Return the turns of one episode; None if there are none, or they can't be used."""
    file = source if isinstance(source, Path) else path
    table: pd.DataFrame | None = None
    with findings.collecting(file):
        lines = read_rttm(source) if isinstance(source, Path) else source
        lines = [line for line in lines if line.kind == "SPEAKER"]
        if isinstance(source, Path):
            lines = _own_lines(lines, episode.name, findings, file)
        if not lines:
            findings.warn(file, "has no SPEAKER line of this episode, which stays without turns")
            return None
        table = check_turns(map(_as_turn, lines), episode.duration_seconds, findings, file)
    return table


def _own_lines(
    lines: Sequence[RttmLine], name: str, findings: Findings, file: Path
) -> list[RttmLine]:
    """Return the lines of the episode that the file is named after.

    Raises:
        FileProblem: the lines are about several others.
    """
    others = sorted({line.file for line in lines if not _is_same(line.file, name)})
    own = [line for line in lines if _is_same(line.file, name)]
    if own and others:
        findings.warn(
            file, f"{len(lines) - len(own)} lines are about {_some(others)}, and were left out"
        )
        return own
    if len(others) > 1:
        raise FileProblem(f"is about {_some(others)}, none of which is this episode", _NAMING)
    if others:
        findings.warn(
            file,
            f"by its lines it is about {others[0]!r}, by its name about this episode",
            "its turns are taken as this episode's; correct the lines or the name",
        )
    return list(lines)


def _is_same(written: str, name: str) -> bool:
    plain = strip_audio_suffix(normalise(written))
    return plain == name or loose_key(plain) == loose_key(name) != ""


def _as_turn(line: RttmLine) -> Interval:
    if line.name is None:
        raise FileProblem(
            f"line {line.line} names no speaker (<NA>)", "give a name in its eighth cell"
        )
    return Interval(line.onset, line.offset, line.name)


def _some(names: Iterable[str]) -> str:
    """Return the first names, and how many more there are."""
    names = sorted(names)
    hidden = len(names) - _MAX_NAMED
    shown = ", ".join(map(repr, names[:_MAX_NAMED]))
    return f"{shown} and {hidden} more" if hidden > 0 else shown
