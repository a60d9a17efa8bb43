"""The truth of a synthetic conversation in the file formats of PodcastFillers.

Pure functions: they return tables and JSON values, and write nothing.
"""

from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from acoustic_event_prediction.sample.truth import Conversation, Event, Word

_TICKS_PER_SECOND = 10_000_000
_CLIP_SECONDS = 1.0
COLUMNS = (
    "clip_name",
    "pfID",
    "label_full_vocab",
    "label_consolidated_vocab",
    "episode_split_subset",
    "clip_split_subset",
    "podcast_filename",
    "event_start_inepisode",
    "event_end_inepisode",
    "event_start_inclip",
    "event_end_inclip",
    "clip_start_inepisode",
    "clip_end_inepisode",
    "duration",
    "confidence",
    "n_annotators",
)


def speaker_id(speaker: int) -> str:
    """Return the name of a speaker in the files.

    >>> speaker_id(1)
    'SPEAKER_01'
    """
    return f"SPEAKER_{speaker:02d}"


def annotation_table(
    conversation: Conversation,
    *,
    split: str,
    episode_id: str,
    first_id: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return one row per event, with the columns of PodcastFillers in their order.

    Args:
        conversation: the truth.
        split: train, validation or test.
        episode_id: file name without extension.
        first_id: running number of the first event.
        rng: draws the agreement and the number of the annotators, which mean nothing here.
    """
    rows = [
        {
            "clip_name": f"{first_id + index:05d}.wav",
            "pfID": f"{first_id + index:05d}",
            "label_full_vocab": event.label_full,
            "label_consolidated_vocab": event.label_consolidated,
            "episode_split_subset": split,
            "clip_split_subset": split,
            "podcast_filename": episode_id,
            "event_start_inepisode": event.onset,
            "event_end_inepisode": event.offset,
            **_clip_columns(event, conversation.seconds),
            "duration": round(event.offset - event.onset, 3),
            "confidence": float(rng.choice((0.67, 0.8, 1.0))),
            "n_annotators": int(rng.integers(3, 7)),
        }
        for index, event in enumerate(conversation.events)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def transcript(conversation: Conversation, rng: np.random.Generator) -> dict[str, Any]:
    """Return the transcript: a segment for each run of words of one speaker, without the speaker.

    Offsets and durations are in ticks of 1e-7 s. The confidence is random.
    """
    runs = groupby(conversation.words, key=lambda word: word.speaker)
    return {
        "segments": [
            {"nbest": [{"words": [_word_entry(word, rng) for word in run]}]} for _, run in runs
        ]
    }


def diarization(conversation: Conversation) -> dict[str, Any]:
    """Return the turns, and the time of each speaker; ratios refer to the sum over speakers."""
    speakers = range(len(conversation.tracks))
    seconds = [
        sum(turn.offset - turn.onset for turn in conversation.turns if turn.speaker == speaker)
        for speaker in speakers
    ]
    return {
        "num_speakers": len(seconds),
        "speaker_statistics": {
            speaker_id(speaker): {
                "total_time": round(seconds[speaker], 3),
                "speaking_ratio": round(seconds[speaker] / sum(seconds), 4),
            }
            for speaker in speakers
        },
        "segments": [
            {"start": turn.onset, "end": turn.offset, "speaker_id": speaker_id(turn.speaker)}
            for turn in conversation.turns
        ],
    }


def event_speaker_mapping(conversation: Conversation) -> dict[str, Any]:
    """Return the speaker of every event."""
    return {
        "events": [
            {
                "label_consolidated_vocab": event.label_consolidated,
                "event_start_inepisode": event.onset,
                "event_end_inepisode": event.offset,
                "speaker_id": speaker_id(event.speaker),
            }
            for event in conversation.events
        ]
    }


def _clip_columns(event: Event, episode_seconds: float) -> dict[str, float]:
    """Return the place of the event in a clip of one second around its middle."""
    middle = (event.onset + event.offset) / 2
    start = min(max(middle - _CLIP_SECONDS / 2, 0.0), episode_seconds - _CLIP_SECONDS)
    return {
        "event_start_inclip": round(max(event.onset - start, 0.0), 3),
        "event_end_inclip": round(min(event.offset - start, _CLIP_SECONDS), 3),
        "clip_start_inepisode": round(start, 3),
        "clip_end_inepisode": round(start + _CLIP_SECONDS, 3),
    }


def _word_entry(word: Word, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "confidence": round(float(rng.uniform(0.5, 1.0)), 3),
        "duration": round((word.offset - word.onset) * _TICKS_PER_SECOND),
        "offset": round(word.onset * _TICKS_PER_SECOND),
        "text": word.text,
    }
