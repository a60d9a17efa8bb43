"""The sound around a moment, small enough for a page."""

import io
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import soundfile as sf

from acoustic_event_prediction.audio import Samples
from acoustic_event_prediction.audio_spans import Recording
from acoustic_event_prediction.errors import AudioError, CorpusError
from acoustic_event_prediction.frames import MODEL_SAMPLE_RATE_HZ
from acoustic_event_prediction.report.sound_format import choose_format, data_uri

logger = logging.getLogger(__name__)

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class SnippetRequest:
    """Which sound is wanted.

    Attributes:
        episode_id: `<split>/<episode>`, whose mix is heard.
        start: in seconds.
        end: in seconds.
    """

    episode_id: str
    start: float
    end: float


@dataclass(frozen=True)
class Snippet:
    """The sound as a data URI, or why there is none; exactly one of both is None."""

    uri: str | None
    missing: str | None


def make_snippets(
    requests: Sequence[SnippetRequest],
    recordings: Mapping[str, Recording],
    max_megabytes: float,
) -> list[Snippet]:
    """Return one snippet per request, mono, each episode decoded once and one at a time.

    Audio that can't be read is no reason to have no report: the snippet says so, and the log why.

    Args:
        requests: the most important first.
        recordings: mixes by episode id; looked at only if a snippet is wanted.
        max_megabytes: of all data URIs together; from the first that does not fit, there are none.
    """
    too_much = Snippet(None, "beyond the size that evaluation.report.max_megabytes allows")
    if max_megabytes == 0:
        return [too_much] * len(requests)
    try:
        len(recordings)
    except CorpusError as error:
        return _missing(requests, "all episodes", error)
    made: dict[SnippetRequest, Snippet] = {}
    for episode_id in dict.fromkeys(request.episode_id for request in requests):
        wanted = [request for request in requests if request.episode_id == episode_id]
        made |= dict(zip(wanted, _read(wanted, episode_id, recordings), strict=True))
    snippets, left = [], max_megabytes * _MEGABYTE
    for request in requests:
        snippet = made[request]
        left -= len(snippet.uri or "")
        snippets.append(too_much if left < 0 and snippet.uri else snippet)
    return snippets


def encode(samples: Samples, sample_rate_hz: int) -> str:
    """Return mono samples [N], -1 to 1, as a data URI of compressed audio."""
    container, coding, mime = choose_format()
    file = io.BytesIO()
    sf.write(file, np.clip(samples, -1, 1), sample_rate_hz, format=container, subtype=coding)
    return data_uri(mime, file.getbuffer())


def _read(
    wanted: Sequence[SnippetRequest], episode_id: str, recordings: Mapping[str, Recording]
) -> list[Snippet]:
    try:
        recording = recordings[episode_id]
        spans = [(request.start, request.end) for request in wanted]
        sounds = recording.read_spans(spans, MODEL_SAMPLE_RATE_HZ)
    except KeyError:
        return _missing(wanted, episode_id, "the corpus has no such episode any more")
    except AudioError as error:
        return _missing(wanted, episode_id, error)
    return [
        Snippet(encode(sound, MODEL_SAMPLE_RATE_HZ), None)
        if sound.size
        else Snippet(None, "the recording ends before it")
        for sound in sounds
    ]


def _missing(wanted: Sequence[SnippetRequest], whose: str, reason: object) -> list[Snippet]:
    logger.warning("no sound of %s in the report: %s", whose, reason)
    return [Snippet(None, "its recording can't be read")] * len(wanted)
