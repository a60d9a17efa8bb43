from pathlib import Path

import pytest
from kedro.io import DatasetError

from acoustic_event_prediction.datasets.partition_files import (
    EarlierPartitions,
    OptionalPartitionFiles,
)
from acoustic_event_prediction.datasets.sealed import SealedPartitions


def entries(path: Path) -> tuple[SealedPartitions, OptionalPartitionFiles]:
    config = {"path": str(path), "dataset": "json.JSONDataset", "filename_suffix": ".json"}
    return SealedPartitions(**config), OptionalPartitionFiles(**config, remedy="finish it")


def test_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    _, files = entries(tmp_path / "none")
    assert files.load() == {}
    assert not (tmp_path / "none").exists()


def test_a_complete_set_is_its_sealed_files(tmp_path: Path) -> None:
    store, files = entries(tmp_path)
    store.save({"train/a": 1, "train/b": 2})
    store.save(["train/b"])
    assert files.load() == {"train/b": tmp_path / "train" / "b.json"}
    (tmp_path / "train" / "b.json").unlink()
    assert files.load() == {}


def test_what_is_finished_of_an_incomplete_set_is_used_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, files = entries(tmp_path)
    store.save_partition("train/a", 1)
    assert list(files.load()) == ["train/a"]
    assert "the 1 finished ones are used: finish it" in caplog.text


def test_it_is_only_read(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="only read"):
        entries(tmp_path)[1].save({"a": 1})


def test_earlier_partitions_are_none_before_there_is_a_seal(tmp_path: Path) -> None:
    written = SealedPartitions(
        path=str(tmp_path), dataset="json.JSONDataset", filename_suffix=".json"
    )
    earlier = EarlierPartitions(
        path=str(tmp_path), dataset="json.JSONDataset", filename_suffix=".json"
    )

    assert earlier.load() == {}
    written.save_partition("a", 1)
    assert earlier.load() == {}
    written.save(["a"])
    assert earlier.load()["a"]() == 1
    with pytest.raises(DatasetError, match="only read"):
        earlier.save({"a": 2})
