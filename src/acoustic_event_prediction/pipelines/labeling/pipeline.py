"""The labeling pipeline."""

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines.labeling.nodes import label_episodes


def create_pipeline() -> Pipeline:
    """Return the pipeline: assignments and events in, labels out, for all horizons and for one."""
    return Pipeline(
        [
            Node(
                label_episodes,
                inputs=["assignments", "events", "params:labeling"],
                outputs=["label_summary", "target_events", "onset_distances", "labels"],
                name="label_episodes",
            )
        ]
    )
