"""The causality_check pipeline; not part of a plain `kedro run`."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines.causality_check.nodes import check_causality


def create_pipeline(**_: Any) -> Pipeline:
    """Return the pipeline: what the features are made from in, their true lead out."""
    return Pipeline(
        [
            Node(
                check_causality,
                inputs=[
                    "assignments",
                    "audio",
                    "episodes",
                    "events",
                    "turns",
                    "words",
                    "params:causality_check",
                    "params:feature_extraction",
                    "params:streams",
                    "params:shift_frames",
                    "params:checkpoint",
                    "params:launcher",
                    "worker_catalog",
                ],
                outputs=["causality_report", "causality_table"],
                name="check_causality",
                tags="gpu",
            ),
        ]
    )
