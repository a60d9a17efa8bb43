"""Mimi's encoder over streams that arrive in blocks."""

import contextlib
from collections.abc import Callable

import torch
from moshi.models.compression import MimiModel
from moshi.utils.compile import no_cuda_graph

from acoustic_event_prediction.frames import SAMPLES_PER_FRAME
from acoustic_event_prediction.speech_lm.temporal import streaming

# Mimi's first layers hold 1920 samples a frame, many channels wide: longer pieces cost gigabytes.
MIMI_FRAMES = 64


class MimiStream:
    """Encodes S streams side by side; from `begin` to `close`, Mimi holds their state.

    Args:
        mimi: the loaded codec.
        num_streams: S.
    """

    def __init__(self, mimi: MimiModel, num_streams: int) -> None:
        self._mimi = mimi
        self._num_streams = num_streams
        self._state = contextlib.ExitStack()

    def begin(self, block_frames: int, total_frames: int) -> None:
        """Forget all context.

        Args:
            block_frames: of the longest block that will come.
            total_frames: of the longest stream until the next `begin`.
        """
        self._state.close()
        mimi = self._mimi
        assert mimi.encoder_transformer is not None
        steps_per_frame = round(mimi.encoder_frame_rate / mimi.frame_rate)
        self._state.enter_context(
            streaming(
                mimi,
                mimi.encoder_transformer,
                batch_size=self._num_streams,
                block_steps=min(MIMI_FRAMES, block_frames) * steps_per_frame,
                total_steps=total_frames * steps_per_frame,
            )
        )

    def close(self) -> None:
        """Take the state out of Mimi."""
        self._state.close()

    def codes(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Waveforms [S, F * 1920] -> codes [S, Q, F]."""
        return _in_pieces(self._mimi.encode, waveforms)

    def latents(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Waveforms [S, F * 1920] -> what Mimi quantises, [S, C, F]."""
        return _in_pieces(
            lambda piece: self._mimi.encode_to_latent(piece, quantize=False), waveforms
        )


def _in_pieces(
    encode: Callable[[torch.Tensor], torch.Tensor], waveforms: torch.Tensor
) -> torch.Tensor:
    pieces = torch.split(waveforms[:, None], MIMI_FRAMES * SAMPLES_PER_FRAME, dim=-1)
    with no_cuda_graph():  # a graph is captured for one shape; pieces this long don't need it
        return torch.cat([encode(piece) for piece in pieces], dim=-1)
