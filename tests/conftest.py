"""Fixtures shared by all tests: the embedded sample, and checkpoints made from it."""

import json
import os
import shutil
from pathlib import Path

# Before anything imports moshi: on a CPU its torch.compile costs more than all tests together.
os.environ.setdefault("NO_TORCH_COMPILE", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")

import pytest
import torch
from safetensors.torch import load_file, save_file

from acoustic_event_prediction.params import CheckpointParams
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM, load_speech_lm
from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint, locate_checkpoint

torch.set_num_threads(1)  # two cores are soon contended, and small tensors gain nothing

PROJECT = Path(__file__).parents[1]
SAMPLE = PROJECT / "data" / "01_raw" / "sample"


@pytest.fixture(scope="session")
def sample_checkpoint_directory() -> Path:
    return SAMPLE / "checkpoint"


@pytest.fixture(scope="session")
def short_context_directory(
    sample_checkpoint_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The sample's checkpoint with a context of 40 frames (Mimi: 2 s) and attention that matters.

    A freshly made Mimi scales its attention by 0.01, so that a wrong cache would hardly show.
    """
    directory = tmp_path_factory.mktemp("checkpoint") / "short_context"
    shutil.copytree(sample_checkpoint_directory, directory)
    config = json.loads((directory / "config.json").read_text())
    config["context"] = 40
    (directory / "config.json").write_text(json.dumps(config))
    mimi_config = json.loads((directory / "mimi_config.json").read_text())
    mimi_config["transformer"]["context"] = 50
    (directory / "mimi_config.json").write_text(json.dumps(mimi_config))
    weights = load_file(directory / "mimi.safetensors")
    for name, tensor in weights.items():
        if name.startswith("encoder_transformer") and name.endswith(".scale"):
            tensor.fill_(1.0)
    save_file(weights, directory / "mimi.safetensors")
    return directory


def locate(directory: Path) -> Checkpoint:
    return locate_checkpoint(
        CheckpointParams(hf_repo=None, revision=None, directory=str(directory))
    )


@pytest.fixture(scope="session")
def short_context_checkpoint(short_context_directory: Path) -> Checkpoint:
    return locate(short_context_directory)


@pytest.fixture(scope="session")
def short_context_lm(short_context_checkpoint: Checkpoint) -> SpeechLM:
    return load_speech_lm(short_context_checkpoint, torch.device("cpu"))


@pytest.fixture(scope="session")
def few_features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The features of two episodes of each split, made without disturbance; not to be changed."""
    from tests.kedro_runs import FEW, ONE_BY_ONE, kedro_run

    root = tmp_path_factory.mktemp("few")
    kedro_run(root, "--pipelines", "ingestion", params=FEW)
    kedro_run(root, "--pipelines", "feature_extraction", params=ONE_BY_ONE)
    return root
