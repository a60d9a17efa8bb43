"""Nodes that score frames without features: the prior, and the time since the last event."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from acoustic_event_prediction.baselines.hazard import Hazard, fit_hazard, time_bins
from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.frame_arrays import Array

Loads = Mapping[str, Callable[[], Any]]
Tables = dict[str, Callable[[], pd.DataFrame]]
_COLUMNS = ["frame", "time_seconds", "user", "score", "label", "ignore"]


def score_prior(scores: Loads, label_summary: Mapping[str, Any]) -> Tables:
    """Give every frame the share of positive training frames.

    Args:
        scores: the predictor's tables, whose frames and labels are taken.
        label_summary: counts per split.

    Raises:
        TrainingError: there is no training split.
    """
    train = label_summary["splits"].get("train")
    if train is None:
        raise TrainingError("the labels have no split train, so there is no prior to take from it")
    return {
        name: partial(_constant_scores, load, train["prevalence"]) for name, load in scores.items()
    }


def score_hazard(scores: Loads, labels: Loads, target_events: Loads) -> Tables:
    """Score frames by the time since the last true event; the hazard is fitted on training alone.

    Args:
        scores: the predictor's tables, whose frames and labels are taken.
        labels: [T] of each partition.
        target_events: onset and offset in seconds of the events of each partition.

    Raises:
        TrainingError: there is no training split.
    """
    train = [name for name in sorted(labels) if name.startswith("train/")]
    if not train:
        raise TrainingError("the labels have no split train, so there is no hazard to fit on it")
    hazard = fit_hazard(_bins_and_labels(labels[name](), target_events[name]()) for name in train)
    return {
        name: partial(_hazard_scores, load, hazard, target_events[name])
        for name, load in scores.items()
    }


def _bins_and_labels(labels: Array, events: pd.DataFrame) -> tuple[Any, Any]:
    return time_bins(events["onset"], events["offset"], len(labels)), np.asarray(labels)


def _constant_scores(load: Callable[[], pd.DataFrame], score: float) -> pd.DataFrame:
    return load()[_COLUMNS].assign(score=np.float32(score))


def _hazard_scores(
    load: Callable[[], pd.DataFrame], hazard: Hazard, load_events: Callable[[], pd.DataFrame]
) -> pd.DataFrame:
    table, events = load()[_COLUMNS], load_events()
    scores = hazard.scores(events["onset"], events["offset"], len(table))
    return table.assign(score=scores.astype(np.float32))
