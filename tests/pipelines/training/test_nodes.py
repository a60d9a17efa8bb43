"""What the training node refuses before it starts any process, and the predictor that it makes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import AbstractDataset, DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from tests.made import extraction_params, stream_params, training_params

from acoustic_event_prediction.datasets.frame_array import FrameArrayDataset
from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.frame_arrays import write_frame_array
from acoustic_event_prediction.labels import label_within
from acoustic_event_prediction.params import (
    CheckpointParams,
    LabelingParams,
    LauncherParams,
)
from acoustic_event_prediction.pipelines.training import create_pipeline
from acoustic_event_prediction.pipelines.training.nodes import check_partitions, train_predictor
from acoustic_event_prediction.speech_lm.provenance import common_provenance

TRAINING = training_params(
    loss_type="focal", hidden_dim=4, batch_size=64, learning_rate=0.01, epochs=2, standardize=True
)
LABELING = LabelingParams(event="Laughter", target="user", shift_frames=3)
LAUNCHER = LauncherParams(
    nproc_per_node=1, nnodes=1, node_rank=0, rdzv_endpoint=None, timeout_seconds=60
)
SUMMARY = {"labeling": LABELING.model_dump(), "splits": {}}
EXTRACTION = extraction_params()
STREAMS = stream_params()
CHECKPOINT = CheckpointParams(hf_repo=None, revision=None, directory="models/moshi")
FEATURE_SUMMARY = common_provenance({"lm": "1234"}, EXTRACTION, STREAMS)
NAMES = ("train/a/u", "validation/b/u", "test/c/u")


def loads(**arrays: np.ndarray) -> dict[str, Callable[[], np.ndarray]]:
    return {name.replace("_", "/"): lambda array=array: array for name, array in arrays.items()}


def test_partitions_without_labels_are_named() -> None:
    features = loads(train_a_u=np.zeros((3, 2)), train_b_u=np.zeros((3, 2)))
    labels = loads(train_a_u=np.zeros(3, np.int8))
    with pytest.raises(TrainingError, match=r"1 partitions.*'train/b/u' has no labels; run `kedro"):
        check_partitions(features, labels)


def test_labels_of_another_length_are_named_with_both_numbers() -> None:
    with pytest.raises(TrainingError, match="'train/a/u' has 3 frames of features, 4 labels"):
        check_partitions(loads(train_a_u=np.zeros((3, 2))), loads(train_a_u=np.zeros(4, np.int8)))


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("validation", "no validation frame is positive.*2 of 4.*0 of 4.*shift_frames"),
        ("test", "no validation frames"),
    ],
)
def test_unusable_validation_is_refused_before_a_process_starts(split: str, message: str) -> None:
    features = {
        name: lambda: np.zeros((4, 2), np.float16) for name in ("train/a/u", f"{split}/b/u")
    }
    labels = {
        "train/a/u": lambda: np.array([0, 1, 1, 0], np.int8),
        f"{split}/b/u": lambda: np.zeros(4, np.int8),
    }
    entries = ("features", "labels", "onset_distances", "training_checkpoints", "tensorboard")
    catalog: dict[str, dict[str, Any]] = {name: {} for name in entries}
    with pytest.raises(TrainingError, match=message):
        train_predictor(
            *(features, labels, labels, FEATURE_SUMMARY, SUMMARY, TRAINING, LABELING, LAUNCHER),
            *(EXTRACTION, STREAMS, CHECKPOINT, "mine", catalog),
        )


def test_features_of_other_settings_are_refused() -> None:
    other = EXTRACTION.model_copy(update={"text": "none"})
    message = r"feature_extraction\.text was 'words' and is 'none'.*--pipelines feature_extraction"
    with pytest.raises(TrainingError, match=message):
        train_predictor(
            *({}, {}, {}, FEATURE_SUMMARY, SUMMARY, TRAINING, LABELING, LAUNCHER),
            *(other, STREAMS, CHECKPOINT, "mine", {}),
        )


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Outputs of the pipeline on a catalog of three small episodes."""
    path: Path = tmp_path_factory.mktemp("data")
    datasets = "acoustic_event_prediction.datasets"
    config: dict[str, dict[str, Any]] = {
        name: {
            "type": f"{datasets}.sealed.SealedPartitions",
            "path": str(path / name),
            "dataset": f"{datasets}.frame_array.FrameArrayDataset",
            "filename_suffix": ".safetensors",
        }
        for name in ("features", "labels", "onset_distances")
    } | {
        name: {"type": f"{datasets}.folder.FolderDataset", "path": str(path / name)}
        for name in ("training_checkpoints", "tensorboard")
    }
    config["predictor"] = {
        "type": f"{datasets}.predictor.PredictorDataset",
        "filepath": str(path / "predictor.safetensors"),
    }
    entries = {name: AbstractDataset.from_config(name, dict(config[name])) for name in config}
    generator = np.random.default_rng(0)
    rows = {name: generator.standard_normal((200, 5)).astype(np.float16) for name in NAMES}
    for name, array in rows.items():
        with entries["features"].writing(name) as part:
            source = "mono" if name.startswith("train") else "diarization"
            facts = {"checkpoint": {"lm": "1234"}, "episode": {"audio": name, "source": source}}
            write_frame_array(part, array, facts)
        assert isinstance(entries["features"].partition(name), FrameArrayDataset)
    entries["features"].save(list(NAMES))
    distances = {name: np.where(rows[name][:, 0] > 1, 3, 0).astype(np.int16) for name in NAMES}
    for array in distances.values():
        array[::7] = 9
    entries["onset_distances"].save(distances)
    entries["labels"].save({name: label_within(distances[name], 3) for name in NAMES})
    memory = {
        "feature_summary": FEATURE_SUMMARY,
        "label_summary": SUMMARY,
        "params:training": TRAINING.model_copy(update={"horizons": (3, 9)}),
        "params:labeling": LABELING,
        "params:launcher": LAUNCHER,
        "params:feature_extraction": EXTRACTION,
        "params:streams": STREAMS,
        "params:checkpoint": CHECKPOINT,
        "params:corpus": "mine",
        "worker_catalog": config,
    }
    catalog = DataCatalog(
        {name: entries[name] for name in ("features", "labels", "onset_distances", "predictor")}
        | {name: MemoryDataset(value) for name, value in memory.items()}
    )
    run = SequentialRunner().run(create_pipeline(), catalog)
    return {name: dataset.load() for name, dataset in run.items()} | {
        "features": {name: load() for name, load in entries["features"].load().items()}
    }


def test_predictor_says_what_it_was_trained_on(outputs: dict[str, Any]) -> None:
    header = outputs["predictor"].header
    assert (header.event, header.target, header.shift_frames) == ("Laughter", "user", 3)
    assert header.horizon_frames == (3, 9)
    assert (header.training["loss_type"], header.threshold) == ("focal", None)
    assert header.classifier.model_dump() == {"num_features": 5, "num_horizons": 2, "hidden_dim": 4}
    assert header.training["frames_per_step"] == 64
    assert header.streams == STREAMS.model_dump()
    assert header.checkpoint_folder == "models/moshi"
    assert header.features == {
        "checkpoint": {"lm": "1234"},
        "sources": ["diarization", "mono"],
    }
    assert 0 < header.horizons[0].prior < header.horizons[1].prior < 1


def test_predictor_has_the_standardization_of_the_training_frames(outputs: dict[str, Any]) -> None:
    rows = outputs["features"]["train/a/u"].astype(np.float32)
    predictor = outputs["predictor"]
    assert predictor.header.is_standardized
    np.testing.assert_allclose(predictor.classifier.mean, rows.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(predictor.classifier.scale, rows.std(axis=0), rtol=1e-5)


def test_predictor_scores_a_partition_that_it_has_not_seen(outputs: dict[str, Any]) -> None:
    scores = outputs["predictor"].horizon_scores(outputs["features"]["test/c/u"])
    assert scores.shape == (200, 2)
    assert ((scores > 0) & (scores < 1)).all()


def test_history_has_a_row_per_epoch_and_horizon_and_the_best_are_kept(
    outputs: dict[str, Any],
) -> None:
    history = outputs["training_history"]
    assert history.columns.tolist() == [
        "epoch",
        "shift_frames",
        "train_loss",
        "validation_loss",
        "validation_auprc",
        "validation_auroc",
        "learning_rate",
        "seconds",
    ]
    assert history[["epoch", "shift_frames"]].values.tolist() == [[1, 3], [1, 9], [2, 3], [2, 9]]
    for summary in outputs["predictor"].header.horizons:
        rows = history[history["shift_frames"] == summary.shift_frames].set_index("epoch")
        best = rows["validation_auprc"]
        assert (summary.epoch, summary.validation_auprc) == (best.idxmax(), best.max())
