"""Worker that trains the classifier, on all ranks together."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.frame_arrays import Array, map_frame_array
from acoustic_event_prediction.labels import MAX_DISTANCE, label_within
from acoustic_event_prediction.models.checkpoints import (
    CheckpointFolder,
    CheckpointHeader,
    common_part,
    digest,
)
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.recorder import TrainingRecorder
from acoustic_event_prediction.models.trainer import Trainer
from acoustic_event_prediction.models.training_set import TrainingSet
from acoustic_event_prediction.params import LabelingParams, TrainingParams
from acoustic_event_prediction.shuffled_frames import Distances, FramePartition
from acoustic_event_prediction.workers.channel import ChannelWriter
from acoustic_event_prediction.workers.runtime import Job, Runtime, run_worker

FRAMES_PER_STEP = "frames per step, batch_size x processes"
_HEARTBEAT_SECONDS = 5.0
# Numbers in a batch. Below, threads wait for each other; on a busy machine, eight times as long.
_WORTH_THREADS = 2**20
# They don't change what an epoch does: a resumed training may have others.
_FREE_SETTINGS = {"resume", "epochs", "batch_size", "resident"}


class TrainingJob(Job):
    """What the training workers are told.

    Catalog entries: features, labels, onset_distances, training_checkpoints, tensorboard.

    Attributes:
        train: ids of the partitions to train on.
        validation: ids of the partitions that choose the epoch.
        training: settings.
        labeling: settings that made the labels.
        timeout_seconds: after which a silent peer is given up.
        device: auto, cpu or cuda.
    """

    train: list[str]
    validation: list[str]
    training: TrainingParams
    labeling: LabelingParams
    timeout_seconds: float
    device: str

    @property
    def horizons(self) -> tuple[int, ...]:
        """All horizons, ascending: that of the labels is always one of them."""
        return tuple(sorted({*(self.training.horizons or ()), self.labeling.shift_frames}))

    def read_distances(
        self,
        partition_id: str,
        load_labels: Callable[[], Array],
        load_distances: Callable[[], Array],
    ) -> Distances:
        """Return the frames to the next onset, int16 [T]; 0 where none is near enough to matter.

        For one horizon its labels tell all: a positive frame is within it.

        Raises:
            TrainingError: they are damaged, or contradict each other.
        """
        shift_frames = self.labeling.shift_frames
        labels = np.array(load_labels())  # [T]
        _require_counts("labels", partition_id, labels, largest=1)
        if self.horizons == (shift_frames,):
            return labels.astype(np.int16) * np.int16(shift_frames)
        distances = np.array(load_distances())  # [T]
        _require_counts("onset_distances", partition_id, distances, largest=MAX_DISTANCE)
        if not np.array_equal(label_within(distances, shift_frames), labels):
            raise TrainingError(
                f"partition {partition_id!r}: labels and onset_distances contradict each other at "
                f"shift_frames={shift_frames}; run `kedro run --pipelines labeling`"
            )
        return distances

    def open_checkpoints(self) -> CheckpointFolder:
        """Return the folder of this training's checkpoints."""
        return CheckpointFolder(self.open_entry("training_checkpoints").load())


def _require_counts(name: str, partition_id: str, array: Array, *, largest: int) -> None:
    is_whole = array.ndim == 1 and np.issubdtype(array.dtype, np.integer)
    if not is_whole or (array.size and not 0 <= array.min() <= array.max() <= largest):
        raise TrainingError(
            f"partition {partition_id!r} of {name} is no array [T] of integers from 0 to {largest} "
            f"(it is {array.dtype}{list(array.shape)}); run `kedro run --pipelines labeling`"
        )


class Inputs(NamedTuple):
    """The frames, and what identifies them.

    Attributes:
        training_set: partitions of both splits.
        fingerprints: of ids, features and labels.
        features_provenance: what all partitions' headers have in common, and the `sources` of their
            streams, of which there may be several.
    """

    training_set: TrainingSet
    fingerprints: dict[str, str]
    features_provenance: dict[str, Any]


def main(job: TrainingJob, runtime: Runtime, channel: ChannelWriter) -> None:
    """Train on all ranks together; rank 0 keeps checkpoints and log for all."""
    with runtime.process_group(job.timeout_seconds):
        ranks = Ranks.current()
        inputs = open_inputs(job)
        trainer = Trainer(
            *(inputs.training_set, job.training, ranks, runtime.device),
            on_progress=_heartbeat(channel),
        )
        if runtime.device.type == "cpu":
            torch.set_num_threads(_num_threads(trainer, job.training.batch_size))
        settings = _settings(job, inputs, ranks)
        checkpoints = job.open_checkpoints()
        last = checkpoints.resume(settings) if job.training.resume else None
        if last is not None:
            trainer.learner.restore(last.tensors)
            trainer.history = list(last.header.history)
        header = CheckpointHeader(
            settings=settings,
            history=trainer.history,
            features_provenance=inputs.features_provenance,
            prior=trainer.counts.prior,
            log_name=_log_name() if last is None else last.header.log_name,
        )
        recorder = None
        if runtime.is_main:
            log = job.open_entry("tensorboard").load() / header.log_name
            recorder = TrainingRecorder(trainer, header, checkpoints, log, channel.send)
            recorder.start(is_resumed=last is not None, is_asked_to_resume=job.training.resume)
        while not trainer.is_finished:
            curves = trainer.run_epoch()
            if recorder is not None:
                recorder.add_epoch(curves)
        if recorder is not None:
            recorder.close()


def open_inputs(job: TrainingJob) -> Inputs:
    """Open features, memory-mapped, and read labels.

    Raises:
        TrainingError: the features are not all of one width and dtype of floats, or labels are
            damaged.
    """
    features, labels = job.open_entry("features"), job.open_entry("labels")
    onset_distances = job.open_entry("onset_distances")
    headers, partitions, fingerprints = {}, {}, {}
    for name in [*job.train, *job.validation]:
        header = features.partition(name).header()
        distances = job.read_distances(
            name, labels.partition(name).load, onset_distances.partition(name).load
        )
        headers[name] = header
        load = partial(map_frame_array, features.partition_path(name), header)
        partitions[name] = FramePartition(name, load, distances)
        fingerprints[name] = (header.fingerprint, hashlib.sha256(distances.tobytes()).hexdigest())
    kinds = {(header.shape[1:], str(header.dtype)): name for name, header in headers.items()}
    if len(kinds) > 1:
        examples = "; ".join(f"{name!r}: {kind[0]} {kind[1]}" for kind, name in kinds.items())
        raise TrainingError(
            f"the features are not all of one width and dtype ({examples}); delete them and run "
            "`kedro run --pipelines feature_extraction`"
        )
    for (shape, dtype), name in kinds.items():
        if len(shape) != 1 or dtype not in {"float16", "bfloat16", "float32"}:
            raise TrainingError(
                f"the features of {name!r} are no floats [T, D] but {dtype} [T, {shape}]; delete "
                "them and run `kedro run --pipelines feature_extraction`"
            )
    training_set = TrainingSet(
        [partitions[name] for name in job.train],
        [partitions[name] for name in job.validation],
        job.horizons,
    )
    if job.training.shuffle_labels:
        training_set = training_set.with_shuffled_labels(job.training.seed)
    return Inputs(
        training_set,
        {
            "train partitions": digest(dict.fromkeys(job.train, "")),
            "validation partitions": digest(dict.fromkeys(job.validation, "")),
            "features": digest({name: pair[0] for name, pair in fingerprints.items()}),
            "labels": digest({name: pair[1] for name, pair in fingerprints.items()}),
        },
        common_part([header.provenance for header in headers.values()])
        | {"sources": _sources(header.provenance for header in headers.values())},
    )


def _sources(provenances: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return how the streams of the partitions were made: separated, diarization, mono."""
    episodes = (provenance.get("episode", {}) for provenance in provenances)
    return sorted({episode["source"] for episode in episodes if "source" in episode})


def _settings(job: TrainingJob, inputs: Inputs, ranks: Ranks) -> dict[str, Any]:
    """Return, flat, all that decides the outcome of an epoch, and which epoch is the best."""
    training = job.training.model_dump(exclude={*_FREE_SETTINGS, "horizons"})
    return {
        "horizons": list(job.horizons),
        **{f"training.{name}": value for name, value in training.items()},
        **{f"labeling.{name}": value for name, value in job.labeling.model_dump().items()},
        FRAMES_PER_STEP: job.training.batch_size * ranks.world_size,
        **inputs.fingerprints,
    }


def _num_threads(trainer: Trainer, batch_size: int) -> int:
    """Return how many threads of PyTorch a CPU's steps are worth."""
    if batch_size * trainer.learner.classifier.num_features < _WORTH_THREADS:
        return 1
    # One core stays free for the thread that reads ahead; competing with it costs far more.
    return max(1, torch.get_num_threads() - (not trainer.is_resident))


def _log_name() -> str:
    """Return the time, to the microsecond, so that two trainings never share a log."""
    return datetime.now().astimezone().strftime("%Y-%m-%dT%H-%M-%S-%f")


def _heartbeat(channel: ChannelWriter) -> Callable[[], None]:
    """Return a function that now and then tells the launcher that an epoch is still going on."""
    last = time.monotonic()

    def beat() -> None:
        nonlocal last
        if time.monotonic() - last > _HEARTBEAT_SECONDS:
            last = time.monotonic()
            channel.send("progress", amount=0)

    return beat


if __name__ == "__main__":
    run_worker(main, TrainingJob, lambda job: job.device)
