import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open

from acoustic_event_prediction.errors import StoreError
from acoustic_event_prediction.frame_arrays import (
    FrameArrayWriter,
    fingerprint_of,
    read_frame_array,
    read_header,
    write_frame_array,
)

PROVENANCE = {"audio": "Café", "settings": {"b": 2, "a": 1}}


@pytest.mark.parametrize("dtype", [np.int8, np.float16, np.float32, ml_dtypes.bfloat16])
def test_an_array_comes_back_as_it_was(tmp_path: Path, dtype: type) -> None:
    array = np.arange(12).reshape(4, 3).astype(dtype)
    write_frame_array(tmp_path / "x", array, PROVENANCE)
    loaded = read_frame_array(tmp_path / "x")
    assert loaded.dtype == array.dtype
    assert np.array_equal(loaded, array)
    assert read_header(tmp_path / "x").provenance == PROVENANCE


def test_blocks_give_the_same_bytes_as_the_whole(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    write_frame_array(tmp_path / "whole", array, PROVENANCE)
    with FrameArrayWriter(tmp_path / "blocks", (10, 4), np.float32, PROVENANCE) as writer:
        for start in range(0, 10, 3):
            writer.append(array[start : start + 3])
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "blocks").read_bytes()


def test_the_safetensors_library_reads_the_file(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float16).reshape(3, 2)
    write_frame_array(tmp_path / "x", array, PROVENANCE)
    with safe_open(tmp_path / "x", framework="np") as file:
        assert np.array_equal(file.get_tensor("frames"), array)


def test_an_array_is_mapped_and_can_not_be_changed(tmp_path: Path) -> None:
    write_frame_array(tmp_path / "x", np.zeros((3, 2), np.float16), {})
    loaded = read_frame_array(tmp_path / "x")
    assert isinstance(loaded, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        loaded[0] = 1


def test_too_few_rows_are_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match="2 of 5 rows"),
        FrameArrayWriter(tmp_path / "x", (5, 4), np.float32, {}) as writer,
    ):
        writer.append(np.zeros((2, 4)))


@pytest.mark.parametrize("keep", [0, 5, 40, -1])
def test_a_file_cut_short_is_refused(tmp_path: Path, keep: int) -> None:
    write_frame_array(tmp_path / "x", np.ones((5, 4), np.float32), PROVENANCE)
    whole = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(whole[:keep])
    with pytest.raises(StoreError, match="run the pipeline that makes it again"):
        read_frame_array(tmp_path / "x")


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\x93NUMPY" + bytes(200))
    with pytest.raises(StoreError, match="not a frame array"):
        read_header(tmp_path / "x")


def test_a_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    assert fingerprint_of({"a": 1, "b": {"c": 2, "d": 3}}) == fingerprint_of(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )
    assert fingerprint_of({"a": 1}) != fingerprint_of({"a": 2})


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["frames"].update(shape="12"),
        lambda header: header["frames"].update(shape=[-3, -4]),
        lambda header: header["frames"].update(shape=[3.0, 4]),
        lambda header: header["__metadata__"].update(provenance="[1]"),
        lambda header: header["__metadata__"].update(provenance="5"),
        lambda header: header["__metadata__"].update(provenance="[" * 100_000),
        lambda header: header["__metadata__"].update(fingerprint="0" * 64),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "x.safetensors"
    write_frame_array(path, np.zeros((3, 4), np.float16), {"a": 1})
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    changed = json.dumps(header).encode()
    path.write_bytes(len(changed).to_bytes(8, "little") + changed + content[8 + length :])
    with pytest.raises(StoreError, match="not a frame array"):
        read_header(path)
