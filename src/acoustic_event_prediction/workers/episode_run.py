"""The launcher's side of work that is divided by episodes."""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.errors import WorkerError
from acoustic_event_prediction.frames import FRAME_RATE_HZ
from acoustic_event_prediction.params import LauncherParams
from acoustic_event_prediction.progress import Advance, track
from acoustic_event_prediction.workers.channel import Message
from acoustic_event_prediction.workers.episode_tasks import Describe, EpisodeTask, ShardedJob
from acoustic_event_prediction.workers.launch import run_workers
from acoustic_event_prediction.workers.runtime import Job
from acoustic_event_prediction.workers.stored_features import Wanted

logger = logging.getLogger(__name__)


def read_wanted(
    assignments: Mapping[str, Callable[[], Any]],
    episodes: Mapping[str, Episode],
    tables: Mapping[str, Mapping[str, Callable[[], pd.DataFrame]]],
    describe: Describe,
) -> dict[str, Wanted]:
    """Return every assignment, and what its features are to be made from, by id.

    Args:
        assignments: loads each, by id.
        episodes: by id.
        tables: `turns`, `words` and `events`; each loads an episode's, by its id.
        describe: gives the provenance.
    """
    wanted = {}
    for name, load in assignments.items():
        assignment = Assignment.model_validate(load())
        episode_id = assignment.episode_id
        loaded = {table: loads[episode_id]() for table, loads in tables.items()}
        wanted[name] = (assignment, describe(assignment, episodes[episode_id], loaded))
    return wanted


def group_by_episode(
    wanted: Mapping[str, Wanted], episodes: Mapping[str, Episode]
) -> list[EpisodeTask]:
    """Return one task per episode, since its assignments share encoded streams.

    Args:
        wanted: assignments that are to be encoded, and the provenance of each, by id.
        episodes: all episodes, by id.
    """
    by_episode: dict[str, list[str]] = {}
    for name in sorted(wanted):
        by_episode.setdefault(wanted[name][0].episode_id, []).append(name)
    return [
        EpisodeTask(
            episode=episodes[episode_id],
            assignments=[wanted[name][0] for name in names],
            provenances=[wanted[name][1] for name in names],
        )
        for episode_id, names in by_episode.items()
    ]


def run_extraction(
    name: str, module: str, job: ShardedJob, launcher: LauncherParams, shared_folder: Path
) -> None:
    """Have the workers do a job, and name the episodes that could not be encoded.

    Args:
        name: of what is made, for the log.
        module: dotted name of the worker module.
        job: with all its shards.
        launcher: processes and nodes.
        shared_folder: see `run_workers`.

    Raises:
        WorkerError: some episodes, or a rank, failed.
    """
    total = sum(task.num_frames for shard in job.shards for task in shard) / FRAME_RATE_HZ
    work = Work(f"extracting {name}", name, "encoded", total)
    require_all(run_by_episode(work, module, job, launcher, shared_folder), work)


class Work(NamedTuple):
    """What the workers do, for the log.

    Attributes:
        description: e.g. `extracting features`.
        name: of what is made.
        done: what an episode is afterwards, e.g. `encoded`.
        audio_seconds: of all episodes.
    """

    description: str
    name: str
    done: str
    audio_seconds: float


def run_by_episode(
    work: Work,
    module: str,
    job: Job,
    launcher: LauncherParams,
    shared_folder: Path,
    on_stored: Callable[[str, int], None] = lambda *_: None,
) -> dict[str, str]:
    """Have the workers do a job that is divided by episodes.

    Args:
        work: for the log.
        module: dotted name of the worker module.
        job: with all its shards.
        launcher: processes and nodes.
        shared_folder: see `run_workers`.
        on_stored: see `Listeners`; called in this process.

    Returns:
        Why episodes failed, by their id.

    Raises:
        WorkerError: a rank failed.
    """
    started = time.monotonic()
    with track(work.description, work.audio_seconds, "audio s") as advance:
        reports = _Reports(advance, on_stored)
        run_workers(module, job, launcher, on_message=reports.hear, shared_folder=shared_folder)
    logger.info(
        "%s: %.0f of %.0f s of audio %s in %.0f s, loading included",
        *(work.name, reports.audio_seconds, work.audio_seconds, work.done),
        time.monotonic() - started,
    )
    return reports.failures


def require_all(failures: Mapping[str, str], work: Work) -> None:
    """Check that no episode failed.

    Raises:
        WorkerError: names those that did.
    """
    if failures:
        listed = "\n  ".join(f"{episode}: {error}" for episode, error in sorted(failures.items()))
        raise WorkerError(
            f"episodes that could not be {work.done}: {len(failures)}\n  {listed}\n"
            "The others are kept. Mend the files, or list the episodes under "
            "ingestion.exclude_episodes, and run again."
        )


class _Reports:
    """What the workers of all ranks have said so far."""

    def __init__(self, advance: Advance, on_stored: Callable[[str, int], None]) -> None:
        self._advance = advance
        self._on_stored = on_stored
        self.audio_seconds = 0.0
        self.failures: dict[str, str] = {}

    def hear(self, message: Message) -> None:
        match message["kind"]:
            case "progress":
                self.audio_seconds += message["amount"]
                self._advance(message["amount"])
            case "failure":
                self.failures[message["episode"]] = message["error"]
            case "stored":
                self._on_stored(message["episode"], message["assignments"])
            case "log":
                logger.info("rank %d: %s", message["rank"], message["text"])
