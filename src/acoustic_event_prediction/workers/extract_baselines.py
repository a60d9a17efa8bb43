"""One torchrun rank of the baselines: makes the features of its share of the episodes."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from acoustic_event_prediction.baselines.extraction import (
    BaselineMaker,
    assignments_per_batch,
    extract_baselines,
)
from acoustic_event_prediction.baselines.kinds import KINDS, BaselineKind
from acoustic_event_prediction.baselines.provenance import baseline_provenance
from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.params import FeatureExtractionParams
from acoustic_event_prediction.speech_lm.batch_size import free_memory
from acoustic_event_prediction.speech_lm.checkpoint import load_mimi
from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint
from acoustic_event_prediction.speech_lm.features import BlockPlan
from acoustic_event_prediction.workers.channel import ChannelWriter
from acoustic_event_prediction.workers.episode_tasks import (
    EpisodeInputs,
    EpisodeTask,
    ShardedJob,
    batches,
    listeners_of,
    own_shard,
)
from acoustic_event_prediction.workers.runtime import Runtime, run_worker


class BaselineJob(ShardedJob):
    """All kinds of baseline features; a task's provenances say by kind what is to be made.

    Catalog entries: audio, turns, words, events, and `<kind>_features` of each kind.
    """

    checkpoint: Checkpoint
    settings: FeatureExtractionParams
    streams: StreamParams

    def describe(
        self,
        assignment: Assignment,
        episode: Episode,
        tables: Mapping[str, pd.DataFrame],
        kinds: Sequence[BaselineKind] = KINDS,
    ) -> dict[str, Any]:
        """Return the provenance of an assignment's features, by kind."""
        return baseline_provenance(
            *(assignment, episode, tables),
            kinds=kinds,
            mimi=self.checkpoint.mimi_identity,
            settings=self.settings,
            streams=self.streams,
        )

    def open_store(self, kind: BaselineKind) -> Any:
        """Return the data set of a kind."""
        return self.open_entry(f"{kind}_features")


def main(job: BaselineJob, runtime: Runtime, channel: ChannelWriter) -> None:
    """Make what is wanted of the episodes of this rank's shard, the longest first."""
    tasks = own_shard(job.shards, runtime)
    if not tasks:
        return
    wanted = _wanted_kinds(tasks)
    kinds = [kind for kind in KINDS if any(kind in of_one for of_one in wanted.values())]

    def describe(
        assignment: Assignment, episode: Episode, tables: Mapping[str, pd.DataFrame]
    ) -> dict[str, Any]:
        return job.describe(assignment, episode, tables, wanted[assignment.assignment_id])

    inputs = EpisodeInputs.of(job, job.streams, describe)
    stores = {kind: job.open_store(kind) for kind in kinds}
    listeners = listeners_of(channel)
    channel.send("log", text=f"making {', '.join(kinds)} on {runtime.device}")
    mimi = load_mimi(job.checkpoint, runtime.device) if "mimi_latents" in kinds else None
    maker = BaselineMaker(runtime.device, mimi)
    free_bytes = free_memory(runtime.device, runtime.local_world_size)

    def batch_size(num_frames: int) -> int:
        settings = job.settings
        plan = BlockPlan.of(num_frames, settings.chunk_frames, settings.reset_every_seconds)
        return assignments_per_batch(maker, plan, free_bytes)

    for batch in batches(tasks, batch_size):
        episodes = inputs.prepare(batch, listeners)
        extract_baselines(episodes, maker, job.settings, stores, listeners)


def _wanted_kinds(tasks: Sequence[EpisodeTask]) -> dict[str, list[BaselineKind]]:
    """Return the kinds to be made of each assignment, by its id."""
    return {
        assignment.assignment_id: [kind for kind in KINDS if kind in provenance]
        for task in tasks
        for assignment, provenance in zip(task.assignments, task.provenances, strict=True)
    }


if __name__ == "__main__":
    run_worker(main, BaselineJob, device=lambda job: job.settings.device)
