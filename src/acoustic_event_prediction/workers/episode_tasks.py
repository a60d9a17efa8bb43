"""A rank's share of the episodes: what is to be made of each, checked, and read for it."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict

from acoustic_event_prediction.comparison import differences
from acoustic_event_prediction.corpus.content import is_unchanged
from acoustic_event_prediction.corpus.records import Assignment, AudioFile, Episode
from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.errors import AudioError, CorpusError, ProjectError, WorkerError
from acoustic_event_prediction.frames import FRAME_RATE_HZ
from acoustic_event_prediction.speech_lm.episode_input import (
    AssignmentInput,
    EpisodeInput,
    Listeners,
    laugh_spans,
    turn_spans,
    words_of,
)
from acoustic_event_prediction.speech_lm.sources import EpisodeAudio
from acoustic_event_prediction.speech_lm.streams import pair_streams
from acoustic_event_prediction.workers.channel import ChannelWriter
from acoustic_event_prediction.workers.runtime import Job, Runtime

T = TypeVar("T")
Describe = Callable[[Assignment, Episode, Mapping[str, pd.DataFrame]], dict[str, Any]]


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


class ShardedJob(Job):
    """Episodes, divided among the ranks: each takes its own shard."""

    decided_by_node_0 = frozenset({"shards"})

    shards: list[list[EpisodeTask]]


def own_shard(shards: Sequence[list[T]], runtime: Runtime) -> list[T]:
    """Return the tasks of this rank.

    Args:
        shards: one for each rank.
        runtime: says which rank this is.

    Raises:
        WorkerError: the work is divided for another number of ranks.
    """
    if len(shards) != runtime.world_size:
        raise WorkerError(
            f"the work is divided for {len(shards)} processes, but {runtime.world_size} have "
            "started: the nodes differ in their number; give all the same launcher.nproc_per_node"
        )
    return shards[runtime.rank]


def listeners_of(channel: ChannelWriter) -> Listeners:
    """Return listeners that tell the launcher."""
    return Listeners(
        on_failure=lambda episode_id, error: channel.send(
            "failure", episode=episode_id, error=str(error)
        ),
        on_frames=lambda episode_id, num_frames: channel.send(
            "progress", episode=episode_id, amount=num_frames / FRAME_RATE_HZ
        ),
        on_stored=lambda episode_id, num_assignments: channel.send(
            "stored", episode=episode_id, assignments=num_assignments
        ),
    )


@dataclass(frozen=True)
class EpisodeInputs:
    """Where the episodes of a job are read from, and what their features are made from.

    Attributes:
        tables: data sets `turns`, `words` and `events`, by name.
        root: folder of the corpus.
        streams: parameters of the streams.
        describe: gives the provenance of an assignment's features.
    """

    tables: Mapping[str, Any]
    root: Path
    streams: StreamParams
    describe: Describe

    @classmethod
    def of(cls, job: Job, streams: StreamParams, describe: Describe) -> Self:
        """Open the catalog entries of a job."""
        tables = {name: job.open_entry(name) for name in ("turns", "words", "events")}
        return cls(tables, job.open_entry("audio").root, streams, describe)

    def prepare(self, batch: Sequence[EpisodeTask], listeners: Listeners) -> list[EpisodeInput]:
        """Return the episodes of a batch; one that has changed is reported and left out."""
        episodes = []
        for task in batch:
            name = task.episode.episode_id
            try:
                tables = {table: self.tables[table].partition(name).load() for table in self.tables}
                require_unchanged(task, tables, self.root, self.describe)
            except ProjectError as error:
                listeners.on_failure(name, error)
                continue
            episodes.append(prepare_episode(task, tables, self.root, self.streams))
        return episodes


def require_unchanged(
    task: EpisodeTask, tables: Mapping[str, pd.DataFrame], root: Path, describe: Describe
) -> None:
    """Check that what will be read is what the features' provenance says.

    Args:
        task: with the provenances that are to be written.
        tables: `turns`, `words` and `events` of the episode, as they are now.
        root: folder of the corpus.
        describe: gives the provenance of what is there now.

    Raises:
        AudioError: an audio file is not the ingested one.
        CorpusError: the tables have changed since the run began.
    """
    separated = task.assignments[0].source == "separated"
    for file in task.episode.tracks.values() if separated else [task.episode.audio]:
        require_unchanged_file(file, root)
    for assignment, provenance in zip(task.assignments, task.provenances, strict=True):
        now = describe(assignment, task.episode, tables)
        if now != provenance:
            raise CorpusError(
                f"{', '.join(differences(provenance, now))} has changed while the run was going "
                "on: another run has read the files anew; run again"
            )


def require_unchanged_file(file: AudioFile, root: Path) -> None:
    """Check by content that an audio file is the ingested one.

    Args:
        file: what ingestion has found.
        root: folder of the corpus.

    Raises:
        AudioError: it is not, or can't be read.
    """
    path = file.locate(root)
    try:
        unchanged = is_unchanged(file, root)
    except OSError as error:
        raise AudioError(f"{path} can't be read: {error}") from error
    if not unchanged:
        raise AudioError(
            f"{path} has changed since it was read; of a corpus, run `kedro run --pipelines "
            "ingestion`, and then this again"
        )


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
    episode = task.episode
    separated = task.assignments[0].source == "separated"
    tracks = {name: file.locate(root) for name, file in episode.tracks.items()}
    audio = EpisodeAudio(
        mix=None if separated else episode.audio.locate(root),
        tracks=tracks if separated else {},
        turns=turn_spans(tables["turns"]),
        laughs=laugh_spans(tables["events"]),
    )
    return EpisodeInput(
        episode_id=episode.episode_id,
        num_frames=episode.num_frames,
        audio=audio,
        assignments=[
            AssignmentInput(
                assignment_id=assignment.assignment_id,
                streams=pair_streams(assignment.user, assignment.systems, streams.mask_laughter),
                words=words_of(tables["words"], assignment.systems),
                provenance=provenance,
            )
            for assignment, provenance in zip(task.assignments, task.provenances, strict=True)
        ],
    )
