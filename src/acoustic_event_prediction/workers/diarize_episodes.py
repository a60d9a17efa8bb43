"""One torchrun rank of the diarization: finds who speaks when in its share of the episodes."""

import time
from collections.abc import Callable

from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.corpus.turns import found_table
from acoustic_event_prediction.corpus_params import DiarizationParams
from acoustic_event_prediction.diarization import find_turns, load_diarizer, model_origin
from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.workers.channel import ChannelWriter
from acoustic_event_prediction.workers.episode_tasks import own_shard, require_unchanged_file
from acoustic_event_prediction.workers.runtime import Job, Runtime, run_worker

_BEAT_SECONDS = 5.0


class DiarizationJob(Job):
    """All episodes that are to be diarized. Catalog entries: audio, diarization."""

    decided_by_node_0 = frozenset({"shards"})

    params: DiarizationParams
    shards: list[list[Episode]]


def main(job: DiarizationJob, runtime: Runtime, channel: ChannelWriter) -> None:
    """Diarize the episodes of this rank's shard, the longest first; each is stored at once."""
    episodes = own_shard(job.shards, runtime)
    if not episodes:
        return
    store, root = job.open_entry("diarization"), job.open_entry("audio").root
    channel.send("log", text=f"loading {job.params.model} on {runtime.device}")
    diarizer = load_diarizer(job.params.model, runtime.device)
    beat = _beat(channel)
    for episode in episodes:
        try:
            require_unchanged_file(episode.audio, root)
            turns = find_turns(diarizer, episode.audio.locate(root), job.params, beat)
        # What a model says of audio that it can't take, and torch of too little memory.
        except (ProjectError, RuntimeError, ValueError) as error:
            channel.send("failure", episode=episode.episode_id, error=_in_one_line(error))
            continue
        origin = model_origin(episode.audio.sha256, job.params)
        store.save_partition(episode.episode_id, found_table(turns, origin))
        channel.send("progress", amount=episode.duration_seconds)


def _beat(channel: ChannelWriter) -> Callable[[], None]:
    """Return a function that tells the launcher now and then that this rank is alive."""
    last = time.monotonic()

    def beat() -> None:
        nonlocal last
        if time.monotonic() - last >= _BEAT_SECONDS:
            last = time.monotonic()
            channel.send("progress", amount=0.0)

    return beat


def _in_one_line(error: Exception) -> str:
    if isinstance(error, ProjectError):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


if __name__ == "__main__":
    run_worker(main, DiarizationJob, device=lambda job: job.params.device)
