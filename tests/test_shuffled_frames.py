"""Frames come to their places in the batches, read in blocks or held in memory."""

from functools import partial

import ml_dtypes
import numpy as np
import pytest
import torch

from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.shuffled_frames import FramePartition, ShuffledFrames, to_tensor

LENGTHS = (1000, 1, 300)
NUM_ROWS = sum(LENGTHS)


def numbered_partitions(dtype: object = np.float32) -> list[FramePartition]:
    """Row r of the whole set has features [r, -r] and distance r."""
    numbers = np.split(np.arange(NUM_ROWS), np.cumsum(LENGTHS)[:-1])
    return [
        FramePartition(
            f"train/{index}/u",
            lambda part=part: np.stack([part, -part], axis=1).astype(dtype),
            part.astype(np.int16),
        )
        for index, part in enumerate(numbers)
    ]


def make_frames(
    partitions: list[FramePartition],
    ranks: Ranks | None = None,
    resident: torch.Tensor | None = None,
) -> ShuffledFrames:
    return ShuffledFrames(
        partitions,
        seed=0,
        global_batch_size=96,
        block_bytes=400 * 8,  # 400 rows of two float32
        ranks=ranks or Ranks(),
        resident=resident,
    )


def read_batches(frames: ShuffledFrames) -> list[list[int]]:
    batches = []
    for block in frames.blocks(1):
        for start, stop, _ in block.batches:
            rows = block.rows(start, stop)
            features, distances = block.features[rows].float(), block.distances[rows]
            assert torch.equal(features[:, 0], -features[:, 1])
            assert torch.equal(distances.float(), features[:, 0])
            batches.append(distances.tolist())
    assert len(batches) == frames.num_steps
    return batches


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_all_ranks_together_see_every_frame_once(world_size: int) -> None:
    rows = [
        row
        for rank in range(world_size)
        for batch in read_batches(make_frames(numbered_partitions(), Ranks(rank, world_size)))
        for row in batch
    ]
    assert sorted(rows) == list(range(NUM_ROWS))


@pytest.mark.parametrize("rank", [0, 1])
def test_frames_in_memory_come_in_the_order_of_those_that_are_read(rank: int) -> None:
    parts = numbered_partitions()
    whole = torch.cat([to_tensor(np.array(part.load_features())) for part in parts])
    read = read_batches(make_frames(parts, Ranks(rank, 2)))
    assert read_batches(make_frames(parts, Ranks(rank, 2), resident=whole)) == read


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_kept_as_it_is(dtype: object) -> None:
    def first_features(length: int) -> FramePartition:
        rows = np.linspace(-3, 3, 2 * length).reshape(length, 2).astype(dtype)
        return FramePartition("train/a/u", lambda: rows, np.arange(length, dtype=np.int16))

    part = first_features(500)
    expected = to_tensor(np.array(part.load_features()))
    for block in make_frames([part]).blocks(1):
        assert block.features.dtype == expected.dtype
        assert torch.equal(block.features, expected[block.distances.long()])


def test_a_partition_is_opened_once_per_block_and_read_in_slices() -> None:
    opened: list[int] = []

    def count(index: int, features: Array) -> Array:
        opened.append(index)
        return features

    parts = [
        part._replace(load_features=partial(count, index, part.load_features()))
        for index, part in enumerate(numbered_partitions())
    ]
    frames = make_frames(parts)
    opened.clear()
    num_blocks = sum(1 for _ in frames.blocks(1))
    assert len(opened) <= num_blocks * len(parts)


def test_bfloat16_becomes_a_torch_bfloat16_of_the_same_values() -> None:
    array = np.array([[1.5, -2.0]], dtype=ml_dtypes.bfloat16)
    assert torch.equal(to_tensor(array), torch.tensor([[1.5, -2.0]], dtype=torch.bfloat16))


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(ValueError, match="float16, bfloat16 or float32, not float64"):
        to_tensor(np.zeros((1, 2)))
