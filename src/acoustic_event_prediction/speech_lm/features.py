"""Streams -> features: Mimi, then Moshi's temporal transformer, block by block."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import torch
from torch.nn.functional import pad

from acoustic_event_prediction.frames import SAMPLES_PER_FRAME, whole_frames
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.codec import MimiStream
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

    @property
    def block_frames(self) -> int:
        """Frames of the longest block that really comes."""
        return min(self.chunk_frames, self.context_frames)

    @property
    def context_frames(self) -> int:
        """Frames of the longest stretch between two resets."""
        return max(1, min(self.reset_frames or self.num_frames, self.num_frames))

    @property
    def padded_frames(self) -> int:
        """Frames of that stretch where all blocks are as long as the longest."""
        return -(-self.context_frames // self.block_frames) * self.block_frames

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

    A context manager: inside, the models hold the streams' state. On a GPU every block is given the
    same shape, that of the longest one, so that kernels are compiled once; what is added at the end
    is silence, which a causal model does not notice, and its features are dropped.

    Args:
        lm: the loaded models.
        plan: how the longest stream is cut.
        system_streams: [B] index of each assignment's system stream.
        user_streams: [B] index of each assignment's user stream.
        num_streams: S.
        order: row order, see `stack_streams`.
        fixed_shape: give all blocks one shape; None: on a GPU only.
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
        fixed_shape: bool | None = None,
    ) -> None:
        self._lm = lm
        self._plan = plan
        self._system = torch.tensor(system_streams, device=lm.device)
        self._user = torch.tensor(user_streams, device=lm.device)
        self._codec = MimiStream(lm.mimi, num_streams)
        self._order = order
        self._fixed_shape = lm.device.type == "cuda" if fixed_shape is None else fixed_shape
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
        self._codec.close()
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
        """Return the features of the next F frames, [B, F, D], on the model's device.

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
        device, tokens = self._lm.device, self._lm.temporal.tokens
        num_frames = text.shape[1]
        waveforms, text = waveforms.to(device, non_blocking=True), text.to(device)
        if self._fixed_shape:
            added = self._plan.block_frames - num_frames
            waveforms = pad(waveforms, (0, added * SAMPLES_PER_FRAME))
            text = pad(text, (0, added), value=tokens.text_padding)
        codes = self._codec.codes(waveforms)  # [S, Q, F]
        codes = silence_after(codes, remaining_frames.to(device), tokens.no_input)
        features: torch.Tensor = self._lm.temporal(self._delays.push(self._stack(codes, text)))
        return features[:, :num_frames]  # [B, F, D]

    @torch.inference_mode()
    def begin(self) -> torch.Tensor:
        """Forget all context, and return the feature of a first frame, [B, 1, D].

        It has heard nothing. With `hear` it takes the place of `push` where sound comes frame by
        frame: a feature is there as soon as what it has heard is there, a frame earlier.
        """
        self._begin()
        features: torch.Tensor = self._lm.temporal(self._delays.following())
        return features

    @torch.inference_mode()
    def hear(self, waveforms: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """Take one frame, and return the feature of the next, [B, 1, D], on the model's device.

        Args:
            waveforms: float32 [S, 1920] at 24 kHz.
            text: int64 [B, 1].
        """
        device = self._lm.device
        codes = self._codec.codes(waveforms.to(device))  # [S, Q, 1]
        self._delays.push(self._stack(codes, text.to(device)))
        features: torch.Tensor = self._lm.temporal(self._delays.following())
        return features

    def _stack(self, codes: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """Return the rows that Moshi reads, [B, 1 + 2Q, F], of codes [S, Q, F], text [B, F]."""
        return stack_streams(
            text=text, system=codes[self._system], user=codes[self._user], order=self._order
        )

    def _begin(self) -> None:
        self._state.close()
        chunk = self._plan.block_frames
        total = self._plan.padded_frames if self._fixed_shape else self._plan.context_frames
        temporal = self._lm.temporal
        self._codec.begin(chunk, total)
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
