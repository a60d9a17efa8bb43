"""Tables of times: checked against the audio, and given speakers by overlap."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from acoustic_event_prediction.corpus.findings import Findings
from acoustic_event_prediction.corpus.tables import MappedEvent

Times = npt.NDArray[np.float64]

# Annotations have milliseconds, and may round past the last sample.
_ROUNDING_SECONDS = 0.001
# Automatic turns and words may run past the end a little; what begins there is dropped.
_SLACK_SECONDS = 1.0
_BLOCK = 256


def make_table(rows: Iterable[Sequence[Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Return rows as a table: `onset`, `offset` float64, all else text, where None is missing."""
    rows = list(rows)
    return pd.DataFrame(
        {
            column: pd.array(
                [row[place] for row in rows],
                dtype="float64" if column in ("onset", "offset") else "str",
            )
            for place, column in enumerate(columns)
        }
    )


def check_times(
    table: pd.DataFrame,
    duration: float,
    findings: Findings,
    path: Path,
    *,
    is_exact: bool,
    lines: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Return the table sorted by onset, offsets clipped; impossible times become problems.

    Args:
        table: with `onset` and `offset` in seconds.
        duration: of the audio, in seconds.
        findings: takes the problems.
        lines: of the file, one for each row; for messages.
        path: file that the table is from.
        is_exact: an onset past the end is a problem (events); else it is one from 1 s past the end
            on, and before that the row is dropped (turns, words).
    """
    onset, offset = table["onset"], table["offset"]
    slack = _ROUNDING_SECONDS if is_exact else _SLACK_SECONDS
    is_number = np.isfinite(onset) & np.isfinite(offset)
    defects = {
        "has a time that is no finite number": ~is_number,
        "has a negative time": is_number & (onset < 0),
        "has an end before its start": is_number & (offset < onset),
        f"begins past the audio's end ({duration:.3f} s)": is_number & (onset > duration + slack),
    }
    for defect, is_bad in defects.items():
        if is_bad.any():
            first = table[is_bad].iloc[0]
            line = "" if lines is None else f"line {lines[int(np.argmax(is_bad))]}: "
            name = next(first[column] for column in ("label", "text", "speaker") if column in first)
            times = f"{first['onset']:.3f} to {first['offset']:.3f} s"
            others = f", and {is_bad.sum() - 1} more" if is_bad.sum() > 1 else ""
            findings.problem(path, f"{line}{name!r} at {times} {defect}{others}")
    held = table if is_exact else table[onset < duration]
    held = held.assign(offset=np.maximum(held["onset"], np.minimum(held["offset"], duration)))
    return held.sort_values(["onset", "offset"], kind="stable", ignore_index=True)


def drop_duplicates(table: pd.DataFrame, findings: Findings, path: Path) -> pd.DataFrame:
    """Return the table without repeated rows; their number becomes a warning."""
    kept = table.drop_duplicates(ignore_index=True)
    if len(kept) < len(table):
        findings.warn(path, f"{len(table) - len(kept)} repeated rows were dropped")
    return kept


def speakers_by_overlap(
    table: pd.DataFrame, turns: pd.DataFrame, *, or_nearest: bool
) -> pd.DataFrame:
    """Return the table with a `speaker`: of the turn with the largest overlap.

    Among equal overlaps the turn that begins first wins.

    Args:
        table: with `onset` and `offset`.
        turns: with `onset`, `offset` and `speaker`.
        or_nearest: take the nearest turn where none overlaps; else the speaker is missing there.
    """
    if turns.empty:
        return table.assign(speaker=pd.array([None] * len(table), dtype="str"))
    overlaps, winners = _largest_overlaps(table, turns)
    speakers = turns["speaker"].to_numpy(dtype=object)[winners]
    if not or_nearest:
        speakers[overlaps <= 0] = None
    return table.assign(speaker=pd.array(speakers, dtype="str"))


def complete_speakers(
    table: pd.DataFrame, turns: pd.DataFrame, *, or_nearest: bool
) -> pd.DataFrame:
    """Return the table with the speakers that it has, and where one is missing, the turns'.

    Args:
        table: with `onset`, `offset` and `speaker`.
        turns: with `onset`, `offset` and `speaker`.
        or_nearest: see `speakers_by_overlap`.
    """
    named = table["speaker"]
    found = speakers_by_overlap(table, turns, or_nearest=or_nearest)["speaker"]
    return table.assign(speaker=named.where(named.notna(), found))


def covered_share(table: pd.DataFrame, turns: pd.DataFrame) -> float:
    """Return the mean part, 0 to 1, of a row's time that lies in one turn; 0 without any."""
    if table.empty or turns.empty:
        return 0.0
    overlaps, _ = _largest_overlaps(table, turns)
    lengths = (table["offset"] - table["onset"]).to_numpy()
    return float(np.mean(np.clip(overlaps, 0, None) / np.maximum(lengths, 1e-9)))


def _largest_overlaps(
    table: pd.DataFrame, turns: pd.DataFrame
) -> tuple[Times, npt.NDArray[np.int64]]:
    """Return for each row the overlap with its best turn, and that turn's index.

    An overlap below zero is a gap: its size is the distance to the nearest turn.
    """
    onsets, offsets = table["onset"].to_numpy(), table["offset"].to_numpy()
    begins, ends = turns["onset"].to_numpy(), turns["offset"].to_numpy()
    best, winners = np.empty(len(table)), np.empty(len(table), np.int64)
    for start in range(0, len(table), _BLOCK):
        rows = slice(start, start + _BLOCK)
        near = _near(begins, ends, onsets[rows].min(), offsets[rows].max())
        overlap = np.minimum(offsets[rows, None], ends[near]) - np.maximum(
            onsets[rows, None], begins[near]
        )  # [rows, near turns]
        winners[rows] = near[overlap.argmax(axis=1)]
        best[rows] = overlap.max(axis=1)
    return best, winners


def _near(begins: Times, ends: Times, first: float, last: float) -> npt.NDArray[np.int64]:
    """Return which turns can be the best of rows between two times: all there, and the next ones.

    Of the turns before `first` the one that ends last is nearest to every row, of those after
    `last` the one that begins first. NaN times may be anywhere.
    """
    is_before, is_after = ends < first, begins > last
    is_near = ~(is_before | is_after)
    if is_before.any():
        is_near[np.argmax(np.where(is_before, ends, -np.inf))] = True
    if is_after.any():
        is_near[np.argmin(np.where(is_after, begins, np.inf))] = True
    return np.flatnonzero(is_near)


def speakers_by_mapping(
    events: pd.DataFrame, mapping: Sequence[MappedEvent]
) -> tuple[pd.DataFrame, int]:
    """Return the events with the mapping's speakers, and how many of its entries matched none.

    An entry matches an event of the same label whose onset and offset differ by at most 1 ms.

    Args:
        events: with `onset`, `offset`, `label`, `label_full` and `speaker`.
        mapping: entries in any order.
    """
    tolerance = _ROUNDING_SECONDS + 1e-9
    speakers = events["speaker"].to_numpy(dtype=object, copy=True)
    num_unmatched = 0
    for entry in mapping:
        is_match = (
            (np.abs(events["onset"] - entry.onset) <= tolerance)
            & (np.abs(events["offset"] - entry.offset) <= tolerance)
            & ((events["label"] == entry.label) | (events["label_full"] == entry.label))
        ).to_numpy()
        num_unmatched += not is_match.any()
        if entry.speaker is not None:
            speakers[is_match] = entry.speaker
    return events.assign(speaker=pd.array(speakers, dtype="str")), num_unmatched
