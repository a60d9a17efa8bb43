"""Where the models run, and how exactly they compute there."""

import torch

from acoustic_event_prediction.errors import DeviceError
from acoustic_event_prediction.params import FeatureExtractionParams


def choose_device(device: str) -> str:
    """Return `cuda` or `cpu` for the setting `auto`, `cpu` or `cuda`.

    Raises:
        DeviceError: `cuda` was asked for and there is none, or something else.
    """
    if device not in {"auto", "cpu", "cuda"}:
        raise DeviceError(f"the device must be auto, cpu or cuda, got {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "the device is to be cuda (feature_extraction.device, diarization.device, or device= "
            "of a call), but torch sees no GPU; use auto or cpu"
        )
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def decide_precision(settings: FeatureExtractionParams) -> FeatureExtractionParams:
    """Return the settings with `precision: auto` decided: features of the two are not equal."""
    if settings.precision != "auto":
        return settings
    on_gpu = choose_device(settings.device) == "cuda"
    return settings.model_copy(update={"precision": "bfloat16" if on_gpu else "float32"})
