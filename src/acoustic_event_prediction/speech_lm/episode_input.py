"""What the extraction needs to know of an episode, and whom it tells how far it is."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from acoustic_event_prediction.speech_lm.sources import EpisodeAudio
from acoustic_event_prediction.speech_lm.streams import StreamKey, StreamPair
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
    """Who is told of (episode id, error) and (episode id, frames done over all assignments)."""

    on_failure: Callable[[str, Exception], None]
    on_frames: Callable[[str, int], None]
