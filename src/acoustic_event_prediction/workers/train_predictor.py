"""Worker that trains the classifier, on all ranks together."""

import hashlib
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import torch

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.models.checkpoints import (
    Checkpoint,
    CheckpointFolder,
    CheckpointHeader,
    common_part,
    digest,
)
from acoustic_event_prediction.models.history import best_epoch
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.trainer import StepCurves, Trainer
from acoustic_event_prediction.models.training_log import TrainingLog
from acoustic_event_prediction.models.training_set import TrainingSet
from acoustic_event_prediction.params import LabelingParams, TrainingParams
from acoustic_event_prediction.shuffled_frames import FramePartition
from acoustic_event_prediction.workers.channel import ChannelWriter
from acoustic_event_prediction.workers.runtime import Job, Runtime, run_worker

_HEARTBEAT_SECONDS = 5.0
# They decide when a training ends, not what an epoch does: a resumed training may have others.
_FREE_SETTINGS = {"resume", "epochs", "early_stopping_patience", "batch_size"}


class TrainingJob(Job):
    """What the training workers are told.

    Catalog entries: features, labels, training_checkpoints, tensorboard.

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

    def open_checkpoints(self) -> CheckpointFolder:
        """Return the folder of this training's checkpoints."""
        return CheckpointFolder(self.open_entry("training_checkpoints").load())


class Inputs(NamedTuple):
    """The frames, and what identifies them.

    Attributes:
        training_set: partitions of both splits.
        fingerprints: of ids, features and labels.
        features_provenance: what all partitions' headers have in common.
    """

    training_set: TrainingSet
    fingerprints: dict[str, str]
    features_provenance: dict[str, Any]


def main(job: TrainingJob, runtime: Runtime, channel: ChannelWriter) -> None:
    """Train on all ranks together; rank 0 keeps checkpoints and log for all."""
    if runtime.device.type == "cpu":
        # One core stays free for the thread that reads ahead; competing with it costs far more.
        torch.set_num_threads(max(1, torch.get_num_threads() - 1))
    with runtime.process_group(job.timeout_seconds):
        ranks = Ranks.current()
        inputs = open_inputs(job)
        trainer = Trainer(
            *(inputs.training_set, job.training, ranks, runtime.device),
            on_progress=_heartbeat(channel),
        )
        settings = _settings(job, inputs, ranks)
        checkpoints = job.open_checkpoints()
        last = checkpoints.resume(settings) if job.training.resume else None
        if last is not None:
            trainer.learner.restore(last.header.state, last.tensors)
            trainer.history = list(last.header.history)
        header = CheckpointHeader(
            settings=settings,
            history=trainer.history,
            state=trainer.learner.state()[0],
            features_provenance=inputs.features_provenance,
            prior=trainer.counts.prior,
            log_name=_log_name() if last is None else last.header.log_name,
        )
        recorder = (
            _Recorder(job, header, channel, num_steps=trainer.num_steps)
            if runtime.is_main
            else None
        )
        if recorder is not None:
            recorder.start(trainer, is_resumed=last is not None)
        while not trainer.is_finished:
            curves = trainer.run_epoch()
            if recorder is not None:
                recorder.add_epoch(trainer, curves)
        if recorder is not None:
            recorder.close()


def open_inputs(job: TrainingJob) -> Inputs:
    """Open features, memory-mapped, and read labels.

    Raises:
        TrainingError: the features are not all of one width and dtype.
    """
    features, labels = job.open_entry("features"), job.open_entry("labels")
    headers, partitions, fingerprints = {}, {}, {}
    for name in [*job.train, *job.validation]:
        header = features.partition(name).header()
        array = np.array(labels.partition(name).load())  # [T]
        headers[name] = header
        partitions[name] = FramePartition(name, features.partition(name).load, array[:, None])
        fingerprints[name] = (header.fingerprint, hashlib.sha256(array.tobytes()).hexdigest())
    kinds = {(header.shape[1:], str(header.dtype)): name for name, header in headers.items()}
    if len(kinds) > 1:
        examples = "; ".join(f"{name!r}: {kind[0]} {kind[1]}" for kind, name in kinds.items())
        raise TrainingError(
            f"the features are not all of one width and dtype ({examples}); delete them and run "
            "`kedro run --pipelines feature_extraction`"
        )
    training_set = TrainingSet(
        [partitions[n] for n in job.train], [partitions[n] for n in job.validation]
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
        common_part([header.provenance for header in headers.values()]),
    )


def _settings(job: TrainingJob, inputs: Inputs, ranks: Ranks) -> dict[str, Any]:
    """Return, flat, all that decides the outcome of an epoch."""
    training = job.training.model_dump(exclude=_FREE_SETTINGS)
    return {
        **{f"training.{name}": value for name, value in training.items()},
        **{f"labeling.{name}": value for name, value in job.labeling.model_dump().items()},
        "frames per step, batch_size x processes": job.training.batch_size * ranks.world_size,
        **inputs.fingerprints,
    }


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


class _Recorder:
    """What rank 0 writes: checkpoints, TensorBoard log, messages."""

    def __init__(
        self,
        job: TrainingJob,
        header: CheckpointHeader,
        channel: ChannelWriter,
        *,
        num_steps: int,
    ) -> None:
        self._header, self._channel = header, channel
        self._checkpoints = job.open_checkpoints()
        self._log = TrainingLog(
            job.open_entry("tensorboard").load() / header.log_name,
            first_step=len(header.history) * num_steps,
        )
        self._epochs = job.training.epochs
        self._is_asked_to_resume = job.training.resume

    def start(self, trainer: Trainer, *, is_resumed: bool) -> None:
        """Say how the training begins; a new one forgets the old one's checkpoints."""
        num_done = len(trainer.history)
        if is_resumed:
            self._channel.send("progress", amount=num_done)
            self._say(
                f"the training was finished after epoch {num_done}: nothing to do"
                if trainer.is_finished
                else f"resuming after epoch {num_done}"
            )
        else:
            self._checkpoints.clear()
            if self._is_asked_to_resume:
                self._say("training.resume is true, but there is no checkpoint: training anew")
            self._log.add_prevalence(trainer.counts.prior[0], trainer.validation_counts.prior[0])

    def add_epoch(self, trainer: Trainer, curves: StepCurves) -> None:
        """Keep what the last epoch has given."""
        record = trainer.history[-1]
        self._log.add_epoch(record, curves)
        state, tensors = trainer.learner.state()
        update = {"history": trainer.history, "state": state}
        checkpoint = Checkpoint(self._header.model_copy(update=update), tensors)
        if best_epoch(trainer.history) is record:
            self._checkpoints.save("best", checkpoint)
        self._checkpoints.save("last", checkpoint)
        self._channel.send("progress", amount=1, **record.model_dump())
        self._say(
            f"epoch {record.epoch} of {self._epochs}: training loss {record.train_loss:.4g}, "
            f"validation loss {record.validation_loss:.4g}, AUPRC {record.validation_auprc:.4f}, "
            f"AUROC {record.validation_auroc:.4f}, {record.seconds:.1f} s"
        )

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def _say(self, text: str) -> None:
        self._channel.send("log", text=text)


if __name__ == "__main__":
    run_worker(main, TrainingJob, lambda job: job.device)
