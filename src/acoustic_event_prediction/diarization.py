"""Who speaks when in a recording, found by a pipeline of pyannote.audio (extra `diarization`)."""

import importlib.util
import os
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from huggingface_hub import get_token
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from acoustic_event_prediction.audio import read_mono
from acoustic_event_prediction.audio_source import AudioSource
from acoustic_event_prediction.corpus.tables import Interval
from acoustic_event_prediction.corpus_params import DiarizationParams
from acoustic_event_prediction.errors import DiarizationError

SAMPLE_RATE_HZ = 16_000
_OR_RTTM = "or import turns with diarization.source=rttm"
_UNAUTHORISED = 401

# Takes {"waveform": float32 [1, N], "sample_rate": int}, min_speakers, max_speakers and hook.
Diarizer = Callable[..., Any]


def model_origin(audio_sha256: str, params: DiarizationParams) -> dict[str, Any]:
    """Return what the turns of an episode depend on, JSON-able; where it is equal, they are kept.

    Args:
        audio_sha256: of the mix.
        params: of these, `device` is about speed.
    """
    return {
        "audio_sha256": audio_sha256,
        "source": "pyannote",
        "model": params.model,
        "min_speakers": params.min_speakers,
        "max_speakers": params.max_speakers,
    }


def require_pyannote() -> None:
    """Check that pyannote.audio is there, without the seconds that its import takes.

    Raises:
        DiarizationError: it is not.
    """
    try:
        is_installed = importlib.util.find_spec("pyannote.audio") is not None
    except ModuleNotFoundError:
        is_installed = False
    if not is_installed:
        raise DiarizationError(
            "diarization.source=pyannote needs pyannote.audio, which is not installed: run "
            f"`uv sync --extra diarization`, {_OR_RTTM}"
        )


def load_diarizer(model: str, device: torch.device) -> Diarizer:
    """Return the pipeline on its device; what is missing of it is fetched from the hub.

    The token is the environment's (HF_TOKEN) or the one that `hf auth login` has stored.

    Args:
        model: repository on the hub, or a local folder with its `config.yaml`.
        device: where it computes.

    Raises:
        DiarizationError: pyannote.audio is not installed, or the model can't be had; says why.
    """
    require_pyannote()
    # pyannote.audio 4 reports each use to its makers unless it is told not to.
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "false")
    with warnings.catch_warnings():
        # It finds no FFmpeg for torchcodec, and needs none: the audio is decoded here.
        warnings.filterwarnings("ignore", message="(?s).*torchcodec")
        from pyannote.audio import Pipeline  # noqa: PLC0415  (an extra, and slow to import)

    token = get_token()
    try:
        pipeline = Pipeline.from_pretrained(model, token=token)
    except OSError as error:  # the hub's errors are OSErrors, too
        raise DiarizationError(_explain(model, error, has_token=bool(token))) from error
    if pipeline is None:
        raise DiarizationError(_no_access(model, has_token=bool(token)))
    diarizer: Diarizer = pipeline.to(device)
    return diarizer


def find_turns(
    diarizer: Diarizer,
    audio: AudioSource,
    params: DiarizationParams,
    on_step: Callable[[], None],
) -> list[Interval]:
    """Return who speaks when, times in seconds; turns may overlap.

    The audio is decoded here, mixed down and resampled to 16 kHz, and lies in memory as a whole.

    Args:
        diarizer: of `load_diarizer`.
        audio: the mix.
        params: how many speakers there are, if that is known.
        on_step: called now and then as a sign of life.

    Raises:
        AudioError: the audio can't be read.
    """
    waveform = torch.from_numpy(read_mono(audio, SAMPLE_RATE_HZ))[None]  # [1, N]

    def hook(*_: object, **__: object) -> None:
        on_step()

    output: Any = diarizer(
        {"waveform": waveform, "sample_rate": SAMPLE_RATE_HZ},
        min_speakers=params.min_speakers,
        max_speakers=params.max_speakers,
        hook=hook,
    )
    # Pipelines of pyannote.audio 4 return several diarizations, older ones (`legacy`) only this.
    annotation: Any = getattr(output, "speaker_diarization", output)
    return [
        Interval(float(segment.start), float(segment.end), str(speaker))
        for segment, _, speaker in annotation.itertracks(yield_label=True)
    ]


def _explain(model: str, error: OSError, *, has_token: bool) -> str:
    """Return one line: why the model can't be had, and what to do."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, GatedRepoError | RepositoryNotFoundError) or status == _UNAUTHORISED:
        gated = isinstance(error, GatedRepoError)
        return _no_access(_repository(error) or model, has_token=has_token, is_gated=gated)
    reason = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    if isinstance(error, LocalEntryNotFoundError | HfHubHTTPError) or "requests" in str(
        type(error).__module__
    ):
        return (
            f"diarization.model={model} is not in the hub's cache on this machine, and the hub "
            f"can't be reached ({reason}): run once with a network, or download the model "
            f"elsewhere and set diarization.model to its folder, {_OR_RTTM}"
        )
    return (
        f"diarization.model={model} can't be loaded ({reason}): give a repository on the hub, or "
        f"a folder with a config.yaml, {_OR_RTTM}"
    )


def _no_access(model: str, *, has_token: bool, is_gated: bool = True) -> str:
    if not has_token:
        return (
            f"diarization.model needs access to {model}, and there is no token: accept the "
            f"conditions at https://hf.co/{model}, then set HF_TOKEN or run `hf auth login`, "
            f"{_OR_RTTM}"
        )
    if is_gated:
        return (
            f"diarization.model needs access to {model}, which your token does not have: accept "
            f"the conditions at https://hf.co/{model} with the token's account, {_OR_RTTM}"
        )
    return (
        f"diarization.model needs {model}, which does not exist or is hidden from your token: "
        f"correct the name, or the token at https://hf.co/settings/tokens, {_OR_RTTM}"
    )


def _repository(error: OSError) -> str | None:
    """Return the repository that an error of the hub is about: a pipeline is made of several."""
    response: Mapping[str, Any] | Any = getattr(error, "response", None)
    found = re.match(
        r"https?://[^/]+/([\w.-]+/[\w.-]+)/resolve/", str(getattr(response, "url", ""))
    )
    return found.group(1) if found else None
