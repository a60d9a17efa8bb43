import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError

from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.errors import StoreError


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SealedPartitions]:
    store = SealedPartitions(
        path=str(tmp_path / "store"), dataset="json.JSONDataset", filename_suffix=".json"
    )
    yield store
    store.release()


def test_what_was_saved_is_loaded_lazily_and_sorted(store: SealedPartitions) -> None:
    store.save({"train/b": {"x": 1}, "train/a": lambda: {"x": 2}})
    loaded = store.load()
    assert list(loaded) == ["train/a", "train/b"]
    assert loaded["train/a"]() == {"x": 2}


def test_a_set_without_a_seal_is_refused(store: SealedPartitions) -> None:
    store.save_partition("train/a", {"x": 1})
    assert not store.exists()
    with pytest.raises(DatasetError, match="is not complete"):
        store.load()


def test_ids_are_sealed_only_when_every_partition_is_there(store: SealedPartitions) -> None:
    store.save_partition("a", 1)
    with pytest.raises(DatasetError, match=r"1 of 2 partitions .* the first: 'b'"):
        store.save(["a", "b"])
    assert not store.exists()
    store.save(["a"])
    assert list(store.load()) == ["a"]


def test_a_partition_that_is_no_longer_wanted_is_no_longer_loaded(store: SealedPartitions) -> None:
    store.save({"a": 1, "b": 2})
    store.save({"a": 1})
    assert list(store.load()) == ["a"]


def test_a_failed_save_leaves_the_old_partition_and_no_seal(store: SealedPartitions) -> None:
    store.save({"a": 1})
    with pytest.raises(DatasetError):
        store.save({"a": 2, "b": object()})
    assert not store.exists()
    assert not list(store.path.rglob(".*.part"))


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/x", "a//b", "", "a\0b", "a\\b"])
def test_an_id_that_would_leave_the_folder_is_refused(store: SealedPartitions, name: str) -> None:
    with pytest.raises(StoreError, match="no partition id"):
        store.partition_path(name)


@pytest.mark.parametrize("name", ["Bob's Show, Live!_Ep. #3 [it's back]", "größer & mehr", "a.b"])
def test_a_name_as_podcasts_have_them_is_kept(store: SealedPartitions, name: str) -> None:
    store.save({f"test/{name}": {"x": 1}})
    assert store.load()[f"test/{name}"]() == {"x": 1}


def test_what_a_killed_run_left_is_removed(store: SealedPartitions) -> None:
    store.save({"train/a": 1})
    leftover = store.path / "train" / ".0123.part"
    leftover.write_text("half")
    store.lock()
    assert not leftover.exists()


def test_two_runs_cannot_write_one_set_at_once(store: SealedPartitions) -> None:
    store.lock()
    other = SealedPartitions(
        path=str(store.path), dataset="json.JSONDataset", filename_suffix=".json"
    )
    with pytest.raises(StoreError, match="another run is writing"):
        other.lock()
    store.release()
    other.lock()
    other.release()


def test_a_damaged_seal_says_what_to_do(store: SealedPartitions) -> None:
    store.save({"a": 1})
    (store.path / "_sealed.json").write_text('{"partitions": ["a')
    with pytest.raises(DatasetError, match="is damaged"):
        store.load()


def test_a_root_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SealedPartitions(
        path=str(tmp_path / "file" / "x"), dataset="json.JSONDataset", filename_suffix=".json"
    )
    with pytest.raises(StoreError, match="give another place with data_root"):
        store.lock()


def test_the_lock_of_a_killed_run_is_free(store: SealedPartitions) -> None:
    script = (
        "import os, sys; from acoustic_event_prediction.datasets.sealed import SealedPartitions;"
        "s = SealedPartitions(path=sys.argv[1], dataset='json.JSONDataset', filename_suffix='');"
        "s.lock(); os.kill(os.getpid(), 9)"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(store.path)], check=False)
    assert ended.returncode == -9
    store.lock()


def test_a_full_disk_leaves_nothing_half_written(store: SealedPartitions) -> None:
    def write() -> None:
        with store.writing("a") as part:
            part.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match=r"'a' can't be written.*No space left"):
        write()
    assert [p for p in store.path.rglob("*") if p.is_file()] == []


def test_a_preview_tells_shape_and_positives(tmp_path: Path) -> None:
    store = SealedPartitions(
        path=str(tmp_path / "labels"),
        dataset="acoustic_event_prediction.datasets.frame_array.FrameArrayDataset",
        filename_suffix=".safetensors",
    )
    store.save({"train/a/x": np.array([0, 1, 1], np.int8)})
    assert store.preview()["data"] == [["train/a/x", "3", "int8, 2 positive"]]


def test_the_seal_is_plain_json(store: SealedPartitions) -> None:
    store.save({"b": 1, "a": 2})
    assert json.loads((store.path / "_sealed.json").read_text()) == {"partitions": ["a", "b"]}
    assert os.access(store.path / "_sealed.json", os.R_OK)


def test_a_set_stays_complete_until_its_first_partition_changes(store: SealedPartitions) -> None:
    store.save({"a": 1})
    with pytest.raises(RuntimeError, match="before anything is written"), store.writing("a"):
        raise RuntimeError("before anything is written")
    assert store.ids() == ["a"]
    store.save_partition("a", 2)
    assert not store.exists()


def test_a_partition_that_is_gone_or_damaged_is_named_with_the_remedy(
    store: SealedPartitions,
) -> None:
    store.save({"a": 1, "b": 2})
    store.partition_path("a").unlink()
    store.partition_path("b").write_text("{half")
    loads = store.load()

    with pytest.raises(StoreError, match=r"partition 'a' is gone .*run the pipeline that makes"):
        loads["a"]()
    with pytest.raises(StoreError, match=r"partition 'b' is damaged .*run the pipeline that makes"):
        loads["b"]()


@pytest.mark.parametrize("seal", ['{"partitions": [1, 2]}', '{"partitions": "abc"}', "[]", "{"])
def test_a_damaged_seal_is_named_with_the_remedy(store: SealedPartitions, seal: str) -> None:
    store.save({"a": 1})
    (store.path / "_sealed.json").write_text(seal)

    with pytest.raises(DatasetError, match=r"is damaged .*delete it"):
        store.load()
