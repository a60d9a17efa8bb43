"""The synthetic corpus in the layout of PodcastFillers: audio and metadata files."""

import json
import logging
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import soundfile as sf

from acoustic_event_prediction.sample import annotations
from acoustic_event_prediction.sample.conversation import converse
from acoustic_event_prediction.sample.truth import Conversation
from acoustic_event_prediction.sample.voices import SAMPLE_RATE_HZ, VOICES, Voice

logger = logging.getLogger(__name__)

# With "CONSTANT" below 64 kbit/s, or from another encoder, an MP3 lacks the tag that holds the
# encoder's delay, and comes back 1105 samples (46 ms) late. "AVERAGE" always writes it.
_BITRATE_MODE = "AVERAGE"
_MIX_COMPRESSION = 0.9  # about 25 kbit/s, up to 6 kHz
_TRACK_COMPRESSION = 0.95  # about 16 kbit/s
_SECONDS_SPREAD = 3.0

# No show is in two splits. Names hold what podcast file names hold: spaces, commas, apostrophes and
# letters outside ASCII.
_SHOWS: dict[str, tuple[str, ...]] = {
    "train": ("Tea at Nine", "Señal Nocturna", "Two Chairs, One Mic", "Låt Oss Prata"),
    "validation": ("Don't Ask Ødegård",),
    "test": ("Zoë's Long Weekend", "Rowboat Radio"),
}
_TITLES = ("Ep. 1", "The Müller File", "3", "Half past four, again", "Smörgås", "No. 6 - It's late")
# Which episodes have three speakers (one of them quiet) and which have separated tracks, by split:
# positions in the order of generation.
_THREE_SPEAKERS: dict[str, frozenset[int]] = {
    "train": frozenset({1, 6, 11, 15}),
    "validation": frozenset({2}),
    "test": frozenset({1, 4}),
}
_SEPARATED: dict[str, frozenset[int]] = {
    "train": frozenset({0, 1, 2}),
    "validation": frozenset({0}),
    "test": frozenset({0, 1}),
}
_TWO_SHARES = ((0.5, 0.5), (0.58, 0.42))
_THREE_SHARES = ((0.5, 0.42, 0.08), (0.36, 0.34, 0.30))


@dataclass(frozen=True)
class EpisodePlan:
    """An episode before it is generated.

    Attributes:
        split: train, validation or test.
        episode_id: `<show>_<title>`, Unicode NFC; the file name without its extension.
        position: its place among the episodes of the split.
        voices: one for each speaker.
        shares: how likely each speaker is to take the next turn.
        is_separated: whether a track per speaker is written too.
    """

    split: str
    episode_id: str
    position: int
    voices: tuple[Voice, ...]
    shares: tuple[float, ...]
    is_separated: bool


def plan_episodes(num_episodes: Mapping[str, int]) -> list[EpisodePlan]:
    """Return the plan of every episode; `num_episodes` gives the number by split."""
    return [
        _plan_episode(split, position)
        for split, count in num_episodes.items()
        for position in range(count)
    ]


def generate_conversation(plan: EpisodePlan, *, seed: int, seconds: float) -> Conversation:
    """Generate the sound and the truth of one episode; nothing is written.

    Args:
        plan: what to generate.
        seed: of the corpus; each episode draws from a generator of its own.
        seconds: typical duration; episodes differ by up to 3 s, at most a tenth.

    Returns:
        The conversation, the same for the same arguments.
    """
    rng = np.random.default_rng([seed, list(VOICES).index(plan.split), plan.position])
    spread = min(_SECONDS_SPREAD, seconds / 10)
    duration = round(seconds + rng.uniform(-spread, spread), 3)
    return converse(rng, plan.voices, plan.shares, duration)


def write_corpus(
    root: Path, num_episodes: Mapping[str, int], *, seed: int, seconds: float
) -> dict[str, Conversation]:
    """Write the corpus below `root`, and return the training conversations by episode.

    The annotations are in `metadata/PodcastFillers.csv` and, by episode, in
    `metadata/episode_annotations`; the other folders are those that the ingestion reads.

    Raises:
        SpeechSynthesisError: the synthesiser is not installed.
    """
    tables: list[pd.DataFrame] = []
    training: dict[str, Conversation] = {}
    first_id = 0
    for plan in plan_episodes(num_episodes):
        conversation = generate_conversation(plan, seed=seed, seconds=seconds)
        rng = np.random.default_rng([seed, first_id])
        table = annotations.annotation_table(
            conversation, split=plan.split, episode_id=plan.episode_id, first_id=first_id, rng=rng
        )
        first_id += len(table)
        tables.append(table)
        folder = root / "metadata" / "episode_annotations" / plan.split
        _write_csv(folder / f"{plan.episode_id}.csv", table)
        _write_truth(root, plan, conversation, rng)
        _write_audio(root, plan, conversation)
        if plan.split == "train":
            training[plan.episode_id] = conversation
    _write_csv(root / "metadata" / "PodcastFillers.csv", pd.concat(tables))
    logger.info("wrote %d episodes with %d annotations to %s", len(tables), first_id, root)
    return training


def _plan_episode(split: str, position: int) -> EpisodePlan:
    shows = _SHOWS[split]
    show, title = shows[position % len(shows)], position // len(shows)
    # The titles start at another place for each show; after them come numbers.
    start = 2 * shows.index(show)
    titles = [*_TITLES[start:], *_TITLES[:start]]
    name = titles[title] if title < len(titles) else str(title + 1)
    is_three = position in _THREE_SPEAKERS[split]
    voices = tuple(islice(cycle(VOICES[split]), position, position + 2 + is_three))
    shares = (_THREE_SHARES if is_three else _TWO_SHARES)[position % 2]
    return EpisodePlan(
        split=split,
        episode_id=unicodedata.normalize("NFC", f"{show}_{name}"),
        position=position,
        voices=voices,
        shares=shares,
        is_separated=position in _SEPARATED[split],
    )


def _write_truth(
    root: Path, plan: EpisodePlan, conversation: Conversation, rng: np.random.Generator
) -> None:
    truth = {
        "episode_transcripts": annotations.transcript(conversation, rng),
        "episode_diarizations": annotations.diarization(conversation),
        "episode_event_speaker_mapping": annotations.event_speaker_mapping(conversation),
    }
    for folder, content in truth.items():
        path = root / "metadata" / folder / plan.split / f"{plan.episode_id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def _write_audio(root: Path, plan: EpisodePlan, conversation: Conversation) -> None:
    mix_path = root / "audio" / "episode_mp3" / plan.split / f"{plan.episode_id}.mp3"
    _write_mp3(mix_path, conversation.mix, _MIX_COMPRESSION)
    if not plan.is_separated:
        return
    folder = root / "audio" / "episode_wav_dial" / plan.split / plan.episode_id
    for speaker, track in enumerate(conversation.tracks):
        path = folder / f"{annotations.speaker_id(speaker)}.mp3"
        _write_mp3(path, track, _TRACK_COMPRESSION)


def _write_mp3(path: Path, waveform: npt.NDArray[np.float32], compression: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(
        path,
        waveform,
        SAMPLE_RATE_HZ,
        format="MP3",
        compression_level=compression,
        bitrate_mode=_BITRATE_MODE,
    )
