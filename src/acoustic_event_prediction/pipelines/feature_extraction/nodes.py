"""Nodes of the feature_extraction pipeline."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from acoustic_event_prediction.assignments import (
    require_audio,
    require_source,
    require_unchanged_audio,
)
from acoustic_event_prediction.comparison import differences
from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.devices import decide_precision
from acoustic_event_prediction.errors import StoreError, WorkerError
from acoustic_event_prediction.frame_arrays import as_dtype
from acoustic_event_prediction.frames import FRAME_RATE_HZ
from acoustic_event_prediction.params import (
    CheckpointParams,
    FeatureExtractionParams,
    LauncherParams,
    StreamParams,
)
from acoustic_event_prediction.pipelines.feature_extraction.disk_room import (
    report_unwanted,
    require_room,
)
from acoustic_event_prediction.progress import Advance, track
from acoustic_event_prediction.speech_lm.checkpoint_files import locate_checkpoint
from acoustic_event_prediction.speech_lm.provenance import (
    common_provenance,
    feature_provenance,
)
from acoustic_event_prediction.workers.channel import Message
from acoustic_event_prediction.workers.extract_features import EpisodeTask, ExtractionJob
from acoustic_event_prediction.workers.launch import count_processes, run_workers
from acoustic_event_prediction.workers.sharding import balance

logger = logging.getLogger(__name__)

Records = Mapping[str, Callable[[], dict[str, Any]]]
Tables = Mapping[str, Callable[[], pd.DataFrame]]
Provenance = dict[str, Any]


class FeatureResult(NamedTuple):
    """What all features have in common, and the ids; in this order they are saved."""

    feature_summary: Provenance
    features: list[str]


def extract_features(
    assignments: Records,
    audio: Mapping[str, Callable[[], Any]],
    episodes: Records,
    events: Tables,
    turns: Tables,
    words: Tables,
    feature_extraction: FeatureExtractionParams,
    streams: StreamParams,
    checkpoint: CheckpointParams,
    launcher: LauncherParams,
    worker_catalog: Mapping[str, dict[str, Any]],
) -> FeatureResult:
    """Have torchrun workers encode every assignment whose stored features are missing or outdated.

    Args:
        assignments: who is user and system, by `<split>/<episode>/<user>`.
        audio: the recordings that are there; decoded by the workers, not here.
        episodes: audio files and lengths, by `<split>/<episode>`.
        events: for the laughs to be silenced.
        turns: for masking a mix.
        words: for the text stream.
        feature_extraction: how the streams are encoded.
        streams: how the streams are made.
        checkpoint: which Moshi and Mimi.
        launcher: processes and nodes.
        worker_catalog: the run's resolved catalog; the workers write through its entry `features`.

    Returns:
        What the features are made with, and the ids of all partitions; the data set verifies and
        seals them.

    Raises:
        CheckpointError: the model files are missing.
        AudioError: recordings that were ingested are gone or have changed.
        CorpusError: the assignments are of another streams.source.
        WorkerError: an episode could not be encoded; all are named, the others are kept.
    """
    located = locate_checkpoint(checkpoint)
    settings = decide_precision(feature_extraction)
    records = {name: Episode.model_validate(load()) for name, load in episodes.items()}
    wanted: dict[str, tuple[Assignment, Provenance]] = {}
    for name, load in assignments.items():
        assignment = Assignment.model_validate(load())
        episode_id = assignment.episode_id
        tables = {"events": events, "turns": turns, "words": words}
        provenance = feature_provenance(
            assignment,
            records[episode_id],
            {table: loads[episode_id]() for table, loads in tables.items()},
            checkpoint=located.identity,
            settings=settings,
            streams=streams,
        )
        wanted[name] = (assignment, provenance)
    checked = [assignment for assignment, _ in wanted.values()]
    require_source(checked, streams.source)
    require_audio(checked, records, audio)
    job = ExtractionJob(
        catalog={
            name: worker_catalog[name] for name in ("audio", "turns", "words", "events", "features")
        },
        checkpoint=located,
        settings=settings,
        streams=streams,
        shards=[],
    )
    require_unchanged_audio(checked, records, job.open_entry("audio").root)
    store = job.open_entry("features")
    report_unwanted(wanted, store)
    kind = _Kind(located.feature_dim, as_dtype(settings.dtype))
    outdated = _find_outdated(wanted, store, kind)
    _log_outdated(outdated, num_wanted=len(wanted))
    tasks = _tasks(wanted, records, outdated)
    if tasks:
        num_ranks = count_processes(launcher) * launcher.nnodes
        require_room(tasks, store, located.feature_dim, settings.dtype, num_ranks)
        shards = balance(tasks, [task.num_frames for task in tasks], num_ranks)
        _run(job.model_copy(update={"shards": shards}), launcher, store.path.parent)
        _require_written(_find_outdated(wanted, store, kind), store)
    summary = common_provenance(located.identity, settings, streams)
    return FeatureResult(summary, sorted(wanted))


class _Kind(NamedTuple):
    """What all features of a run have in common beside their provenance."""

    dim: int
    dtype: np.dtype[Any]


def _find_outdated(
    wanted: Mapping[str, tuple[Assignment, Provenance]], store: Any, kind: _Kind
) -> dict[str, str]:
    """Return the ids whose stored features can't be used, and why."""
    outdated = {}
    for name, (assignment, provenance) in wanted.items():
        partition = store.partition(name)
        if not partition.exists():
            outdated[name] = "not there yet"
            continue
        try:
            header = partition.header()
        except StoreError as error:
            logger.warning("%s", error)
            outdated[name] = "damaged"
            continue
        changed = differences(header.provenance, provenance)
        if changed:
            outdated[name] = f"changed: {', '.join(changed)}"
        elif (header.shape, header.dtype) != ((assignment.num_frames, kind.dim), kind.dtype):
            outdated[name] = "damaged"
    return outdated


def _log_outdated(outdated: Mapping[str, str], num_wanted: int) -> None:
    reasons = Counter(outdated.values()).most_common()
    logger.info(
        "features: %d partitions kept, %d to encode%s",
        num_wanted - len(outdated),
        len(outdated),
        f" ({'; '.join(f'{number} {reason}' for reason, number in reasons)})" if reasons else "",
    )


def _require_written(outdated: Mapping[str, str], store: Any) -> None:
    """Check the workers' work before the set is sealed."""
    if outdated:
        name, reason = next(iter(outdated.items()))
        raise StoreError(
            f"the workers have ended, but {len(outdated)} partitions of {store.path} are not what "
            f"they should have become, the first: {name!r} ({reason}); look at that file, remove "
            "it, and run again: the others are kept"
        )


def _tasks(
    wanted: Mapping[str, tuple[Assignment, Provenance]],
    episodes: Mapping[str, Episode],
    outdated: Container[str],
) -> list[EpisodeTask]:
    """Group the outdated assignments by episode: those of one episode share encoded streams."""
    by_episode: dict[str, list[str]] = {}
    for name in sorted(name for name in wanted if name in outdated):
        by_episode.setdefault(wanted[name][0].episode_id, []).append(name)
    return [
        EpisodeTask(
            episode=episodes[episode_id],
            assignments=[wanted[name][0] for name in names],
            provenances=[wanted[name][1] for name in names],
        )
        for episode_id, names in by_episode.items()
    ]


def _run(job: ExtractionJob, launcher: LauncherParams, shared_folder: Path) -> None:
    total = sum(task.num_frames for shard in job.shards for task in shard) / FRAME_RATE_HZ
    started = time.monotonic()
    with track("extracting features", total, "audio s") as advance:
        reports = _Reports(advance)
        run_workers(
            "acoustic_event_prediction.workers.extract_features",
            job,
            launcher,
            on_message=reports.hear,
            shared_folder=shared_folder,
        )
    logger.info(
        "features: %.0f of %.0f s of audio encoded in %.0f s, loading included",
        *(reports.audio_seconds, total, time.monotonic() - started),
    )
    if reports.failures:
        failures = sorted(reports.failures.items())
        listed = "\n  ".join(f"{episode}: {error}" for episode, error in failures)
        raise WorkerError(
            f"episodes that could not be encoded: {len(failures)}\n  {listed}\n"
            "The others are kept. Mend the files, or list the episodes under "
            "ingestion.exclude_episodes, and run again."
        )


class _Reports:
    """What the workers of all ranks have said so far."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self.audio_seconds = 0.0
        self.failures: dict[str, str] = {}

    def hear(self, message: Message) -> None:
        match message["kind"]:
            case "progress":
                self.audio_seconds += message["amount"]
                self._advance(message["amount"])
            case "failure":
                self.failures[message["episode"]] = message["error"]
            case "log":
                logger.info("rank %d: %s", message["rank"], message["text"])
