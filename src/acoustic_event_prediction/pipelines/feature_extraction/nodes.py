"""Nodes of the feature_extraction pipeline."""

import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from acoustic_event_prediction.assignments import require_audio
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
from acoustic_event_prediction.progress import Advance, track
from acoustic_event_prediction.speech_lm.checkpoint import locate_checkpoint
from acoustic_event_prediction.speech_lm.provenance import (
    common_provenance,
    differences,
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
        AudioError: recordings that were ingested are gone.
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
    require_audio([assignment for assignment, _ in wanted.values()], records, audio)
    job = ExtractionJob(
        catalog={
            name: worker_catalog[name] for name in ("audio", "turns", "words", "events", "features")
        },
        checkpoint=located,
        settings=settings,
        streams=streams,
        shards=[],
    )
    store = job.open_entry("features")
    tasks = _tasks(wanted, records, _outdated(wanted, store))
    if tasks:
        _require_room(tasks, store, located.feature_dim, settings.dtype)
        if launcher.is_main_node:
            store.unseal()
        num_ranks = count_processes(launcher) * launcher.nnodes
        shards = balance(tasks, [task.num_frames for task in tasks], num_ranks)
        _run(job.model_copy(update={"shards": shards}), launcher, store.path.parent)
    summary = common_provenance(located.identity, settings, streams)
    return FeatureResult(summary, sorted(wanted))


def _require_room(tasks: Sequence[EpisodeTask], store: Any, dim: int, dtype: str) -> None:
    """Log how much will be written, and refuse to begin what the disk can't hold."""
    sizes = {
        assignment.assignment_id: assignment.num_frames * dim * as_dtype(dtype).itemsize
        for task in tasks
        for assignment in task.assignments
    }
    # A new file is complete before it takes the place of an old one.
    paths = [store.partition_path(name) for name in sizes]
    replaced = sum(path.stat().st_size for path in paths if path.is_file())
    needed = max(sum(sizes.values()) - replaced, *sizes.values())
    free = shutil.disk_usage(store.path).free
    logger.info(
        "features: %.3g GB to write, %.3g GB free at %s", needed / 1e9, free / 1e9, store.path
    )
    if needed > free:
        raise StoreError(
            f"{store.path} has {free / 1e9:.3g} GB free, the features of {len(sizes)} assignments "
            f"need {needed / 1e9:.3g} GB; make room, give another place with data_root, or encode "
            "fewer episodes at a time (ingestion.splits, ingestion.limit)"
        )


def _outdated(wanted: Mapping[str, tuple[Assignment, Provenance]], store: Any) -> set[str]:
    """Return the ids that need encoding, and log how many and why."""
    reasons: Counter[str] = Counter()
    outdated = set()
    for name, (_, provenance) in wanted.items():
        reason = _reason(store.partition(name), provenance)
        if reason is not None:
            reasons[reason] += 1
            outdated.add(name)
    logger.info(
        "features: %d partitions kept, %d to encode%s",
        len(wanted) - len(outdated),
        len(outdated),
        "".join(f"; {count}: {reason}" for reason, count in reasons.most_common()),
    )
    return outdated


def _reason(partition: Any, provenance: Provenance) -> str | None:
    """Return why a stored partition can't be used, or None if it can."""
    if not partition.exists():
        return "not there yet"
    try:
        stored = partition.header().provenance
    except StoreError as error:
        logger.warning("%s", error)
        return "damaged file"
    changed = differences(stored, provenance)
    return f"changed: {', '.join(changed)}" if changed else None


def _tasks(
    wanted: Mapping[str, tuple[Assignment, Provenance]],
    episodes: Mapping[str, Episode],
    outdated: set[str],
) -> list[EpisodeTask]:
    """Group the outdated assignments by episode: those of one episode share encoded streams."""
    by_episode: dict[str, list[str]] = {}
    for name in sorted(outdated):
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
            f"{len(failures)} episodes could not be encoded; the others are kept:\n  {listed}\n"
            "Mend the files, or list the episodes under ingestion.exclude_episodes, and run again."
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
