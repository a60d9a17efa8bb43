"""A Moshi/Mimi checkpoint, loaded frozen and without what features don't need.

Moshi's depth transformer and text logits make 9 % of the 7B weights and nothing of a feature; they
are not read.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from moshi.models import loaders
from moshi.models.compression import MimiModel
from safetensors import safe_open

from acoustic_event_prediction.errors import CheckpointError
from acoustic_event_prediction.frames import FRAME_RATE_HZ, MODEL_SAMPLE_RATE_HZ
from acoustic_event_prediction.speech_lm.checkpoint_config import read_lm_config
from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint
from acoustic_event_prediction.speech_lm.temporal import TemporalTransformer, TokenIds

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SpeechLM:
    """The loaded models, frozen, on one device."""

    mimi: MimiModel
    temporal: TemporalTransformer
    tokenizer: sentencepiece.SentencePieceProcessor

    @property
    def device(self) -> torch.device:
        """Where the models live."""
        return self.temporal.device


def load_speech_lm(
    checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype = torch.float32
) -> SpeechLM:
    """Load Mimi, Moshi's temporal transformer and the text tokenizer.

    Args:
        checkpoint: its files.
        device: where the models go.
        dtype: of the transformer; Mimi is float32 everywhere, since other codes would be nearest.

    Raises:
        CheckpointError: a file is cut short, or is not of the architecture that the config says.
    """
    config = read_lm_config(checkpoint.config)
    info = _load_info(checkpoint)
    mimi = _load_mimi(info, checkpoint, device)
    temporal = _load(checkpoint.moshi_weights, lambda: _load_temporal(info, config, device, dtype))
    tokenizer = _load(checkpoint.tokenizer, info.get_text_tokenizer)
    _check(mimi, temporal, tokenizer, checkpoint)
    return SpeechLM(mimi, temporal, tokenizer)


def load_mimi(checkpoint: Checkpoint, device: torch.device) -> MimiModel:
    """Load Mimi alone, frozen, in float32; of the language model only its configuration is read.

    Raises:
        CheckpointError: a file is cut short, or is not of the architecture that the config says.
    """
    read_lm_config(checkpoint.config)
    return _load_mimi(_load_info(checkpoint), checkpoint, device)


def _load_info(checkpoint: Checkpoint) -> Any:
    return _load(checkpoint.config or checkpoint.moshi_weights, checkpoint.info)


def _load_mimi(
    info: loaders.CheckpointInfo, checkpoint: Checkpoint, device: torch.device
) -> MimiModel:
    mimi: MimiModel = _load(checkpoint.mimi_weights, lambda: info.get_mimi(device))
    rates = (mimi.sample_rate, mimi.frame_rate)
    if rates != (MODEL_SAMPLE_RATE_HZ, FRAME_RATE_HZ):
        raise CheckpointError(
            f"{checkpoint.mimi_weights} works at {rates[0]} Hz and {rates[1]} frames/s; this "
            f"project is made for Mimi's {MODEL_SAMPLE_RATE_HZ} Hz and {FRAME_RATE_HZ} frames/s"
        )
    mimi.requires_grad_(requires_grad=False)
    return mimi


def _load(path: Path, load: Any) -> Any:
    try:
        return load()
    except (torch.OutOfMemoryError, MemoryError, CheckpointError):
        raise
    # moshi builds modules from the files' numbers without a look: any error can come of it.
    except Exception as error:
        raise CheckpointError(
            f"{path} can't be loaded ({type(error).__name__}: {error}); it is cut short or does "
            "not belong to the configuration beside it: fetch the checkpoint again"
        ) from error


def _load_temporal(
    info: loaders.CheckpointInfo,
    config: dict[str, Any],
    device: torch.device,
    dtype: torch.dtype,
) -> TemporalTransformer:
    # dep_q=0 leaves the depth transformer out; on `meta` nothing is allocated before the real
    # weights come.
    skeleton = info.get_moshi("meta", dtype, load_weight=False, lm_kwargs_overrides={"dep_q": 0})
    temporal = TemporalTransformer(skeleton, _token_ids(config, skeleton))
    wanted = temporal.state_dict().keys()
    with safe_open(info.moshi_weights, framework="pt", device=str(device)) as file:  # type: ignore[no-untyped-call]
        # Attention projections are stored under older names; moshi's load hooks rename them.
        stored = [name for name in file.keys() if name.startswith(temporal.PREFIXES)]
        state = {name: file.get_tensor(name).to(dtype) for name in stored}
    broken = [name for name, tensor in state.items() if not tensor.isfinite().all()]
    if broken:
        raise CheckpointError(
            f"{info.moshi_weights} has NaN or infinite weights, the first in {broken[0]}; fetch "
            "the checkpoint again"
        )
    missing, unexpected = temporal.load_state_dict(state, strict=False, assign=True)
    if missing:
        raise CheckpointError(
            f"{info.moshi_weights} lacks {len(missing)} of {len(wanted)} tensors of the temporal "
            f"transformer, the first: {missing[0]}; fetch the checkpoint again"
        )
    if unexpected:
        raise CheckpointError(
            f"{info.moshi_weights} has {len(unexpected)} tensors that its configuration knows "
            f"nothing of, the first: {unexpected[0]}; they don't belong together"
        )
    return temporal.eval().requires_grad_(requires_grad=False)


def _token_ids(config: dict[str, Any], lm: Any) -> TokenIds:
    num_system = int(config["dep_q"])
    if lm.n_q != 2 * num_system:
        raise CheckpointError(
            f"the model has {lm.n_q} audio codebooks, {num_system} of them its own voice; a "
            "dialogue model (as many for the user) is needed, e.g. kyutai/moshiko-pytorch-bf16"
        )
    return TokenIds(
        audio_initial=lm.initial_token_id,
        text_initial=lm.text_initial_token_id,
        text_padding=lm.text_padding_token_id,
        text_end_padding=lm.end_of_text_padding_id,
        no_input=lm.zero_token_id,
        num_codebooks=num_system,
        delays=tuple(lm.delays),
    )


def _check(
    mimi: MimiModel,
    temporal: TemporalTransformer,
    tokenizer: sentencepiece.SentencePieceProcessor,
    checkpoint: Checkpoint,
) -> None:
    if mimi.num_codebooks != temporal.tokens.num_codebooks:
        raise CheckpointError(
            f"{checkpoint.mimi_weights} gives {mimi.num_codebooks} codebooks, the language model "
            f"reads {temporal.tokens.num_codebooks} per voice"
        )
    if tokenizer.vocab_size() > temporal.tokens.text_initial:
        raise CheckpointError(
            f"{checkpoint.tokenizer} has {tokenizer.vocab_size()} pieces, the language model only "
            f"{temporal.tokens.text_initial}: they don't belong together"
        )
