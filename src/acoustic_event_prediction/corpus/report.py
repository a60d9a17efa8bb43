"""What the ingestion has found, as one JSON-able report."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from acoustic_event_prediction.corpus.episode_reading import EpisodeReading
from acoustic_event_prediction.corpus.raw import RawCorpus
from acoustic_event_prediction.corpus.transcript import UNITS_SECONDS
from acoustic_event_prediction.laughter import is_laughter

_NO_WORDS = "no words"
_NO_LICENCE = "not stated"


def build_report(
    corpus: RawCorpus,
    splits: Sequence[str],
    readings: Sequence[EpisodeReading],
    kept: Sequence[EpisodeReading],
    splits_table: pd.DataFrame,
    events_table: pd.DataFrame,
) -> dict[str, Any]:
    """Return counts by split, and all warnings and problems.

    Args:
        corpus: that was read; its own problems and warnings come first.
        splits: that were asked for.
        readings: of all episodes.
        kept: those without problems.
        splits_table: see `overview.splits_table`.
        events_table: see `overview.events_table`.
    """
    warnings = [*corpus.warnings]
    problems = [*corpus.problems]
    for reading in readings:
        warnings += reading.findings.warnings
        problems += reading.findings.problems
    return {
        "splits": _by_split(splits_table, events_table),
        "sources": dict(Counter(reading.episode.sources[0] for reading in kept if reading.episode)),
        "turns_from": dict(Counter(_turns_from(reading) for reading in kept)),
        "transcript_unit_seconds": dict(Counter(_unit_name(reading) for reading in kept)),
        "licences": dict(
            Counter(reading.episode.licence or _NO_LICENCE for reading in kept if reading.episode)
        ),
        "warnings": _corpus_warnings(splits, kept) + [str(finding) for finding in warnings],
        "problems": [str(finding) for finding in problems],
    }


def _by_split(splits: pd.DataFrame, events: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the rows of both tables by split, as JSON-able values."""
    found: dict[str, dict[str, Any]] = {}
    for row in splits.to_dict("records"):
        of_split = events[events["split"] == row["split"]].set_index("label")
        shares = of_split.filter(like="positive_share_").rename(
            columns=lambda name: name.removeprefix("positive_share_")
        )
        values = {name: None if pd.isna(value) else value for name, value in row.items()}
        found[str(values.pop("split"))] = {
            **{str(name): value for name, value in values.items()},
            "events": of_split["events"].to_dict(),
            "positive_share_at_frames": shares.to_dict("index"),
        }
    return found


def _corpus_warnings(splits: Sequence[str], kept: Sequence[EpisodeReading]) -> list[str]:
    """Return what is remarkable about the corpus as a whole."""
    warnings = []
    mono = [
        reading.episode_id
        for reading in kept
        if reading.episode and reading.episode.sources[0] == "mono"
    ]
    if mono:
        warnings.append(
            f"{len(mono)} episodes have neither tracks nor turns and are used as one stream, "
            f"the first: {mono[0]}; the pipeline `diarization`, run with the same settings, finds "
            "who speaks when, or takes it from RTTM files"
        )
    units = {_unit_name(reading) for reading in kept} - {_NO_WORDS, _name_of(1.0)}
    if units - {_name_of(UNITS_SECONDS[0])}:
        warnings.append(f"transcripts count in {' and '.join(sorted(units))}; each is read its way")
    for split in splits:
        of_split = _of_split(kept, split)
        if not of_split:
            warnings.append(f"there is no episode in {split}")
        elif not any(is_laughter(reading.events["label"]).any() for reading in of_split):
            warnings.append(f"nobody laughs in the whole {split} split")
    silent = [
        reading.episode_id for reading in kept if not is_laughter(reading.events["label"]).any()
    ]
    if silent:
        warnings.append(f"{len(silent)} episodes have no laughter, the first: {silent[0]}")
    return warnings


def _of_split(readings: Sequence[EpisodeReading], split: str) -> list[EpisodeReading]:
    return [reading for reading in readings if reading.episode and reading.episode.split == split]


def _turns_from(reading: EpisodeReading) -> str:
    return (reading.episode and reading.episode.turns_from) or "nowhere"


def _unit_name(reading: EpisodeReading) -> str:
    unit = reading.episode.transcript_unit_seconds if reading.episode else None
    return _NO_WORDS if unit is None else _name_of(unit)


def _name_of(unit_seconds: float) -> str:
    return f"{unit_seconds:.0e} s"
