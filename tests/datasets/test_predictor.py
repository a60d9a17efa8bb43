"""The catalog type of the predictor."""

import json
from pathlib import Path

import pytest
from kedro.io import DatasetError
from tests.made import make_predictor

from acoustic_event_prediction.datasets.predictor import PredictorDataset
from acoustic_event_prediction.models.predictor import Predictor


@pytest.fixture
def predictor() -> Predictor:
    return make_predictor(4, (2,))


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
