"""A predictor whose scores are known, what it needs, and the splits that it scores."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from acoustic_event_prediction.frames import start_of
from acoustic_event_prediction.labels import onset_distances
from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.params import EvaluationParams
from acoustic_event_prediction.pipelines.evaluation.nodes import pool_scores
from acoustic_event_prediction.pipelines.evaluation.scored_frames import PooledScores
from acoustic_event_prediction.pipelines.evaluation.scoring import score_frames
from tests.made import evaluation_params, make_predictor

SUMMARY = {"labeling": {"event": "Laughter", "target": "any", "shift_frames": 1}, "splits": {}}
Scores = dict[str, Callable[[], pd.DataFrame]]
# By partition: the scores of the frames, and their labels at a horizon of one frame.
Frames = Mapping[str, tuple[Sequence[float], Sequence[int]]]

TWO_SPLITS: Frames = {
    "train/a/x": ([0.5], [1]),
    "validation/b/x": ([0.9, 0.4, 0.1], [1, 0, 0]),
    "validation/b/y": ([0.8, 0.4, 0.1], [1, 0, 0]),
    "validation/c/x": ([0.3, 0.2], [0, 0]),
    "test/d/x": ([0.9, 0.6, 0.1], [0, 1, 0]),
    "test/e/x": ([0.85, 0.2], [1, 0]),
}


class FirstColumns(Predictor):
    """Scores a frame at each horizon by the feature of the same number."""

    def horizon_scores(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the first H features, [T, H]."""
        return features[:, : len(self.header.horizons)].astype(np.float32)


def first_columns(*horizons: int) -> FirstColumns:
    """Return such a predictor of one horizon or more."""
    made = make_predictor(horizons=horizons or (1,))
    return FirstColumns(made.classifier, made.header)


def events_before(labels: Sequence[int]) -> pd.DataFrame:
    """Return the events that give these labels at a horizon of one frame, a frame long each."""
    onsets = start_of(np.flatnonzero(labels) + 1)
    return pd.DataFrame({"onset": onsets, "offset": onsets + 0.08, "speaker": "A"})


def target_events(frames: Frames) -> Scores:
    """Return the events of every partition."""
    return {name: partial(events_before, labels) for name, (_, labels) in frames.items()}


def make_scores(frames: Frames, params: EvaluationParams | None = None) -> Scores:
    """Return the tables of scores of a predictor of one horizon."""
    events = target_events(frames)
    return score_frames(
        first_columns(),
        {
            name: partial(np.reshape, [[s, 9.0] for s in v], (-1, 2))
            for name, (v, _) in frames.items()
        },
        {name: partial(np.array, labels) for name, (_, labels) in frames.items()},
        {
            name: partial(onset_distances, events[name]()["onset"], len(labels))
            for name, (_, labels) in frames.items()
        },
        events,
        SUMMARY,
        {},
        params or evaluation_params(),
    )


def pool(frames: Frames = TWO_SPLITS, params: EvaluationParams | None = None) -> PooledScores:
    """Return the pooled scores of a predictor of one horizon."""
    params = params or evaluation_params()
    return pool_scores(make_scores(frames, params), target_events(frames), {}, params, 1)
