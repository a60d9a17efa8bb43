"""The feature_extraction pipeline."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines.feature_extraction.nodes import extract_features


def create_pipeline(**_: Any) -> Pipeline:
    """Return the pipeline: assignments, audio, turns and words in; features out."""
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
                    "params:feature_extraction",
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
