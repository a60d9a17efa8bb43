import logging
from collections import namedtuple
from pathlib import Path

import pytest

from acoustic_event_prediction import devices
from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.devices import decide_precision
from acoustic_event_prediction.errors import StoreError
from acoustic_event_prediction.params import FeatureExtractionParams
from acoustic_event_prediction.pipelines.feature_extraction import nodes
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
    monkeypatch.setattr(nodes.shutil, "disk_usage", lambda _: Usage(10**12, 0, free))


def test_what_the_disk_cannot_hold_is_not_begun(
    store: SealedPartitions, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # Two assignments of 1000 frames, 4096 numbers of 2 bytes each: 16 384 000 bytes.
    tasks = [task("a", 1000)]
    free_bytes(monkeypatch, 16_384_000)
    with caplog.at_level(logging.INFO):
        nodes._require_room(tasks, store, 4096, "float16")
    assert "0.0164 GB to write" in caplog.text
    free_bytes(monkeypatch, 16_383_999)
    with pytest.raises(
        StoreError, match=r"need 0\.0164 GB; make room, give another place with data_root"
    ):
        nodes._require_room(tasks, store, 4096, "float16")


def test_files_that_are_replaced_make_room_for_the_new_ones_but_one_at_a_time(
    store: SealedPartitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user in "01":
        path = store.partition_path(f"train/a/{user}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 8_192_000)
    free_bytes(monkeypatch, 8_192_000)
    nodes._require_room([task("a", 1000)], store, 4096, "float16")
    free_bytes(monkeypatch, 8_191_999)
    with pytest.raises(StoreError, match="2 assignments"):
        nodes._require_room([task("a", 1000)], store, 4096, "float16")


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
    settings = FeatureExtractionParams.model_validate(
        {
            "text": "none",
            "stream_order": "moshi",
            "reset_every_seconds": None,
            "chunk_frames": 256,
            "dtype": "float16",
            "precision": precision,
            "device": device,
        }
    )
    assert decide_precision(settings).precision == expected


def test_automatic_precision_is_bfloat16_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "choose_device", lambda _: "cuda")
    settings = FeatureExtractionParams(
        text="none",
        stream_order="moshi",
        reset_every_seconds=None,
        chunk_frames=256,
        dtype="float16",
        precision="auto",
        device="auto",
    )
    assert decide_precision(settings).precision == "bfloat16"
