"""Loading and calling a pipeline of pyannote.audio, with a package that stands in for it."""

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import soundfile as sf
import torch
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from acoustic_event_prediction import diarization
from acoustic_event_prediction.corpus.tables import Interval
from acoustic_event_prediction.corpus_params import DiarizationParams
from acoustic_event_prediction.diarization import find_turns, load_diarizer, require_pyannote
from acoustic_event_prediction.errors import DiarizationError

CPU = torch.device("cpu")
TOKEN = "hf_secret"


def response(repository: str, status: int) -> requests.Response:
    answer = requests.Response()
    answer.status_code = status
    answer.url = f"https://huggingface.co/{repository}/resolve/main/config.yaml"
    return answer


def loading(monkeypatch: pytest.MonkeyPatch, outcome: Any, token: str | None = TOKEN) -> list[Any]:
    """Let from_pretrained return or raise `outcome`; return what it is called with."""
    calls: list[Any] = []

    class Pipeline:
        @staticmethod
        def from_pretrained(*args: Any, **settings: Any) -> Any:
            calls.append((args, settings))
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

    package = types.ModuleType("pyannote.audio")
    package.Pipeline = Pipeline  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyannote", types.ModuleType("pyannote"))
    monkeypatch.setitem(sys.modules, "pyannote.audio", package)
    monkeypatch.setattr(diarization, "require_pyannote", lambda: None)
    monkeypatch.setattr(diarization, "get_token", lambda: token)
    return calls


def refusal(monkeypatch: pytest.MonkeyPatch, outcome: Any, token: str | None = TOKEN) -> str:
    loading(monkeypatch, outcome, token)
    with pytest.raises(DiarizationError) as caught:
        load_diarizer("owner/model", CPU)
    message = str(caught.value)
    assert "\n" not in message
    assert TOKEN not in message
    return message


def test_the_pipeline_gets_the_hubs_token_and_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loaded:
        def to(self, device: torch.device) -> tuple[str, torch.device]:
            return "ready", device

    calls = loading(monkeypatch, Loaded())
    assert load_diarizer("owner/model", CPU) == ("ready", CPU)
    assert calls == [(("owner/model",), {"token": TOKEN})]


def test_a_package_that_is_not_installed_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(diarization.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DiarizationError, match="uv sync --extra diarization"):
        require_pyannote()


def test_a_missing_token_is_told_from_conditions_that_are_not_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gated = GatedRepoError("gated\nmore", response=response("owner/part", 403))
    with_token, without = refusal(monkeypatch, gated), refusal(monkeypatch, gated, token=None)
    assert "accept the conditions at https://hf.co/owner/part with the token's" in with_token
    assert "there is no token" in without
    assert "HF_TOKEN" in without
    # pyannote.audio 3 gives None.
    assert "hf.co/owner/model" in refusal(monkeypatch, None)


def test_a_repository_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RepositoryNotFoundError("404", response=response("owner/part", 404))
    assert "owner/part, which does not exist or is hidden" in refusal(monkeypatch, error)


@pytest.mark.parametrize(
    "error",
    [
        LocalEntryNotFoundError("no network\nat all"),
        HfHubHTTPError("503", response=response("owner/model", 503)),
        requests.ConnectionError("refused"),
    ],
)
def test_a_hub_that_cant_be_reached_is_told(
    monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    assert "the hub can't be reached" in refusal(monkeypatch, error)


def test_a_folder_without_a_pipeline_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    error = FileNotFoundError(2, "No such file", "config.yaml")
    assert "can't be loaded (FileNotFoundError" in refusal(monkeypatch, error)


class Segment:
    start, end = np.float64(0.5), np.float64(1.25)


class Annotation:
    def itertracks(self, yield_label: bool) -> list[tuple[Segment, str, str]]:
        assert yield_label
        return [(Segment(), "track", "SPEAKER_00")]


class Output:
    speaker_diarization = Annotation()


@pytest.mark.parametrize("output", [Output(), Annotation()])
def test_the_audio_goes_in_as_16_khz_mono_and_turns_come_out(tmp_path: Path, output: Any) -> None:
    path = tmp_path / "x.wav"
    sf.write(path, np.ones((8000, 2), np.float32) * [0.25, 0.5], 8000)
    steps: list[int] = []
    heard: dict[str, Any] = {}

    def diarizer(file: dict[str, Any], **settings: Any) -> Any:
        settings.pop("hook")("segmentation", None, file=file, total=2, completed=1)
        heard.update(file, **settings)
        return output

    params = DiarizationParams(
        source="pyannote", model="m", rttm=None, min_speakers=2, max_speakers=None, device="cpu"
    )
    turns = find_turns(diarizer, path, params, lambda: steps.append(1))
    assert turns == [Interval(0.5, 1.25, "SPEAKER_00")]
    assert (heard["min_speakers"], heard["max_speakers"], steps) == (2, None, [1])
    assert (heard["waveform"].shape, heard["sample_rate"]) == ((1, 16_000), 16_000)
    assert heard["waveform"][0, 8000] == pytest.approx(0.375, abs=1e-3)
