"""What a corpus holds, as tables: one row per split, and one per split and label."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from acoustic_event_prediction.corpus.episode_reading import EpisodeReading
from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.labels import label_within, onset_distances
from acoustic_event_prediction.laughter import is_laughter

# In frames; what a user may want to know before choosing one.
HORIZONS = (1, 5, 10, 25)
_SECONDS_PER_HOUR = 3600
_SHARED = 2
_DIGITS = 6


class SpeechTime(NamedTuple):
    """Seconds in which anybody speaks, and in which two or more do."""

    speech: float
    overlap: float


def speech_time(turns: pd.DataFrame) -> SpeechTime:
    """Return how long anybody speaks, and how long two or more speakers do at once.

    Args:
        turns: onset and offset in seconds, and speaker; a speaker's own turns may overlap.

    >>> turns = pd.DataFrame({"onset": [0, 1, 2], "offset": [3, 2, 4], "speaker": ["a", "a", "b"]})
    >>> speech_time(turns)
    SpeechTime(speech=4.0, overlap=1.0)
    """
    edges = [_edges(rows) for _, rows in turns.groupby("speaker", sort=False)]
    if not edges:
        return SpeechTime(0.0, 0.0)
    times, steps = np.concatenate(edges, axis=1)
    order = np.argsort(times, kind="stable")
    speaking = np.cumsum(steps[order])[:-1]  # speakers between one edge and the next
    lengths = np.diff(times[order])
    return SpeechTime(float(lengths[speaking > 0].sum()), float(lengths[speaking >= _SHARED].sum()))


def _edges(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return where one speaker begins (+1) and ends (-1), own overlaps united; [2, edges]."""
    onsets = np.sort(rows["onset"].to_numpy(np.float64))
    offsets = rows["offset"].to_numpy(np.float64)[np.argsort(rows["onset"], kind="stable")]
    latest = np.maximum.accumulate(offsets)
    begins = np.flatnonzero(np.concatenate([[True], onsets[1:] > latest[:-1]]))
    ends = np.concatenate([begins[1:] - 1, [onsets.size - 1]])
    times = np.concatenate([onsets[begins], latest[ends]])
    return np.stack([times, np.repeat([1.0, -1.0], begins.size)])


def splits_table(splits: Sequence[str], kept: Sequence[EpisodeReading]) -> pd.DataFrame:
    """Return what each split holds.

    Args:
        splits: that were asked for, in this order.
        kept: readings without problems.

    Returns:
        Columns split, episodes, shows, hours, speakers (of turns and events, summed over episodes:
        names are of one episode only), speech_share and overlap_share (of the time; NaN without
        turns), words, events, events_without_speaker.
    """
    return pd.DataFrame([_describe(split, _of_split(kept, split)) for split in splits])


def episodes_table(kept: Sequence[EpisodeReading]) -> pd.DataFrame:
    """Return where each episode went, and what it holds.

    Args:
        kept: readings without problems.

    Returns:
        Columns split, episode, show, seconds, source (the best that it has), speakers, events,
        laughs, words.
    """
    rows = [
        {
            "split": _record(reading).split,
            "episode": _record(reading).name,
            "show": _record(reading).show,
            "seconds": round(_record(reading).duration_seconds, 3),
            "source": _record(reading).sources[0],
            "speakers": _num_speakers(reading),
            "events": len(reading.events),
            "laughs": int(is_laughter(reading.events["label"]).sum()),
            "words": len(reading.words),
        }
        for reading in kept
    ]
    return pd.DataFrame(rows)


def events_table(splits: Sequence[str], kept: Sequence[EpisodeReading]) -> pd.DataFrame:
    """Return how many events of each label each split holds, and how rare positive frames are.

    Args:
        splits: that were asked for, in this order.
        kept: readings without problems.

    Returns:
        Columns split, label, events, per_hour, with_speaker, frames, and positive_share_<n>: the
        part of the frames that is positive at a horizon of n frames, for n in `HORIZONS`, if
        everybody's events count (`labeling.target: any`) and each episode once.
    """
    columns = ["split", "label", "events", "per_hour", "with_speaker", "frames"]
    rows = [
        _count(split, label, of_split)
        for split in splits
        if (of_split := _of_split(kept, split))
        for label in sorted({label for reading in of_split for label in reading.events["label"]})
    ]
    return pd.DataFrame(rows, columns=[*columns, *map(_share_column, HORIZONS)])


def _describe(split: str, readings: Sequence[EpisodeReading]) -> dict[str, Any]:
    spoken = [reading for reading in readings if len(reading.turns)]
    times = [speech_time(reading.turns) for reading in spoken]
    seconds = sum(_record(reading).duration_seconds for reading in spoken)
    return {
        "split": split,
        "episodes": len(readings),
        "shows": len({_record(reading).show or reading.episode_id for reading in readings}),
        "hours": round(_hours(readings), _DIGITS),
        "speakers": sum(map(_num_speakers, readings)),
        "speech_share": _share(sum(time.speech for time in times), seconds),
        "overlap_share": _share(sum(time.overlap for time in times), seconds),
        "words": sum(len(reading.words) for reading in readings),
        "events": sum(len(reading.events) for reading in readings),
        "events_without_speaker": sum(
            int(reading.events["speaker"].isna().sum()) for reading in readings
        ),
    }


def _count(split: str, label: str, readings: Sequence[EpisodeReading]) -> dict[str, Any]:
    num_frames, num_events, with_speaker = 0, 0, 0
    num_positive = dict.fromkeys(HORIZONS, 0)
    for reading in readings:
        events = reading.events[reading.events["label"] == label]
        frames = _record(reading).num_frames
        num_frames += frames
        num_events += len(events)
        with_speaker += int(events["speaker"].notna().sum())
        if len(events):
            distances = onset_distances(events["onset"], frames)
            for horizon in HORIZONS:
                num_positive[horizon] += int(label_within(distances, horizon).sum())
    shares = {_share_column(n): _share(count, num_frames) for n, count in num_positive.items()}
    return {
        "split": split,
        "label": label,
        "events": num_events,
        "per_hour": round(num_events / _hours(readings), 2),
        "with_speaker": with_speaker,
        "frames": num_frames,
        **shares,
    }


def _num_speakers(reading: EpisodeReading) -> int:
    return len({*reading.turns["speaker"], *reading.events["speaker"].dropna()})


def _share(part: float, whole: float) -> float:
    return round(part / whole, _DIGITS) if whole else np.nan


def _share_column(horizon: int) -> str:
    return f"positive_share_{horizon}"


def _hours(readings: Sequence[EpisodeReading]) -> float:
    seconds = sum(_record(reading).duration_seconds for reading in readings)
    return seconds / _SECONDS_PER_HOUR


def _record(reading: EpisodeReading) -> Episode:
    assert reading.episode is not None, f"{reading.episode_id} has problems"
    return reading.episode


def _of_split(readings: Sequence[EpisodeReading], split: str) -> list[EpisodeReading]:
    return [reading for reading in readings if _record(reading).split == split]
