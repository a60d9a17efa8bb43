"""What is measured of each frame of a stream; row f has heard the frames up to f, f included."""

from collections.abc import Sequence
from typing import Protocol

import torch
from moshi.models.compression import MimiModel
from torchaudio.transforms import MelSpectrogram

from acoustic_event_prediction.baselines.kinds import (
    HOP_MILLISECONDS,
    LOG_MEL_FRAMES,
    MEAN_FRAMES,
    MEL_BANDS,
    MEL_WINDOW_MILLISECONDS,
    BaselineKind,
)
from acoustic_event_prediction.baselines.levels import (
    FLOOR_DB,
    VOICE_FLOOR_DB,
    History,
    decibels,
)
from acoustic_event_prediction.frames import MODEL_SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from acoustic_event_prediction.speech_lm.codec import MimiStream

_HOP = HOP_MILLISECONDS * MODEL_SAMPLE_RATE_HZ // 1000  # samples
_MEL_WINDOW = MEL_WINDOW_MILLISECONDS * MODEL_SAMPLE_RATE_HZ // 1000  # samples
_HOPS_PER_FRAME = SAMPLES_PER_FRAME // _HOP
_PIECE_FRAMES = 64  # a spectrogram's memory does not grow with the block

Measured = dict[BaselineKind, torch.Tensor]


class FrameFunction(Protocol):
    """Measures S streams that arrive in blocks.

    Attributes:
        unheard: [d] by kind; stands where nothing has been heard yet.
    """

    unheard: Measured

    def begin(self) -> None:
        """Forget all that was heard: silence came before."""

    def push(self, waveforms: torch.Tensor) -> Measured:
        """Waveforms [S, F * 1920] -> [S, F, d] by kind."""

    def close(self) -> None:
        """Let go of what is held."""


class Energy:
    """`energy`: level of the frame, mean level and voice activity of the last 8 frames.

    Voice activity is the share of windows of 10 ms that are louder than `VOICE_FLOOR_DB`.

    Args:
        num_streams: S.
        device: of the waveforms.
    """

    def __init__(self, num_streams: int, device: torch.device) -> None:
        self.unheard: Measured = {"energy": torch.tensor([FLOOR_DB, FLOOR_DB, 0], device=device)}
        self._start = torch.zeros(num_streams, MEAN_FRAMES - 1, device=device)

    def begin(self) -> None:
        """Forget all that was heard."""
        self._levels = History(self._start + FLOOR_DB)
        self._shares = History(self._start)

    def push(self, waveforms: torch.Tensor) -> Measured:
        """Waveforms [S, F * 1920] -> energy [S, F, 3]."""
        windows = waveforms.reshape(len(waveforms), -1, _HOPS_PER_FRAME, _HOP)
        power = windows.square().mean(dim=-1)  # [S, F, 8]
        level = decibels(power.mean(dim=-1))  # [S, F]
        share = (decibels(power) > VOICE_FLOOR_DB).float().mean(dim=-1)
        means = [
            history.extend(values).unfold(-1, MEAN_FRAMES, 1).mean(dim=-1)
            for history, values in ((self._levels, level), (self._shares, share))
        ]
        return {"energy": torch.stack([level, *means], dim=-1)}

    def close(self) -> None:
        """Nothing is held."""


class LogMel:
    """`log_mel_<n>`: mean and standard deviation of the mel bands' levels over the last n frames.

    A frame has the 8 windows that end in it: the first ones begin up to 15 ms before it, none ends
    after it.

    Args:
        kinds: which of them.
        num_streams: S.
        device: of the waveforms.
    """

    def __init__(
        self, kinds: Sequence[BaselineKind], num_streams: int, device: torch.device
    ) -> None:
        silence = torch.tensor([FLOOR_DB, 0.0], device=device).repeat_interleave(MEL_BANDS)
        self.unheard: Measured = dict.fromkeys(kinds, silence)
        self._num_streams = num_streams
        self._device = device
        self._power = MelSpectrogram(
            sample_rate=MODEL_SAMPLE_RATE_HZ,
            n_fft=_MEL_WINDOW,
            hop_length=_HOP,
            n_mels=MEL_BANDS,
            center=False,
            normalized="window",
        ).to(device)

    def begin(self) -> None:
        """Forget all that was heard."""
        streams, device = self._num_streams, self._device
        self._samples = History(torch.zeros(streams, _MEL_WINDOW - _HOP, device=device))
        self._bands = {
            kind: History(
                torch.full(
                    (streams, MEL_BANDS, (LOG_MEL_FRAMES[kind] - 1) * _HOPS_PER_FRAME),
                    FLOOR_DB,
                    device=device,
                )
            )
            for kind in self.unheard
        }

    def push(self, waveforms: torch.Tensor) -> Measured:
        """Waveforms [S, F * 1920] -> log_mel_<n> [S, F, 80], the bands' means first."""
        pieces = torch.split(waveforms, _PIECE_FRAMES * SAMPLES_PER_FRAME, dim=-1)
        measured = [self._measure(piece) for piece in pieces]
        return {kind: torch.cat([piece[kind] for piece in measured], 1) for kind in self.unheard}

    def _measure(self, waveforms: torch.Tensor) -> Measured:
        bands = decibels(self._power(self._samples.extend(waveforms)))  # [S, 40, 8F]
        measured: Measured = {}
        for kind, history in self._bands.items():
            size = LOG_MEL_FRAMES[kind] * _HOPS_PER_FRAME
            windows = history.extend(bands).unfold(-1, size, _HOPS_PER_FRAME)  # [S, 40, F, 8n]
            deviation, mean = torch.std_mean(windows, dim=-1, correction=0)
            measured[kind] = torch.cat([mean, deviation], dim=1).transpose(1, 2)
        return measured

    def close(self) -> None:
        """Nothing is held."""


class MimiLatents:
    """`mimi_latents`: what Mimi makes of the stream before it rounds it to codes.

    All that the codes say is in it, and more: what a language model over the codes adds must show
    against it.

    Args:
        mimi: the loaded codec.
        num_streams: S.
        block_frames: of the longest block.
        total_frames: of the longest stream until the next `begin`.
        device: of the waveforms.
    """

    def __init__(
        self,
        mimi: MimiModel,
        num_streams: int,
        block_frames: int,
        total_frames: int,
        device: torch.device,
    ) -> None:
        self.unheard: Measured = {"mimi_latents": torch.zeros(mimi.dimension, device=device)}
        self._codec = MimiStream(mimi, num_streams)
        self._frames = (block_frames, total_frames)

    def begin(self) -> None:
        """Forget all that was heard."""
        self._codec.begin(*self._frames)

    def push(self, waveforms: torch.Tensor) -> Measured:
        """Waveforms [S, F * 1920] -> mimi_latents [S, F, C]."""
        return {"mimi_latents": self._codec.latents(waveforms).transpose(1, 2)}

    def close(self) -> None:
        """Take the state out of Mimi."""
        self._codec.close()
