"""One torchrun rank of the feature extraction: encodes its share of the episodes."""

from collections.abc import Callable, Sequence
from functools import partial

import torch

from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.params import FeatureExtractionParams
from acoustic_event_prediction.speech_lm.batch_size import assignments_per_batch, free_memory
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM, load_speech_lm
from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint
from acoustic_event_prediction.speech_lm.episode_input import EpisodeInput, Listeners
from acoustic_event_prediction.speech_lm.extraction import extract_batch
from acoustic_event_prediction.speech_lm.features import BlockPlan
from acoustic_event_prediction.speech_lm.provenance import feature_provenance
from acoustic_event_prediction.workers.channel import ChannelWriter
from acoustic_event_prediction.workers.episode_tasks import (
    Describe,
    EpisodeInputs,
    EpisodeTask,
    ShardedJob,
    batches,
    listeners_of,
    own_shard,
)
from acoustic_event_prediction.workers.runtime import Runtime, run_worker


class ExtractionJob(ShardedJob):
    """The whole extraction. Its precision is one of the two."""

    checkpoint: Checkpoint
    settings: FeatureExtractionParams
    streams: StreamParams

    @property
    def describe(self) -> Describe:
        """Gives the provenance of an assignment's features."""
        return partial(
            feature_provenance,
            checkpoint=self.checkpoint.identity,
            settings=self.settings,
            streams=self.streams,
        )


def main(job: ExtractionJob, runtime: Runtime, channel: ChannelWriter) -> None:
    """Encode the episodes of this rank's shard, the longest first."""
    tasks = own_shard(job.shards, runtime)
    if not tasks:
        return
    inputs = EpisodeInputs.of(job, job.streams, job.describe)
    features = job.open_entry("features")

    def encode(episodes: list[EpisodeInput], lm: SpeechLM, listeners: Listeners) -> None:
        extract_batch(episodes, lm, job.settings, features, listeners)

    run_batches(job, tasks, inputs, encode, runtime, channel)


def run_batches(
    job: ExtractionJob,
    tasks: Sequence[EpisodeTask],
    inputs: EpisodeInputs,
    encode: Callable[[list[EpisodeInput], SpeechLM, Listeners], None],
    runtime: Runtime,
    channel: ChannelWriter,
) -> None:
    """Load the models, and give them the tasks in batches, the longest first.

    Args:
        job: checkpoint and settings.
        tasks: of this rank.
        inputs: read what the tasks need.
        encode: what is done with a batch.
        runtime: where the models live.
        channel: told of all that happens.
    """
    listeners = listeners_of(channel)
    where = f"{runtime.device} ({job.settings.precision})"
    channel.send("log", text=f"loading the models on {where}")
    lm = load_speech_lm(job.checkpoint, runtime.device, getattr(torch, job.settings.precision))
    free_bytes = free_memory(runtime.device, runtime.local_world_size)
    for batch in batches(tasks, lambda frames: _batch_size(lm, job.settings, frames, free_bytes)):
        encode(inputs.prepare(batch, listeners), lm, listeners)


def _batch_size(
    lm: SpeechLM, settings: FeatureExtractionParams, num_frames: int, free_bytes: int
) -> int:
    plan = BlockPlan.of(num_frames, settings.chunk_frames, settings.reset_every_seconds)
    return assignments_per_batch(lm, plan, free_bytes)


if __name__ == "__main__":
    run_worker(main, ExtractionJob, device=lambda job: job.settings.device)
