"""Predictors of the sample's checkpoint with weights of their own; nothing is trained."""

from pathlib import Path
from typing import Any

from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.params import CheckpointParams
from acoustic_event_prediction.prediction.requirements import Requirements
from acoustic_event_prediction.speech_lm.checkpoint_files import locate_checkpoint
from acoustic_event_prediction.speech_lm.provenance import common_provenance
from tests.conftest import PROJECT, SAMPLE
from tests.made import extraction_params, make_predictor, stream_params

CHECKPOINT = "data/01_raw/sample/checkpoint"
RULE = {
    "threshold": 0.5,
    "merge_gap_seconds": 0.0,
    "minimum_duration_seconds": 0.08,
    "refractory_seconds": 1.0,
    "metric": "f1",
    "value": 0.4,
}


def header_values(sources: tuple[str, ...] = ("diarization",), **changes: object) -> dict[str, Any]:
    """What a header says of a predictor that was trained on the sample's features."""
    streams = stream_params(mask_laughter=changes.pop("mask_laughter", "none"))
    settings = extraction_params(**changes)
    located = locate_checkpoint(
        CheckpointParams(hf_repo=None, revision=None, directory=str(SAMPLE / "checkpoint"))
    )
    return {
        "streams": streams.model_dump(),
        "features": {
            **common_provenance(located.identity, settings, streams),
            "sources": list(sources),
        },
        "checkpoint_folder": str(PROJECT / CHECKPOINT),
        "alarms": RULE,
    }


def sample_predictor(
    sources: tuple[str, ...] = ("diarization",),
    horizons: tuple[int, ...] = (5, 10),
    **changes: object,
) -> Predictor:
    """A predictor of the sample's features with random weights, small enough for scores to vary."""
    predictor = make_predictor(128, horizons, **header_values(sources, **changes))
    for parameter in predictor.classifier.parameters():
        parameter.data *= 0.02
    return predictor


def saved(predictor: Predictor, folder: Path) -> Path:
    path = folder / "predictor.safetensors"
    predictor.save(path)
    return path


def requirements(**changes: Any) -> Requirements:
    return Requirements.of(
        make_predictor(**header_values(**changes)).header, chunk_frames=256, device="cpu"
    )
