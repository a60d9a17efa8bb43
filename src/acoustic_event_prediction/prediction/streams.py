"""How the streams of a recording are made for a predictor, and what it lacks for that."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from acoustic_event_prediction.assignments import assign
from acoustic_event_prediction.audio_channels import survey_channels
from acoustic_event_prediction.corpus.content import channel_of
from acoustic_event_prediction.corpus.episode_reading import EpisodeReading
from acoustic_event_prediction.corpus.raw import RawCorpus, RawEpisode
from acoustic_event_prediction.corpus.records import Assignment, Episode, Source
from acoustic_event_prediction.laughter import is_laughter
from acoustic_event_prediction.params import PredictionParams
from acoustic_event_prediction.prediction.missing import MISSING, find_missing
from acoustic_event_prediction.prediction.requirements import Requirements
from acoustic_event_prediction.progress import track

_MAX_THREADS = 8
_MAX_SHOWN = 5
_SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class PreparedRecording:
    """A recording that was read, and how it will be heard.

    Attributes:
        reading: of its files.
        episode: its record; with a track for each channel, if they are speakers.
        source: of its streams.
        assignments: one per user.
        missing: kinds of `MISSING` that the predictor was trained with.
    """

    reading: EpisodeReading
    episode: Episode
    source: Source
    assignments: list[Assignment]
    missing: tuple[str, ...]


def prepare_recordings(
    corpus: RawCorpus,
    readings: Sequence[EpisodeReading],
    requirements: Requirements,
    params: PredictionParams,
) -> list[PreparedRecording]:
    """Decide of each sound recording how it is heard; what is wrong ends up in its findings.

    Args:
        corpus: index of the recordings.
        readings: one for each; those with problems are left out.
        requirements: of the predictor.
        params: channels, the chosen user, and what happens to recordings that lack something.
    """
    raws = {raw.episode_id: raw for raw in corpus.episodes}
    sound = [reading for reading in readings if reading.episode and not reading.findings.problems]
    channels = _channels_with_speakers(sound, requirements, params, corpus.root)
    prepared = []
    for reading in sound:
        assert reading.episode is not None
        name = reading.episode_id
        episode = _with_channels(reading.episode, channels.get(name, 0))
        source = _choose_source(episode, reading, requirements)
        users = _choose_users(episode, reading, source, requirements, params)
        missing = find_missing(
            requirements,
            source,
            has_turns=not reading.turns.empty or _says_nobody(raws[name].diarization, reading),
            has_words=_knows_words(raws[name], reading, users),
            has_laughs=_knows_laughs(raws[name], reading),
        )
        if params.on_missing == "raise":
            _refuse_missing(missing, reading)
        if not reading.findings.problems:
            prepared.append(PreparedRecording(reading, episode, source, users, missing))
    return prepared


def _channels_with_speakers(
    readings: Sequence[EpisodeReading],
    requirements: Requirements,
    params: PredictionParams,
    root: Path,
) -> dict[str, int]:
    """Return the number of channels of the recordings that have one speaker in each, by id."""
    if params.channels == "mix" or requirements.hears_mixes_only:
        return {}
    asked = [reading for reading in readings if reading.episode and not reading.episode.tracks]
    if params.channels == "speakers":
        return {reading.episode_id: _check_channels(reading) for reading in asked}
    several = [
        reading
        for reading in asked
        if reading.episode and reading.episode.audio.num_channels > 1 and reading.turns.empty
    ]
    if not several:
        return {}
    hours = [_hours(reading) for reading in several]
    found = {}
    with (
        track("looking at the channels", sum(hours), "h") as advance,
        ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool,
    ):
        counts = pool.map(partial(_count_speaking_channels, root=root), several)
        for reading, count, length in zip(several, counts, hours, strict=True):
            found[reading.episode_id] = count
            advance(length)
    return found


def _hours(reading: EpisodeReading) -> float:
    assert reading.episode is not None
    return reading.episode.duration_seconds / _SECONDS_PER_HOUR


def _count_speaking_channels(reading: EpisodeReading, root: Path) -> int:
    """Return the number of channels, if there is a speaker in each; else 0."""
    assert reading.episode is not None
    source = reading.episode.audio.locate(root)
    with reading.findings.collecting(source):
        if survey_channels(source).holds_speakers:
            return reading.episode.audio.num_channels
    return 0


def _check_channels(reading: EpisodeReading) -> int:
    """Return the number of channels; one channel, or turns of others, become problems."""
    assert reading.episode is not None
    num_channels = reading.episode.audio.num_channels
    names = set(channel_names(num_channels))
    strange = sorted(set(reading.turns["speaker"]) - names)
    if num_channels == 1:
        reading.findings.problem(
            None, "has one channel, but prediction.channels is speakers", "use auto or mix"
        )
    elif strange:
        reading.findings.problem(
            None,
            f"has turns of {', '.join(strange)}, but prediction.channels is speakers, whose names "
            f"are {', '.join(sorted(names))}",
            "use channels=mix with these turns, or leave the turns out",
        )
    return num_channels


def channel_names(num_channels: int) -> list[str]:
    """Return how the speakers are called who have a channel each, in the channels' order."""
    return [f"channel_{number}" for number in range(1, num_channels + 1)]


def _with_channels(episode: Episode, num_channels: int) -> Episode:
    """Return the record with a track for each channel, if they are speakers."""
    if num_channels < 2:  # noqa: PLR2004
        return episode
    tracks = {
        name: channel_of(episode.audio, index)
        for index, name in enumerate(channel_names(num_channels))
    }
    return episode.model_copy(update={"tracks": tracks, "sources": ("separated", "mono")})


def _choose_source(episode: Episode, reading: EpisodeReading, requirements: Requirements) -> Source:
    if requirements.hears_mixes_only:
        return "mono"
    if episode.tracks:
        return "separated"
    return "mono" if reading.turns.empty else "diarization"


def _choose_users(
    episode: Episode,
    reading: EpisodeReading,
    source: Source,
    requirements: Requirements,
    params: PredictionParams,
) -> list[Assignment]:
    limits = requirements.user_limits(params.user)
    everybody = assign(episode, reading.turns, source, **limits)
    if params.user is None:
        return everybody
    chosen = [assignment for assignment in everybody if assignment.user == params.user]
    if not chosen:
        names = ", ".join(assignment.user for assignment in everybody)
        reading.findings.problem(
            None, f"has no user {params.user!r}, only {names}", "correct prediction.user"
        )
    return chosen


def _says_nobody(turns: Path | None, reading: EpisodeReading) -> bool:
    """Return whether a file of turns was given, which has none."""
    if turns is not None:
        reading.findings.warn(turns, "has no turns")
    return turns is not None


def _knows_words(raw: RawEpisode, reading: EpisodeReading, users: Sequence[Assignment]) -> bool:
    """Return whether it is known what the systems say; words that nobody says are a warning."""
    if raw.transcript is not None and reading.words.empty:
        return True
    systems = sorted({name for assignment in users for name in assignment.systems})
    written = sorted(set(reading.words["speaker"].dropna()))
    is_known = not set(systems).isdisjoint(written)
    if not reading.words.empty and not is_known:
        whose = f"are of {', '.join(written)}" if written else "name nobody who says them"
        read = f"those of {', '.join(systems)} are read" if systems else "all is one stream"
        reading.findings.warn(raw.transcript, f"its words {whose}; {read}, so none of these")
    return is_known or not systems


def _knows_laughs(raw: RawEpisode, reading: EpisodeReading) -> bool:
    """Return whether it is known when laughs are; labels of which none means one are a warning."""
    labels = reading.events["label"]
    if raw.annotation is None:
        return False
    if labels.empty or is_laughter(labels).any():
        return True
    found = sorted(set(labels))
    shown = ", ".join(map(repr, found[:_MAX_SHOWN])) + ", ..." * (len(found) > _MAX_SHOWN)
    reading.findings.warn(
        raw.annotation,
        f"none of its labels means a laugh: {shown}",
        "write laughter, laugh or laughing, in any case and with or without brackets",
    )
    return False


def _refuse_missing(missing: Sequence[str], reading: EpisodeReading) -> None:
    for kind in missing:
        problem, remedy = MISSING[kind]
        reading.findings.problem(
            None, problem, f"{remedy}, or go on without: prediction.on_missing=warn"
        )


def describe_missing(recordings: Sequence[PreparedRecording]) -> list[str]:
    """Return a sentence for each kind that recordings lack: how many, the first, what to do."""
    sentences = []
    for kind, (problem, remedy) in MISSING.items():
        lacking = [recording for recording in recordings if kind in recording.missing]
        if lacking:
            first = lacking[0].episode.name
            whose = first if len(lacking) == 1 else f"{len(lacking)} recordings, e.g. {first}"
            sentences.append(f"{whose}: {problem}: {remedy}")
    return sentences
