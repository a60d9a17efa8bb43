"""Training: features and labels to a predictor, on all GPUs."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines.training.nodes import train_predictor


def create_pipeline(**_: Any) -> Pipeline:
    """Return the training pipeline."""
    return Pipeline(
        [
            Node(
                func=train_predictor,
                inputs=[
                    "features",
                    "labels",
                    "onset_distances",
                    "feature_summary",
                    "label_summary",
                    "params:training",
                    "params:labeling",
                    "params:launcher",
                    "params:feature_extraction",
                    "params:streams",
                    "params:corpus",
                    "worker_catalog",
                ],
                outputs=["predictor", "training_history"],
                name="train_predictor",
                tags="gpu",
            )
        ]
    )
