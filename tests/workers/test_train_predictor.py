"""Training workers: real processes, checkpoints on disk, and what happens after a kill."""

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from kedro.io import AbstractDataset
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from acoustic_event_prediction.errors import TrainingError, WorkerError
from acoustic_event_prediction.models.checkpoints import Checkpoint, CheckpointFolder
from acoustic_event_prediction.models.history import best_epoch
from acoustic_event_prediction.models.learner import classifier_weights
from acoustic_event_prediction.params import LabelingParams, LauncherParams, TrainingParams
from acoustic_event_prediction.workers.channel import ChannelWriter, Message
from acoustic_event_prediction.workers.launch import run_workers
from acoustic_event_prediction.workers.runtime import Runtime
from acoustic_event_prediction.workers.train_predictor import TrainingJob, main

MODULE = "acoustic_event_prediction.workers.train_predictor"
DATASETS = "acoustic_event_prediction.datasets"
# With these settings epoch 10 is the best of all 40, and no earlier one was unbeaten for long:
# early stopping with a patience of 5 ends after epoch 15 and keeps the same best epoch.
EPOCHS = 40


def make_job(store: Path, run: Path, **training: Any) -> TrainingJob:
    """Return a job that reads the partitions of `store` and writes to `run`."""
    catalog = {
        name: {
            "type": f"{DATASETS}.sealed.SealedPartitions",
            "path": str(store / name),
            "dataset": f"{DATASETS}.frame_array.FrameArrayDataset",
            "filename_suffix": ".safetensors",
        }
        for name in ("features", "labels")
    } | {
        name: {"type": f"{DATASETS}.folder.FolderDataset", "path": str(run / name)}
        for name in ("training_checkpoints", "tensorboard")
    }
    settings = {
        "loss_type": "bce",
        "focal_alpha": 0.25,
        "focal_gamma": 2.0,
        "hidden_dim": None,
        "batch_size": 128,
        "learning_rate": 0.05,
        "weight_decay": 0.01,
        "epochs": EPOCHS,
        "early_stopping_patience": EPOCHS,
        "seed": 3,
        "resume": False,
        "shuffle_labels": False,
    }
    return TrainingJob(
        catalog=catalog,
        train=[f"train/e{index}/u" for index in range(3)],
        validation=[f"validation/e{index}/u" for index in range(3)],
        training=TrainingParams.model_validate(settings | training),
        labeling=LabelingParams(event="Laughter", target="any", shift_frames=1),
        timeout_seconds=60,
        device="cpu",
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features whose first column tells the label, apart from some noise."""
    path = tmp_path_factory.mktemp("store")
    job = make_job(path, path)
    generator = np.random.default_rng(0)
    features, labels = {}, {}
    for index, name in enumerate([*job.train, *job.validation]):
        # 1025 training frames: the last batch has one, so that one of two ranks has none.
        rows = generator.standard_normal((320 + 20 * index + 5 * (index == 2), 8))
        features[name] = rows.astype(np.float16)
        noise = generator.standard_normal(len(rows))
        labels[name] = (rows[:, 0] + 0.5 * noise > 1.2).astype(np.int8)
    for name, partitions in (("features", features), ("labels", labels)):
        AbstractDataset.from_config(name, dict(job.catalog[name])).save(partitions)
    return path


def launch(
    job: TrainingJob, processes: int, on_message: Callable[[Message], None] = lambda message: None
) -> CheckpointFolder:
    launcher = LauncherParams(
        nproc_per_node=processes, nnodes=1, node_rank=0, rdzv_endpoint=None, timeout_seconds=60
    )
    run_workers(MODULE, job, launcher, on_message=on_message)
    return job.open_checkpoints()


class RecordingChannel(ChannelWriter):
    """Keeps the texts of the messages, and writes no file."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def send(self, kind: str, **fields: Any) -> None:
        if kind == "log":
            self.texts.append(fields["text"])


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch) -> Callable[[TrainingJob], list[str]]:
    """Run the worker in this process, as the only rank; gives the texts that it sent."""

    def run(job: TrainingJob) -> list[str]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        for name, value in {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": port,
            "RANK": 0,
            "WORLD_SIZE": 1,
        }.items():
            monkeypatch.setenv(name, str(value))
        channel = RecordingChannel()
        main(job, Runtime(0, 0, 1, 1, torch.device("cpu")), channel)
        return channel.texts

    return run


@pytest.fixture(scope="module")
def one_process(store: Path, tmp_path_factory: pytest.TempPathFactory) -> CheckpointFolder:
    """An undisturbed training in one process."""
    return launch(make_job(store, tmp_path_factory.mktemp("one")), 1)


def assert_same_weights(left: Checkpoint, right: Checkpoint, tolerance: float) -> None:
    for name, weight in classifier_weights(left.tensors).items():
        other = classifier_weights(right.tensors)[name]
        torch.testing.assert_close(weight, other, rtol=0, atol=tolerance)


@pytest.fixture(scope="module")
def two_processes(store: Path, tmp_path_factory: pytest.TempPathFactory) -> CheckpointFolder:
    """The same frames per step, over two processes, which may stop early."""
    path = tmp_path_factory.mktemp("two")
    return launch(make_job(store, path, batch_size=64, early_stopping_patience=5), 2)


def test_two_processes_train_the_model_of_one(
    one_process: CheckpointFolder, two_processes: CheckpointFolder
) -> None:
    assert_same_weights(one_process.load("best"), two_processes.load("best"), 1e-5)


def test_two_processes_stop_early_together(two_processes: CheckpointFolder) -> None:
    history = two_processes.load("last").header.history
    assert len(history) == best_epoch(history).epoch + 5
    assert len(history) < EPOCHS


def test_validation_is_measured_over_the_partitions_of_all_ranks(
    one_process: CheckpointFolder, two_processes: CheckpointFolder
) -> None:
    for alone, together in zip(
        one_process.load("last").header.history,
        two_processes.load("last").header.history,
        strict=False,  # two processes have stopped early
    ):
        assert together.train_loss == pytest.approx(alone.train_loss, rel=1e-5)
        assert together.validation_loss == pytest.approx(alone.validation_loss, rel=1e-5)
        assert together.validation_auprc == pytest.approx(alone.validation_auprc, abs=1e-3)
        assert together.learning_rate == alone.learning_rate


def test_best_is_the_epoch_of_the_largest_auprc(one_process: CheckpointFolder) -> None:
    history = one_process.load("last").header.history
    assert len(history) == EPOCHS
    assert one_process.load("best").header.history[-1] == best_epoch(history)


def test_training_goes_on_after_sigkill_as_if_nothing_had_happened(
    store: Path, tmp_path: Path, one_process: CheckpointFolder
) -> None:
    def kill_after_first_epoch(message: Message) -> None:
        if message["kind"] == "progress" and message["amount"]:
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()

    with pytest.raises(WorkerError, match="killed from outside"):
        launch(make_job(store, tmp_path), 1, kill_after_first_epoch)
    num_done = len(CheckpointFolder(tmp_path / "training_checkpoints").load("last").header.history)
    assert 1 <= num_done < EPOCHS
    texts: list[str] = []
    resumed = launch(
        make_job(store, tmp_path, resume=True),
        1,
        lambda message: texts.append(message.get("text", "")),
    )
    assert f"resuming after epoch {num_done}" in texts
    for name in ("last", "best"):
        assert_same_weights(resumed.load(name), one_process.load(name), 0)


def read_scalars(job: TrainingJob) -> dict[str, list[tuple[int, float]]]:
    (folder,) = job.open_entry("tensorboard").load().iterdir()
    events = EventAccumulator(str(folder)).Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_resumed_training_continues_the_tensorboard_curves(
    store: Path, tmp_path: Path, run_here: Callable[[TrainingJob], list[str]]
) -> None:
    run_here(make_job(store, tmp_path, epochs=2))
    job = make_job(store, tmp_path, epochs=3, resume=True)
    assert "resuming after epoch 2" in run_here(job)
    scalars = read_scalars(job)
    history = job.open_checkpoints().load("last").header.history
    # 1025 frames in batches of 128 are 9 steps per epoch.
    assert [step for step, _ in scalars["train/batch_loss"]] == list(range(1, 28))
    assert [step for step, _ in scalars["train/gradient_norm"]] == list(range(1, 28))
    for tag, values in {
        "train/epoch_loss": [record.train_loss for record in history],
        "train/learning_rate": [record.learning_rate for record in history],
        "validation/loss": [record.validation_loss for record in history],
        "validation/auprc": [record.validation_auprc for record in history],
        "validation/auroc": [record.validation_auroc for record in history],
    }.items():
        assert [step for step, _ in scalars[tag]] == [9, 18, 27]
        assert [value for _, value in scalars[tag]] == pytest.approx(values, rel=1e-6)
    assert len(scalars["prevalence/train"]) == len(scalars["prevalence/validation"]) == 1


def test_finished_training_trains_nothing_when_resumed(
    store: Path, tmp_path: Path, run_here: Callable[[TrainingJob], list[str]]
) -> None:
    run_here(make_job(store, tmp_path, epochs=1))
    file = CheckpointFolder(tmp_path / "training_checkpoints").file("last")
    before = file.stat().st_mtime_ns
    assert run_here(make_job(store, tmp_path, epochs=1, resume=True)) == [
        "the training was finished after epoch 1: nothing to do"
    ]
    assert file.stat().st_mtime_ns == before


def test_other_settings_or_labels_are_not_resumed(
    store: Path, tmp_path: Path, run_here: Callable[[TrainingJob], list[str]]
) -> None:
    run_here(make_job(store, tmp_path, epochs=1))
    with pytest.raises(TrainingError, match=r"training.weight_decay was 0.01 and is 0.5"):
        run_here(make_job(store, tmp_path, resume=True, weight_decay=0.5))
    job = make_job(store, tmp_path, resume=True)
    fewer = job.model_copy(update={"train": job.train[:2]})
    with pytest.raises(TrainingError, match=r"features was .*train partitions was"):
        run_here(fewer)


def test_resume_without_a_checkpoint_says_so_and_trains(
    store: Path, tmp_path: Path, run_here: Callable[[TrainingJob], list[str]]
) -> None:
    texts = run_here(make_job(store, tmp_path, epochs=1, resume=True))
    assert "there is no checkpoint" in texts[0]
    assert texts[1].startswith("epoch 1 of 1: ")


def test_new_training_forgets_the_old_checkpoints_and_has_its_own_log(
    store: Path, tmp_path: Path, run_here: Callable[[TrainingJob], list[str]]
) -> None:
    job = make_job(store, tmp_path, epochs=1)
    run_here(make_job(store, tmp_path, epochs=2))
    first = job.open_checkpoints().load("last").header
    run_here(job)
    second = job.open_checkpoints().load("last").header
    assert (len(first.history), len(second.history)) == (2, 1)
    assert first.log_name != second.log_name


def test_features_of_different_widths_are_refused(
    store: Path, tmp_path: Path, run_here: Callable[[TrainingJob], list[str]]
) -> None:
    job = make_job(tmp_path, tmp_path)
    for name in ("features", "labels"):
        old = AbstractDataset.from_config(name, dict(make_job(store, store).catalog[name]))
        partitions = {key: load() for key, load in old.load().items()}
        if name == "features":
            partitions["train/e1/u"] = partitions["train/e1/u"][:, :5]
        AbstractDataset.from_config(name, dict(job.catalog[name])).save(partitions)
    with pytest.raises(TrainingError, match=r"not all of one width.*'train/e1/u'.*delete them"):
        run_here(job)
