"""Safetensors files with a JSON text: named tensors and numbers, nothing that is executed."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

Tensors = dict[str, torch.Tensor]


def write_tensors(path: Path, tensors: Tensors, *, key: str, text: str) -> None:
    """Write tensors, and a text under `key` of the file's metadata."""
    save_file(tensors, path, metadata={key: text})


def read_tensors(path: Path, *, key: str) -> tuple[Tensors, str]:
    """Return the tensors, on the CPU, and the text under `key`.

    Raises:
        ValueError: the file is not there, damaged, or has no such text.
    """
    try:
        with safe_open(path, framework="pt") as file:  # type: ignore[no-untyped-call]
            metadata: dict[str, str] = file.metadata() or {}
            tensors: Tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if key not in metadata:
        raise ValueError(f"its metadata has no {key!r}")
    return tensors, metadata[key]
