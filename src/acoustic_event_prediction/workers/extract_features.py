"""One torchrun rank of the feature extraction: encodes its share of the episodes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.frames import FRAME_RATE_HZ
from acoustic_event_prediction.params import FeatureExtractionParams, StreamParams
from acoustic_event_prediction.speech_lm.checkpoint import Checkpoint, load_speech_lm
from acoustic_event_prediction.speech_lm.extraction import (
    AssignmentInput,
    EpisodeInput,
    Listeners,
    extract_batch,
)
from acoustic_event_prediction.speech_lm.provenance import LAUGHTER
from acoustic_event_prediction.speech_lm.sources import EpisodeAudio
from acoustic_event_prediction.speech_lm.streams import Span, pair_streams
from acoustic_event_prediction.speech_lm.words import Word
from acoustic_event_prediction.workers.channel import ChannelWriter
from acoustic_event_prediction.workers.runtime import Job, Runtime, run_worker

# A pass over fewer frames leaves the weights' way from memory to the arithmetic units unpaid for.
_FRAMES_PER_PASS = 2048


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


class ExtractionJob(Job):
    """The whole extraction; each rank takes its own shard."""

    checkpoint: Checkpoint
    settings: FeatureExtractionParams
    streams: StreamParams
    shards: list[list[EpisodeTask]]


def main(job: ExtractionJob, runtime: Runtime, channel: ChannelWriter) -> None:
    """Encode the episodes of this rank's shard, the longest first."""
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
    channel.send("log", text=f"loading the models on {runtime.device}")
    lm = load_speech_lm(job.checkpoint, runtime.device)
    for batch in _batches(tasks, max(1, _FRAMES_PER_PASS // job.settings.chunk_frames)):
        episodes = [
            prepare_episode(
                task,
                {
                    name: table.partition(task.episode.episode_id).load()
                    for name, table in tables.items()
                },
                root,
                job.streams,
            )
            for task in batch
        ]
        extract_batch(episodes, lm, job.settings, features, listeners)


def _batches(tasks: Sequence[EpisodeTask], size: int) -> Iterator[list[EpisodeTask]]:
    """Yield episodes of similar length together, up to `size` assignments (or one episode)."""
    batch: list[EpisodeTask] = []
    for task in sorted(tasks, key=lambda task: task.episode.num_frames, reverse=True):
        held = sum(len(other.assignments) for other in batch)
        if batch and held + len(task.assignments) > size:
            yield batch
            batch = []
        batch.append(task)
    if batch:
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
