"""What the ingestion has found, as one JSON-able report."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from acoustic_event_prediction.corpus.reading import EpisodeReading
from acoustic_event_prediction.corpus.transcript import UNITS_SECONDS

_LAUGHTER = "Laughter"
_SECONDS_PER_HOUR = 3600
_NO_WORDS = "no words"


def build_report(
    splits: Sequence[str], readings: Sequence[EpisodeReading], kept: Sequence[EpisodeReading]
) -> dict[str, Any]:
    """Return counts by split, and all warnings and problems.

    Args:
        splits: that were asked for.
        readings: of all episodes.
        kept: those without problems.
    """
    warnings = [str(finding) for reading in readings for finding in reading.findings.warnings]
    return {
        "splits": {split: _count(_of_split(kept, split)) for split in splits},
        "sources": dict(Counter(reading.episode.sources[0] for reading in kept if reading.episode)),
        "transcript_unit_seconds": dict(Counter(_unit_name(reading) for reading in kept)),
        "warnings": _corpus_warnings(splits, kept) + warnings,
        "problems": [str(finding) for reading in readings for finding in reading.findings.problems],
    }


def _count(readings: Sequence[EpisodeReading]) -> dict[str, Any]:
    seconds = sum(reading.episode.duration_seconds for reading in readings if reading.episode)
    labels = Counter(label for reading in readings for label in reading.events["label"])
    return {
        "episodes": len(readings),
        "hours": round(seconds / _SECONDS_PER_HOUR, 4),
        "speakers": sum(reading.turns["speaker"].nunique() for reading in readings),
        "words": sum(len(reading.words) for reading in readings),
        "events": dict(sorted(labels.items())),
        "events_without_speaker": sum(
            int(reading.events["speaker"].isna().sum()) for reading in readings
        ),
    }


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
            f"the first: {mono[0]}"
        )
    units = {_unit_name(reading) for reading in kept} - {_NO_WORDS}
    if units - {_name_of(UNITS_SECONDS[0])}:
        warnings.append(f"transcripts count in {' and '.join(sorted(units))}; each is read its way")
    for split in splits:
        of_split = _of_split(kept, split)
        if not of_split:
            warnings.append(f"there is no episode in {split}")
        elif not any((reading.events["label"] == _LAUGHTER).any() for reading in of_split):
            warnings.append(f"nobody laughs in the whole {split} split")
    silent = [
        reading.episode_id for reading in kept if not (reading.events["label"] == _LAUGHTER).any()
    ]
    if silent:
        warnings.append(f"{len(silent)} episodes have no laughter, the first: {silent[0]}")
    return warnings


def _of_split(readings: Sequence[EpisodeReading], split: str) -> list[EpisodeReading]:
    return [reading for reading in readings if reading.episode and reading.episode.split == split]


def _unit_name(reading: EpisodeReading) -> str:
    unit = reading.episode.transcript_unit_seconds if reading.episode else None
    return _NO_WORDS if unit is None else _name_of(unit)


def _name_of(unit_seconds: float) -> str:
    return f"{unit_seconds:.0e} s"
