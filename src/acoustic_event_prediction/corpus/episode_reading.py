"""What came out of an episode's files."""

from dataclasses import dataclass, field

import pandas as pd

from acoustic_event_prediction.audio_source import AudioSource
from acoustic_event_prediction.corpus.findings import Findings
from acoustic_event_prediction.corpus.intervals import make_table
from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.corpus.turns import TURN_COLUMNS

EVENT_COLUMNS = ("onset", "offset", "label", "label_full", "speaker")
WORD_COLUMNS = ("onset", "offset", "text", "speaker")


@dataclass
class EpisodeReading:
    """What came out of an episode's files.

    Attributes:
        episode_id: `<split>/<name>`.
        findings: problems and warnings.
        episode: None if the audio can't be used.
        events: onset, offset (seconds), label, label_full, speaker; sorted by onset.
        turns: onset, offset, speaker; sorted by onset.
        words: onset, offset, text, speaker; sorted by onset.
        unchecked: audio of which only the header was read; the mix is None, a track its speaker.
    """

    episode_id: str
    findings: Findings
    episode: Episode | None = None
    events: pd.DataFrame = field(default_factory=lambda: make_table([], EVENT_COLUMNS))
    turns: pd.DataFrame = field(default_factory=lambda: make_table([], TURN_COLUMNS))
    words: pd.DataFrame = field(default_factory=lambda: make_table([], WORD_COLUMNS))
    unchecked: dict[str | None, AudioSource] = field(default_factory=dict)

    @property
    def unchecked_seconds(self) -> float:
        """How much audio `check_content` has to decode."""
        return len(self.unchecked) * self.episode.duration_seconds if self.episode else 0.0
