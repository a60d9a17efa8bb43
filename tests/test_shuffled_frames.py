"""Every frame once, in one order whatever the number of processes, in bounded memory."""

import ml_dtypes
import numpy as np
import pytest
import torch

from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.shuffled_frames import FramePartition, ShuffledFrames, to_tensor

# 1000, 1 and 300 rows: more than one slice of 256, a ragged slice, a single row.
LENGTHS = (1000, 1, 300)
NUM_ROWS = sum(LENGTHS)
BLOCK_BYTES = 400 * 2 * 4  # 400 rows of two float32


def numbered_partitions() -> list[FramePartition]:
    """Row r of the whole set has features [r, -r] and label r % 2."""
    numbers = np.split(np.arange(NUM_ROWS, dtype=np.float32), np.cumsum(LENGTHS)[:-1])
    return [
        FramePartition(
            f"train/{index}/u",
            lambda part=part: np.stack([part, -part], axis=1),
            (part % 2).astype(np.int8)[:, None],
        )
        for index, part in enumerate(numbers)
    ]


def read_batches(
    epoch: int, batch_size: int, ranks: Ranks | None = None, seed: int = 0
) -> list[list[int]]:
    frames = ShuffledFrames(
        numbered_partitions(),
        seed=seed,
        global_batch_size=batch_size,
        ranks=ranks or Ranks(),
        block_bytes=BLOCK_BYTES,
    )
    batches = []
    for block in frames.blocks(epoch):
        assert torch.equal(block.features[:, 0], -block.features[:, 1])
        assert torch.equal(block.labels[:, 0], (block.features[:, 0] % 2).to(torch.int8))
        for start, stop, _ in block.batches:
            batches.append(block.features[start:stop, 0].int().tolist())
    assert len(batches) == frames.num_steps
    return batches


def rows_of(batches: list[list[int]]) -> list[int]:
    return [row for batch in batches for row in batch]


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_all_ranks_together_see_every_frame_once(world_size: int) -> None:
    rows = [
        row
        for rank in range(world_size)
        for row in rows_of(read_batches(1, 96, Ranks(rank, world_size)))
    ]
    assert sorted(rows) == list(range(NUM_ROWS))


def test_ranks_share_the_batches_of_one_process() -> None:
    whole = read_batches(1, 96)
    shares = [read_batches(1, 96, Ranks(rank, 2)) for rank in range(2)]
    assert [a + b for a, b in zip(*shares, strict=True)] == whole


def test_last_batch_is_smaller_and_may_leave_a_rank_without_rows() -> None:
    # 1301 = 13 * 100 + 1
    shares = [read_batches(1, 100, Ranks(rank, 2)) for rank in range(2)]
    assert [len(share) for share in shares] == [14, 14]
    assert sorted(len(share[-1]) for share in shares) == [0, 1]


def test_same_seed_and_epoch_give_the_same_order() -> None:
    assert read_batches(3, 96) == read_batches(3, 96)


def test_epochs_and_seeds_differ() -> None:
    first = rows_of(read_batches(1, 96))
    assert first != rows_of(read_batches(2, 96))
    assert first != rows_of(read_batches(1, 96, seed=1))


def test_a_batch_larger_than_the_block_is_read_whole() -> None:
    assert [len(batch) for batch in read_batches(1, 1000)] == [1000, 301]


def test_batches_mix_partitions() -> None:
    # The whole set fits one block: a batch of 650 has half of each long partition, give or take.
    frames = ShuffledFrames(
        numbered_partitions(), seed=0, global_batch_size=650, ranks=Ranks(), block_bytes=2**20
    )
    block = next(iter(frames.blocks(1)))
    assert 450 < np.count_nonzero(block.partitions[:650] == 0) < 550


def test_bfloat16_becomes_a_torch_bfloat16_of_the_same_values() -> None:
    array = np.array([[1.5, -2.0]], dtype=ml_dtypes.bfloat16)
    assert torch.equal(to_tensor(array), torch.tensor([[1.5, -2.0]], dtype=torch.bfloat16))


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(ValueError, match="float16, bfloat16 or float32, not float64"):
        to_tensor(np.zeros((1, 2)))
