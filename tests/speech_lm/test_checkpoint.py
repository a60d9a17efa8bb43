import json
import shutil
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from acoustic_event_prediction.errors import CheckpointError
from acoustic_event_prediction.params import CheckpointParams
from acoustic_event_prediction.speech_lm.checkpoint import load_mimi, load_speech_lm
from acoustic_event_prediction.speech_lm.checkpoint_files import locate_checkpoint
from tests.conftest import locate

CPU = torch.device("cpu")


@pytest.fixture
def directory(sample_checkpoint_directory: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample_checkpoint_directory, tmp_path / "checkpoint"))


def test_loading_needs_no_network(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something asked for the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    lm = load_speech_lm(locate(directory), CPU)
    assert lm.temporal.dim == json.loads((directory / "config.json").read_text())["dim"]


def test_the_depth_transformer_is_not_in_memory(directory: Path) -> None:
    lm = load_speech_lm(locate(directory), CPU)
    names = {name.split(".")[0] for name, _ in lm.temporal.named_parameters()}
    assert names == {"emb", "text_emb", "transformer", "out_norm"}


def test_the_identity_follows_the_content_and_not_the_folder(
    directory: Path, sample_checkpoint_directory: Path
) -> None:
    assert locate(directory).identity == locate(sample_checkpoint_directory).identity
    weights = load_file(directory / "model.safetensors")
    weights["text_emb.weight"][5, 5] += 1
    save_file(weights, directory / "model.safetensors")
    assert locate(directory).identity != locate(sample_checkpoint_directory).identity


def test_mimi_has_an_identity_of_its_own(directory: Path) -> None:
    before = locate(directory)
    (directory / "model.safetensors").write_bytes(b"another language model")
    assert locate(directory).mimi_identity == before.mimi_identity
    weights = load_file(directory / "mimi.safetensors")
    next(iter(weights.values())).add_(1)
    save_file(weights, directory / "mimi.safetensors")
    assert locate(directory).mimi_identity != before.mimi_identity


def test_mimi_is_loaded_without_the_language_models_weights(directory: Path) -> None:
    (directory / "model.safetensors").write_bytes(b"damaged")
    checkpoint = locate(directory)
    mimi = load_mimi(checkpoint, CPU)
    assert mimi.dimension == checkpoint.latent_dim == 64
    assert not any(parameter.requires_grad for parameter in mimi.parameters())
    (directory / "mimi.safetensors").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"mimi\.safetensors can't be loaded"):
        load_mimi(locate(directory), CPU)


@pytest.mark.parametrize("changes", [{"seanet": None}, {"seanet": {"dimension": "wide"}}])
def test_a_codec_that_does_not_say_its_width_is_named(
    directory: Path, changes: dict[str, object]
) -> None:
    (directory / "mimi_config.json").write_text(json.dumps(changes))
    with pytest.raises(CheckpointError, match=r"mimi_config\.json: (seanet|dimension) must be"):
        _ = locate(directory).latent_dim


@pytest.mark.parametrize("name", ["model.safetensors", "mimi.safetensors", "tokenizer.model"])
def test_a_missing_file_is_named(directory: Path, name: str) -> None:
    (directory / name).unlink()
    with pytest.raises(CheckpointError, match=f"lacks {name}"):
        locate(directory)


@pytest.mark.parametrize("name", ["model.safetensors", "mimi.safetensors", "tokenizer.model"])
def test_a_file_cut_short_is_named(directory: Path, name: str) -> None:
    whole = (directory / name).read_bytes()
    (directory / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=f"{name} can't be loaded"):
        load_speech_lm(locate(directory), CPU)


def test_weights_of_another_width_are_named(directory: Path) -> None:
    config = json.loads((directory / "config.json").read_text())
    config["dim"] *= 2
    (directory / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"model\.safetensors can't be loaded"):
        load_speech_lm(locate(directory), CPU)


def test_a_missing_tensor_is_named(directory: Path) -> None:
    weights = load_file(directory / "model.safetensors")
    del weights["emb.3.weight"]
    save_file(weights, directory / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"lacks 1 of \d+ tensors .* emb\.3\.weight"):
        load_speech_lm(locate(directory), CPU)


def test_a_name_that_leaves_the_folder_is_refused(directory: Path) -> None:
    config = json.loads((directory / "config.json").read_text())
    config["moshi_name"] = "../../evil.safetensors"
    (directory / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="names them without a path"):
        locate(directory)


def test_a_folder_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere.*CC-BY 4\.0"):
        locate(tmp_path / "nowhere")


def test_a_hub_without_network_and_cache_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    params = CheckpointParams(hf_repo="kyutai/moshiko-pytorch-bf16", revision=None, directory=None)
    with pytest.raises(CheckpointError, match=r"moshiko-pytorch-bf16.*set checkpoint\.directory"):
        locate_checkpoint(params)


COMMITS = {"main": "a" * 40, "v2": "b" * 40}


@pytest.fixture
def hub_cache(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache with a repository at two revisions, and no network."""
    repository = tmp_path / "hub" / "models--someone--tiny-moshi"
    for name, commit in COMMITS.items():
        (repository / "refs").mkdir(parents=True, exist_ok=True)
        (repository / "refs" / name).write_text(commit)
        shutil.copytree(directory, repository / "snapshots" / commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return repository


@pytest.mark.parametrize("revision", [None, "v2"])
def test_a_cached_repository_is_used_offline_and_named_by_its_commit(
    hub_cache: Path, revision: str | None
) -> None:
    params = CheckpointParams(hf_repo="someone/tiny-moshi", revision=revision, directory=None)
    checkpoint = locate_checkpoint(params)
    commit = COMMITS[revision or "main"]
    assert checkpoint.identity == {"hf_repo": "someone/tiny-moshi", "revision": commit}
    assert checkpoint.moshi_weights.parent == hub_cache / "snapshots" / commit
    assert checkpoint.feature_dim == 128
    assert load_speech_lm(checkpoint, CPU).temporal.dim == 128
    assert checkpoint.mimi_identity == checkpoint.identity


def test_a_repository_that_was_fetched_in_part_is_not_used(hub_cache: Path) -> None:
    (hub_cache / "snapshots" / COMMITS["main"] / "mimi.safetensors").unlink()
    params = CheckpointParams(hf_repo="someone/tiny-moshi", revision=None, directory=None)
    with pytest.raises(CheckpointError, match="someone/tiny-moshi"):
        locate_checkpoint(params)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"context": 0}, "context must be a whole number from 2 on, got 0"),
        ({"num_layers": None}, "num_layers must be"),
        ({"dim": "abc"}, "dim must be"),
        ({"num_heads": 3}, "3 heads can't share 128"),
        ({"delays": [0] * 5}, "delays must be 17 numbers"),
        ({"delays": [0] * 16 + [-1]}, "delays must be 17 numbers"),
        ({"existing_text_padding_id": 999_999}, "existing_text_padding_id 999999 is none"),
        ({"num_layers": 2}, "tensors that its configuration knows nothing of"),
        ({"lora_name": "../../etc/passwd"}, "LoRA"),
        ({"mimi_name": "mimi.pth"}, "safetensors only"),
        ({"moshi_name": 5}, "without a path"),
        ({"no_such_setting": 1}, "no_such_setting"),
    ],
)
def test_a_configuration_that_makes_no_model_is_named(
    directory: Path, changes: dict[str, object], message: str
) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(CheckpointError, match=message):
        load_speech_lm(locate(directory), CPU)


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000])
def test_a_broken_configuration_of_the_codec_is_named(directory: Path, text: str) -> None:
    (directory / "mimi_config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"mimi_config\.json"):
        locate(directory)


def test_weights_that_are_no_numbers_are_named(directory: Path) -> None:
    weights = load_file(directory / "model.safetensors")
    weights["out_norm.alpha"].fill_(float("nan"))
    save_file(weights, directory / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"NaN or infinite weights, the first in out_norm"):
        load_speech_lm(locate(directory), CPU)


def test_a_configuration_without_a_padding_id_has_moshis_own(directory: Path) -> None:
    path = directory / "config.json"
    config = json.loads(path.read_text())
    assert config.pop("existing_text_padding_id") == 3
    path.write_text(json.dumps(config))
    assert load_speech_lm(locate(directory), CPU).temporal.tokens.text_padding == 3
