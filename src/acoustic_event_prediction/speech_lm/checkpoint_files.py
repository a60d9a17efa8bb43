"""The files of a Moshi/Mimi checkpoint: found in a folder or on the hub, and identified."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
)
from huggingface_hub.utils import logging as hub_logging
from moshi.models import loaders

from acoustic_event_prediction.errors import CheckpointError
from acoustic_event_prediction.params import CheckpointParams
from acoustic_event_prediction.speech_lm.checkpoint_config import (
    read_latent_dim,
    read_lm_config,
    read_object,
)

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
        return int(read_lm_config(self.config)["dim"])

    @property
    def latent_dim(self) -> int:
        """C, the width of Mimi's latent, by the configuration."""
        return read_latent_dim(self.mimi_config)

    @property
    def mimi_identity(self) -> dict[str, Any]:
        """Identity of Mimi alone: of a folder, its own files; of a repository, the revision."""
        files = self.identity.get("sha256")
        if files is None:
            return dict(self.identity)
        return {"sha256": {role: files[role] for role in files if role.startswith("mimi_")}}

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


def locate_checkpoint(params: CheckpointParams) -> Checkpoint:
    """Find the files of a checkpoint, fetch them if it is on the hub, and identify them.

    Raises:
        CheckpointError: a file is missing or the repository can't be reached.
    """
    if params.directory is not None:
        return _locate_directory(Path(params.directory))
    assert params.hf_repo is not None
    return _locate_repository(params.hf_repo, params.revision)


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
    paths = {
        role: _inside(directory, role, name) for role, name in files.items() if name is not None
    }
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        raise CheckpointError(
            f"{directory} lacks {', '.join(missing)}; it has "
            f"{sorted(path.name for path in directory.iterdir())}. The names come from "
            f"{config if config.is_file() else 'the original 7B release, without a config.json'}"
        )
    if config.is_file():
        paths["config"] = config
    if "mimi_config" in paths:
        read_object(paths["mimi_config"])
    return Checkpoint(
        moshi_weights=paths["moshi_weights"],
        mimi_weights=paths["mimi_weights"],
        tokenizer=paths["tokenizer"],
        config=paths.get("config"),
        mimi_config=paths.get("mimi_config"),
        identity={"sha256": {role: _sha256(path) for role, path in sorted(paths.items())}},
    )


def _read_names(config: Path) -> dict[str, Any]:
    names = {k: v for k, v in read_object(config).items() if k.endswith("_name") and v}
    if "lora_name" in names:
        raise CheckpointError(
            f"{config} names LoRA weights ({names['lora_name']!r}), which are not read here; merge "
            "them into the model's weights first"
        )
    return names


def _inside(directory: Path, role: str, name: Any) -> Path:
    if not isinstance(name, str) or name != Path(name).name:
        raise CheckpointError(
            f"{directory / 'config.json'} names {name!r}; a local checkpoint holds all its files "
            "in one folder and names them without a path"
        )
    if role.endswith("weights") and not name.endswith(".safetensors"):
        raise CheckpointError(
            f"{directory / 'config.json'} names {name!r}; weights are read from .safetensors only, "
            "since other formats can run code"
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
