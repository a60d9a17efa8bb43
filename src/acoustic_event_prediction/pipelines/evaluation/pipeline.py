"""Evaluation: score every frame once, then choose, measure, draw and export."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines.evaluation.exports import (
    export_annotations,
    export_predictions,
)
from acoustic_event_prediction.pipelines.evaluation.nodes import (
    choose_operating_point,
    compute_metrics,
    pool_scores,
    store_threshold,
)
from acoustic_event_prediction.pipelines.evaluation.plots import (
    plot_confusion_matrix,
    plot_lead_times,
    plot_pr_curve,
    plot_reliability,
    plot_roc_curve,
    plot_score_histogram,
    plot_score_track,
)
from acoustic_event_prediction.pipelines.evaluation.reporting import write_report
from acoustic_event_prediction.pipelines.evaluation.scoring import score_frames


def create_pipeline(**_: Any) -> Pipeline:
    """Return the evaluation pipeline."""
    figures = _figures()
    drawn = [name for node in figures for name in node.outputs]
    return Pipeline([*_measuring(), *figures, *_exports(), _report(drawn)])


def _measuring() -> list[Node]:
    return [
        Node(
            func=score_frames,
            inputs=[
                "predictor",
                "features",
                "labels",
                "onset_distances",
                "target_events",
                "label_summary",
                "feature_summary",
                "params:evaluation",
            ],
            outputs="scores",
            name="score_frames",
        ),
        Node(
            func=pool_scores,
            inputs=[
                "scores",
                "target_events",
                "episodes",
                "params:evaluation",
                "params:shift_frames",
            ],
            outputs="pooled_scores",
            name="pool_scores",
        ),
        Node(
            func=choose_operating_point,
            inputs=["pooled_scores", "params:evaluation"],
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
            inputs=["pooled_scores", "operating_point", "params:evaluation"],
            outputs="metrics",
            name="compute_metrics",
        ),
    ]


def _figures() -> list[Node]:
    at_point = ["pooled_scores", "operating_point"]
    return [
        Node(plot_roc_curve, at_point, "roc_curve", name="plot_roc_curve"),
        Node(plot_pr_curve, at_point, "pr_curve", name="plot_pr_curve"),
        Node(plot_confusion_matrix, at_point, "confusion_matrix", name="plot_confusion_matrix"),
        Node(plot_reliability, "pooled_scores", "reliability", name="plot_reliability"),
        Node(plot_score_histogram, at_point, "score_histogram", name="plot_score_histogram"),
        Node(plot_lead_times, at_point, "lead_times", name="plot_lead_times"),
        Node(
            func=plot_score_track,
            inputs=[*at_point, "target_events", "turns", "words"],
            outputs="score_track",
            name="plot_score_track",
        ),
    ]


def _exports() -> list[Node]:
    return [
        Node(
            func=export_predictions,
            inputs="scores",
            outputs=["predictions", "predictions_csv"],
            name="export_predictions",
        ),
        Node(
            func=export_annotations,
            inputs=["scores", "target_events", "episodes", "operating_point", "label_summary"],
            outputs=["textgrids", "audacity_labels"],
            name="export_annotations",
        ),
    ]


def _report(figures: list[str]) -> Node:
    same = ("pooled_scores", "operating_point", "metrics", "label_summary", "feature_summary")
    return Node(
        func=write_report,
        inputs={
            "predictor": "predictor_with_threshold",
            "params": "params:evaluation",
            "corpus": "params:corpus",
            "baselines": "baseline_rows",
            **{name: name for name in (*same, "target_events", "words", "audio", *figures)},
        },
        outputs="report",
        name="write_report",
    )
