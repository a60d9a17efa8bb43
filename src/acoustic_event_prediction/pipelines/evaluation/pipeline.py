"""Evaluation: score every frame once, then choose the threshold, measure and draw."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines.evaluation.nodes import (
    choose_operating_point,
    compute_metrics,
    plot_confusion_matrix,
    plot_pr_curve,
    plot_roc_curve,
    score_frames,
    store_threshold,
)


def create_pipeline(**_: Any) -> Pipeline:
    """Return the evaluation pipeline."""
    return Pipeline(
        [
            Node(
                func=score_frames,
                inputs=[
                    "predictor",
                    "features",
                    "labels",
                    "onset_distances",
                    "label_summary",
                    "feature_summary",
                ],
                outputs="scores",
                name="score_frames",
            ),
            Node(
                func=choose_operating_point,
                inputs=["scores", "params:evaluation"],
                outputs="operating_point",
                name="choose_operating_point",
            ),
            Node(
                func=store_threshold,
                inputs=["predictor", "operating_point"],
                outputs="predictor_with_threshold",
                name="store_threshold",
            ),
            Node(
                func=compute_metrics,
                inputs=["scores", "operating_point", "params:evaluation"],
                outputs="metrics",
                name="compute_metrics",
            ),
            Node(plot_roc_curve, ["scores", "operating_point"], "roc_curve", name="plot_roc_curve"),
            Node(plot_pr_curve, ["scores", "operating_point"], "pr_curve", name="plot_pr_curve"),
            Node(
                func=plot_confusion_matrix,
                inputs=["scores", "operating_point"],
                outputs="confusion_matrix",
                name="plot_confusion_matrix",
            ),
        ]
    )
