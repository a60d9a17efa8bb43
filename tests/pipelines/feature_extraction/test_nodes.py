import logging
from collections import namedtuple
from pathlib import Path

import pytest

from acoustic_event_prediction import devices
from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.devices import decide_precision
from acoustic_event_prediction.errors import StoreError
from acoustic_event_prediction.workers import disk_room
from tests.made import extraction_params
from tests.workers.test_extract_features import task

Usage = namedtuple("Usage", ["total", "used", "free"])


@pytest.fixture
def store(tmp_path: Path) -> SealedPartitions:
    (tmp_path / "features").mkdir()
    return SealedPartitions(
        path=str(tmp_path / "features"),
        dataset="acoustic_event_prediction.datasets.frame_array.FrameArrayDataset",
        filename_suffix=".safetensors",
    )


def free_bytes(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(disk_room.shutil, "disk_usage", lambda _: Usage(10**12, 0, free))


def test_what_the_disk_cannot_hold_is_not_begun(
    store: SealedPartitions, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Two assignments of 1000 frames, 4096 numbers of 2 bytes each: 16 384 000 bytes.
    tasks = [task("a", 1000)]
    free_bytes(monkeypatch, 16_384_000)
    with caplog.at_level(logging.INFO):
        disk_room.require_room(tasks, store, 4096, "float16", num_ranks=1)
    assert "16.4 MB to write, for a time 16.4 MB more than now; 16.4 MB free" in caplog.text
    free_bytes(monkeypatch, 16_383_999)
    with pytest.raises(
        StoreError, match=r"need 16\.4 MB; make room, give another place with data_root"
    ):
        disk_room.require_room(tasks, store, 4096, "float16", num_ranks=1)


def test_old_files_make_room_for_new_ones_only_after_their_batch(
    store: SealedPartitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 65 assignments of 8 192 000 bytes; 64 may be open while the old ones still lie there.
    tasks = [task("a", 1000, num_assignments=65)]
    for user in range(65):
        path = store.partition_path(f"train/a/{user}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(8_192_000)
    free_bytes(monkeypatch, 64 * 8_192_000)
    disk_room.require_room(tasks, store, 4096, "float16", num_ranks=1)
    free_bytes(monkeypatch, 64 * 8_192_000 - 1)
    with pytest.raises(StoreError, match="65 assignments need 524 MB"):
        disk_room.require_room(tasks, store, 4096, "float16", num_ranks=1)


def test_the_disk_is_measured_before_its_folder_is_there(tmp_path: Path) -> None:
    # As on a node that helps and has come first.
    store = SealedPartitions(
        path=str(tmp_path / "not" / "yet"), dataset="x", filename_suffix=".safetensors"
    )
    disk_room.require_room([task("a", 10)], store, 128, "float16", num_ranks=2)
    assert not store.path.exists()


def test_what_no_assignment_wants_any_more_is_named_with_its_size(
    store: SealedPartitions, caplog: pytest.LogCaptureFixture
) -> None:
    path = store.partition_path("train/a/old")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 2000)
    with caplog.at_level(logging.INFO):
        disk_room.report_unwanted({"train/a/new"}, store)
    assert "1 partitions" in caplog.text
    assert "2 kB, are of no assignment any more" in caplog.text


@pytest.mark.parametrize(
    ("precision", "device", "expected"),
    [
        ("auto", "cpu", "float32"),
        ("bfloat16", "cpu", "bfloat16"),
        ("float32", "auto", "float32"),
    ],
)
def test_automatic_precision_is_decided_before_it_becomes_part_of_the_provenance(
    precision: str, device: str, expected: str
) -> None:
    settings = extraction_params(precision=precision, device=device)
    assert decide_precision(settings).precision == expected


def test_automatic_precision_is_bfloat16_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "choose_device", lambda _: "cuda")
    settings = extraction_params(precision="auto", device="auto")
    assert decide_precision(settings).precision == "bfloat16"
