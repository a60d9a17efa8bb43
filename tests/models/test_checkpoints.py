"""Checkpoint files: complete, or refused with a remedy."""

from pathlib import Path

import pytest
import torch

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.models.checkpoints import (
    Checkpoint,
    CheckpointFolder,
    CheckpointHeader,
    common_part,
)

SETTINGS = {"training.learning_rate": 0.1, "features": "abc"}


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    header = CheckpointHeader(
        settings=SETTINGS,
        history=[],
        features_provenance={"checkpoint": "x"},
        prior=(0.1,),
        log_name="today",
    )
    folder = CheckpointFolder(tmp_path)
    folder.save("last", Checkpoint(header, {"classifier.bias": torch.tensor([1.0])}))
    return folder


def test_checkpoint_comes_back_as_it_was(folder: CheckpointFolder) -> None:
    checkpoint = folder.resume(SETTINGS)
    assert checkpoint is not None
    assert checkpoint.header.prior == (0.1,)
    assert checkpoint.tensors["classifier.bias"].tolist() == [1.0]


def test_no_checkpoint_gives_none(tmp_path: Path) -> None:
    assert CheckpointFolder(tmp_path).resume(SETTINGS) is None


def test_other_settings_are_refused_by_name_and_value(folder: CheckpointFolder) -> None:
    with pytest.raises(
        TrainingError, match=r"learning_rate was 0.1 and is 0.2.*training.resume=false"
    ):
        folder.resume(SETTINGS | {"training.learning_rate": 0.2})


def test_damaged_checkpoint_is_refused(folder: CheckpointFolder) -> None:
    path = folder.file("last")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TrainingError, match=r"no complete training checkpoint.*resume=false"):
        folder.resume(SETTINGS)


def test_common_part_keeps_what_all_have_at_any_depth() -> None:
    parts = [
        {"a": 1, "b": {"c": 1, "d": [1]}},
        {"a": 1, "b": {"c": 2, "d": [1]}},
        {"b": {"d": [1]}},
    ]
    assert common_part(parts) == {"b": {"d": [1]}}
    assert common_part(parts[:1]) == parts[0]
