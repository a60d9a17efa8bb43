"""Nodes that give each baseline its settings and the catalog entries of its workers."""

from collections.abc import Mapping
from typing import Any

from acoustic_event_prediction.params import FeatureExtractionParams, TrainingParams

# As in the keys of the catalog.
_PLACEHOLDER = "{baseline}"


def without_text(feature_extraction: FeatureExtractionParams) -> FeatureExtractionParams:
    """Return the settings of the extraction with the text row left to padding."""
    return feature_extraction.model_copy(update={"text": "none"})


def at_one_horizon(training: TrainingParams) -> TrainingParams:
    """Return the training's settings with the main horizon alone: baselines are compared there."""
    return training.model_copy(update={"horizons": None, "resume": False})


def with_shuffled_labels(training: TrainingParams) -> TrainingParams:
    """Return the same settings with labels that say nothing."""
    return at_one_horizon(training).model_copy(update={"shuffle_labels": True})


def choose_entries(
    worker_catalog: Mapping[str, dict[str, Any]], *, baseline: str, features: str | None
) -> dict[str, dict[str, Any]]:
    """Return the resolved catalog with a baseline's own entries in place of the predictor's.

    Args:
        worker_catalog: resolved entries; those of all baselines have `{baseline}` in key and paths.
        baseline: name of the baseline.
        features: name of the entry that the workers take for `features`; None: the baseline's own.
    """
    entries = dict(worker_catalog)
    # An entry that were left out would let a baseline write into the predictor's folders.
    for name in ("features", "training_checkpoints", "tensorboard"):
        entries[name] = _resolved(worker_catalog[f"baselines.{_PLACEHOLDER}.{name}"], baseline)
    if features is not None:
        entries["features"] = worker_catalog[features]
    return entries


def _resolved(value: Any, baseline: str) -> Any:
    """Return a catalog entry with the baseline's name where the placeholder is."""
    if isinstance(value, Mapping):
        return {key: _resolved(item, baseline) for key, item in value.items()}
    return value.replace(_PLACEHOLDER, baseline) if isinstance(value, str) else value
