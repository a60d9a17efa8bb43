"""Streams -> features: Mimi, then Moshi's temporal transformer, block by block."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import torch

from acoustic_event_prediction.frames import SAMPLES_PER_FRAME, whole_frames
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.streams import StreamOrder, silence_after, stack_streams
from acoustic_event_prediction.speech_lm.temporal import DelayLine, streaming


@dataclass(frozen=True)
class BlockPlan:
    """How a stream of frames is cut into blocks.

    Attributes:
        num_frames: T of the longest stream.
        chunk_frames: longest block.
        reset_frames: all context is forgotten every so many frames; None keeps it.
    """

    num_frames: int
    chunk_frames: int
    reset_frames: int | None

    @classmethod
    def of(cls, num_frames: int, chunk_frames: int, reset_every_seconds: float | None) -> Self:
        """Return the plan for settings as the user gives them.

        Raises:
            ValueError: a reset would fall inside a frame.
        """
        reset = None if reset_every_seconds is None else whole_frames(reset_every_seconds)
        return cls(num_frames, chunk_frames, reset)

    def segments(self) -> Iterator[tuple[int, int]]:
        """Yield (start, stop) of the frames between two resets."""
        step = self.reset_frames or max(self.num_frames, 1)
        for start in range(0, self.num_frames, step):
            yield start, min(start + step, self.num_frames)

    def blocks(self) -> Iterator[tuple[int, int, bool]]:
        """Yield (start, stop, begins): blocks in order; `begins` where the context starts anew."""
        for first, last in self.segments():
            for start in range(first, last, self.chunk_frames):
                yield start, min(start + self.chunk_frames, last), start == first


class FeatureStream:
    """Turns blocks of audio and text into blocks of features: B assignments, S streams.

    A context manager: inside, the models hold the streams' state.

    Args:
        lm: the loaded models.
        plan: how the longest stream is cut.
        system_streams: [B] index of each assignment's system stream.
        user_streams: [B] index of each assignment's user stream.
        num_streams: S.
        order: row order, see `stack_streams`.
    """

    def __init__(
        self,
        lm: SpeechLM,
        plan: BlockPlan,
        *,
        system_streams: Sequence[int],
        user_streams: Sequence[int],
        num_streams: int,
        order: StreamOrder,
    ) -> None:
        self._lm = lm
        self._plan = plan
        self._system = torch.tensor(system_streams, device=lm.device)
        self._user = torch.tensor(user_streams, device=lm.device)
        self._num_streams = num_streams
        self._order = order
        self._state = contextlib.ExitStack()
        self._delays: DelayLine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._state.close()

    @torch.inference_mode()
    def push(
        self,
        waveforms: torch.Tensor,
        remaining_frames: torch.Tensor,
        text: torch.Tensor,
        *,
        begins: bool,
    ) -> torch.Tensor:
        """Return the features of the next F frames, float32 [B, F, D] on the CPU.

        Feature t has heard audio before t * 80 ms and read text before frame t.

        Args:
            waveforms: float32 [S, F * 1920] at 24 kHz.
            remaining_frames: int64 [S]; frames that each stream still has, from this block's first
                on.
            text: int64 [B, F].
            begins: the block starts without context (the first block, and after a reset).
        """
        if begins:
            self._begin()
        device = self._lm.device
        codes = self._lm.mimi.encode(waveforms[:, None].to(device))  # [S, Q, F]
        no_input = self._lm.temporal.tokens.no_input
        codes = silence_after(codes, remaining_frames.to(device), no_input)
        rows = stack_streams(
            text=text.to(device),
            system=codes[self._system],
            user=codes[self._user],
            order=self._order,
        )  # [B, 1 + 2Q, F]
        features: torch.Tensor = self._lm.temporal(self._delays.push(rows))  # [B, F, D]
        return features.float().cpu()

    def _begin(self) -> None:
        self._state.close()
        chunk, total = self._plan.chunk_frames, self._plan.reset_frames or self._plan.num_frames
        mimi, temporal = self._lm.mimi, self._lm.temporal
        assert mimi.encoder_transformer is not None
        steps_per_frame = round(mimi.encoder_frame_rate / mimi.frame_rate)
        self._state.enter_context(
            streaming(
                mimi,
                mimi.encoder_transformer,
                batch_size=self._num_streams,
                block_steps=chunk * steps_per_frame,
                total_steps=total * steps_per_frame,
            )
        )
        self._state.enter_context(
            streaming(
                temporal.transformer,
                temporal.transformer,
                batch_size=len(self._user),
                block_steps=chunk,
                total_steps=total,
            )
        )
        self._delays = DelayLine(temporal.tokens, len(self._user), self._lm.device)


def samples_of(start_frame: int, stop_frame: int) -> int:
    """Return the number of samples that the frames hold."""
    return (stop_frame - start_frame) * SAMPLES_PER_FRAME
