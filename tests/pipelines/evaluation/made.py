"""A predictor whose scores are known, and the summary of labels that fit it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.models.predictor import Predictor
from tests.made import make_predictor

SUMMARY = {"labeling": {"event": "Laughter", "target": "any", "shift_frames": 1}, "splits": {}}


class FirstColumns(Predictor):
    """Scores a frame at each horizon by the feature of the same number."""

    def horizon_scores(self, features: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the first H features, [T, H]."""
        return features[:, : len(self.header.horizons)].astype(np.float32)


def first_columns(*horizons: int) -> FirstColumns:
    """Return such a predictor of one horizon or more."""
    made = make_predictor(horizons=horizons or (1,))
    return FirstColumns(made.classifier, made.header)
