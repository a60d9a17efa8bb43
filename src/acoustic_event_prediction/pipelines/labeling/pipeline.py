"""The labeling pipeline."""

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines.labeling.nodes import label_episodes


def create_pipeline() -> Pipeline:
    """Return assignments and events to labels."""
    return Pipeline(
        [
            Node(
                label_episodes,
                inputs=["assignments", "events", "params:labeling"],
                outputs="labels",
                name="label_episodes",
            )
        ]
    )
