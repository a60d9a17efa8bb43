"""One torchrun rank of the prediction: hears its share of the recordings, and keeps the scores."""

import contextlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.errors import WorkerError
from acoustic_event_prediction.frame_arrays import Array, FrameArrayWriter
from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.episode_input import (
    AssignmentInput,
    EpisodeInput,
    FeatureStore,
    Listeners,
)
from acoustic_event_prediction.speech_lm.extraction import encode_batch
from acoustic_event_prediction.workers.channel import ChannelWriter
from acoustic_event_prediction.workers.episode_tasks import EpisodeInputs, own_shard
from acoustic_event_prediction.workers.extract_features import ExtractionJob, run_batches
from acoustic_event_prediction.workers.runtime import Runtime, run_worker


class ScoringJob(ExtractionJob):
    """All recordings that are to be heard. Catalog entries: turns, words, events, scores.

    Attributes:
        root: folder of the recordings.
        predictor: its file.
        fingerprint: of the predictor that was checked.
    """

    root: Path
    predictor: Path
    fingerprint: str

    def describe_scores(
        self, assignment: Assignment, episode: Episode, tables: Mapping[str, pd.DataFrame]
    ) -> dict[str, Any]:
        """Return the provenance of an assignment's scores."""
        features = self.describe(assignment, episode, tables)
        return {**features, "predictor": self.fingerprint}


def main(job: ScoringJob, runtime: Runtime, channel: ChannelWriter) -> None:
    """Score the recordings of this rank's shard, the longest first; features are not kept."""
    tasks = own_shard(job.shards, runtime)
    if not tasks:
        return
    predictor = Predictor.load(job.predictor)
    if predictor.fingerprint != job.fingerprint:
        raise WorkerError(f"{job.predictor} has changed while the run was going on; run again")
    tables = {name: job.open_entry(name) for name in ("turns", "words", "events")}
    inputs = EpisodeInputs(tables, job.root, job.streams, job.describe_scores)
    open_writer = partial(_open_writer, job.open_entry("scores"), predictor)

    def encode(episodes: list[EpisodeInput], lm: SpeechLM, listeners: Listeners) -> None:
        encode_batch(episodes, lm, job.settings, open_writer, listeners)

    run_batches(job, tasks, inputs, encode, runtime, channel)


class _ScoreWriter:
    """Takes features block by block, and writes what the predictor makes of them."""

    def __init__(self, predictor: Predictor, scores: FrameArrayWriter) -> None:
        self._predictor = predictor
        self._scores = scores

    def append(self, rows: Array) -> None:
        """Score the next rows, [t, D]."""
        self._scores.append(self._predictor.horizon_scores(rows))


def _open_writer(
    store: FeatureStore,
    predictor: Predictor,
    episode: EpisodeInput,
    assignment: AssignmentInput,
    files: contextlib.ExitStack,
) -> _ScoreWriter:
    writer = FrameArrayWriter(
        files.enter_context(store.writing(assignment.assignment_id)),
        (episode.num_frames, len(predictor.header.horizons)),
        np.dtype(np.float32),
        assignment.provenance,
    )
    return _ScoreWriter(predictor, files.enter_context(writer))


if __name__ == "__main__":
    run_worker(main, ScoringJob, device=lambda job: job.settings.device)
