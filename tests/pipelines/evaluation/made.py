"""A predictor's header, and the summary of labels that fit it."""

from acoustic_event_prediction.models.predictor import (
    ClassifierHeader,
    PredictorHeader,
    TrainingSummary,
)

SUMMARY = {"labeling": {"event": "Laughter", "target": "any", "shift_frames": 1}, "splits": {}}


def predictor_header() -> PredictorHeader:
    return PredictorHeader(
        classifier=ClassifierHeader(num_features=1, hidden_dim=None),
        shift_frames=1,
        event="Laughter",
        target="any",
        corpus="mine",
        loss="bce",
        features={},
        training=TrainingSummary(epoch=1, validation_auprc=0.5, prior=0.1, shuffled_labels=False),
    )
