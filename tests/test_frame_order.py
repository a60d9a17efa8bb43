"""Every frame once, in one order whatever the number of processes."""

import numpy as np
import pytest

from acoustic_event_prediction.frame_order import BlockOrder, FrameOrder
from acoustic_event_prediction.models.ranks import Ranks

# 1000, 1 and 300 rows: more than one slice of 256, a ragged slice, a single row.
LENGTHS = (1000, 1, 300)
NUM_ROWS = sum(LENGTHS)
STARTS = np.cumsum([0, *LENGTHS])


def make_order(
    batch_size: int, ranks: Ranks | None = None, *, seed: int = 0, block_rows: int = 400
) -> FrameOrder:
    return FrameOrder(
        LENGTHS,
        seed=seed,
        global_batch_size=batch_size,
        block_rows=block_rows,
        ranks=ranks or Ranks(),
    )


def rows_read(block: BlockOrder) -> list[int]:
    """Number the rows of all partitions one after the other."""
    return [
        int(STARTS[cut.partition]) + row for cut in block.cuts for row in range(cut.start, cut.stop)
    ]


def batches_of(order: FrameOrder, epoch: int = 1) -> list[list[int]]:
    batches = []
    for block in order.blocks(epoch):
        rows = np.array(rows_read(block))[block.order].tolist()
        batches += [rows[start:stop] for start, stop, _ in block.batches]
    assert len(batches) == order.num_steps
    return batches


def joined(batches: list[list[int]]) -> list[int]:
    return [row for batch in batches for row in batch]


@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
@pytest.mark.parametrize("block_rows", [1, 400, 10_000])
def test_all_ranks_together_see_every_frame_once(world_size: int, block_rows: int) -> None:
    rows = [
        row
        for rank in range(world_size)
        for row in joined(
            batches_of(make_order(96, Ranks(rank, world_size), block_rows=block_rows))
        )
    ]
    assert sorted(rows) == list(range(NUM_ROWS))


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_share_the_batches_of_one_process(world_size: int) -> None:
    whole = batches_of(make_order(96))
    shares = [batches_of(make_order(96, Ranks(rank, world_size))) for rank in range(world_size)]
    together = [sorted(joined(list(batch))) for batch in zip(*shares, strict=True)]
    assert together == [sorted(batch) for batch in whole]


def test_all_ranks_know_how_large_a_batch_is_together() -> None:
    orders = [make_order(100, Ranks(rank, 2)) for rank in range(2)]
    sizes = [
        [batch.num_rows for block in order.blocks(1) for batch in block.batches] for order in orders
    ]
    # 1301 = 13 * 100 + 1: one rank has no row of the last batch.
    assert sizes == [[100] * 13 + [1]] * 2
    assert sorted(len(batches_of(order)[-1]) for order in orders) == [0, 1]


def test_ranks_read_equally_much() -> None:
    for rank in range(3):
        order = make_order(96, Ranks(rank, 3))
        for block, size in zip(order.blocks(1), (384, 384, 384, 149), strict=True):
            assert size // 3 <= len(rows_read(block)) <= -(-size // 3) <= order.most_rows


def test_rows_of_a_cut_are_consecutive_and_numbered_from_its_first() -> None:
    for block in make_order(96, Ranks(1, 2)).blocks(1):
        firsts = [cut.first for cut in block.cuts]
        lengths = [cut.stop - cut.start for cut in block.cuts]
        assert firsts == np.cumsum([0, *lengths])[:-1].tolist()
        assert max(lengths) <= 256


def test_same_seed_and_epoch_give_the_same_order() -> None:
    assert batches_of(make_order(96), 3) == batches_of(make_order(96), 3)


def test_epochs_and_seeds_differ() -> None:
    first = joined(batches_of(make_order(96)))
    assert first != joined(batches_of(make_order(96), epoch=2))
    assert first != joined(batches_of(make_order(96, seed=1)))


def test_a_batch_larger_than_the_block_is_taken_whole() -> None:
    assert [len(batch) for batch in batches_of(make_order(1000))] == [1000, 301]


def test_batches_mix_partitions() -> None:
    # The whole set fits one block: a batch of 650 has half of each long partition, give or take.
    batch = batches_of(make_order(650, block_rows=10_000))[0]
    assert 450 < sum(row < 1000 for row in batch) < 550
