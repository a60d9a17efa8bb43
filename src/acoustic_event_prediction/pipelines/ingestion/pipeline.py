"""The ingestion pipeline."""

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines.ingestion.nodes import assign_users, read_corpus


def create_pipeline() -> Pipeline:
    """Return raw corpus to episodes, events, turns, words and assignments."""
    return Pipeline(
        [
            Node(
                read_corpus,
                inputs=[
                    "raw_corpus",
                    "params:ingestion",
                    "earlier_diarization",
                    "earlier_episodes",
                ],
                outputs=[
                    "episodes",
                    "events",
                    "turns",
                    "words",
                    "ingestion_report",
                    "ingestion_splits",
                    "ingestion_events",
                    "ingestion_episodes",
                ],
                name="read_corpus",
            ),
            Node(
                assign_users,
                inputs=["episodes", "turns", "params:streams"],
                outputs="assignments",
                name="assign_users",
            ),
        ]
    )
