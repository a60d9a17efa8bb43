"""Training workers: real processes, checkpoints on disk, and what happens after a kill."""

import contextlib
import errno
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
from tensorboard.util import tensor_util

from acoustic_event_prediction.errors import TrainingError, WorkerError
from acoustic_event_prediction.labels import label_within
from acoustic_event_prediction.models import checkpoints
from acoustic_event_prediction.models.checkpoints import Checkpoint, CheckpointFolder
from acoustic_event_prediction.models.history import EpochRecord, auprcs, best_epoch
from acoustic_event_prediction.models.learner import classifier_tensors, is_per_horizon
from acoustic_event_prediction.params import LabelingParams, LauncherParams
from acoustic_event_prediction.workers.channel import ChannelWriter, Message
from acoustic_event_prediction.workers.launch import run_workers
from acoustic_event_prediction.workers.runtime import Runtime
from acoustic_event_prediction.workers.train_predictor import TrainingJob, main
from tests.made import training_params

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
        for name in ("features", "labels", "onset_distances")
    } | {
        name: {"type": f"{DATASETS}.folder.FolderDataset", "path": str(run / name)}
        for name in ("training_checkpoints", "tensorboard")
    }
    settings = {
        "standardize": True,
        "batch_size": 128,
        "learning_rate": 0.05,
        "epochs": EPOCHS,
        "early_stopping_patience": EPOCHS,
        "seed": 3,
    }
    return TrainingJob(
        catalog=catalog,
        train=[f"train/e{index}/u" for index in range(3)],
        validation=[f"validation/e{index}/u" for index in range(3)],
        training=training_params(**settings | training),
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
    features, labels, distances = {}, {}, {}
    for index, name in enumerate([*job.train, *job.validation]):
        # 1025 training frames: the last batch has one, so that one of two ranks has none.
        rows = generator.standard_normal((320 + 20 * index + 5 * (index == 2), 8))
        features[name] = rows.astype(np.float16)
        noise = generator.standard_normal(len(rows))
        loud = rows[:, 0] + 0.5 * noise
        distances[name] = np.select([loud > 1.2, loud > 0.8], [1, 2], 0).astype(np.int16)
        labels[name] = label_within(distances[name], 1)
    entries = {"features": features, "labels": labels, "onset_distances": distances}
    for name, partitions in entries.items():
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


def best_of(history: list[EpochRecord], horizon: int = 0) -> int:
    return best_epoch(auprcs(history, horizon), EPOCHS)


def assert_same_weights(left: Checkpoint, right: Checkpoint, tolerance: float) -> None:
    for name, weight in classifier_tensors(left.tensors).items():
        other = classifier_tensors(right.tensors)[name]
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
    assert len(history) == best_of(history) + 5
    assert len(history) < EPOCHS


def test_validation_is_measured_over_the_partitions_of_all_ranks(
    one_process: CheckpointFolder, two_processes: CheckpointFolder
) -> None:
    for alone, together in zip(
        one_process.load("last").header.history,
        two_processes.load("last").header.history,
        strict=False,  # two processes have stopped early
    ):
        (mine,), (other,) = together.horizons, alone.horizons
        assert mine.train_loss == pytest.approx(other.train_loss, rel=1e-5)
        assert mine.validation_loss == pytest.approx(other.validation_loss, rel=1e-5)
        assert mine.validation_auprc == pytest.approx(other.validation_auprc, abs=1e-3)
        assert mine.learning_rate == other.learning_rate


def test_best_is_the_epoch_of_the_largest_auprc(one_process: CheckpointFolder) -> None:
    history = one_process.load("last").header.history
    assert len(history) == EPOCHS
    assert len(one_process.load("best").header.history) == best_of(history)


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
    (folder,) = job.open_entry("tensorboard").load().glob("*/shift_1")
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
    records = [record.horizons[0] for record in history]
    for tag, values in {
        "train/epoch_loss": [record.train_loss for record in records],
        "train/learning_rate": [record.learning_rate for record in records],
        "validation/loss": [record.validation_loss for record in records],
        "validation/auprc": [record.validation_auprc for record in records],
        "validation/auroc": [record.validation_auroc for record in records],
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
    for name in ("features", "labels", "onset_distances"):
        old = AbstractDataset.from_config(name, dict(make_job(store, store).catalog[name]))
        partitions = {key: load() for key, load in old.load().items()}
        if name == "features":
            partitions["train/e1/u"] = partitions["train/e1/u"][:, :5]
        AbstractDataset.from_config(name, dict(job.catalog[name])).save(partitions)
    with pytest.raises(TrainingError, match=r"not all of one width.*'train/e1/u'.*delete them"):
        run_here(job)


def make_horizon_job(store: Path, run: Path, **training: Any) -> TrainingJob:
    """Both horizons in one pass; at 2 frames no gain for four epochs ends sooner than at 1."""
    settings = {"horizons": "1 2", "epochs": 20, "early_stopping_patience": 4}
    return make_job(store, run, **settings | training)


def test_each_horizon_keeps_the_weights_that_it_would_keep_alone(
    store: Path, tmp_path: Path, run_here: Callable[[TrainingJob], list[str]]
) -> None:
    together = make_horizon_job(store, tmp_path / "both")
    assert "epoch 1 of 20, horizons 1/2: training loss " in run_here(together)[0]
    best = classifier_tensors(together.open_checkpoints().load("best").tensors)
    for index, shift_frames in enumerate((1, 2)):
        alone = make_horizon_job(store, tmp_path / str(shift_frames), horizons=None)
        if shift_frames == 2:
            alone = with_labels_of_two_frames(alone, tmp_path)
            labeling = alone.labeling.model_copy(update={"shift_frames": 2})
            alone = alone.model_copy(update={"labeling": labeling})
        run_here(alone)
        weights = classifier_tensors(alone.open_checkpoints().load("best").tensors)
        for name, weight in weights.items():
            mine = best[name][index : index + 1] if is_per_horizon(name) else best[name]
            torch.testing.assert_close(mine, weight, rtol=1e-4, atol=1e-5)
    # The two horizons had their best epochs, and their ends, at different times.
    history = together.open_checkpoints().load("last").header.history
    assert len({best_epoch(auprcs(history, index), 4) for index in range(2)}) == 2


def with_labels_of_two_frames(job: TrainingJob, path: Path) -> TrainingJob:
    distances = job.open_entry("onset_distances").load()
    entry = job.catalog["labels"] | {"path": str(path / "labels")}
    labels = {name: label_within(load(), 2) for name, load in distances.items()}
    AbstractDataset.from_config("labels", dict(entry)).save(labels)
    return job.model_copy(update={"catalog": job.catalog | {"labels": entry}})


def test_several_horizons_go_on_after_an_interruption_as_if_nothing_had_happened(
    store: Path, tmp_path: Path, run_here: Callable[[TrainingJob], list[str]]
) -> None:
    whole = make_horizon_job(store, tmp_path / "whole")
    run_here(whole)
    part = make_horizon_job(store, tmp_path / "part", epochs=2)
    run_here(part)
    run_here(make_horizon_job(store, tmp_path / "part", resume=True))
    for name in ("last", "best"):
        one, other = (job.open_checkpoints().load(name) for job in (whole, part))
        assert_same_weights(one, other, 0)


def test_another_patience_is_not_resumed_since_it_may_end_at_another_epoch(
    store: Path, tmp_path: Path, run_here: Callable[[TrainingJob], list[str]]
) -> None:
    run_here(make_horizon_job(store, tmp_path, epochs=1))
    with pytest.raises(TrainingError, match=r"early_stopping_patience was 4 and is 5"):
        run_here(make_horizon_job(store, tmp_path, resume=True, early_stopping_patience=5))


def test_labels_that_contradict_the_distances_are_refused(
    store: Path, tmp_path: Path, run_here: Callable[[TrainingJob], list[str]]
) -> None:
    job = with_labels_of_two_frames(make_horizon_job(store, tmp_path), tmp_path)
    with pytest.raises(TrainingError, match=r"'train/e0/u': labels and onset_distances contradict"):
        run_here(job)


def test_tensorboard_has_a_run_per_horizon_with_curves_and_settings(
    store: Path, tmp_path: Path, run_here: Callable[[TrainingJob], list[str]]
) -> None:
    job = make_horizon_job(store, tmp_path, epochs=2)
    run_here(job)
    for shift_frames in (1, 2):
        (folder,) = job.open_entry("tensorboard").load().glob(f"*/shift_{shift_frames}")
        events = EventAccumulator(str(folder)).Reload()
        (tag,) = (tag for tag in events.Tags()["tensors"] if "precision_recall" in tag)
        curves = [tensor_util.make_ndarray(event.tensor_proto) for event in events.Tensors(tag)]
        assert len(curves) == 2  # one per epoch
        recall = curves[-1][5]
        assert recall[0] == 1.0
        assert (np.diff(recall) <= 0).all()
        assert events.PluginTagToContent("hparams")
        history = job.open_checkpoints().load("last").header.history
        best = max(auprcs(history, shift_frames - 1))
        assert events.Scalars("best/validation_auprc")[-1].value == pytest.approx(best)


@pytest.mark.parametrize(
    ("entry", "array", "message"),
    [
        ("labels", np.full(320, -1, np.int8), r"labels is no array \[T\] of integers from 0 to 1"),
        ("labels", np.zeros((320, 2), np.int8), r"int8\[320, 2\].*--pipelines labeling"),
        ("onset_distances", np.full(320, -3, np.int16), "onset_distances is no array"),
        ("onset_distances", np.zeros(320, np.float32), "float32"),
    ],
)
def test_damaged_labels_are_refused(
    store: Path,
    tmp_path: Path,
    run_here: Callable[[TrainingJob], list[str]],
    entry: str,
    array: np.ndarray,
    message: str,
) -> None:
    job = make_horizon_job(store, tmp_path)
    partitions = {key: load() for key, load in job.open_entry(entry).load().items()}
    place = job.catalog[entry] | {"path": str(tmp_path / entry)}
    AbstractDataset.from_config(entry, dict(place)).save(partitions | {"train/e0/u": array})
    with pytest.raises(TrainingError, match=message):
        run_here(job.model_copy(update={"catalog": job.catalog | {entry: place}}))


def test_lost_best_weights_come_back_from_the_last_checkpoint(
    store: Path, tmp_path: Path, run_here: Callable[[TrainingJob], list[str]]
) -> None:
    job = make_horizon_job(store, tmp_path, epochs=3)
    run_here(job)
    before = job.open_checkpoints().load("best")
    job.open_checkpoints().file("best").unlink()
    run_here(make_horizon_job(store, tmp_path, epochs=3, resume=True))
    assert_same_weights(job.open_checkpoints().load("best"), before, 0)


def test_a_checkpoint_without_all_tensors_is_refused(
    store: Path, tmp_path: Path, run_here: Callable[[TrainingJob], list[str]]
) -> None:
    job = make_horizon_job(store, tmp_path, epochs=1)
    run_here(job)
    last = job.open_checkpoints().load("last")
    del last.tensors["classifier.bias"]
    job.open_checkpoints().save("last", last)
    with pytest.raises(TrainingError, match=r"damaged.*bias.*training\.resume=false"):
        run_here(make_horizon_job(store, tmp_path, resume=True))


def test_a_full_disk_ends_the_training_with_the_remedy(
    store: Path,
    tmp_path: Path,
    run_here: Callable[[TrainingJob], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, "write_tensors", no_room)
    with pytest.raises(TrainingError, match=r"No space left.*make room.*training\.resume=true"):
        run_here(make_horizon_job(store, tmp_path))
