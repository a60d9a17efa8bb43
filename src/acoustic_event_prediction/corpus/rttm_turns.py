"""Turns of a corpus's episodes from RTTM files: a folder with one for each, or one file of all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from acoustic_event_prediction.corpus.findings import FileProblem, Finding, Findings, describe
from acoustic_event_prediction.corpus.named_lines import NAMING, some_names, take_own
from acoustic_event_prediction.corpus.raw import (
    list_folder,
    match_names,
    normalise,
    strip_audio_suffix,
)
from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.corpus.rttm import RttmLine, read_rttm
from acoustic_event_prediction.corpus.tables import Interval
from acoustic_event_prediction.corpus.turns import check_turns
from acoustic_event_prediction.errors import CorpusError


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
            f"diarization.rttm={path} has turns of {some_names(sources) or 'nobody'}, and of none "
            f"of the {len(episodes)} episodes without turns, such as "
            f"{some_names(episode.name for episode in episodes)}; {NAMING}"
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
            findings.warn(path, "has no turns of this episode", NAMING)
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
            lines = take_own(lines, lambda line: line.file, episode.name, findings, file)
        if not lines:
            findings.warn(file, "has no SPEAKER line of this episode, which stays without turns")
            return None
        table = check_turns(map(_as_turn, lines), episode.duration_seconds, findings, file)
    return table


def _as_turn(line: RttmLine) -> Interval:
    if line.name is None:
        raise FileProblem(
            f"line {line.line} names no speaker (<NA>)", "give a name in its eighth cell"
        )
    return Interval(line.onset, line.offset, line.name)
