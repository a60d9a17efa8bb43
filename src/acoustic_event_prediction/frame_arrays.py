"""Arrays with one row per frame, in safetensors files that carry where they come from.

A file holds one tensor, `frames`, [T] or [T, D]. Its header's `provenance` is JSON and its
`fingerprint` the SHA-256 of everything that made it, so that a reader can tell whether the array is
still the one that it wants.
Rows can be written block by block: memory does not grow with the length of an episode.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

import ml_dtypes
import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.errors import StoreError

Array = npt.NDArray[Any]

_TENSOR_NAME = "frames"
# https://github.com/huggingface/safetensors#format: 8 bytes of header length, JSON header, raw
# data.
_DTYPES: dict[str, npt.DTypeLike] = {
    "I8": np.int8,
    "I16": np.int16,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F32": np.float32,
}
_DTYPE_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_MAX_HEADER_BYTES = 10_000_000


class FrameArrayHeader(NamedTuple):
    """What a file says about itself."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    provenance: dict[str, Any]
    fingerprint: str
    data_start: int


def fingerprint_of(provenance: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of a JSON-able mapping, whatever the order of its keys."""
    canonical = json.dumps(provenance, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def as_dtype(name: str) -> np.dtype[Any]:
    """Return the NumPy dtype of `float16`, `bfloat16`, `float32`, `int8` or `int16`."""
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


class FrameArrayWriter:
    """Writes an array of known shape, in consecutive blocks of rows.

    Args:
        path: file to create.
        shape: [T] or [T, D].
        dtype: int8, int16, float16, bfloat16 or float32.
        provenance: JSON-able; what the array was made from.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        provenance: Mapping[str, Any],
    ) -> None:
        self._shape = shape
        self._dtype = np.dtype(dtype)
        self._rows_written = 0
        self._file: BinaryIO = path.open("xb")
        self._file.write(_encode_header(shape, self._dtype, provenance))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if error is None and self._rows_written != self._shape[0]:
            raise StoreError(
                f"{self._file.name}: {self._rows_written} of {self._shape[0]} rows were written"
            )

    def append(self, rows: Array) -> None:
        """Write the next rows, [t, ...], converted to the file's dtype."""
        if rows.shape[1:] != self._shape[1:]:
            raise ValueError(f"rows of shape {rows.shape} don't fit an array {self._shape}")
        self._rows_written += len(rows)
        flat = np.ascontiguousarray(rows, dtype=self._dtype).ravel()
        self._file.write(flat.view(np.uint8).data)  # bfloat16 has no buffer of its own


def write_frame_array(path: Path, array: Array, provenance: Mapping[str, Any]) -> None:
    """Write a whole array, [T] or [T, D]."""
    with FrameArrayWriter(path, array.shape, array.dtype, provenance) as writer:
        writer.append(array)


def read_header(path: Path) -> FrameArrayHeader:
    """Read shape, dtype and provenance, and check that the file is as long as they say.

    Raises:
        StoreError: not such a file, or cut short.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        raw = file.read(length) if length <= _MAX_HEADER_BYTES else b""
    try:
        header = json.loads(raw)
        tensor, metadata = header[_TENSOR_NAME], header["__metadata__"]
        shape, dtype = _shape(tensor["shape"]), np.dtype(_DTYPES[tensor["dtype"]])
        provenance, fingerprint = json.loads(metadata["provenance"]), metadata["fingerprint"]
        if not isinstance(provenance, dict) or fingerprint != fingerprint_of(provenance):
            raise ValueError("the fingerprint is not that of the provenance")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(
            f"{path} is not a frame array of this project ({type(error).__name__}: {error}); "
            "delete it and run the pipeline that makes it again"
        ) from error
    expected = 8 + length + int(np.prod(shape)) * dtype.itemsize
    if path.stat().st_size != expected:
        raise StoreError(
            f"{path} has {path.stat().st_size} bytes instead of {expected}: it was cut short or "
            "changed; delete it and run the pipeline that makes it again"
        )
    return FrameArrayHeader(shape, dtype, provenance, fingerprint, 8 + length)


def _shape(sizes: Any) -> tuple[int, ...]:
    if not all(type(size) is int and size >= 0 for size in sizes):
        raise ValueError(f"{sizes!r} is no shape")
    return tuple(sizes)


def read_frame_array(path: Path) -> Array:
    """Return the array, [T] or [T, D], memory-mapped and read-only: a slice reads only its rows.

    Raises:
        StoreError: not such a file, or cut short.
    """
    return map_frame_array(path, read_header(path))


def map_frame_array(path: Path, header: FrameArrayHeader) -> Array:
    """Return the array of a file whose header has been read: four times as fast.

    Raises:
        ValueError: the file has been cut short since then.
    """
    if 0 in header.shape:
        return np.zeros(header.shape, header.dtype)
    return np.memmap(path, header.dtype, "r", header.data_start, header.shape)


def _encode_header(
    shape: tuple[int, ...], dtype: np.dtype[Any], provenance: Mapping[str, Any]
) -> bytes:
    size = int(np.prod(shape)) * dtype.itemsize
    header = {
        "__metadata__": {
            "provenance": json.dumps(provenance, ensure_ascii=False, allow_nan=False),
            "fingerprint": fingerprint_of(provenance),
        },
        _TENSOR_NAME: {
            "dtype": _DTYPE_NAMES[dtype],
            "shape": list(shape),
            "data_offsets": [0, size],
        },
    }
    encoded = json.dumps(header, ensure_ascii=False).encode("utf-8")
    encoded += b" " * (-(8 + len(encoded)) % 64)  # aligned rows
    return len(encoded).to_bytes(8, "little") + encoded
