"""The node that has workers score the recordings, and writes what came out of each."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.errors import WorkerError
from acoustic_event_prediction.frame_arrays import as_dtype
from acoustic_event_prediction.frames import FRAME_RATE_HZ
from acoustic_event_prediction.params import LauncherParams, PredictionParams
from acoustic_event_prediction.pipelines.prediction.nodes import PredictionSetup, RecordingNotes
from acoustic_event_prediction.pipelines.prediction.outcomes import Outcome, summarise
from acoustic_event_prediction.pipelines.prediction.outputs import HeardRecording, OutputWriter
from acoustic_event_prediction.prediction.recordings import SPLIT
from acoustic_event_prediction.workers.episode_run import (
    Work,
    group_by_episode,
    read_wanted,
    run_by_episode,
)
from acoustic_event_prediction.workers.episode_tasks import EpisodeTask
from acoustic_event_prediction.workers.launch import count_processes
from acoustic_event_prediction.workers.score_recordings import ScoringJob
from acoustic_event_prediction.workers.sharding import balance
from acoustic_event_prediction.workers.stored_features import (
    Layout,
    Wanted,
    find_outdated,
    log_outdated,
    require_written,
)

logger = logging.getLogger(__name__)

Records = Mapping[str, Callable[[], dict[str, Any]]]
Tables = Mapping[str, Callable[[], pd.DataFrame]]
_WORKER = "acoustic_event_prediction.workers.score_recordings"


class PredictionResult(NamedTuple):
    """Ids of all stored scores, names of the written folders, and what became of each recording."""

    scores: list[str]
    folders: list[str]
    summary: pd.DataFrame


def predict(
    setup: PredictionSetup,
    notes: RecordingNotes,
    episodes: Records,
    assignments: Records,
    events: Tables,
    turns: Tables,
    words: Tables,
    params: PredictionParams,
    launcher: LauncherParams,
    worker_catalog: Mapping[str, dict[str, Any]],
) -> PredictionResult:
    """Score the recordings, and write the folder of each as soon as its scores are there.

    Scores that are there already, of the same audio, predictor and settings, are used again. One
    recording that fails does not stop the others.

    Args:
        setup: predictor, checkpoint and rule.
        notes: of all recordings.
        episodes: records by id, of those that can be heard.
        assignments: who is user and system, by id.
        events: laughs that are masked.
        turns: for masking a mix.
        words: for the text stream.
        params: of these, how much sound a page holds.
        launcher: processes; on one machine.
        worker_catalog: the run's resolved catalog.

    Raises:
        WorkerError: a rank failed.
    """
    if launcher.nnodes > 1:
        raise WorkerError("prediction runs on one machine; give launcher.nnodes=1")
    records = {name: Episode.model_validate(load()) for name, load in episodes.items()}
    job = _make_job(setup, notes, worker_catalog)
    wanted = read_wanted(
        assignments,
        records,
        {"events": events, "turns": turns, "words": words},
        job.describe_scores,
    )
    recordings = _by_recording(wanted, records)
    run = _Run(setup, job, wanted, recordings)
    folders = job.open_entry("folders")
    writer = OutputWriter(setup, notes, params.report, run.store, folders)
    try:
        with writer:
            failures = run.score(launcher, writer)
            outcomes = writer.outcomes()
    except BaseException:
        logger.warning(
            "interrupted: %d of %d recordings are finished, and kept in %s; the same command goes "
            "on with the others",
            *(writer.num_finished, len(recordings), folders.path),
        )
        raise
    outcomes |= {name: Outcome("failed", problem=text) for name, text in failures.items()}
    return _conclude(notes, recordings, outcomes, folders.path)


def _conclude(
    notes: RecordingNotes,
    recordings: Mapping[str, HeardRecording],
    outcomes: Mapping[str, Outcome],
    folder: Any,
) -> PredictionResult:
    sources = {name: item.assignments[0].source for name, item in recordings.items()}
    records = {name: item.episode for name, item in recordings.items()}
    summary = summarise(notes, records, sources, outcomes)
    for name, outcome in outcomes.items():
        if outcome.status == "failed":
            logger.warning("failed: %s: %s", name.removeprefix(f"{SPLIT}/"), outcome.problem)
    counts = Counter(summary["status"])
    logger.info("recordings: %s; in %s", dict(counts), folder)
    made = sorted(name for name, outcome in outcomes.items() if outcome.status != "failed")
    ids = [item.assignment_id for name in made for item in recordings[name].assignments]
    return PredictionResult(sorted(ids), [name.removeprefix(f"{SPLIT}/") for name in made], summary)


def _make_job(
    setup: PredictionSetup, notes: RecordingNotes, worker_catalog: Mapping[str, dict[str, Any]]
) -> ScoringJob:
    entries = {
        "turns": "prediction_turns",
        "words": "prediction_words",
        "events": "prediction_events",
        "scores": "prediction_scores",
        "folders": "recording_predictions",
    }
    return ScoringJob(
        catalog={role: worker_catalog[name] for role, name in entries.items()},
        checkpoint=setup.checkpoint,
        settings=setup.requirements.settings,
        streams=setup.requirements.streams,
        shards=[],
        root=notes.root.absolute(),
        predictor=setup.path.absolute(),
        fingerprint=setup.predictor.fingerprint,
    )


def _by_recording(
    wanted: Mapping[str, Wanted], records: Mapping[str, Episode]
) -> dict[str, HeardRecording]:
    pairs: dict[str, list[Wanted]] = {}
    for pair in wanted.values():
        pairs.setdefault(pair[0].episode_id, []).append(pair)
    return {
        name: HeardRecording(
            records[name],
            [assignment for assignment, _ in of_one],
            [provenance for _, provenance in of_one],
        )
        for name, of_one in pairs.items()
    }


class _Run:
    """Scores what is not scored yet, and hands each recording on when it is complete.

    Attributes:
        store: data set of the scores.
        waiting: assignments that are still to be stored, by id of the recording.
    """

    def __init__(
        self,
        setup: PredictionSetup,
        job: ScoringJob,
        wanted: Mapping[str, Wanted],
        recordings: Mapping[str, HeardRecording],
    ) -> None:
        self._job = job
        self._wanted = wanted
        self._recordings = recordings
        self._layout = Layout(len(setup.predictor.header.horizons), as_dtype("float32"))
        self.store = job.open_entry("scores")
        self.waiting: Counter[str] = Counter()

    def score(self, launcher: LauncherParams, writer: OutputWriter) -> dict[str, str]:
        """Have the workers score, and return why recordings failed, by id."""
        outdated = find_outdated(self._wanted, self.store, self._layout)
        log_outdated("scores", outdated, len(self._wanted))
        self.waiting = Counter(self._wanted[name][0].episode_id for name in outdated)
        for name, recording in self._recordings.items():
            if name not in self.waiting:
                writer.submit(recording)
        if not outdated:
            return {}
        records = {name: recording.episode for name, recording in self._recordings.items()}
        tasks = group_by_episode({name: self._wanted[name] for name in outdated}, records)

        def on_stored(name: str, num_assignments: int) -> None:
            self.waiting[name] -= num_assignments
            if not self.waiting[name]:
                del self.waiting[name]
                writer.submit(self._recordings[name])

        shards = balance(tasks, [task.num_frames for task in tasks], count_processes(launcher))
        failures = run_by_episode(
            Work("predicting", "prediction", "scored", _seconds(tasks)),
            _WORKER,
            self._job.model_copy(update={"shards": shards}),
            launcher,
            shared_folder=self.store.path.parent,
            on_stored=on_stored,
        )
        still = find_outdated(self._wanted, self.store, self._layout)
        failed = {name for name, (item, _) in self._wanted.items() if item.episode_id in failures}
        require_written(
            {name: why for name, why in still.items() if name not in failed}, self.store
        )
        return failures


def _seconds(tasks: list[EpisodeTask]) -> float:
    return sum(task.num_frames for task in tasks) / FRAME_RATE_HZ
