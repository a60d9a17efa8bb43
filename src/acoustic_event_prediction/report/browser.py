"""The worst errors of a split as entries to be looked at and listened to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from acoustic_event_prediction.alarms import Alarms
from acoustic_event_prediction.audio_spans import Recording
from acoustic_event_prediction.event_frames import EventFrames, Floats
from acoustic_event_prediction.frames import frame_at, start_of
from acoustic_event_prediction.report.cells import clock, number
from acoustic_event_prediction.report.moments import Kind, Moment, find_errors
from acoustic_event_prediction.report.snippets import Snippet, SnippetRequest, make_snippets
from acoustic_event_prediction.report.strips import Strip, draw_strip

_UNKNOWN = "unknown"
Tables = Mapping[str, Callable[[], pd.DataFrame]]


@dataclass(frozen=True)
class BrowserSettings:
    """How much is shown.

    Attributes:
        snippet_seconds: length of sound and drawing, the moment in the middle.
        errors_per_episode: at most so many misses, and so many false alarms, of each partition.
        max_megabytes: of all sounds together.
    """

    snippet_seconds: float
    errors_per_episode: int
    max_megabytes: float


@dataclass(frozen=True)
class EvaluatedFrames:
    """A split with its alarms.

    Attributes:
        partition_ids: `<split>/<episode>/<user>` of each partition.
        frames: its frames and events.
        alarms: found in them.
        threshold: of alarms.
        horizon: n in frames.
    """

    partition_ids: Sequence[str]
    frames: EventFrames
    alarms: Alarms
    threshold: float
    horizon: int


@dataclass(frozen=True)
class Phrase:
    """Words of one speaker in a row, all before the moment or all after it."""

    speaker: str
    text: str
    is_after: bool


@dataclass(frozen=True)
class ErrorEntry:
    """One error as it is shown.

    Attributes:
        kind: a miss or a false alarm.
        episode_id: `<split>/<episode>`.
        user: whose streams were heard as the user's.
        speaker: who makes the missed event; None for a false alarm.
        time: of the moment.
        start: of drawing and sound.
        end: of both.
        offset: of the moment in the sound, in seconds.
        score: see `Moment`.
        place: number of the entry in the order of episode, user and time.
        phrases: what is said.
        strip: the drawing.
        snippet: the sound.
    """

    kind: Kind
    episode_id: str
    user: str
    speaker: str | None
    time: str
    start: str
    end: str
    offset: str
    score: str
    place: int
    phrases: tuple[Phrase, ...]
    strip: Strip
    snippet: Snippet


def browse_errors(
    evaluated: EvaluatedFrames,
    target_events: Tables,
    words: Tables,
    recordings: Mapping[str, Recording],
    settings: BrowserSettings,
) -> list[ErrorEntry]:
    """Return the worst errors, the worst first; see `find_errors` for what that is.

    Args:
        evaluated: the split.
        target_events: onset, offset and speaker of the events of each partition.
        words: onset, offset, text and speaker by episode id; an episode may be absent.
        recordings: mixes by episode id.
        settings: how much is shown.
    """
    moments = find_errors(
        evaluated.frames, evaluated.alarms, evaluated.horizon, settings.errors_per_episode
    )
    half = settings.snippet_seconds / 2
    requests = [
        SnippetRequest(
            _episode_of(evaluated, moment), max(0.0, moment.seconds - half), moment.seconds + half
        )
        for moment in moments
    ]
    snippets = make_snippets(requests, recordings, settings.max_megabytes)
    order = sorted(range(len(moments)), key=lambda i: (moments[i].partition, moments[i].seconds))
    places = {index: place for place, index in enumerate(order)}
    return [
        _entry(evaluated, moment, request, snippet, places[index], target_events, words)
        for index, (moment, request, snippet) in enumerate(
            zip(moments, requests, snippets, strict=True)
        )
    ]


def words_around(table: pd.DataFrame, start: float, end: float, moment: float) -> list[Phrase]:
    """Return what is said from `start` to `end`, in seconds, split at `moment`.

    A word belongs to the side on which it begins.

    Args:
        table: columns onset, offset, text and speaker, who may be missing.
        start: in seconds.
        end: in seconds.
        moment: in seconds.
    """
    heard = table[(table["offset"] > start) & (table["onset"] < end)]
    phrases: list[Phrase] = []
    heard = heard.sort_values("onset", kind="stable")
    columns = (heard[name].tolist() for name in ("onset", "speaker", "text"))
    for onset, name, word in zip(*columns, strict=True):
        speaker, is_after, text = _name(name), onset >= moment, str(word)
        if phrases and (phrases[-1].speaker, phrases[-1].is_after) == (speaker, is_after):
            text = f"{phrases.pop().text} {text}"
        phrases.append(Phrase(speaker, text, is_after))
    return phrases


def _entry(
    evaluated: EvaluatedFrames,
    moment: Moment,
    request: SnippetRequest,
    snippet: Snippet,
    place: int,
    target_events: Tables,
    words: Tables,
) -> ErrorEntry:
    name, start, end = evaluated.partition_ids[moment.partition], request.start, request.end
    events = target_events[name]()
    spoken = words[request.episode_id]() if request.episode_id in words else None
    is_miss = moment.kind == "miss"
    return ErrorEntry(
        kind=moment.kind,
        episode_id=request.episode_id,
        user=name.rpartition("/")[2],
        speaker=_speakers_at(events, moment.seconds) if is_miss else None,
        time=clock(moment.seconds),
        start=clock(start),
        end=clock(end),
        offset=number(round(moment.seconds - start, 2)),
        score=number(moment.score),
        place=place,
        phrases=() if spoken is None else tuple(words_around(spoken, start, end, moment.seconds)),
        strip=_strip(evaluated, moment.partition, start, end, events),
        snippet=snippet,
    )


def _strip(
    evaluated: EvaluatedFrames, partition: int, start: float, end: float, events: pd.DataFrame
) -> Strip:
    frames = evaluated.frames
    first, stop = frames.starts[partition : partition + 2]
    decided = evaluated.alarms.decided
    times: Floats = start_of(decided[(decided >= first) & (decided < stop)] - first)
    return draw_strip(
        np.where(frames.ignored[first:stop], np.nan, frames.scores[first:stop]),
        start,
        end,
        threshold=evaluated.threshold,
        events=zip(events["onset"].tolist(), events["offset"].tolist(), strict=True),
        alarms=times.tolist(),
        horizon=evaluated.horizon,
    )


def _speakers_at(events: pd.DataFrame, onset: float) -> str:
    """Return who makes the event: those whose onset lies in the same frame count as one."""
    same = events[frame_at(events["onset"].to_numpy(np.float64)) == frame_at(onset)]
    return ", ".join(dict.fromkeys(_name(speaker) for speaker in same["speaker"]))


def _episode_of(evaluated: EvaluatedFrames, moment: Moment) -> str:
    return evaluated.partition_ids[moment.partition].rpartition("/")[0]


def _name(speaker: object) -> str:
    return speaker if isinstance(speaker, str) else _UNKNOWN
