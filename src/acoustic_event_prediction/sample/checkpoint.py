"""The tiny checkpoint: Moshi's architecture and files, at a width that a CPU can run."""

import json
import logging
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sentencepiece
import torch
from moshi.models import loaders
from moshi.models.compression import MimiModel
from moshi.models.lm import LMModel
from safetensors.torch import save_file
from torch import Tensor

from acoustic_event_prediction.sample.codec import (
    CODE_DIMENSION,
    CODEBOOK_SIZE,
    NUM_CODEBOOKS,
    build_mimi,
    mimi_config,
)

logger = logging.getLogger(__name__)

_WIDTH = 4 * CODE_DIMENSION
_NUM_LAYERS = 3
_NUM_HEADS = 4
_VOCABULARY_SIZE = 400
_TEXT_EMBEDDING_DEVIATION = 0.1
_LAYER_OUTPUT_SCALE = 0.5
_FEATURE_GAIN = 12.0
_PADDING_ID = 3


def write_checkpoint(
    folder: Path,
    waveforms: Sequence[npt.NDArray[np.float32]],
    sentences: Iterable[str],
    *,
    num_steps: int,
    seed: int,
) -> None:
    """Write the five files that `moshi.models.loaders.CheckpointInfo.from_hf_repo` reads.

    Args:
        folder: created if missing.
        waveforms: float32 [N] each, 24 kHz; training episodes only.
        sentences: training text, for the tokenizer.
        num_steps: optimisation steps of the codec.
        seed: of everything random.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _train_tokenizer(sentences)
    (folder / "tokenizer.model").write_bytes(tokenizer)
    num_pieces = sentencepiece.SentencePieceProcessor(model_proto=tokenizer).vocab_size()
    config = _lm_config(num_pieces)
    names = {
        "moshi_name": "model.safetensors",
        "mimi_name": "mimi.safetensors",
        "mimi_config_name": "mimi_config.json",
        "tokenizer_name": "tokenizer.model",
        "model_type": "moshi",
    }
    _write_json(folder / "config.json", config | names)
    _write_json(folder / "mimi_config.json", mimi_config())
    mimi = build_mimi(waveforms, num_steps=num_steps, seed=seed)
    save_file(_tensors(mimi, torch.float32), folder / "mimi.safetensors")
    save_file(_tensors(_build_lm(config, mimi, seed), torch.bfloat16), folder / "model.safetensors")
    num_bytes = sum(path.stat().st_size for path in folder.iterdir())
    logger.info("wrote a checkpoint of %.1f MB to %s", num_bytes / 1e6, folder)


def _lm_config(num_pieces: int) -> dict[str, Any]:
    return {
        **loaders._lm_kwargs,
        "dim": _WIDTH,
        "text_card": num_pieces,
        "card": CODEBOOK_SIZE,
        "num_heads": _NUM_HEADS,
        "num_layers": _NUM_LAYERS,
        "depformer_dim": 32,
        "depformer_dim_feedforward": 132,
        "depformer_num_heads": 2,
        "depformer_num_layers": 1,
    }


def _train_tokenizer(sentences: Iterable[str]) -> bytes:
    """Return a SentencePiece model with Moshi's special ids and a fall-back to bytes."""
    model = BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        vocab_size=_VOCABULARY_SIZE,
        model_type="unigram",
        byte_fallback=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=_PADDING_ID,
        hard_vocab_limit=False,
        character_coverage=1.0,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def _build_lm(config: dict[str, Any], mimi: MimiModel, seed: int) -> LMModel:
    """Return a Moshi that hears: its audio embeddings are the codec's vectors, turned.

    The semantic and the acoustic part of each of the two streams get a quarter of the width each,
    along random orthogonal directions, with its coordinates at one scale: otherwise a few loud ones
    would decide what a classifier says before it has learnt anything. The layers stay random, at a
    reduced scale, and the last norm gets a gain at which a linear classifier learns at its usual
    rate.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        lm = loaders.get_moshi_lm(None, config, dtype=torch.float32)
        parts: Any = lm  # its submodules are not typed
        directions = torch.linalg.qr(torch.randn(_WIDTH, _WIDTH)).Q.view(4, CODE_DIMENSION, _WIDTH)
        with torch.no_grad():
            code_vectors = _code_vectors(mimi)
            deviations = code_vectors[0].std(0)  # [code]
            for row, vectors in enumerate(2 * code_vectors):
                stream, codebook = divmod(row, NUM_CODEBOOKS)
                part = directions[2 * stream + min(codebook, 1)]  # [code, width]
                parts.emb[row].weight[:CODEBOOK_SIZE] = vectors / deviations @ part
            parts.text_emb.weight.normal_(std=_TEXT_EMBEDDING_DEVIATION)
            parts.depformer_text_emb.weight.normal_(std=_TEXT_EMBEDDING_DEVIATION)
            for layer in parts.transformer.layers:
                layer.self_attn.out_projs[0].weight.mul_(_LAYER_OUTPUT_SCALE)
                layer.gating.linear_out.weight.mul_(_LAYER_OUTPUT_SCALE)
            parts.out_norm.alpha.fill_(_FEATURE_GAIN)
    return lm


def _code_vectors(mimi: MimiModel) -> list[Tensor]:
    """Return the vectors of the 8 codebooks, the semantic one first: [codes, dimension] each."""
    quantizers: tuple[Any, ...] = (mimi.quantizer.rvq_first, mimi.quantizer.rvq_rest)
    return [layer._codebook.embedding for part in quantizers for layer in part.vq.layers]


def _tensors(model: torch.nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    return {
        name: value.to(dtype).contiguous().clone() for name, value in model.state_dict().items()
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
