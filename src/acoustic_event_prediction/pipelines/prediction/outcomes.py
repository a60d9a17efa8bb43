"""What became of each recording, as a table."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.pipelines.prediction.nodes import RecordingNotes


@dataclass(frozen=True)
class Outcome:
    """What became of a recording.

    Attributes:
        status: predicted; kept, if all was there already; or failed.
        num_alarms: of all users together; None if it failed.
        problem: why it failed.
    """

    status: str
    num_alarms: int | None = None
    problem: str | None = None


def summarise(
    notes: RecordingNotes,
    episodes: Mapping[str, Episode],
    sources: Mapping[str, str],
    outcomes: Mapping[str, Outcome],
) -> pd.DataFrame:
    """Return one row per recording, sorted by name: what it is, and what became of it.

    Args:
        notes: problems of the recordings that could not be read.
        episodes: records of the others, by id.
        sources: how they were heard, by id.
        outcomes: of the others, by id.
    """
    unread = {name: Outcome("failed", problem=text) for name, text in notes.problems.items()}
    rows = []
    for name, outcome in sorted({**unread, **outcomes}.items()):
        episode = episodes.get(name)
        rows.append(
            {
                # A name may hold bytes that are no UTF-8.
                "recording": as_text(name.partition("/")[2]),
                "status": outcome.status,
                "duration_seconds": None if episode is None else episode.duration_seconds,
                "heard_as": sources.get(name),
                "alarms": outcome.num_alarms,
                "missing": " ".join(notes.missing.get(name, ())) or None,
                "problem": outcome.problem and as_text(outcome.problem),
            }
        )
    return pd.DataFrame(rows).astype({"duration_seconds": np.float64, "alarms": "Int64"})


def as_text(text: str) -> str:
    """Return a text that can be written in UTF-8; what is none is escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
