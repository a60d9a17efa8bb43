"""Levels in decibels, and sequences that arrive in blocks."""

import torch

# Relative to a mean square of 1. The rounding of 16-bit audio lies at -101 dB.
FLOOR_DB = -100.0
# Pauses of edited speech are below it, speech at usual loudness is above.
VOICE_FLOOR_DB = -50.0


def decibels(power: torch.Tensor) -> torch.Tensor:
    """Return levels of mean squares; silence has `FLOOR_DB`.

    >>> decibels(torch.tensor([1.0, 0.01, 0.0])).tolist()
    [0.0, -20.0, -100.0]
    """
    return 10 * torch.log10(power.clamp(min=10 ** (FLOOR_DB / 10)))


class History:
    """Puts before each block what came before it.

    Args:
        start: [..., n]; what comes before the first block. As many entries are always kept.
    """

    def __init__(self, start: torch.Tensor) -> None:
        self._length = start.shape[-1]
        self._past = start

    def extend(self, block: torch.Tensor) -> torch.Tensor:
        """Return [..., n + F]: the last n entries before a block [..., F], and the block."""
        known = torch.cat([self._past, block], dim=-1)
        # A copy: a view would keep the whole block alive.
        self._past = known[..., known.shape[-1] - self._length :].clone()
        return known
