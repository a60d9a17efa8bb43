"""Blocks of audio -> blocks of baseline features, one frame late as Moshi's are."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import torch
from moshi.models.compression import MimiModel
from torch.nn.functional import pad

from acoustic_event_prediction.baselines.frame_functions import (
    Energy,
    FrameFunction,
    LogMel,
    Measured,
    MimiLatents,
)
from acoustic_event_prediction.baselines.kinds import LOG_MEL_FRAMES, BaselineKind
from acoustic_event_prediction.frames import SAMPLES_PER_FRAME
from acoustic_event_prediction.speech_lm.features import BlockPlan


class BaselineStream:
    """Turns blocks of audio into blocks of features: B assignments, S streams.

    A context manager: inside, Mimi holds the streams' state. On a GPU every block is given the same
    shape, as in `speech_lm.features.FeatureStream`.

    Args:
        kinds: which features, each once.
        plan: how the longest stream is cut.
        mimi: the loaded codec; None where no kind needs it.
        device: where all is computed.
        system_streams: [B] index of each assignment's system stream.
        user_streams: [B] index of each assignment's user stream.
        num_streams: S.
    """

    def __init__(
        self,
        kinds: Sequence[BaselineKind],
        plan: BlockPlan,
        *,
        mimi: MimiModel | None,
        device: torch.device,
        system_streams: Sequence[int],
        user_streams: Sequence[int],
        num_streams: int,
    ) -> None:
        self._kinds = tuple(kinds)
        self._plan = plan
        self._device = device
        self._system = torch.tensor(system_streams, device=device)
        self._user = torch.tensor(user_streams, device=device)
        self._num_streams = num_streams
        self._fixed_shape = device.type == "cuda"
        self._functions = _functions(kinds, plan, mimi, num_streams, device)
        self._last: Measured = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for function in self._functions:
            function.close()

    @torch.inference_mode()
    def push(self, waveforms: torch.Tensor, *, begins: bool) -> torch.Tensor:
        """Return the features of the next F frames, [B, F, sum of D], one kind after the other.

        Row t has heard audio before t * 80 ms. Of each kind the system's numbers come first.

        Args:
            waveforms: float32 [S, F * 1920] at 24 kHz.
            begins: the block starts without context (the first block, and after a reset).
        """
        if begins:
            self._begin()
        num_frames = waveforms.shape[-1] // SAMPLES_PER_FRAME
        heard = waveforms.to(self._device, non_blocking=True)
        if self._fixed_shape:
            added = self._plan.block_frames - num_frames
            heard = pad(heard, (0, added * SAMPLES_PER_FRAME))
        measured: Measured = {}
        for function in self._functions:
            measured |= function.push(heard)
        rows = [self._pair(self._delay(kind, measured[kind])) for kind in self._kinds]
        return torch.cat(rows, dim=-1)[:, :num_frames]

    def _begin(self) -> None:
        for function in self._functions:
            function.begin()
            for kind, unheard in function.unheard.items():
                self._last[kind] = unheard.expand(self._num_streams, -1)

    def _delay(self, kind: BaselineKind, measured: torch.Tensor) -> torch.Tensor:
        """Return [S, F, d] one frame later: row t is of frame t - 1."""
        known = torch.cat([self._last[kind][:, None], measured], dim=1)
        self._last[kind] = known[:, -1].clone()
        return known[:, :-1]

    def _pair(self, of_streams: torch.Tensor) -> torch.Tensor:
        """Return [B, F, 2d] of [S, F, d]."""
        return torch.cat([of_streams[self._system], of_streams[self._user]], dim=-1)


def _functions(
    kinds: Sequence[BaselineKind],
    plan: BlockPlan,
    mimi: MimiModel | None,
    num_streams: int,
    device: torch.device,
) -> list[FrameFunction]:
    functions: list[FrameFunction] = []
    if "energy" in kinds:
        functions.append(Energy(num_streams, device))
    if log_mels := [kind for kind in kinds if kind in LOG_MEL_FRAMES]:
        functions.append(LogMel(log_mels, num_streams, device))
    if "mimi_latents" in kinds:
        if mimi is None:
            raise ValueError("mimi_latents needs the loaded codec, got mimi=None")
        total = plan.padded_frames if device.type == "cuda" else plan.context_frames
        functions.append(MimiLatents(mimi, num_streams, plan.block_frames, total, device))
    return functions
