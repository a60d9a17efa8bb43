import pytest
import torch

from acoustic_event_prediction.errors import DeviceError
from acoustic_event_prediction.speech_lm.batch_size import (
    assignments_per_batch,
    free_memory,
    memory_need,
)
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.features import BlockPlan

LONG = BlockPlan(num_frames=10_000, chunk_frames=256, reset_frames=None)
PLENTY = 10**12


def test_context_is_two_rings_in_each_layer(short_context_lm: SpeechLM) -> None:
    # 40 + 256 - 1 = 295 steps, 320 as a multiple of 64; keys and values, 128 wide, 4 bytes each.
    layers = len(short_context_lm.temporal.transformer.layers)
    assert memory_need(short_context_lm, LONG).context == layers * 2 * 128 * 320 * 4


def test_a_longer_episode_needs_no_more_memory(short_context_lm: SpeechLM) -> None:
    longer = BlockPlan(num_frames=200_000, chunk_frames=256, reset_frames=None)
    assert memory_need(short_context_lm, longer) == memory_need(short_context_lm, LONG)


@pytest.mark.parametrize(("chunk_frames", "expected"), [(256, 8), (1024, 2), (4096, 1), (1, 64)])
def test_a_pass_takes_about_2048_frames_where_memory_allows(
    short_context_lm: SpeechLM, chunk_frames: int, expected: int
) -> None:
    plan = BlockPlan(num_frames=10_000, chunk_frames=chunk_frames, reset_frames=None)
    assert assignments_per_batch(short_context_lm, plan, PLENTY) == expected


def test_short_episodes_run_more_at_a_time(short_context_lm: SpeechLM) -> None:
    plan = BlockPlan(num_frames=100, chunk_frames=256, reset_frames=None)
    assert assignments_per_batch(short_context_lm, plan, PLENTY) == 20


def test_little_memory_makes_small_batches_and_too_little_is_an_error(
    short_context_lm: SpeechLM,
) -> None:
    one = memory_need(short_context_lm, LONG).per_assignment
    assert assignments_per_batch(short_context_lm, LONG, int(3.5 * one / 0.8)) == 3
    with pytest.raises(DeviceError, match=r"lower feature_extraction\.chunk_frames"):
        assignments_per_batch(short_context_lm, LONG, one // 2)


def test_processes_of_a_host_share_its_memory() -> None:
    cpu = torch.device("cpu")
    assert 0 < free_memory(cpu, 1000) < free_memory(cpu, 1) / 100
