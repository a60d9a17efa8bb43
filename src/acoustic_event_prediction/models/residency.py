"""All features in the device's memory, where they fit: then an epoch reads no file."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import psutil
import torch

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.models.training_set import TrainingSet
from acoustic_event_prediction.params import TrainingParams
from acoustic_event_prediction.shuffled_frames import FramePartition, to_tensor

# Of a GPU's free memory; the rest is for blocks, weights and PyTorch.
_USABLE_SHARE = 0.8
_ROWS_AT_ONCE = 4096


class Residents(NamedTuple):
    """A training set whose features lie on the device.

    Attributes:
        training_set: its partitions are views.
        train: the features of its training partitions one after the other, [N, D].
    """

    training_set: TrainingSet
    train: torch.Tensor


def load_residents(
    training_set: TrainingSet, params: TrainingParams, device: torch.device
) -> Residents | None:
    """Return the set with its features on the device, or None if they are to be read in blocks.

    Args:
        training_set: both splits.
        params: `resident` decides; `auto` loads them if they fit into the free memory of a GPU, or
            on a CPU if they are not more than a shuffle block, which is kept in memory anyway.
        device: of this process.

    Raises:
        TrainingError: they are to be loaded, but don't fit.
    """
    if params.resident is False:
        return None
    num_bytes = sum(_num_bytes(part) for part in (*training_set.train, *training_set.validation))
    if params.resident == "auto" and num_bytes > _room(params, device):
        return None
    if num_bytes > _free_bytes(device):
        raise TrainingError(
            f"the features have {num_bytes / 1e9:.1f} GB, {device} has "
            f"{_free_bytes(device) / 1e9:.1f} GB of free memory; set training.resident=auto"
        )
    train, train_parts = _load(training_set.train, device)
    _, validation_parts = _load(training_set.validation, device)
    return Residents(training_set._replace(train=train_parts, validation=validation_parts), train)


def _room(params: TrainingParams, device: torch.device) -> float:
    if device.type == "cuda":
        return _USABLE_SHARE * _free_bytes(device)
    return params.shuffle_block_gb * 1e9


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def _num_bytes(partition: FramePartition) -> int:
    features = partition.load_features()
    return int(features.nbytes)


def _load(
    partitions: Sequence[FramePartition], device: torch.device
) -> tuple[torch.Tensor, list[FramePartition]]:
    example = to_tensor(np.array(partitions[0].load_features()[:1]))
    num_rows = sum(len(partition.distances) for partition in partitions)
    features = torch.empty((num_rows, example.shape[1]), dtype=example.dtype, device=device)
    views, start = [], 0
    for part in partitions:
        view = features[start : start + len(part.distances)]
        source = part.load_features()
        for first in range(0, len(view), _ROWS_AT_ONCE):
            rows = slice(first, first + _ROWS_AT_ONCE)
            view[rows].copy_(to_tensor(np.array(source[rows])))
        views.append(part._replace(load_features=partial(_itself, view)))
        start += len(view)
    return features, views


def _itself(view: torch.Tensor) -> torch.Tensor:
    return view
