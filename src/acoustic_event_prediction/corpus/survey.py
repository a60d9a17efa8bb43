"""Reading the chosen episodes of a corpus, side by side, and what can only be seen across them."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from functools import partial

from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.podcastfillers import (
    ALL_ANNOTATIONS,
    RawCorpus,
    RawEpisode,
    loose_key,
    normalise,
    strip_audio_suffix,
)
from acoustic_event_prediction.corpus.reading import EpisodeReading, read_episode
from acoustic_event_prediction.corpus.tables import Annotation, read_annotations
from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.progress import Advance

# Decoding and hashing release the interpreter lock; more threads than this wait for the disk.
_MAX_THREADS = 8

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
    corpus: RawCorpus, chosen: Sequence[RawEpisode], advance: Advance
) -> list[EpisodeReading]:
    """Read the chosen episodes and return a reading of each, in the same order.

    Args:
        corpus: that they belong to.
        chosen: which to read.
        advance: called with 1 after each episode.
    """
    shared = _read_shared(corpus, chosen)
    readings = []
    with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        try:
            for reading in pool.map(partial(read_episode, corpus=corpus, shared=shared), chosen):
                readings.append(reading)
                advance(1)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    _note_leaks(corpus, chosen, readings)
    return readings


def _read_shared(corpus: RawCorpus, chosen: Sequence[RawEpisode]) -> SharedAnnotations:
    """Return the rows of `PodcastFillers.csv` by episode; none if all have their own file."""
    if all(episode.annotation for episode in chosen):
        return {}
    path = corpus.root / ALL_ANNOTATIONS
    if not path.is_file():
        return FileProblem(
            "there is neither this file nor an annotation file of the episode",
            f"add metadata/episode_annotations/<split>/<episode>.csv or {ALL_ANNOTATIONS}",
        )
    try:
        rows = read_annotations(path)
    except FileProblem as problem:
        return problem
    by_name: dict[str, list[Annotation]] = {}
    for row in rows:
        by_name.setdefault(strip_audio_suffix(normalise(row.episode)), []).append(row)
    num_alike = Counter(map(loose_key, by_name))
    loose = {
        key: rows
        for name, rows in by_name.items()
        if num_alike[key := loose_key(name)] == 1 and key
    }
    return loose | by_name


def _note_leaks(
    corpus: RawCorpus, chosen: Sequence[RawEpisode], readings: Sequence[EpisodeReading]
) -> None:
    """Note episodes that are in more than one split: a test on heard episodes tests nothing."""
    splits: dict[str, list[str]] = {}
    for episode in chosen:
        splits.setdefault(episode.name, []).append(episode.split)
    for episode, reading in zip(chosen, readings, strict=True):
        if len(splits[episode.name]) > 1:
            reading.findings.problem(
                episode.audio,
                f"the same episode is in {' and '.join(splits[episode.name])}",
                "keep it in one split, or list the others in ingestion.exclude_episodes",
            )
