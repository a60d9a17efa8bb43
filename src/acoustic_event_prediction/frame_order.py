"""In which order an epoch takes the training frames, and which of them are this rank's.

Partitions are cut into slices of consecutive rows. An epoch shuffles all slices, joins them to one
long sequence of rows, cuts that into blocks, and shuffles the rows within each block. A rank reads
one stretch of each block's slices, and has of each batch the rows that lie in its stretch. The
order depends on seed, epoch, block size and global batch size, not on the number of processes.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.models.ranks import Ranks

# 256 rows are 20 s of an episode and 2 MB of a 7B model's features: still a sequential read.
SLICE_ROWS = 256

Indices = npt.NDArray[np.int64]


class Cut(NamedTuple):
    """Rows `start:stop` of a partition, by its index, and where they come in the sequence."""

    partition: int
    start: int
    stop: int
    first: int


class Batch(NamedTuple):
    """This rank's entries `start:stop` of its block's order, and the batch's size on all ranks."""

    start: int
    stop: int
    num_rows: int


class BlockOrder(NamedTuple):
    """What this rank reads of a block, and the order in which it is used.

    Attributes:
        cuts: N rows in all, numbered one cut after the other.
        order: permutation of the numbers, batch after batch, [N].
        batches: at least one; a batch may have no row of this rank.
    """

    cuts: list[Cut]
    order: Indices
    batches: list[Batch]


class FrameOrder:
    """The orders of all epochs.

    Args:
        lengths: rows of each partition.
        seed: of the order.
        global_batch_size: rows of one step over all ranks.
        block_rows: rows that are shuffled together, over all ranks; at least one batch is taken.
        ranks: the processes that share each batch.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        *,
        seed: int,
        global_batch_size: int,
        block_rows: int,
        ranks: Ranks,
    ) -> None:
        self._seed = seed
        self._batch_size = global_batch_size
        self._rank, self._world_size = ranks.rank, ranks.world_size
        self.num_rows = sum(lengths)
        # Whole batches, so that none lies in two blocks.
        self._block_rows = max(1, block_rows // global_batch_size) * global_batch_size
        self._slices = [
            Cut(partition, start, min(start + SLICE_ROWS, length), 0)
            for partition, length in enumerate(lengths)
            for start in range(0, length, SLICE_ROWS)
        ]

    @property
    def num_steps(self) -> int:
        """Number of batches of an epoch."""
        return -(-self.num_rows // self._batch_size)

    @property
    def num_blocks(self) -> int:
        """Number of blocks of an epoch."""
        return -(-self.num_rows // self._block_rows)

    @property
    def most_rows(self) -> int:
        """Largest number of rows that this rank reads of a block."""
        return -(-min(self._block_rows, self.num_rows) // self._world_size)

    def blocks(self, epoch: int) -> Iterator[BlockOrder]:
        """Yield an epoch's blocks."""
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._slices))
        slices = [self._slices[index] for index in order]
        ends = np.cumsum([cut.stop - cut.start for cut in slices]).tolist()
        for index, begin in enumerate(range(0, self.num_rows, self._block_rows)):
            size = min(self._block_rows, self.num_rows - begin)
            low = size * self._rank // self._world_size
            high = size * (self._rank + 1) // self._world_size
            shuffled = np.random.default_rng([self._seed, epoch, index]).permutation(size)
            cuts = _cut_out(slices, ends, begin + low, begin + high)
            yield BlockOrder(cuts, *self._share(shuffled, low, high))

    def _share(self, shuffled: Indices, low: int, high: int) -> tuple[Indices, list[Batch]]:
        """Return the rows from `low` to `high`, counted from `low`, and each batch's part."""
        is_mine = (shuffled >= low) & (shuffled < high)
        firsts = range(0, len(shuffled), self._batch_size)
        ends = np.cumsum(np.add.reduceat(is_mine.astype(np.int64), firsts)).tolist()
        batches = [
            Batch(start, stop, min(self._batch_size, len(shuffled) - first))
            for first, (start, stop) in zip(firsts, pairwise([0, *ends]), strict=True)
        ]
        return shuffled[is_mine] - low, batches


def _cut_out(slices: list[Cut], ends: list[int], begin: int, end: int) -> list[Cut]:
    """Return rows `begin:end` of the joined slices, whose ends are given."""
    cuts = []
    for index in range(bisect_right(ends, begin), len(slices)):
        partition, start, stop, _ = slices[index]
        first = ends[index] - (stop - start)  # where the slice begins in the sequence
        if first >= end:
            break
        low, high = max(first, begin), min(ends[index], end)
        cuts.append(Cut(partition, start + low - first, start + high - first, low - begin))
    return cuts
