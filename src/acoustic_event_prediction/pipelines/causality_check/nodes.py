"""Node of the causality_check pipeline."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from acoustic_event_prediction.assignments import require_audio
from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.devices import decide_precision
from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.frames import FRAME_RATE_HZ
from acoustic_event_prediction.params import (
    CausalityCheckParams,
    CheckpointParams,
    FeatureExtractionParams,
    LauncherParams,
)
from acoustic_event_prediction.pipelines.causality_check.report import build_report, build_table
from acoustic_event_prediction.progress import Advance, track
from acoustic_event_prediction.speech_lm.causality import (
    PROBES,
    TEXT_SETTINGS,
    Measurement,
)
from acoustic_event_prediction.speech_lm.causality_points import (
    FEWEST_FRAMES,
    count_excerpt_frames,
    draw_assignments,
)
from acoustic_event_prediction.speech_lm.checkpoint_files import locate_checkpoint
from acoustic_event_prediction.workers.channel import Message
from acoustic_event_prediction.workers.check_causality import CausalityJob
from acoustic_event_prediction.workers.episode_tasks import EpisodeTask
from acoustic_event_prediction.workers.launch import run_workers

logger = logging.getLogger(__name__)

Records = Mapping[str, Callable[[], dict[str, Any]]]
Tables = Mapping[str, Callable[[], pd.DataFrame]]


class CausalityResult(NamedTuple):
    """What was measured, in full and as a table; in this order they are saved."""

    causality_report: dict[str, Any]
    causality_table: pd.DataFrame


def check_causality(
    assignments: Records,
    audio: Mapping[str, Callable[[], Any]],
    episodes: Records,
    events: Tables,
    turns: Tables,
    words: Tables,
    causality_check: CausalityCheckParams,
    feature_extraction: FeatureExtractionParams,
    streams: StreamParams,
    shift_frames: int,
    checkpoint: CheckpointParams,
    launcher: LauncherParams,
    worker_catalog: Mapping[str, dict[str, Any]],
) -> CausalityResult:
    """Have one torchrun worker measure how far the features of some assignments look ahead.

    Args:
        assignments: who is user and system, by `<split>/<episode>/<user>`.
        audio: the recordings that are there; decoded by the worker, not here.
        episodes: audio files and lengths, by `<split>/<episode>`.
        events: read by the worker through the same catalog entry; here so that it is complete.
        turns: likewise.
        words: of the system; assignments with words are drawn first.
        causality_check: how many assignments, points and seconds.
        feature_extraction: how the streams are encoded; every text setting is measured.
        streams: how the streams are made.
        shift_frames: horizon in frames, for the lead of the labels.
        checkpoint: which Moshi and Mimi.
        launcher: of it, what concerns one process.
        worker_catalog: the run's resolved catalog.

    Raises:
        CheckpointError: the model files are missing.
        CorpusError: no assignment is long enough, or there is none.
        AudioError: recordings that were ingested are gone.
        WorkerError: the worker failed.
    """
    located = locate_checkpoint(checkpoint)
    settings = decide_precision(feature_extraction)
    records = {name: Episode.model_validate(load()) for name, load in episodes.items()}
    drawn = _draw(assignments, words, causality_check)
    require_audio(drawn, records, audio)
    job = CausalityJob(
        catalog={name: worker_catalog[name] for name in ("audio", "turns", "words", "events")},
        checkpoint=located,
        settings=settings,
        streams=streams,
        check=causality_check,
        tasks=[
            EpisodeTask(
                episode=records[assignment.episode_id], assignments=[assignment], provenances=[{}]
            )
            for assignment in drawn
        ],
    )
    report = build_report(
        _measure(job, launcher),
        current=feature_extraction.text,
        shift_frames=shift_frames,
        ran_with={
            "checkpoint": located.identity,
            "causality_check": causality_check.model_dump(),
            "streams": streams.model_dump(),
            "feature_extraction": settings.model_dump(),
        },
    )
    if report["tolerance"]:
        logger.info(
            "rounding: changes up to %.2g of the features' root mean square count as none",
            report["tolerance"],
        )
    return CausalityResult(report, build_table(report))


def _draw(assignments: Records, words: Tables, check: CausalityCheckParams) -> Sequence[Assignment]:
    """Return some of the assignments that are long enough, those with words first."""
    if not assignments:
        raise CorpusError(
            "there are no assignments to check; run `kedro run --pipelines ingestion` on a corpus "
            "that has episodes"
        )
    records = {name: Assignment.model_validate(load()) for name, load in assignments.items()}
    has_words = {
        name: _speaks(words[assignment.episode_id](), assignment, check.seconds)
        for name, assignment in records.items()
        if count_excerpt_frames(assignment.num_frames, check.seconds) >= FEWEST_FRAMES
    }
    if not has_words:
        longest = max(
            count_excerpt_frames(assignment.num_frames, check.seconds)
            for assignment in records.values()
        )
        raise CorpusError(
            f"the longest excerpt of {len(records)} assignments has {longest} frames, the "
            f"causality check needs {FEWEST_FRAMES} (0.8 s); causality_check.seconds is "
            f"{check.seconds:g}"
        )
    return [records[name] for name in draw_assignments(has_words, check.episodes, check.seed)]


def _speaks(words: pd.DataFrame, assignment: Assignment, seconds: float) -> bool:
    spoken = words["speaker"].isin(assignment.systems) & (words["offset"] < seconds)
    return bool(spoken.any())


def _measure(job: CausalityJob, launcher: LauncherParams) -> list[Measurement]:
    measurements: list[Measurement] = []
    # Each batch holds a row per point and the unchanged excerpt twice.
    num_rows = len(TEXT_SETTINGS) * len(PROBES) * (job.check.points + 2)
    num_frames = sum(count_excerpt_frames(task.num_frames, job.check.seconds) for task in job.tasks)
    with track("checking causality", num_rows * num_frames / FRAME_RATE_HZ, "audio s") as advance:
        run_workers(
            "acoustic_event_prediction.workers.check_causality",
            job,
            launcher.model_copy(update={"nproc_per_node": 1, "nnodes": 1, "node_rank": 0}),
            on_message=lambda message: _hear(message, advance, measurements),
        )
    return measurements


def _hear(message: Message, advance: Advance, measurements: list[Measurement]) -> None:
    if message["kind"] == "progress":
        advance(message["amount"])
    elif message["kind"] == "result":
        measurements.append(Measurement.model_validate(message["measurement"]))
    elif message["kind"] == "log":
        logger.info("rank %d: %s", message["rank"], message["text"])
