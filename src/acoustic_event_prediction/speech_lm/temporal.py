"""Moshi's temporal transformer: tokens -> hidden states, in blocks that keep their context."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from moshi.modules.streaming import StreamingModule
from moshi.modules.transformer import RingKVCache, StreamingMultiheadAttention
from moshi.utils.compile import no_compile
from torch import nn


@dataclass(frozen=True)
class TokenIds:
    """The ids and delays that the model itself prescribes.

    Attributes:
        audio_initial: stands before the first frame in every audio row.
        text_initial: stands before the first frame in the text row.
        text_padding: text row where no word is.
        text_end_padding: text row one frame before a word.
        no_input: a row that has nothing to say; its embedding is zero.
        num_codebooks: Q, codebooks per voice.
        delays: frames by which each of the 1 + 2Q rows comes late.
    """

    audio_initial: int
    text_initial: int
    text_padding: int
    text_end_padding: int
    no_input: int
    num_codebooks: int
    delays: tuple[int, ...]


class TemporalTransformer(nn.Module):
    """Embeddings, temporal transformer and output norm of a Moshi LM.

    It computes what the LM's `forward_text` computes before its logits, bit by bit.

    Args:
        lm: a `moshi.models.lm.LMModel`; its submodules are taken over.
        tokens: its ids.
    """

    PREFIXES: ClassVar[tuple[str, ...]] = ("emb.", "text_emb.", "transformer.", "out_norm.")

    def __init__(self, lm: Any, tokens: TokenIds) -> None:
        super().__init__()
        self.emb = lm.emb
        self.text_emb = lm.text_emb
        self.transformer = lm.transformer
        self.out_norm = lm.out_norm
        self.tokens = tokens
        self.dim = int(lm.dim)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        """Return hidden states [B, F, D] of delayed tokens [B, 1 + 2Q, F]."""
        hidden = self.text_emb(sequence[:, 0])  # [B, F, D]
        for row, embedding in enumerate(self.emb, start=1):
            hidden = hidden + embedding(sequence[:, row])
        with no_compile() if sequence.device.type == "cpu" else contextlib.nullcontext():
            features: torch.Tensor = self.out_norm(self.transformer(hidden))  # [B, F, D]
        return features


class DelayLine:
    """Applies the rows' delays and the initial token to codes that arrive in blocks.

    Position p of the result holds, in row k, the code of frame p - 1 - delay_k: the model never
    sees frame p itself. Before the first frame stands the initial token.

    Args:
        tokens: ids and delays.
        batch_size: B.
        device: of the codes.
    """

    def __init__(self, tokens: TokenIds, batch_size: int, device: torch.device) -> None:
        self._delays = tokens.delays
        self._length = 1 + max(tokens.delays)
        self._past = torch.full(
            (batch_size, len(tokens.delays), self._length), tokens.audio_initial, device=device
        )
        self._past[:, 0] = tokens.text_initial

    def push(self, codes: torch.Tensor) -> torch.Tensor:
        """Take codes of F more frames, [B, 1 + 2Q, F], and return F more positions, alike."""
        num_frames = codes.shape[-1]
        known = torch.cat([self._past, codes], dim=-1)  # [B, 1 + 2Q, length + F]
        self._past = known[..., known.shape[-1] - self._length :]
        first = self._length - 1
        rows = [
            known[:, row, first - delay : first - delay + num_frames]
            for row, delay in enumerate(self._delays)
        ]
        return torch.stack(rows, dim=1)

    def following(self) -> torch.Tensor:
        """Return the position after those that `push` has returned, [B, 1 + 2Q, 1].

        It is known already: it holds the frame that was pushed last. A live system needs it now.
        """
        last = self._length - 1
        rows = [
            self._past[:, row, last - delay : last - delay + 1]
            for row, delay in enumerate(self._delays)
        ]
        return torch.stack(rows, dim=1)


_RING_MULTIPLE = 64  # steps; fused attention kernels take rings of such a size without a copy


def attention_layers(root: nn.Module) -> list[Any]:
    """Return the attention layers below a module."""
    return [m for m in root.modules() if isinstance(m, StreamingMultiheadAttention)]


def ring_capacity(context: int, block_steps: int, total_steps: int) -> int:
    """Return the steps that a ring must hold so that no key is lost before it has been used.

    A block is written before it attends: beside its own steps, the `context` - 1 before its first
    one are needed. A stream that is shorter than that never overwrites anything.
    """
    needed = min(context + block_steps - 1, max(total_steps, 1))
    return -(-needed // _RING_MULTIPLE) * _RING_MULTIPLE


@contextlib.contextmanager
def streaming(
    module: StreamingModule[Any],
    attention_root: nn.Module,
    *,
    batch_size: int,
    block_steps: int,
    total_steps: int,
) -> Iterator[None]:
    """Put a moshi module into streaming mode, exact for blocks of up to `block_steps` steps.

    moshi's ring cache holds `context` steps and takes a whole block before it attends, so that the
    block's first queries lose their oldest keys. Here it gets `ring_capacity` steps; the attention
    mask still ends at `context`.

    Args:
        module: what streams.
        attention_root: the part of it whose attention runs.
        batch_size: B.
        block_steps: longest block, in steps of the attention.
        total_steps: steps that will come at most.
    """
    with contextlib.ExitStack() as stack:
        with _smallest_rings(module):
            stack.enter_context(module.streaming(batch_size))
        for attention in attention_layers(attention_root):
            weight: Any = attention.in_projs[0].weight
            attention._streaming_state.kv_cache = RingKVCache(
                batch_size,
                attention.num_heads // attention.kv_repeat,
                attention.embed_dim // attention.num_heads,
                ring_capacity(attention.context, block_steps, total_steps),
                device=weight.device,
                dtype=weight.dtype,
            )
        yield


@contextlib.contextmanager
def _smallest_rings(module: nn.Module) -> Iterator[None]:
    """Have moshi make rings of one step: those of full size, replaced at once, would fill a GPU."""
    contexts = {attention: attention.context for attention in attention_layers(module)}
    try:
        for attention in contexts:
            attention.context = 1
        yield
    finally:
        for attention, context in contexts.items():
            attention.context = context
