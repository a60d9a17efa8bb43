"""Reading the chosen episodes of a corpus, side by side, and what can only be seen across them."""

import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches

from acoustic_event_prediction.audio_source import place_of
from acoustic_event_prediction.corpus.episode_reading import EpisodeReading
from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.formats import read_file
from acoustic_event_prediction.corpus.raw import (
    SPLITS,
    RawCorpus,
    RawEpisode,
    match_names,
    normalise,
)
from acoustic_event_prediction.corpus.reading import read_episode
from acoustic_event_prediction.corpus.recordings import KnownAudio, check_content
from acoustic_event_prediction.corpus.tables import Annotation
from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.progress import track

_KEEP_ONE = "keep it in one split, or list the others in ingestion.exclude_episodes"
# Decoding and hashing release the interpreter lock; more threads than this wait for the disk.
_MAX_THREADS = 8

_SECONDS_PER_HOUR = 3600
_MOST_NAMED = 3

SharedAnnotations = Mapping[str, Sequence[Annotation]] | FileProblem


def select_episodes(
    corpus: RawCorpus, splits: Sequence[str], limit: int | None, exclude: Sequence[str]
) -> list[RawEpisode]:
    """Return the chosen episodes, sorted by split, then name.

    Args:
        corpus: all that is there.
        splits: wanted ones.
        limit: at most so many per split, the first by name.
        exclude: ids of episodes to leave out.

    Raises:
        CorpusError: an excluded id does not exist, or nothing is left.
    """
    known = {episode.episode_id for episode in corpus.episodes}
    excluded = {normalise(episode_id) for episode_id in exclude}
    if unknown := sorted(excluded - known):
        near = get_close_matches(unknown[0], known, n=3, cutoff=0.4) or sorted(known)[:3]
        raise CorpusError(
            f"ingestion.exclude_episodes names {', '.join(map(repr, unknown))}, which the corpus "
            f"at {corpus.root} does not have; ids look like {', '.join(map(repr, near))}"
        )
    chosen = []
    for split in dict.fromkeys(splits):
        of_split = [
            episode
            for episode in corpus.episodes
            if episode.split == split and episode.episode_id not in excluded
        ]
        chosen += of_split[:limit]
    if not chosen:
        raise CorpusError(
            f"no episode of {corpus.root} is left in {', '.join(splits)}; it has "
            f"{len(known)} in {', '.join(sorted({episode.split for episode in corpus.episodes}))}: "
            "change ingestion.splits or exclude_episodes"
        )
    return chosen


def read_episodes(
    corpus: RawCorpus, chosen: Sequence[RawEpisode], known: KnownAudio | None = None
) -> list[EpisodeReading]:
    """Return what `read_recordings` does, with a look at what is in more than one split.

    Args:
        corpus: that they belong to.
        chosen: which to read.
        known: see `read_recordings`.
    """
    readings = read_recordings(corpus, chosen, known)
    _note_leaks(corpus, chosen, readings)
    return readings


def read_recordings(
    corpus: RawCorpus, chosen: Sequence[RawEpisode], known: KnownAudio | None = None
) -> list[EpisodeReading]:
    """Read and check the chosen episodes and return a reading of each, in the same order.

    First all tables and the headers of the audio, then the audio itself.

    Args:
        corpus: that they belong to.
        chosen: which to read.
        known: audio that was checked before, and need not be decoded again if it is unchanged.
    """
    # Embedded audio in the order of its shards, so that each is fetched from the disk once.
    order = sorted(range(len(chosen)), key=lambda place: _shard_and_row(chosen[place]))
    shared, found = _read_shared(corpus, chosen), {}
    with track("reading the corpus", len(chosen), "episodes") as advance:
        for place in order:  # one by one: tables hold the interpreter lock, threads would wait
            found[place] = read_episode(chosen[place], corpus, shared, known or {})
            advance(1)
    readings = [found[place] for place in range(len(chosen))]
    _check_contents(readings)
    return readings


def _check_contents(readings: Sequence[EpisodeReading]) -> None:
    seconds = {
        reading.episode_id: reading.unchecked_seconds for reading in readings if reading.unchecked
    }
    if not seconds:
        return
    unchecked = [reading for reading in readings if reading.episode_id in seconds]
    with (
        track("checking the audio", sum(seconds.values()) / _SECONDS_PER_HOUR, "h") as advance,
        ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool,
    ):
        try:
            done = pool.map(check_content, unchecked)
            for reading, _ in zip(unchecked, done, strict=True):
                advance(seconds[reading.episode_id] / _SECONDS_PER_HOUR)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _shard_and_row(episode: RawEpisode) -> tuple[str, int]:
    place = place_of(episode.audio)
    return ("", 0) if place is None or place.row is None else (str(place.path), place.row)


def _read_shared(corpus: RawCorpus, chosen: Sequence[RawEpisode]) -> SharedAnnotations:
    """Return the rows of the corpus's table by episode; none if all have a file of their own."""
    if all(episode.annotation for episode in chosen):
        return {}
    path = corpus.annotations
    if path is None:
        return {}
    if not path.is_file():
        return FileProblem(
            "there is neither this file nor an annotation file of the episode",
            corpus.get_annotations,
        )
    try:
        rows = read_file(path, corpus.event_readers)
    except FileProblem as problem:
        return problem
    by_name: dict[str, list[Annotation]] = {}
    for row in rows:
        by_name.setdefault(row.episode or "", []).append(row)
    of_episode: dict[str, list[Annotation]] = {}
    for written, name in match_names(by_name, {e.name for e in corpus.episodes}).items():
        of_episode.setdefault(name, []).extend(by_name[written])
    return of_episode


def _note_leaks(
    corpus: RawCorpus, chosen: Sequence[RawEpisode], readings: Sequence[EpisodeReading]
) -> None:
    """Note what is in more than one split: a test on what training has heard tests nothing.

    The same name is a problem; the same audio under another name, and the same show, are warnings.
    """
    splits: dict[str, set[str]] = {}
    shows: dict[str, set[str]] = {}
    sounds: dict[str, list[RawEpisode]] = {}
    for raw, reading in zip(chosen, readings, strict=True):
        splits.setdefault(raw.name, set()).add(raw.split)
        if raw.show is not None:
            shows.setdefault(raw.show, set()).add(raw.split)
        if reading.episode is not None:
            sounds.setdefault(reading.episode.audio.sha256, []).append(raw)
    for raw, reading in zip(chosen, readings, strict=True):
        findings = reading.findings
        if len(splits[raw.name]) > 1:
            findings.problem(
                raw.audio, f"the same episode is in {_and(splits[raw.name])}", _KEEP_ONE
            )
        elif reading.episode is not None:
            same = sounds[reading.episode.audio.sha256]
            place = SPLITS.index(raw.split)
            others = [other.episode_id for other in same if SPLITS.index(other.split) < place]
            if others:
                findings.warn(raw.audio, f"has the same audio as {_and(others)}", _KEEP_ONE)
    for show, places in sorted(shows.items()):
        if len(places) > 1:
            first = next(
                reading for raw, reading in zip(chosen, readings, strict=True) if raw.show == show
            )
            first.findings.warn(
                corpus.root,
                f"the show {show!r} is in {_and(places)}: its speakers are heard in training and "
                "in the test",
                "keep a show in one split, if a number is to hold for new shows",
            )


def _and(names: Collection[str]) -> str:
    """Return the first names in a row, splits in their usual order, and how many more there are."""
    ordered = sorted(sorted(names), key=lambda name: (*SPLITS, name).index(name))
    hidden = len(ordered) - _MOST_NAMED
    return " and ".join(ordered[:_MOST_NAMED] + ([f"{hidden} more"] if hidden > 0 else []))
