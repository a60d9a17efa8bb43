"""Nodes of the ingestion pipeline."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from acoustic_event_prediction.assignments import assign
from acoustic_event_prediction.corpus.episode_reading import EpisodeReading
from acoustic_event_prediction.corpus.findings import Finding, describe
from acoustic_event_prediction.corpus.overview import episodes_table, events_table, splits_table
from acoustic_event_prediction.corpus.raw import RawCorpus
from acoustic_event_prediction.corpus.recordings import checked_audio
from acoustic_event_prediction.corpus.records import Assignment, Episode, Source
from acoustic_event_prediction.corpus.report import build_report
from acoustic_event_prediction.corpus.survey import read_episodes, select_episodes
from acoustic_event_prediction.corpus_params import IngestionParams, StreamParams
from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.pipelines.ingestion.layouts import find_corpus

logger = logging.getLogger(__name__)

_MAX_LOGGED_WARNINGS = 20


class IngestedCorpus(NamedTuple):
    """What the ingestion hands on, by episode id, its report, and the tables of the overview."""

    episodes: dict[str, dict[str, Any]]
    events: dict[str, pd.DataFrame]
    turns: dict[str, pd.DataFrame]
    words: dict[str, pd.DataFrame]
    report: dict[str, Any]
    splits: pd.DataFrame
    label_counts: pd.DataFrame
    overview: pd.DataFrame


def read_corpus(
    raw_corpus: Path,
    params: IngestionParams,
    earlier_diarization: Mapping[str, Path] | None = None,
    earlier_episodes: Mapping[str, Callable[[], dict[str, Any]]] | None = None,
) -> IngestedCorpus:
    """Read and check the chosen episodes of the corpus, audio included.

    Args:
        raw_corpus: folder of the corpus.
        params: which episodes, and what happens to broken ones.
        earlier_diarization: files of turns by episode id, for episodes without turns of their own.
        earlier_episodes: records of the last ingestion; audio that has the size and the time that
            they say is not decoded again.

    Raises:
        CorpusError: names every problem of every episode (`on_invalid: raise`), or none is sound.
    """
    started = time.monotonic()
    corpus = find_corpus(raw_corpus, params)
    chosen = select_episodes(corpus, params.splits, params.limit, params.exclude_episodes)
    found = earlier_diarization or {}
    chosen = [replace(raw, found_turns=found.get(raw.episode_id)) for raw in chosen]
    readings = read_episodes(corpus, chosen, checked_audio(earlier_episodes or {}))
    kept = _sound(readings, corpus, on_invalid=params.on_invalid)
    splits, events = splits_table(params.splits, kept), events_table(params.splits, kept)
    report = build_report(corpus, params.splits, readings, kept, splits, events)
    _log_warnings(report["warnings"])
    if num_found := report["turns_from"].get("diarization"):
        logger.info("%d episodes have their turns from the pipeline diarization", num_found)
    logger.info(
        "read %d of %d episodes, %.2f hours, %d events in %.1f s",
        len(kept),
        len(chosen),
        sum(counts["hours"] for counts in report["splits"].values()),
        sum(len(reading.events) for reading in kept),
        time.monotonic() - started,
    )
    return IngestedCorpus(
        episodes={
            reading.episode_id: reading.episode.model_dump(mode="json")
            for reading in kept
            if reading.episode
        },
        events={reading.episode_id: reading.events for reading in kept},
        turns={reading.episode_id: reading.turns for reading in kept},
        words={reading.episode_id: reading.words for reading in kept},
        report=report,
        splits=splits,
        label_counts=events,
        overview=episodes_table(kept),
    )


def assign_users(
    episodes: Mapping[str, Callable[[], dict[str, Any]]],
    turns: Mapping[str, Callable[[], pd.DataFrame]],
    params: StreamParams,
) -> dict[str, dict[str, Any]]:
    """Choose who is user and who is system, once for each speaker who speaks enough.

    Args:
        episodes: records by episode id.
        turns: tables by episode id.
        params: source of the streams, and what is enough.

    Returns:
        Assignments by `<split>/<episode>/<user>`.

    Raises:
        CorpusError: names the episodes that lack what `streams.source` asks for.
    """
    records = [Episode.model_validate(load()) for load in episodes.values()]
    sources = _choose_sources(records, params.source)
    assignments = [
        assignment
        for episode, source in zip(records, sources, strict=True)
        for assignment in assign(
            episode,
            turns[episode.episode_id](),
            source,
            min_speaker_share=params.min_speaker_share,
            max_users=params.max_users,
        )
    ]
    _log_assignments(assignments, params.min_speaker_share)
    return {item.assignment_id: item.model_dump(mode="json") for item in assignments}


def _sound(
    readings: Sequence[EpisodeReading], corpus: RawCorpus, *, on_invalid: str
) -> list[EpisodeReading]:
    """Return the readings without problems; problems of the corpus are no single reading's."""
    kept = [reading for reading in readings if not reading.findings.problems]
    problems = [*corpus.problems]
    problems += [finding for reading in readings for finding in reading.findings.problems]
    if problems and (on_invalid == "raise" or not kept):
        raise _broken(problems, len(readings) - len(kept), len(readings), corpus)
    if problems:
        logger.warning(
            "%d of %d episodes are left out; %d problems:\n%s",
            *(len(readings) - len(kept), len(readings), len(problems), describe(problems)),
        )
    return kept


def _broken(
    problems: Sequence[Finding], num_broken: int, num_read: int, corpus: RawCorpus
) -> CorpusError:
    whole = len(corpus.problems)
    others = f", and {whole} problems are of no episode" if whole else ""
    return CorpusError(
        f"{num_broken} of {num_read} episodes in {corpus.root} can't be used{others}:\n"
        f"{describe(problems)}\n"
        "Repair them, leave some out (ingestion.exclude_episodes), or go on without all of them: "
        "kedro run --params ingestion.on_invalid=skip"
    )


def _log_warnings(warnings: Sequence[str]) -> None:
    for warning in warnings[:_MAX_LOGGED_WARNINGS]:
        logger.warning("%s", warning)
    if len(warnings) > _MAX_LOGGED_WARNINGS:
        logger.warning(
            "%d more warnings are in the ingestion report", len(warnings) - _MAX_LOGGED_WARNINGS
        )


def _choose_sources(episodes: Sequence[Episode], wanted: str) -> list[Source]:
    """Return each episode's source: the best that it has, or the one that is asked for."""
    if wanted == "auto":
        return [episode.sources[0] for episode in episodes]
    lacking = [episode.episode_id for episode in episodes if wanted not in episode.sources]
    if lacking:
        raise CorpusError(
            f"streams.source={wanted}, but {len(lacking)} of {len(episodes)} episodes have no "
            f"{'separated tracks' if wanted == 'separated' else 'turns'}: {', '.join(lacking[:10])}"
            f"{', ...' if len(lacking) > 10 else ''}; "  # noqa: PLR2004
            "use streams.source=auto, or leave them out (ingestion.exclude_episodes)"
        )
    return [source for episode in episodes for source in episode.sources if source == wanted]


def _log_assignments(assignments: Sequence[Assignment], min_speaker_share: float) -> None:
    for item in assignments:
        if item.user_share is not None and item.user_share < min_speaker_share:
            logger.warning(
                "nobody in %s has %.0f %% of the speaking time; user is %s, who has most: %.0f %%",
                *(item.episode_id, 100 * min_speaker_share, item.user, 100 * item.user_share),
            )
    num_episodes = len({item.episode_id for item in assignments})
    logger.info("%d assignments in %d episodes", len(assignments), num_episodes)
