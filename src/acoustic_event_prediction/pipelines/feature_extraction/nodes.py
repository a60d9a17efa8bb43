"""Nodes of the feature_extraction pipeline."""

import logging
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.errors import AudioError, StoreError, WorkerError
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
            settings=feature_extraction,
            streams=streams,
        )
        wanted[name] = (assignment, provenance)
    _require_audio([assignment for assignment, _ in wanted.values()], records, audio)
    job = ExtractionJob(
        catalog={
            name: worker_catalog[name] for name in ("audio", "turns", "words", "events", "features")
        },
        checkpoint=located,
        settings=feature_extraction,
        streams=streams,
        shards=[],
    )
    store = job.open_entry("features")
    tasks = _tasks(wanted, records, _outdated(wanted, store))
    if tasks:
        store.unseal()
        num_ranks = count_processes(launcher) * launcher.nnodes
        shards = balance(tasks, [task.num_frames for task in tasks], num_ranks)
        _run(job.model_copy(update={"shards": shards}), launcher)
    summary = common_provenance(located.identity, feature_extraction, streams)
    return FeatureResult(summary, sorted(wanted))


def _require_audio(
    assignments: Sequence[Assignment], episodes: Mapping[str, Episode], audio: Container[str]
) -> None:
    needed = {
        f"{assignment.episode_id}/{speaker}"
        for assignment in assignments
        if assignment.source == "separated"
        for speaker in episodes[assignment.episode_id].tracks
    } | {assignment.episode_id for assignment in assignments if assignment.source != "separated"}
    missing = sorted(name for name in needed if name not in audio)
    if missing:
        raise AudioError(
            f"{len(missing)} of {len(needed)} recordings are no longer where ingestion found them, "
            f"the first: {missing[0]!r}; restore them or run `kedro run --pipelines ingestion`"
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


def _run(job: ExtractionJob, launcher: LauncherParams) -> None:
    failures: dict[str, str] = {}
    seconds = sum(task.num_frames for shard in job.shards for task in shard) / FRAME_RATE_HZ
    with track("extracting features", seconds, "audio s") as advance:
        run_workers(
            "acoustic_event_prediction.workers.extract_features",
            job,
            launcher,
            on_message=lambda message: _hear(message, advance, failures),
        )
    if failures:
        listed = "\n  ".join(f"{episode}: {error}" for episode, error in sorted(failures.items()))
        raise WorkerError(
            f"{len(failures)} episodes could not be encoded; the others are kept:\n  {listed}\n"
            "Mend the files, or list the episodes under ingestion.exclude_episodes, and run again."
        )


def _hear(message: Message, advance: Advance, failures: dict[str, str]) -> None:
    if message["kind"] == "progress":
        advance(message["amount"])
    elif message["kind"] == "failure":
        failures[message["episode"]] = message["error"]
    elif message["kind"] == "log":
        logger.info("rank %d: %s", message["rank"], message["text"])
