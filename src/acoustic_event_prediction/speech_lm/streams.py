"""The audio streams of an episode, and the order in which Moshi reads them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from acoustic_event_prediction.frames import MODEL_SAMPLE_RATE_HZ

StreamOrder = Literal["moshi", "reference"]
Samples = npt.NDArray[np.float32]
Span = tuple[float, float]


class StreamKey(NamedTuple):
    """One distinct audio stream of an episode: whose voices, and with or without their laughs.

    Attributes:
        speakers: sorted; empty for silence.
        masks_laughter: True if laughs are zeroed.
    """

    speakers: tuple[str, ...]
    masks_laughter: bool


class StreamPair(NamedTuple):
    """What one assignment hears, as keys of distinct streams."""

    system: StreamKey
    user: StreamKey


def pair_streams(
    user: str, systems: Sequence[str], mask_laughter: Literal["both", "system", "none"]
) -> StreamPair:
    """Return the two streams of an assignment; the same sound always has the same key."""
    return StreamPair(
        system=StreamKey(tuple(sorted(systems)), mask_laughter in {"both", "system"}),
        user=StreamKey((user,), mask_laughter == "both"),
    )


class SpanMask:
    """Samples inside any of some time spans, asked for in blocks.

    Args:
        spans: (start, end) in seconds; may overlap.
        sample_rate_hz: of the samples.
    """

    def __init__(self, spans: Sequence[Span], sample_rate_hz: int = MODEL_SAMPLE_RATE_HZ) -> None:
        limits = np.asarray(sorted(spans), dtype=np.float64).reshape(-1, 2)
        # Rounded: 12.013 s * 24 kHz is 288311.99... in binary.
        self._limits = np.round(limits * sample_rate_hz, 3).astype(np.int64)

    def block(self, start: int, num_samples: int) -> npt.NDArray[np.bool_]:
        """Return bool [num_samples] for the samples from `start` on."""
        inside = np.zeros(num_samples, dtype=np.bool_)
        touching = (self._limits[:, 1] > start) & (self._limits[:, 0] < start + num_samples)
        for first, last in self._limits[touching] - start:
            inside[max(first, 0) : last] = True
        return inside


def stack_streams(
    *, text: torch.Tensor, system: torch.Tensor, user: torch.Tensor, order: StreamOrder = "moshi"
) -> torch.Tensor:
    """Return the rows that Moshi reads, [B, 1 + 2Q, F]: text, its own voice, the user's.

    Moshi writes what it says into rows 1 ... Q and reads the user in rows Q + 1 ... 2Q
    (`moshi.models.lm.LMGen`). The reference research code swaps the two; `order="reference"`
    reproduces it.

    Args:
        text: tokens [B, F].
        system: codes [B, Q, F] of the voice that Moshi takes for its own.
        user: codes [B, Q, F].
        order: `moshi` or `reference`.

    Raises:
        ValueError: the shapes don't fit together.
    """
    if system.shape != user.shape or text.shape != (system.shape[0], system.shape[2]):
        raise ValueError(
            f"text {tuple(text.shape)}, system {tuple(system.shape)} and user {tuple(user.shape)} "
            "must be [B, F], [B, Q, F] and [B, Q, F]"
        )
    voices = (system, user) if order == "moshi" else (user, system)
    return torch.cat([text[:, None], *voices], dim=1)


def silence_after(codes: torch.Tensor, num_frames: torch.Tensor, no_input: int) -> torch.Tensor:
    """Return codes [S, Q, F] with the model's no-input token from each stream's end on.

    Code 0 would be a sound, and the initial token a new beginning; `no_input` is what the model
    takes as nothing.

    Args:
        codes: [S, Q, F].
        num_frames: [S]; frames of this block that the stream still has.
        no_input: the model's id.
    """
    ended = torch.arange(codes.shape[-1], device=codes.device) >= num_frames[:, None]  # [S, F]
    return codes.masked_fill(ended[:, None], no_input)
