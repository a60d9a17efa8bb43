"""The labeling pipeline."""

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines.labeling.nodes import label_episodes


def create_pipeline() -> Pipeline:
    """Return the pipeline: assignments and events in, labels and what they are out."""
    return Pipeline(
        [
            Node(
                label_episodes,
                inputs=["assignments", "events", "params:labeling"],
                outputs=["label_summary", "labels"],
                name="label_episodes",
            )
        ]
    )
