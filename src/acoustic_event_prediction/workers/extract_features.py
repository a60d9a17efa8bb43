"""One torchrun rank of the feature extraction: encodes its share of the episodes."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict

from acoustic_event_prediction.comparison import differences
from acoustic_event_prediction.corpus.content import is_unchanged
from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.errors import AudioError, CorpusError, ProjectError, WorkerError
from acoustic_event_prediction.frames import FRAME_RATE_HZ
from acoustic_event_prediction.params import FeatureExtractionParams, StreamParams
from acoustic_event_prediction.speech_lm.batch_size import assignments_per_batch, free_memory
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM, load_speech_lm
from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint
from acoustic_event_prediction.speech_lm.episode_input import (
    AssignmentInput,
    EpisodeInput,
    Listeners,
)
from acoustic_event_prediction.speech_lm.extraction import extract_batch
from acoustic_event_prediction.speech_lm.features import BlockPlan
from acoustic_event_prediction.speech_lm.provenance import (
    LAUGHTER,
    feature_provenance,
)
from acoustic_event_prediction.speech_lm.sources import EpisodeAudio
from acoustic_event_prediction.speech_lm.streams import Span, pair_streams
from acoustic_event_prediction.speech_lm.words import Word
from acoustic_event_prediction.workers.channel import ChannelWriter
from acoustic_event_prediction.workers.runtime import Job, Runtime, run_worker


class EpisodeTask(BaseModel):
    """One episode, with those of its assignments whose features are to be made."""

    model_config = ConfigDict(frozen=True)

    episode: Episode
    assignments: list[Assignment]
    provenances: list[dict[str, Any]]

    @property
    def num_frames(self) -> int:
        """Work, in frames summed over the assignments."""
        return self.episode.num_frames * len(self.assignments)

    def divided(self, most: int) -> list["EpisodeTask"]:
        """Return tasks of the same episode with at most so many assignments each."""
        return [
            EpisodeTask(
                episode=self.episode,
                assignments=self.assignments[start : start + most],
                provenances=self.provenances[start : start + most],
            )
            for start in range(0, len(self.assignments), most)
        ]


class ExtractionJob(Job):
    """The whole extraction; each rank takes its own shard. Its precision is one of the two."""

    decided_by_node_0 = frozenset({"shards"})

    checkpoint: Checkpoint
    settings: FeatureExtractionParams
    streams: StreamParams
    shards: list[list[EpisodeTask]]


def main(job: ExtractionJob, runtime: Runtime, channel: ChannelWriter) -> None:
    """Encode the episodes of this rank's shard, the longest first."""
    if len(job.shards) != runtime.world_size:
        raise WorkerError(
            f"the work is divided for {len(job.shards)} processes, but {runtime.world_size} have "
            "started: the nodes differ in their number; give all the same launcher.nproc_per_node"
        )
    tasks = job.shards[runtime.rank]
    if not tasks:
        return
    tables = {name: job.open_entry(name) for name in ("turns", "words", "events")}
    root: Path = job.open_entry("audio").root
    features = job.open_entry("features")
    listeners = Listeners(
        on_failure=lambda episode_id, error: channel.send(
            "failure", episode=episode_id, error=str(error)
        ),
        on_frames=lambda episode_id, num_frames: channel.send(
            "progress", episode=episode_id, amount=num_frames / FRAME_RATE_HZ
        ),
    )
    where = f"{runtime.device} ({job.settings.precision})"
    channel.send("log", text=f"loading the models on {where}")
    lm = load_speech_lm(job.checkpoint, runtime.device, getattr(torch, job.settings.precision))
    free_bytes = free_memory(runtime.device, runtime.local_world_size)
    for batch in batches(tasks, lambda frames: _batch_size(lm, job.settings, frames, free_bytes)):
        episodes = []
        for task in batch:
            try:
                inputs = {
                    name: table.partition(task.episode.episode_id).load()
                    for name, table in tables.items()
                }
                _require_provenance(task, inputs, root, job)
            except ProjectError as error:
                listeners.on_failure(task.episode.episode_id, error)
                continue
            episodes.append(prepare_episode(task, inputs, root, job.streams))
        extract_batch(episodes, lm, job.settings, features, listeners)


def _require_provenance(
    task: EpisodeTask, tables: Mapping[str, pd.DataFrame], root: Path, job: ExtractionJob
) -> None:
    """Check that what will be read is what the features' provenance says.

    Raises:
        AudioError: an audio file is not the ingested one.
        CorpusError: the tables have changed since the run began.
    """
    separated = task.assignments[0].source == "separated"
    for file in task.episode.tracks.values() if separated else [task.episode.audio]:
        path = root / file.path
        try:
            unchanged = is_unchanged(file, root)
        except OSError as error:
            raise AudioError(f"{path} can't be read: {error}") from error
        if not unchanged:
            raise AudioError(
                f"{path} has changed since it was ingested; run `kedro run --pipelines "
                "ingestion,feature_extraction`"
            )
    for assignment, provenance in zip(task.assignments, task.provenances, strict=True):
        now = feature_provenance(
            *(assignment, task.episode, tables),
            checkpoint=job.checkpoint.identity,
            settings=job.settings,
            streams=job.streams,
        )
        if now != provenance:
            raise CorpusError(
                f"{', '.join(differences(provenance, now))} has changed while the run was going "
                "on: another run has ingested the corpus; run again"
            )


def _batch_size(
    lm: SpeechLM, settings: FeatureExtractionParams, num_frames: int, free_bytes: int
) -> int:
    plan = BlockPlan.of(num_frames, settings.chunk_frames, settings.reset_every_seconds)
    return assignments_per_batch(lm, plan, free_bytes)


def batches(
    tasks: Sequence[EpisodeTask], batch_size: Callable[[int], int]
) -> Iterator[list[EpisodeTask]]:
    """Yield the tasks in batches, the longest first, so that similar lengths run side by side.

    The batches are about equally full: a last one with few assignments would be slow for its size.
    A task with more assignments than a batch may hold is divided.

    Args:
        tasks: in any order.
        batch_size: most assignments of a batch, by the frames of its longest episode.
    """
    waiting = sorted(tasks, key=lambda task: task.episode.num_frames, reverse=True)
    while waiting:
        most = batch_size(waiting[0].episode.num_frames)
        num_assignments = sum(len(task.assignments) for task in waiting)
        size = math.ceil(num_assignments / math.ceil(num_assignments / most))
        first, *rest = waiting[0].divided(most)
        batch, waiting = [first], [*rest, *waiting[1:]]
        held = len(first.assignments)
        while waiting and held + len(waiting[0].assignments) <= size:
            batch.append(waiting.pop(0))
            held += len(batch[-1].assignments)
        yield batch


def prepare_episode(
    task: EpisodeTask, tables: dict[str, pd.DataFrame], root: Path, streams: StreamParams
) -> EpisodeInput:
    """Return what the extraction needs of an episode: files, time spans, the system's words.

    Args:
        task: the episode and its assignments, all of one source.
        tables: `turns`, `words` and `events` of the episode.
        root: folder of the corpus.
        streams: parameters of the streams.
    """
    episode, source = task.episode, task.assignments[0].source
    turns, words, events = tables["turns"], tables["words"], tables["events"]
    separated = source == "separated"
    audio = EpisodeAudio(
        mix=None if separated else root / episode.audio.path,
        tracks={name: root / file.path for name, file in episode.tracks.items()}
        if separated
        else {},
        turns={str(speaker): _spans(rows) for speaker, rows in turns.groupby("speaker")},
        laughs=_spans(events[events["label"] == LAUGHTER]),
    )
    return EpisodeInput(
        episode_id=episode.episode_id,
        num_frames=episode.num_frames,
        audio=audio,
        assignments=[
            AssignmentInput(
                assignment_id=assignment.assignment_id,
                streams=pair_streams(assignment.user, assignment.systems, streams.mask_laughter),
                words=_words(words[words["speaker"].isin(assignment.systems)]),
                provenance=provenance,
            )
            for assignment, provenance in zip(task.assignments, task.provenances, strict=True)
        ],
    )


def _spans(table: pd.DataFrame) -> list[Span]:
    return list(zip(table["onset"].tolist(), table["offset"].tolist(), strict=True))


def _words(table: pd.DataFrame) -> list[Word]:
    columns = (table[name].tolist() for name in ("text", "onset", "offset"))
    return [Word(*values) for values in zip(*columns, strict=True)]


if __name__ == "__main__":
    run_worker(main, ExtractionJob, device=lambda job: job.settings.device)
