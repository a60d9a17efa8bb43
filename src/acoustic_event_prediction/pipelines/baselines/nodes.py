"""Nodes of the baselines pipeline."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from acoustic_event_prediction.assignments import (
    require_audio,
    require_source,
    require_unchanged_audio,
)
from acoustic_event_prediction.baselines.kinds import KINDS, BaselineKind, feature_dim
from acoustic_event_prediction.baselines.provenance import baseline_summary
from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.frame_arrays import as_dtype
from acoustic_event_prediction.params import (
    CheckpointParams,
    FeatureExtractionParams,
    LauncherParams,
)
from acoustic_event_prediction.speech_lm.checkpoint_files import locate_checkpoint
from acoustic_event_prediction.workers.disk_room import report_unwanted, require_room
from acoustic_event_prediction.workers.episode_run import (
    group_by_episode,
    read_wanted,
    run_extraction,
)
from acoustic_event_prediction.workers.episode_tasks import EpisodeTask
from acoustic_event_prediction.workers.extract_baselines import BaselineJob
from acoustic_event_prediction.workers.launch import count_processes
from acoustic_event_prediction.workers.sharding import balance
from acoustic_event_prediction.workers.stored_features import (
    Layout,
    Provenance,
    Wanted,
    find_outdated,
    log_outdated,
    require_written,
)

Records = Mapping[str, Callable[[], dict[str, Any]]]
Tables = Mapping[str, Callable[[], pd.DataFrame]]


def extract_baseline_features(
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
) -> list[Any]:
    """Have torchrun workers make the baseline features that are missing or outdated, of all kinds.

    Args:
        assignments: who is user and system, by `<split>/<episode>/<user>`.
        audio: the recordings that are there; decoded by the workers, not here.
        episodes: audio files and lengths, by `<split>/<episode>`.
        events: for the laughs to be silenced.
        turns: for masking a mix.
        words: read with the episodes; no baseline depends on them.
        feature_extraction: dtype, resets, blocks and device are those of Moshi's features.
        streams: how the streams are made.
        checkpoint: whose Mimi.
        launcher: processes and nodes.
        worker_catalog: the run's resolved catalog; the workers write through `<kind>_features`.

    Returns:
        Of each kind, in the order of `KINDS`, what its features are made with and the ids of all
        partitions; the data sets verify and seal them.

    Raises:
        CheckpointError: the model files are missing.
        AudioError: recordings that were ingested are gone or have changed.
        CorpusError: the assignments are of another streams.source.
        WorkerError: an episode could not be read; all are named, the others are kept.
    """
    entries = ("audio", "turns", "words", "events", *(f"{kind}_features" for kind in KINDS))
    job = BaselineJob(
        catalog={name: worker_catalog[name] for name in entries},
        checkpoint=locate_checkpoint(checkpoint),
        settings=feature_extraction,
        streams=streams,
        shards=[],
    )
    records = {name: Episode.model_validate(load()) for name, load in episodes.items()}
    tables = {"events": events, "turns": turns, "words": words}
    wanted = read_wanted(assignments, records, tables, job.describe)
    checked = [assignment for assignment, _ in wanted.values()]
    require_source(checked, streams.source)
    require_audio(checked, records, audio)
    require_unchanged_audio(checked, records, job.open_entry("audio").root)
    _make(wanted, records, job, launcher)
    outputs: list[Any] = []
    for kind in KINDS:
        mimi = job.checkpoint.mimi_identity
        outputs += [baseline_summary(kind, mimi, feature_extraction, streams), sorted(wanted)]
    return outputs


def _make(
    wanted: Mapping[str, Wanted],
    records: Mapping[str, Episode],
    job: BaselineJob,
    launcher: LauncherParams,
) -> None:
    """Make what can't be kept, and check that it is there."""
    outdated = _find_outdated(wanted, job)
    for kind in KINDS:
        report_unwanted(wanted, job.open_store(kind))
        log_outdated(kind, outdated[kind], num_wanted=len(wanted))
    tasks = group_by_episode(_of_outdated_kinds(wanted, outdated), records)
    if not tasks:
        return
    num_ranks = count_processes(launcher) * launcher.nnodes
    _require_room(tasks, job, num_ranks)
    shards = balance(tasks, [task.num_frames for task in tasks], num_ranks)
    run_extraction(
        "baselines",
        "acoustic_event_prediction.workers.extract_baselines",
        job.model_copy(update={"shards": shards}),
        launcher,
        shared_folder=job.open_store(KINDS[0]).path.parent,
    )
    for kind, still_outdated in _find_outdated(wanted, job).items():
        require_written(still_outdated, job.open_store(kind))


def _find_outdated(
    wanted: Mapping[str, Wanted], job: BaselineJob
) -> dict[BaselineKind, dict[str, str]]:
    """Return, by kind, the ids whose stored features can't be used, and why."""
    dtype = as_dtype(job.settings.dtype)
    return {
        kind: find_outdated(
            {name: (assignment, made[kind]) for name, (assignment, made) in wanted.items()},
            job.open_store(kind),
            Layout(feature_dim(kind, job.checkpoint.latent_dim), dtype),
        )
        for kind in KINDS
    }


def _of_outdated_kinds(
    wanted: Mapping[str, Wanted], outdated: Mapping[BaselineKind, Mapping[str, str]]
) -> dict[str, Wanted]:
    """Return the assignments that have an outdated kind, with the provenances of those kinds."""
    reduced: dict[str, Wanted] = {}
    for name, (assignment, provenance) in wanted.items():
        made: Provenance = {kind: provenance[kind] for kind in KINDS if name in outdated[kind]}
        if made:
            reduced[name] = (assignment, made)
    return reduced


def _require_room(tasks: Sequence[EpisodeTask], job: BaselineJob, num_ranks: int) -> None:
    for kind in KINDS:
        dim = feature_dim(kind, job.checkpoint.latent_dim)
        require_room(
            [task for task in tasks if any(kind in made for made in task.provenances)],
            job.open_store(kind),
            dim,
            job.settings.dtype,
            num_ranks,
        )
