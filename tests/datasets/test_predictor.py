"""The catalog type of the predictor."""

import json
from pathlib import Path

import pytest
from kedro.io import DatasetError

from acoustic_event_prediction.datasets.predictor import PredictorDataset
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.predictor import (
    ClassifierHeader,
    Predictor,
    PredictorHeader,
    TrainingSummary,
)


@pytest.fixture
def predictor() -> Predictor:
    header = PredictorHeader(
        classifier=ClassifierHeader(num_features=4, hidden_dim=None),
        shift_frames=2,
        event="Laughter",
        target="any",
        corpus=None,
        loss="focal",
        features={},
        training=TrainingSummary(epoch=1, validation_auprc=0.5, prior=0.1, shuffled_labels=False),
    )
    return Predictor(FrameClassifier(4), header)


def test_predictor_exists_once_it_is_saved(tmp_path: Path, predictor: Predictor) -> None:
    dataset = PredictorDataset(filepath=str(tmp_path / "models" / "predictor.safetensors"))
    assert not dataset.exists()
    dataset.save(predictor)
    assert dataset.exists()
    assert dataset.load().header == predictor.header
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["predictor.safetensors"]


def test_failed_save_keeps_the_old_predictor(
    tmp_path: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = PredictorDataset(filepath=str(tmp_path / "predictor.safetensors"))
    dataset.save(predictor)

    def fail(self: Predictor, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Predictor, "save", fail)
    with pytest.raises(DatasetError, match="disk full"):
        dataset.save(predictor)
    assert dataset.load().header == predictor.header


def test_preview_is_the_header(tmp_path: Path, predictor: Predictor) -> None:
    dataset = PredictorDataset(filepath=str(tmp_path / "predictor.safetensors"))
    dataset.save(predictor)
    assert json.loads(dataset.preview())["event"] == "Laughter"
