"""How many assignments go through the models side by side: enough to be fast, few enough to fit."""

from dataclasses import dataclass

import psutil
import torch
from moshi.models.compression import MimiModel
from torch import nn

from acoustic_event_prediction.errors import DeviceError
from acoustic_event_prediction.frames import SAMPLES_PER_FRAME
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.codec import MIMI_FRAMES
from acoustic_event_prediction.speech_lm.features import BlockPlan
from acoustic_event_prediction.speech_lm.temporal import attention_layers, ring_capacity

# A pass over fewer frames leaves the weights' way from memory to the arithmetic units unpaid for:
# 13 GB at 3.3 TB/s take as long as the arithmetic of 184 frames, so that 2048 hide it.
FRAMES_PER_PASS = {"cpu": 2048, "cuda": 4096}
MOST_ASSIGNMENTS = 64  # each has open files
_SHARE = 0.8  # of the free memory; the rest is for what the estimate does not know
_BUFFERS = 6  # of a module's largest activation, alive at once


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes that an extraction needs beside the weights.

    Attributes:
        context: of one assignment: the rings of keys and values.
        activations: of one assignment and its streams, during a block.
    """

    context: int
    activations: int

    @property
    def per_assignment(self) -> int:
        """Bytes that one more assignment costs."""
        return self.context + self.activations


def memory_need(lm: SpeechLM, plan: BlockPlan) -> MemoryNeed:
    """Return what one assignment with two streams of its own needs."""
    layers = attention_layers(lm.temporal.transformer)
    chunk = plan.block_frames
    capacity = ring_capacity(layers[0].context, chunk, plan.context_frames)
    itemsize = next(lm.temporal.parameters()).element_size()
    rings = sum(2 * layer.embed_dim // layer.kv_repeat * capacity * itemsize for layer in layers)
    widest = max(m.out_features for m in lm.temporal.modules() if isinstance(m, nn.Linear))
    positions = 4 * 8 * capacity  # int64 positions and their differences, a mask for each head
    transformer = chunk * (_BUFFERS * widest * itemsize + positions)
    codec = codec_bytes(lm.mimi, plan)
    return MemoryNeed(context=rings, activations=transformer + codec)


def codec_bytes(mimi: MimiModel, plan: BlockPlan) -> int:
    """Return what Mimi needs for the two streams of an assignment, during a block."""
    channels = next(m.out_channels for m in mimi.encoder.modules() if isinstance(m, nn.Conv1d))
    samples = min(MIMI_FRAMES, plan.block_frames) * SAMPLES_PER_FRAME
    return int(2 * _BUFFERS * samples * channels * 4)


def assignments_per_batch(lm: SpeechLM, plan: BlockPlan, free_bytes: int) -> int:
    """Return how many assignments may run side by side.

    Args:
        lm: the loaded models.
        plan: of the longest stream.
        free_bytes: memory that this process may still take.

    Raises:
        DeviceError: not even one assignment fits.
    """
    wanted = max(1, FRAMES_PER_PASS[lm.device.type] // plan.block_frames)
    need = memory_need(lm, plan)
    fitting = int(free_bytes * _SHARE) // need.per_assignment
    if fitting < 1:
        raise DeviceError(
            f"{lm.device} has {free_bytes / 1e9:.1f} GB of free memory; one assignment needs "
            f"{need.per_assignment / _SHARE / 1e9:.1f} GB beside the weights "
            f"({need.context / 1e9:.2f} GB for its context, {need.activations / 1e9:.2f} GB for a "
            f"block of {plan.block_frames} frames): end what else runs there, or lower "
            "feature_extraction.chunk_frames"
        )
    return min(wanted, fitting, MOST_ASSIGNMENTS)


def free_memory(device: torch.device, num_processes: int) -> int:
    """Return the bytes that this process may still take: a GPU is its own, the host's is shared.

    Args:
        device: where the models live.
        num_processes: that share the host.
    """
    if device.type == "cuda":
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return int(psutil.virtual_memory().available) // num_processes
