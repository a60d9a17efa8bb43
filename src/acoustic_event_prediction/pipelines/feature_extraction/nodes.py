"""Nodes of the feature_extraction pipeline."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from acoustic_event_prediction.assignments import (
    require_audio,
    require_source,
    require_unchanged_audio,
)
from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.devices import decide_precision
from acoustic_event_prediction.frame_arrays import as_dtype
from acoustic_event_prediction.params import (
    CheckpointParams,
    FeatureExtractionParams,
    LauncherParams,
)
from acoustic_event_prediction.speech_lm.checkpoint_files import locate_checkpoint
from acoustic_event_prediction.speech_lm.provenance import common_provenance
from acoustic_event_prediction.workers.disk_room import report_unwanted, require_room
from acoustic_event_prediction.workers.episode_run import (
    group_by_episode,
    read_wanted,
    run_extraction,
)
from acoustic_event_prediction.workers.extract_features import ExtractionJob
from acoustic_event_prediction.workers.launch import count_processes
from acoustic_event_prediction.workers.sharding import balance
from acoustic_event_prediction.workers.stored_features import (
    Layout,
    Provenance,
    find_outdated,
    log_outdated,
    require_written,
)

Records = Mapping[str, Callable[[], dict[str, Any]]]
Tables = Mapping[str, Callable[[], pd.DataFrame]]


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
    job = ExtractionJob(
        catalog={
            name: worker_catalog[name] for name in ("audio", "turns", "words", "events", "features")
        },
        checkpoint=located,
        settings=settings,
        streams=streams,
        shards=[],
    )
    records = {name: Episode.model_validate(load()) for name, load in episodes.items()}
    wanted = read_wanted(
        assignments,
        records,
        {"events": events, "turns": turns, "words": words},
        job.describe,
    )
    checked = [assignment for assignment, _ in wanted.values()]
    require_source(checked, streams.source)
    require_audio(checked, records, audio)
    require_unchanged_audio(checked, records, job.open_entry("audio").root)
    store = job.open_entry("features")
    report_unwanted(wanted, store)
    layout = Layout(located.feature_dim, as_dtype(settings.dtype))
    outdated = find_outdated(wanted, store, layout)
    log_outdated("features", outdated, num_wanted=len(wanted))
    tasks = group_by_episode({name: wanted[name] for name in outdated}, records)
    if tasks:
        num_ranks = count_processes(launcher) * launcher.nnodes
        require_room(tasks, store, located.feature_dim, settings.dtype, num_ranks)
        shards = balance(tasks, [task.num_frames for task in tasks], num_ranks)
        run_extraction(
            "features",
            "acoustic_event_prediction.workers.extract_features",
            job.model_copy(update={"shards": shards}),
            launcher,
            shared_folder=store.path.parent,
        )
        require_written(find_outdated(wanted, store, layout), store)
    summary = common_provenance(located.identity, settings, streams)
    return FeatureResult(summary, sorted(wanted))
