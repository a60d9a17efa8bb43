"""Who is the user and who the system: one assignment for each speaker who speaks enough."""

from collections.abc import Collection, Container, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from acoustic_event_prediction.corpus.content import seems_unchanged
from acoustic_event_prediction.corpus.records import (
    MONO_USER,
    Assignment,
    AudioFile,
    Episode,
    Source,
)
from acoustic_event_prediction.errors import AudioError, CorpusError


class Speaker(NamedTuple):
    """A speaker and the part of the speaking time of all; None where nobody knows it."""

    name: str
    share: float | None


def choose_users(
    speakers: Sequence[Speaker], min_speaker_share: float, max_users: int | None
) -> list[Speaker]:
    """Return who is a user, the most talkative first.

    Without anybody who speaks enough it is the most talkative speaker. Unknown shares are enough.

    Args:
        speakers: of one episode, at least one, any order.
        min_speaker_share: enough, 0 to 1.
        max_users: at most so many; None is no limit.

    >>> speakers = [Speaker("a", 0.1), Speaker("b", 0.4), Speaker("c", 0.5)]
    >>> [user.name for user in choose_users(speakers, 0.2, None)]
    ['c', 'b']
    """
    ranked = sorted(speakers, key=lambda speaker: (-(speaker.share or 0.0), speaker.name))
    enough = [
        speaker for speaker in ranked if speaker.share is None or speaker.share >= min_speaker_share
    ]
    return (enough or ranked[:1])[:max_users]


def speaking_shares(turns: pd.DataFrame) -> dict[str, float]:
    """Return the part of the summed speaking time by speaker; empty without any.

    Args:
        turns: with `onset`, `offset` (seconds) and `speaker`.
    """
    seconds = (turns["offset"] - turns["onset"]).groupby(turns["speaker"]).sum()
    total = float(seconds.sum())
    return {str(name): float(value) / total for name, value in seconds.items() if total > 0}


def assign(
    episode: Episode,
    turns: pd.DataFrame,
    source: Source,
    *,
    min_speaker_share: float,
    max_users: int | None,
) -> list[Assignment]:
    """Return the assignments of an episode, the most talkative user first.

    Separated: those who have a track can be user, and are the system together. Diarization: those
    who have turns. Mono: one assignment, whose user is `mix`.

    Args:
        episode: that supports the source.
        turns: of the episode.
        source: how the streams will be made.
        min_speaker_share: of the speaking time of all speakers, 0 to 1.
        max_users: at most so many; None is no limit.
    """
    pairs = pair_speakers(
        episode.tracks, turns, source, min_speaker_share=min_speaker_share, max_users=max_users
    )
    return [_assignment(episode, source, *pair) for pair in pairs]


def pair_speakers(
    tracks: Collection[str],
    turns: pd.DataFrame,
    source: Source,
    *,
    min_speaker_share: float,
    max_users: int | None,
) -> list[tuple[Speaker, tuple[str, ...]]]:
    """Return each user with those who together are the system; see `assign`.

    Args:
        tracks: names of those who have a track.
        turns: with `onset`, `offset` (seconds) and `speaker`.
        source: how the streams will be made.
        min_speaker_share: of the speaking time of all speakers, 0 to 1.
        max_users: at most so many; None is no limit.
    """
    if source == "mono":
        return [(Speaker(MONO_USER, None), ())]
    shares = speaking_shares(turns)
    names = tracks if source == "separated" else shares
    speakers = [Speaker(name, shares.get(name, 0.0) if shares else None) for name in names]
    return [
        (user, tuple(sorted(name for name in names if name != user.name)))
        for user in choose_users(speakers, min_speaker_share, max_users)
    ]


def require_audio(
    assignments: Sequence[Assignment], episodes: Mapping[str, Episode], audio: Container[str]
) -> None:
    """Check that the recordings of the assignments are still there.

    Args:
        assignments: any number, of any source.
        episodes: theirs at least, by id.
        audio: ids of the recordings that are there.

    Raises:
        AudioError: some are not.
    """
    needed = _recordings(assignments, episodes)
    missing = sorted(name for name in needed if name not in audio)
    if missing:
        raise AudioError(
            f"{len(missing)} of {len(needed)} recordings are no longer where ingestion found them, "
            f"the first: {missing[0]!r}; restore them or run `kedro run --pipelines ingestion`"
        )


def require_unchanged_audio(
    assignments: Sequence[Assignment], episodes: Mapping[str, Episode], root: Path
) -> None:
    """Check that the recordings are those that were ingested.

    Args:
        assignments: any number, of any source.
        episodes: theirs at least, by id.
        root: folder of the corpus.

    Raises:
        AudioError: some have changed.
    """
    needed = _recordings(assignments, episodes)
    changed = sorted(name for name, file in needed.items() if not seems_unchanged(file, root))
    if changed:
        raise AudioError(
            f"{len(changed)} of {len(needed)} recordings have changed since they were ingested, "
            f"the first: {changed[0]!r} ({needed[changed[0]].path}); run `kedro run --pipelines "
            "ingestion,feature_extraction`, which encodes again what they touch"
        )


def require_source(assignments: Sequence[Assignment], source: str) -> None:
    """Check that the assignments were made with the source that is asked for.

    Raises:
        CorpusError: some have another one.
    """
    others = [assignment for assignment in assignments if source not in ("auto", assignment.source)]
    if others:
        raise CorpusError(
            f"streams.source is {source}, but {len(others)} of {len(assignments)} assignments were "
            f"made with another source, the first: {others[0].assignment_id!r} with "
            f"{others[0].source}; run `kedro run --pipelines ingestion,feature_extraction`"
        )


def _recordings(
    assignments: Sequence[Assignment], episodes: Mapping[str, Episode]
) -> dict[str, AudioFile]:
    """Return what the assignments hear, by the id of the recording."""
    found: dict[str, AudioFile] = {}
    for assignment in assignments:
        name, episode = assignment.episode_id, episodes[assignment.episode_id]
        if assignment.source == "separated":
            found |= {f"{name}/{speaker}": file for speaker, file in episode.tracks.items()}
        else:
            found[name] = episode.audio
    return found


def _assignment(
    episode: Episode, source: Source, user: Speaker, systems: tuple[str, ...]
) -> Assignment:
    return Assignment(
        assignment_id=f"{episode.episode_id}/{user.name}",
        episode_id=episode.episode_id,
        user=user.name,
        systems=systems,
        source=source,
        user_share=user.share,
        num_frames=episode.num_frames,
    )
