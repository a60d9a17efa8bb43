"""What the extraction needs to know of an episode, and whom it tells how far it is."""

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from acoustic_event_prediction.laughter import is_laughter
from acoustic_event_prediction.speech_lm.sources import EpisodeAudio
from acoustic_event_prediction.speech_lm.streams import Span, StreamKey, StreamPair
from acoustic_event_prediction.speech_lm.words import Word


@dataclass(frozen=True)
class AssignmentInput:
    """One choice of user and system.

    Attributes:
        assignment_id: `<split>/<episode>/<user>`.
        streams: the two streams that it hears.
        words: what the system says; empty for padding only.
        provenance: what its features are made from.
    """

    assignment_id: str
    streams: StreamPair
    words: Sequence[Word]
    provenance: dict[str, Any]


@dataclass(frozen=True)
class EpisodeInput:
    """One episode with all its assignments."""

    episode_id: str
    num_frames: int
    audio: EpisodeAudio
    assignments: Sequence[AssignmentInput]

    def keys(self) -> list[StreamKey]:
        """Return the distinct streams that anybody speaks in; each is encoded once."""
        pairs = [assignment.streams for assignment in self.assignments]
        return list(dict.fromkeys(key for pair in pairs for key in pair if key.speakers))


class FeatureStore(Protocol):
    """Where features go: gives a file that takes the partition's place once it is complete."""

    def writing(self, partition_id: str) -> contextlib.AbstractContextManager[Path]:
        """Give a file to write the partition to."""


@dataclass
class Listeners:
    """Who is told what happens, in threads.

    Attributes:
        on_failure: episode id, error.
        on_frames: episode id, frames done over all its assignments in the batch.
        on_stored: episode id, number of assignments whose files are complete.
    """

    on_failure: Callable[[str, Exception], None]
    on_frames: Callable[[str, int], None]
    on_stored: Callable[[str, int], None] = lambda *_: None


def turn_spans(turns: pd.DataFrame) -> dict[str, list[Span]]:
    """Return the turns, columns onset, offset (seconds) and speaker, by speaker."""
    return {str(speaker): _spans(rows) for speaker, rows in turns.groupby("speaker")}


def laugh_spans(events: pd.DataFrame) -> list[Span]:
    """Return the laughs among events, columns onset, offset (seconds) and label."""
    return _spans(events[is_laughter(events["label"])])


def words_of(words: pd.DataFrame, speakers: Collection[str]) -> list[Word]:
    """Return what some speakers say; columns onset, offset (seconds), text and speaker."""
    spoken = words[words["speaker"].isin(list(speakers))]
    columns = (spoken[name].tolist() for name in ("text", "onset", "offset"))
    return [Word(*values) for values in zip(*columns, strict=True)]


def _spans(table: pd.DataFrame) -> list[Span]:
    return list(zip(table["onset"].tolist(), table["offset"].tolist(), strict=True))
