"""The prediction pipeline; not part of a plain `kedro run`."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines.prediction.nodes import (
    prepare_prediction,
    read_recordings,
)
from acoustic_event_prediction.pipelines.prediction.predicting import predict


def create_pipeline(**_: Any) -> Pipeline:
    """Return the pipeline: a predictor and recordings in; scores, alarms and pages out."""
    return Pipeline(
        [
            Node(
                prepare_prediction,
                inputs=[
                    "predictor_with_threshold",
                    "params:prediction",
                    "params:checkpoint",
                    "params:feature_extraction",
                ],
                outputs="prediction_setup",
                name="prepare_prediction",
            ),
            Node(
                read_recordings,
                inputs=["prediction_setup", "params:prediction", "earlier_prediction_episodes"],
                outputs=[
                    "prediction_episodes",
                    "prediction_events",
                    "prediction_turns",
                    "prediction_words",
                    "prediction_assignments",
                    "prediction_notes",
                ],
                name="read_recordings",
            ),
            Node(
                predict,
                inputs=[
                    "prediction_setup",
                    "prediction_notes",
                    "prediction_episodes",
                    "prediction_assignments",
                    "prediction_events",
                    "prediction_turns",
                    "prediction_words",
                    "params:prediction",
                    "params:launcher",
                    "worker_catalog",
                ],
                outputs=["prediction_scores", "recording_predictions", "prediction_summary"],
                name="predict",
                tags="gpu",
            ),
        ]
    )
