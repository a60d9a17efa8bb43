"""The node that scores the frames of validation and test."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.frames import start_of
from acoustic_event_prediction.labels import label_within, require_labeling
from acoustic_event_prediction.labels import onset_distances as distances_to_onsets
from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.params import EvaluationParams, IgnoreParams
from acoustic_event_prediction.pipelines.evaluation.score_tables import Partitions, ScoreColumns
from acoustic_event_prediction.pipelines.evaluation.scored_frames import SPLITS
from acoustic_event_prediction.target_events import ignored_frames

logger = logging.getLogger(__name__)


def score_frames(
    predictor: Predictor,
    features: Partitions[Array],
    labels: Partitions[Array],
    onset_distances: Partitions[Array],
    target_events: Partitions[pd.DataFrame],
    label_summary: Mapping[str, Any],
    feature_summary: Mapping[str, Any],
    params: EvaluationParams,
) -> dict[str, Callable[[], pd.DataFrame]]:
    """Score every frame of validation and test; nothing is computed until it is saved.

    Args:
        predictor: gives a probability for each frame.
        features: [T, D] of each partition `<split>/<episode>/<user>`.
        labels: [T] of each partition.
        onset_distances: frames to the next onset, [T] of each partition.
        target_events: onset and offset in seconds of the events of each partition.
        label_summary: which event, target and horizon the labels are of.
        feature_summary: checkpoint and settings that the features are made with.
        params: of it, which frames are ignored.

    Returns:
        For each partition, columns frame (int32), time_seconds (start of the frame), user, score
        (float32) and label (int8) at `shift_frames`, ignore (bool); and, of a predictor of several
        horizons, score_<n> and label_<n> of each.

    Raises:
        LabelError: the labels are not those that the predictor predicts.
        PredictorError: the predictor was trained on features of other settings.
        ProjectError: neither split has partitions, or labels are missing.
    """
    wanted = predictor.header.model_dump(include={"event", "target", "shift_frames"})
    require_labeling(label_summary, wanted, "the predictor")
    predictor.require_features(feature_summary)
    chosen = [name for name in sorted(features) if name.partition("/")[0] in SPLITS]
    if not chosen:
        raise ProjectError(
            f"none of the {len(features)} partitions of features belongs to validation or test, "
            "so there is nothing to evaluate; add these splits to ingestion.splits and run "
            "`kedro run` again"
        )
    truths = (labels, onset_distances, target_events)
    missing = [name for name in chosen if not all(name in truth for truth in truths)]
    if missing:
        raise ProjectError(
            f"{len(missing)} partitions have features but no labels, the first: {missing[0]!r}; "
            "run `kedro run --pipelines labeling`"
        )
    counts = {split: sum(name.startswith(f"{split}/") for name in chosen) for split in SPLITS}
    logger.info("scoring partitions: %s", counts)
    return {
        name: partial(
            _score_partition,
            *(name, predictor, params.ignore, features[name]),
            *(labels[name], onset_distances[name], target_events[name]),
        )
        for name in chosen
    }


def _score_partition(
    name: str,
    predictor: Predictor,
    ignore: IgnoreParams,
    load_features: Callable[[], Array],
    load_labels: Callable[[], Array],
    load_distances: Callable[[], Array],
    load_events: Callable[[], pd.DataFrame],
) -> pd.DataFrame:
    features, labels, distances = load_features(), load_labels(), load_distances()
    if len(features) != len(labels):
        raise ProjectError(
            f"partition {name!r} has {len(features)} frames of features but {len(labels)} labels; "
            "run `kedro run --pipelines labeling`"
        )
    events = load_events()
    onsets, offsets = (events[column].to_numpy(np.float64) for column in ("onset", "offset"))
    if not (
        np.array_equal(distances_to_onsets(onsets, len(labels)), distances)
        and np.array_equal(label_within(distances, predictor.header.shift_frames), labels)
    ):
        raise ProjectError(
            f"partition {name!r}: its labels and its events contradict each other; run "
            "`kedro run --pipelines labeling`"
        )
    frame = np.arange(len(labels), dtype=np.int32)
    horizons = predictor.header.horizon_frames
    scores = predictor.horizon_scores(features)  # [T, H]
    columns: dict[str, Any] = {
        "frame": frame,
        "time_seconds": start_of(frame),
        "user": name.rpartition("/")[2],
        "score": scores[:, predictor.header.main_output],
        "label": np.asarray(labels, dtype=np.int8),
        "ignore": ignored_frames(
            *(onsets, offsets, len(labels)),
            inside=ignore.inside_event,
            tail_seconds=ignore.tail_seconds,
        ),
    }
    if len(horizons) > 1:
        for index, horizon in enumerate(horizons):
            names = ScoreColumns.of(horizon)
            columns[names.score] = scores[:, index]
            columns[names.label] = label_within(distances, horizon)
    return pd.DataFrame(columns)
