"""What a synthetic conversation is: its sound, and the truth about it."""

from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.sample.voices import SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Event:
    """Something an annotator marks; times in seconds with three decimals."""

    label_full: str
    label_consolidated: str
    onset: float
    offset: float
    speaker: int


@dataclass(frozen=True)
class Word:
    """A spoken word; times in seconds."""

    text: str
    onset: float
    offset: float
    speaker: int


@dataclass(frozen=True)
class Turn:
    """A stretch that a diarizer gives to one speaker; times in seconds with three decimals."""

    onset: float
    offset: float
    speaker: int


@dataclass(frozen=True)
class Conversation:
    """An episode.

    Attributes:
        tracks: float32 [S, N] at 24 kHz, one row per speaker; the recording is their sum.
        events: by onset.
        words: by onset.
        turns: by onset.
    """

    tracks: npt.NDArray[np.float32]
    events: tuple[Event, ...]
    words: tuple[Word, ...]
    turns: tuple[Turn, ...]

    @property
    def mix(self) -> npt.NDArray[np.float32]:
        """The recording: float32 [N], within [-1, 1]."""
        mix: npt.NDArray[np.float32] = np.clip(self.tracks.sum(0), -1, 1)
        return mix

    @property
    def sentences(self) -> list[str]:
        """The words, joined while the same speaker goes on."""
        runs = groupby(self.words, key=lambda word: word.speaker)
        return [" ".join(word.text for word in run) for _, run in runs]

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.tracks.shape[1] / SAMPLE_RATE_HZ
