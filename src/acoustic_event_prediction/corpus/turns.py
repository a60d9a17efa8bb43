"""Who speaks when: turns checked, and turns that are not the corpus's own, with their origin."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from acoustic_event_prediction.corpus.findings import FileProblem, Findings
from acoustic_event_prediction.corpus.intervals import check_times, drop_duplicates, make_table
from acoustic_event_prediction.corpus.raw import name_problem
from acoustic_event_prediction.corpus.tables import Interval

TURN_COLUMNS = ("onset", "offset", "speaker")
RENAME = "rename it, or leave the episode out (ingestion.exclude_episodes)"
FIND_AGAIN = "run `kedro run --pipelines diarization`, and then the ingestion again"
_ORIGIN = "origin"


class FoundTurns(NamedTuple):
    """Turns that the pipeline `diarization` has written.

    Attributes:
        turns: times in seconds.
        origin: what they were made from; `audio_sha256` of the mix, and how.
    """

    turns: list[Interval]
    origin: dict[str, Any]


def check_turns(
    turns: Iterable[Interval], duration: float, findings: Findings, path: Path
) -> pd.DataFrame:
    """Return turns as a table sorted by onset; impossible times and names become problems.

    Turns that last no time are left out.

    Args:
        turns: times in seconds.
        duration: of the audio, in seconds.
        findings: takes problems and warnings.
        path: file that the turns are from.
    """
    table = check_times(make_table(turns, TURN_COLUMNS), duration, findings, path, is_exact=False)
    table = table[table["offset"] > table["onset"]].reset_index(drop=True)
    table = drop_duplicates(table, findings, path)
    for speaker in sorted(set(table["speaker"])):
        if (problem := name_problem(speaker)) is not None:
            findings.problem(path, f"the speaker {speaker!r} {problem}", RENAME)
    return table


def found_table(
    turns: pd.DataFrame | Iterable[Interval], origin: Mapping[str, Any]
) -> pd.DataFrame:
    """Return turns as a table that is to be stored; its `attrs` go into the parquet file.

    Args:
        turns: times in seconds.
        origin: JSON-able, with `audio_sha256`.
    """
    table = turns.copy() if isinstance(turns, pd.DataFrame) else make_table(turns, TURN_COLUMNS)
    table.attrs = {_ORIGIN: dict(origin)}
    return table


def read_found_turns(path: Path) -> FoundTurns:
    """Return stored turns and what they were made from.

    Raises:
        FileProblem: the file is damaged, or not one of `found_table`.
        OSError: it can't be opened.
    """
    remedy = f"delete it, {FIND_AGAIN}"
    try:
        with path.open("rb") as file:
            table = pd.read_parquet(file)
        rows = table[list(TURN_COLUMNS)].itertuples(index=False, name=None)
        turns = [Interval(float(onset), float(offset), str(name)) for onset, offset, name in rows]
    except (ValueError, TypeError, KeyError) as error:  # pyarrow's own errors are ValueErrors
        raise FileProblem(f"is no table of turns ({str(error).splitlines()[0]})", remedy) from error
    origin = table.attrs.get(_ORIGIN)
    if not isinstance(origin, dict) or "audio_sha256" not in origin:
        raise FileProblem("does not say what audio its turns were made from", remedy)
    return FoundTurns(turns, origin)
