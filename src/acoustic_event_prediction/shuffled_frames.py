"""The training frames in a new order each epoch, in bounded memory, shared out over processes.

A block's slices are read one after the other, each once, from the memory-mapped files to the rows'
places in their batches, while the block before is in use. Where all frames lie in the device's
memory, nothing is read: a batch is then a list of indices.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import numpy.typing as npt
import torch

from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.frame_order import Batch, BlockOrder, FrameOrder
from acoustic_event_prediction.models.ranks import Ranks

Distances = npt.NDArray[np.int16]

_INTEGERS = {2: torch.int16, 4: torch.int32}


class FramePartition(NamedTuple):
    """One user of one episode.

    Attributes:
        partition_id: `<split>/<episode>/<user>`.
        load_features: gives [T, D], float16, bfloat16 or float32: an array, usually memory-mapped,
            or a tensor on the device.
        distances: frames to the next onset, int16 [T]; 0 for none. A frame is positive at horizon n
            when its distance is 1 to n.
    """

    partition_id: str
    load_features: Callable[[], Array | torch.Tensor]
    distances: Distances


class Block(NamedTuple):
    """What this rank trains on next; the memory is used again once the next block is asked for.

    Attributes:
        features: [N, D] in the dtype of the partitions.
        distances: int16 [N].
        order: rows of both, batch after batch, int64; None if that is the order in which they lie.
        batches: at least one; a batch may have no row for this rank.
    """

    features: torch.Tensor
    distances: torch.Tensor
    order: torch.Tensor | None
    batches: list[Batch]

    def to(self, device: torch.device) -> "Block":
        """Return the same block on a device."""
        return self._replace(
            features=self.features.to(device, non_blocking=True),
            distances=self.distances.to(device, non_blocking=True),
            order=None if self.order is None else self.order.to(device, non_blocking=True),
        )

    def rows(self, start: int, stop: int) -> slice | torch.Tensor:
        """Return the index of entries `start:stop`, as counted by the batches."""
        return slice(start, stop) if self.order is None else self.order[start:stop]


class ShuffledFrames:
    """Iterates over epochs of the training set.

    Args:
        partitions: all of one D and dtype; not empty.
        seed: of the order.
        global_batch_size: rows of one step over all ranks.
        block_bytes: features that are shuffled together, over all ranks; at least one global batch.
        ranks: the processes that share each batch.
        resident: all features, partition after partition, on the device, [N, D]; None: read them.
        is_pinned: keep blocks in memory from which a GPU can copy by itself.
    """

    def __init__(
        self,
        partitions: Sequence[FramePartition],
        *,
        seed: int,
        global_batch_size: int,
        block_bytes: int,
        ranks: Ranks,
        resident: torch.Tensor | None = None,
        is_pinned: bool = False,
    ) -> None:
        self._partitions = partitions
        lengths = [len(partition.distances) for partition in partitions]
        first = partitions[0].load_features()[:1]
        sample = first if isinstance(first, torch.Tensor) else to_tensor(np.array(first))
        row_bytes = sample.shape[1] * sample.itemsize
        self._order = FrameOrder(
            lengths,
            seed=seed,
            global_batch_size=global_batch_size,
            block_rows=block_bytes // row_bytes,
            ranks=ranks,
        )
        self._resident = resident
        if resident is not None:
            self._starts = np.cumsum([0, *lengths])
            distances = np.concatenate([partition.distances for partition in partitions])
            self._resident_distances = torch.from_numpy(distances).to(resident.device)
            return
        # Two: one in use, one being read. Kept over the epochs: new pages cost more than the copy.
        num_buffers = min(2, self._order.num_blocks)
        self._buffers = [
            torch.empty(
                (self._order.most_rows, sample.shape[1]), dtype=sample.dtype, pin_memory=is_pinned
            )
            for _ in range(num_buffers)
        ]

    @property
    def num_steps(self) -> int:
        """Number of batches of an epoch."""
        return self._order.num_steps

    def blocks(self, epoch: int) -> Iterator[Block]:
        """Yield an epoch's blocks; the next one is read while the caller works on the last."""
        orders = self._order.blocks(epoch)
        if self._resident is not None:
            yield from (self._index(order, self._resident) for order in orders)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="frames") as reader:
            pending = reader.submit(self._read, next(orders), self._buffers[0])
            for index, order in enumerate(orders, start=1):
                block = pending.result()
                pending = reader.submit(self._read, order, self._buffers[index % 2])
                yield block
            yield pending.result()

    def _read(self, block: BlockOrder, buffer: torch.Tensor) -> Block:
        distances = np.empty(len(block.order), np.int16)
        target = buffer.view(_INTEGERS[buffer.itemsize]).numpy()
        places = np.empty_like(block.order)  # of the rows, as they are read, in their batches
        places[block.order] = np.arange(len(places))
        for partition, cuts in groupby(sorted(block.cuts), key=lambda cut: cut.partition):
            source = self._partitions[partition]
            features = _as_integers(source.load_features())
            for cut in cuts:
                wanted = places[cut.first : cut.first + cut.stop - cut.start]
                target[wanted] = features[cut.start : cut.stop]
                distances[wanted] = source.distances[cut.start : cut.stop]
        return Block(buffer[: len(places)], torch.from_numpy(distances), None, block.batches)

    def _index(self, block: BlockOrder, features: torch.Tensor) -> Block:
        rows = np.concatenate(
            [np.empty(0, np.int64)]
            + [self._starts[cut.partition] + np.arange(cut.start, cut.stop) for cut in block.cuts]
        )
        order = torch.from_numpy(rows[block.order])
        return Block(features, self._resident_distances, order, block.batches)


def to_tensor(array: Array) -> torch.Tensor:
    """Return a writable float16, bfloat16 or float32 array as a tensor that shares its memory.

    Raises:
        ValueError: another dtype.
    """
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    if array.dtype not in (np.float16, np.float32):
        raise ValueError(f"features must be float16, bfloat16 or float32, not {array.dtype}")
    return torch.from_numpy(array)


def _as_integers(array: Any) -> Array:
    """Return floats of 2 or 4 bytes as integers: NumPy copies bfloat16 one by one."""
    return np.asarray(array).view(f"i{array.dtype.itemsize}")
