"""The one torchrun rank of the causality check: measures the drawn assignments one by one."""

from pathlib import Path

import torch

from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.frames import FRAME_RATE_HZ
from acoustic_event_prediction.params import CausalityCheckParams, FeatureExtractionParams
from acoustic_event_prediction.speech_lm.causality import measure_delays
from acoustic_event_prediction.speech_lm.checkpoint import load_speech_lm
from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint
from acoustic_event_prediction.workers.channel import ChannelWriter
from acoustic_event_prediction.workers.episode_tasks import EpisodeTask, prepare_episode
from acoustic_event_prediction.workers.runtime import Job, Runtime, run_worker


class CausalityJob(Job):
    """The whole check; each task holds one assignment. Its precision is one of the two."""

    checkpoint: Checkpoint
    settings: FeatureExtractionParams
    streams: StreamParams
    check: CausalityCheckParams
    tasks: list[EpisodeTask]


def main(job: CausalityJob, runtime: Runtime, channel: ChannelWriter) -> None:
    """Measure every assignment and send the result of each."""
    tables = {name: job.open_entry(name) for name in ("turns", "words", "events")}
    root: Path = job.open_entry("audio").root
    channel.send("log", text=f"loading the models on {runtime.device}")
    lm = load_speech_lm(job.checkpoint, runtime.device, getattr(torch, job.settings.precision))
    for task in job.tasks:
        episode = prepare_episode(
            task,
            {
                name: table.partition(task.episode.episode_id).load()
                for name, table in tables.items()
            },
            root,
            job.streams,
        )
        measurement = measure_delays(
            episode,
            task.assignments[0].source,
            lm,
            job.settings,
            job.check,
            on_frames=lambda frames: channel.send("progress", amount=frames / FRAME_RATE_HZ),
        )
        channel.send("result", measurement=measurement.model_dump())


if __name__ == "__main__":
    run_worker(main, CausalityJob, device=lambda job: job.settings.device)
