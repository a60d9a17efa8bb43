"""The training frames in a new order each epoch, in bounded memory, shared out over processes.

Partitions are cut into slices of consecutive rows. An epoch shuffles all slices, joins them to one
long sequence of rows, cuts that into blocks, and shuffles the rows within each block. Only the rows
that this rank trains on are copied, each once, from the memory-mapped file to its place in a batch.
The order depends on seed, epoch, block size and global batch size, not on the number of processes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, pairwise
from typing import NamedTuple

import ml_dtypes
import numpy as np
import numpy.typing as npt
import torch

from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.models.ranks import Ranks

# A block of all ranks together; each process holds its share twice: one in use, one being read.
SHUFFLE_BLOCK_BYTES = 128 * 2**20
# 256 rows are 20 s of an episode and 2 MB of a 7B model's features: still a sequential read.
SLICE_ROWS = 256

Indices = npt.NDArray[np.int64]


class FramePartition(NamedTuple):
    """One user of one episode.

    Attributes:
        partition_id: `<split>/<episode>/<user>`.
        load_features: gives [T, D], float16, bfloat16 or float32, usually memory-mapped.
        labels: int8 [T, H].
    """

    partition_id: str
    load_features: Callable[[], Array]
    labels: npt.NDArray[np.int8]


class Batch(NamedTuple):
    """This rank's rows `start:stop` of its block, and the size of the batch over all ranks."""

    start: int
    stop: int
    num_rows: int


class Block(NamedTuple):
    """What this rank trains on next; the memory is used again once the next block is asked for.

    Attributes:
        features: [N, D] in the dtype of the partitions, batch after batch.
        labels: int8 [N, H].
        partitions: index of each row's partition, [N].
        batches: at least one; a batch may have no row for this rank.
    """

    features: torch.Tensor
    labels: torch.Tensor
    partitions: Indices
    batches: list[Batch]


class _Slice(NamedTuple):
    """Rows `start ...` of a partition, found at rows `first:last` of the epoch's sequence."""

    partition: int
    start: int
    first: int
    last: int


class ShuffledFrames:
    """Iterates over epochs of the training set.

    Args:
        partitions: all of one D, H and dtype; not empty.
        seed: of the order.
        global_batch_size: rows of one step over all ranks.
        ranks: the processes that share each batch.
        block_bytes: size of a shuffle block; at least one global batch is taken.
    """

    def __init__(
        self,
        partitions: Sequence[FramePartition],
        *,
        seed: int,
        global_batch_size: int,
        ranks: Ranks,
        block_bytes: int = SHUFFLE_BLOCK_BYTES,
    ) -> None:
        self._partitions = partitions
        self._seed = seed
        self._batch_size = global_batch_size
        self._rank, self._world_size = ranks.rank, ranks.world_size
        first = partitions[0].load_features()
        self._num_features, self._dtype = first.shape[1], first.dtype
        self.num_rows = sum(len(partition.labels) for partition in partitions)
        block_rows = block_bytes // (self._num_features * self._dtype.itemsize)
        # Whole batches, so that none lies in two blocks.
        self._block_rows = max(1, block_rows // global_batch_size) * global_batch_size

    @property
    def num_steps(self) -> int:
        """Number of batches of an epoch."""
        return -(-self.num_rows // self._batch_size)

    def blocks(self, epoch: int) -> Iterator[Block]:
        """Yield an epoch's blocks; the next one is read while the caller works on the last."""
        slices = self._shuffle_slices(epoch)
        starts = range(0, self.num_rows, self._block_rows)
        num_batches = -(-min(self._block_rows, self.num_rows) // self._batch_size)
        size = min(self.num_rows, num_batches * -(-self._batch_size // self._world_size))
        buffers = [np.empty((size, self._num_features), self._dtype) for _ in starts[:2]]
        with ThreadPoolExecutor(1, thread_name_prefix="frames") as reader:
            pending = reader.submit(self._read_block, epoch, 0, slices, buffers[0])
            for index in range(1, len(starts) + 1):
                block = pending.result()
                if index < len(starts):
                    buffer = buffers[index % 2]
                    pending = reader.submit(self._read_block, epoch, index, slices, buffer)
                yield block

    def _shuffle_slices(self, epoch: int) -> list[_Slice]:
        lengths = [len(partition.labels) for partition in self._partitions]
        cuts = [
            (partition, start, min(SLICE_ROWS, length - start))
            for partition, length in enumerate(lengths)
            for start in range(0, length, SLICE_ROWS)
        ]
        order = np.random.default_rng([self._seed, epoch]).permutation(len(cuts))
        ends = np.cumsum([cuts[i][2] for i in order]).tolist()
        return [
            _Slice(cuts[i][0], cuts[i][1], first, last)
            for i, (first, last) in zip(order, pairwise([0, *ends]), strict=True)
        ]

    def _read_block(self, epoch: int, index: int, slices: list[_Slice], buffer: Array) -> Block:
        begin = index * self._block_rows
        size = min(self._block_rows, self.num_rows - begin)
        order = np.random.default_rng([self._seed, epoch, index]).permutation(size) + begin
        rows, batches = self._share(order)
        features = buffer[: len(rows)]
        labels = np.empty((len(rows), self._partitions[0].labels.shape[1]), np.int8)
        partitions = np.empty(len(rows), np.int64)
        places = np.argsort(rows)
        rows = rows[places]
        touched = slices[
            bisect_right(slices, begin, key=lambda cut: cut.last) : bisect_left(
                slices, begin + size, key=lambda cut: cut.first
            )
        ]
        for partition, group in groupby(sorted(touched), key=lambda cut: cut.partition):
            source = self._partitions[partition]
            array = source.load_features()
            for cut in group:
                mine = slice(*np.searchsorted(rows, [cut.first, cut.last]).tolist())
                wanted = rows[mine] - (cut.first - cut.start)  # rows of the partition
                features[places[mine]] = array[_as_slice(wanted)]
                labels[places[mine]] = source.labels[wanted]
                partitions[places[mine]] = partition
        return Block(to_tensor(features), torch.from_numpy(labels), partitions, batches)

    def _share(self, order: Indices) -> tuple[Indices, list[Batch]]:
        """Return this rank's rows of a block, batch after batch, and each batch's place in them."""
        shares, batches, position = [], [], 0
        for start in range(0, len(order), self._batch_size):
            batch = order[start : start + self._batch_size]
            low = len(batch) * self._rank // self._world_size
            high = len(batch) * (self._rank + 1) // self._world_size
            shares.append(batch[low:high])
            batches.append(Batch(position, position + high - low, len(batch)))
            position += high - low
        return np.concatenate(shares), batches


def _as_slice(rows: Indices) -> slice | Indices:
    """Return consecutive rows as a slice, which copies without gathering first."""
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


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
