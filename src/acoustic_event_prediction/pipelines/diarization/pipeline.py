"""The diarization pipeline; not part of a plain `kedro run`, whose ingestion reads its result."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines.diarization.nodes import find_turns


def create_pipeline(**_: Any) -> Pipeline:
    """Return the pipeline: ingested episodes and their audio in, turns of those without any out."""
    return Pipeline(
        [
            Node(
                find_turns,
                inputs=[
                    "audio",
                    "episodes",
                    "params:diarization",
                    "params:launcher",
                    "worker_catalog",
                ],
                outputs="diarization",
                name="find_turns",
                tags="gpu",
            ),
        ]
    )
