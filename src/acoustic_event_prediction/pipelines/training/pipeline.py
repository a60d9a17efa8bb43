"""Training: features and labels to a predictor, on all GPUs."""

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines.training.nodes import train_predictor


def create_pipeline(
    training: str = "params:training", feature_extraction: str = "params:feature_extraction"
) -> Pipeline:
    """Return the training pipeline.

    Args:
        training: catalog name of the settings.
        feature_extraction: catalog name of the settings that the features are made with.
    """
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
                    training,
                    "params:labeling",
                    "params:launcher",
                    feature_extraction,
                    "params:streams",
                    "params:checkpoint",
                    "params:corpus",
                    "worker_catalog",
                ],
                outputs=["predictor", "training_history"],
                name="train_predictor",
                tags="gpu",
            )
        ]
    )
