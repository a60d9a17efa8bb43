"""The feature_extraction pipeline."""

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines.feature_extraction.nodes import extract_features


def create_pipeline(feature_extraction: str = "params:feature_extraction") -> Pipeline:
    """Return the pipeline: assignments, audio, turns and words in; features out.

    Args:
        feature_extraction: catalog name of the settings.
    """
    return Pipeline(
        [
            Node(
                extract_features,
                inputs=[
                    "assignments",
                    "audio",
                    "episodes",
                    "events",
                    "turns",
                    "words",
                    feature_extraction,
                    "params:streams",
                    "params:checkpoint",
                    "params:launcher",
                    "worker_catalog",
                ],
                outputs=["feature_summary", "features"],
                name="extract_features",
                tags="gpu",
            ),
        ]
    )
