"""A Moshi/Mimi checkpoint: found, identified, loaded frozen, without what features don't need.

Moshi's depth transformer and text logits make 9 % of the 7B weights and nothing of a feature; they
are not read.
"""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
)
from huggingface_hub.utils import logging as hub_logging
from moshi.models import loaders
from moshi.models.compression import MimiModel
from safetensors import SafetensorError, safe_open

from acoustic_event_prediction.errors import CheckpointError
from acoustic_event_prediction.frames import FRAME_RATE_HZ, MODEL_SAMPLE_RATE_HZ
from acoustic_event_prediction.params import CheckpointParams
from acoustic_event_prediction.speech_lm.temporal import TemporalTransformer, TokenIds

logger = logging.getLogger(__name__)

_LICENCE = "Moshi's weights are licensed CC-BY 4.0"


@dataclass(frozen=True)
class Checkpoint:
    """Where the files of a checkpoint lie, and what identifies their content.

    Attributes:
        moshi_weights: safetensors of the language model.
        mimi_weights: safetensors of the codec.
        tokenizer: SentencePiece model.
        config: the language model's JSON; None for the original 7B.
        mimi_config: the codec's JSON; None for the original Mimi.
        identity: JSON-able; equal for equal content, whatever the folder.
    """

    moshi_weights: Path
    mimi_weights: Path
    tokenizer: Path
    config: Path | None
    mimi_config: Path | None
    identity: dict[str, Any]

    @property
    def feature_dim(self) -> int:
        """D, the width of a feature, by the configuration."""
        return int(_lm_config(self.info())["dim"])

    def info(self) -> loaders.CheckpointInfo:
        """Return moshi's own description of the checkpoint; reads nothing but the JSON files."""
        return loaders.CheckpointInfo.from_hf_repo(
            "local/files",
            moshi_weights=self.moshi_weights,
            mimi_weights=self.mimi_weights,
            tokenizer=self.tokenizer,
            config_path=self.config,
            mimi_config_path=self.mimi_config,
        )


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


def locate_checkpoint(params: CheckpointParams) -> Checkpoint:
    """Find the files of a checkpoint, fetch them if it is on the hub, and identify them.

    Raises:
        CheckpointError: a file is missing or the repository can't be reached.
    """
    if params.directory is not None:
        return _locate_directory(Path(params.directory))
    assert params.hf_repo is not None
    return _locate_repository(params.hf_repo, params.revision)


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
    info = checkpoint.info()
    mimi = _load(checkpoint.mimi_weights, lambda: info.get_mimi(device))
    temporal = _load(checkpoint.moshi_weights, lambda: _load_temporal(info, device, dtype))
    tokenizer = _load(checkpoint.tokenizer, info.get_text_tokenizer)
    _check(mimi, temporal, tokenizer, checkpoint)
    return SpeechLM(mimi.requires_grad_(requires_grad=False), temporal, tokenizer)


def _load(path: Path, load: Any) -> Any:
    try:
        return load()
    except (SafetensorError, RuntimeError, KeyError, OSError, ValueError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise CheckpointError(
            f"{path} can't be loaded ({type(error).__name__}: {error}); it is cut short or does "
            "not belong to the configuration beside it: fetch the checkpoint again"
        ) from error


def _load_temporal(
    info: loaders.CheckpointInfo, device: torch.device, dtype: torch.dtype
) -> TemporalTransformer:
    # dep_q=0 leaves the depth transformer out; on `meta` nothing is allocated before the real
    # weights come.
    skeleton = info.get_moshi("meta", dtype, load_weight=False, lm_kwargs_overrides={"dep_q": 0})
    temporal = TemporalTransformer(skeleton, _token_ids(info, skeleton))
    wanted = temporal.state_dict().keys()
    with safe_open(info.moshi_weights, framework="pt", device=str(device)) as file:  # type: ignore[no-untyped-call]
        # Attention projections are stored under older names; moshi's load hooks rename them.
        stored = [name for name in file.keys() if name.startswith(temporal.PREFIXES)]
        state = {name: file.get_tensor(name).to(dtype) for name in stored}
    missing = temporal.load_state_dict(state, strict=False, assign=True).missing_keys
    if missing:
        raise CheckpointError(
            f"{info.moshi_weights} lacks {len(missing)} of {len(wanted)} tensors of the temporal "
            f"transformer, the first: {missing[0]}; fetch the checkpoint again"
        )
    return temporal.eval().requires_grad_(requires_grad=False)


def _lm_config(info: loaders.CheckpointInfo) -> dict[str, Any]:
    config: dict[str, Any] = loaders._lm_kwargs if info.lm_config is None else info.lm_config
    return config


def _token_ids(info: loaders.CheckpointInfo, lm: Any) -> TokenIds:
    num_system = int(_lm_config(info)["dep_q"])
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
    rates = (mimi.sample_rate, mimi.frame_rate)
    if rates != (MODEL_SAMPLE_RATE_HZ, FRAME_RATE_HZ):
        raise CheckpointError(
            f"{checkpoint.mimi_weights} works at {rates[0]} Hz and {rates[1]} frames/s; this "
            f"project is made for Mimi's {MODEL_SAMPLE_RATE_HZ} Hz and {FRAME_RATE_HZ} frames/s"
        )
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


def _locate_directory(directory: Path) -> Checkpoint:
    if not directory.is_dir():
        raise CheckpointError(
            f"checkpoint.directory={directory} is no folder (looked for {directory.resolve()}); "
            "give the folder of a Moshi checkpoint, or fetch one with "
            f"checkpoint.hf_repo=kyutai/moshiko-pytorch-bf16 ({_LICENCE})"
        )
    config = directory / "config.json"
    names = _read_names(config) if config.is_file() else {}
    files = {
        "moshi_weights": names.get("moshi_name", loaders.MOSHI_NAME),
        "mimi_weights": names.get("mimi_name", loaders.MIMI_NAME),
        "tokenizer": names.get("tokenizer_name", loaders.TEXT_TOKENIZER_NAME),
        "mimi_config": names.get("mimi_config_name"),
    }
    paths = {role: _inside(directory, name) for role, name in files.items() if name is not None}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        raise CheckpointError(
            f"{directory} lacks {', '.join(missing)}; it has "
            f"{sorted(path.name for path in directory.iterdir())}. The names come from "
            f"{config if config.is_file() else 'the original 7B release, without a config.json'}"
        )
    if config.is_file():
        paths["config"] = config
    return Checkpoint(
        moshi_weights=paths["moshi_weights"],
        mimi_weights=paths["mimi_weights"],
        tokenizer=paths["tokenizer"],
        config=paths.get("config"),
        mimi_config=paths.get("mimi_config"),
        identity={"sha256": {role: _sha256(path) for role, path in sorted(paths.items())}},
    )


def _read_names(config: Path) -> dict[str, str]:
    try:
        values: Any = json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{config} is not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{config} holds {type(values).__name__} instead of an object")
    return {key: value for key, value in values.items() if key.endswith("_name") and value}


def _inside(directory: Path, name: str) -> Path:
    if name != Path(name).name:
        raise CheckpointError(
            f"{directory / 'config.json'} names {name!r}; a local checkpoint holds all its files "
            "in one folder and names them without a path"
        )
    return directory / name


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _locate_repository(hf_repo: str, revision: str | None) -> Checkpoint:
    logger.info("looking for %s in the hub's cache and on the hub", hf_repo)
    # Each of its retries would print a long warning; the error below says what matters.
    hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        config = _fetch_config(hf_repo, revision)
        info = loaders.CheckpointInfo.from_hf_repo(hf_repo, config_path=config, revision=revision)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        at = f" at revision {revision}" if revision else ""
        raise CheckpointError(
            f"checkpoint {hf_repo}{at} is neither in the hub's cache on this machine nor can it be "
            f"fetched ({type(error).__name__}: {str(error).splitlines()[0]}). With a network, run "
            f"again (about 16 GB); without, download it elsewhere and set checkpoint.directory to "
            f"the folder. {_LICENCE}."
        ) from error
    # The hub's cache keeps a revision's files in a folder that is named by the commit.
    snapshot = info.moshi_weights.parent
    mimi_config = (info.raw_config or {}).get("mimi_config_name")
    return Checkpoint(
        moshi_weights=info.moshi_weights,
        mimi_weights=info.mimi_weights,
        tokenizer=info.tokenizer,
        config=config,
        mimi_config=None if mimi_config is None else snapshot / mimi_config,
        identity={"hf_repo": hf_repo, "revision": snapshot.name},
    )


def _fetch_config(hf_repo: str, revision: str | None) -> Path | None:
    """Return config.json; None if the repository has none (the first releases of the 7B model).

    moshi takes a config that can't be fetched for one that isn't there, and would go on with the
    7B model's: the two are told apart here.
    """
    try:
        return Path(hf_hub_download(hf_repo, "config.json", revision=revision))
    except LocalEntryNotFoundError:
        raise
    except EntryNotFoundError:
        return None
