"""The comparison pipeline; not part of a plain `kedro run`."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines import evaluation
from acoustic_event_prediction.pipelines.comparison.nodes import (
    OTHER,
    pair_scores,
    tabulate_comparison,
)
from acoustic_event_prediction.pipelines.evaluation.comparing import (
    PREDICTOR,
    compare_with_predictor,
)

_NAMESPACE = "comparison"
_MEASURING = ("pool_scores", "choose_operating_point", "compute_metrics")


def create_pipeline(**_: Any) -> Pipeline:
    """Return the pipeline: both predictors are tuned and measured alike, then compared."""
    pairing = Node(
        func=pair_scores,
        inputs=["scores", "other_scores", "params:shift_frames"],
        outputs=["predictor_frames", "other_frames"],
        name="pair_scores",
    )
    measured = (_measure(PREDICTOR), _measure(OTHER), _compare())
    return sum(measured, Pipeline([pairing]))


def _measure(system: str) -> Pipeline:
    """Return the evaluation of one predictor's scores; outputs are `comparison.<system>.…`."""
    stages = evaluation.create_pipeline().only_nodes(*_MEASURING)
    parameters = {name for name in stages.inputs() if name.startswith("params:")}
    shared = stages.inputs() - parameters - {"scores"}
    return Pipeline(
        stages,
        namespace=f"{_NAMESPACE}.{system}",
        inputs={"scores": f"{system}_frames", **{name: name for name in shared}},
        parameters={name: name for name in parameters},
    )


def _compare() -> Pipeline:
    """Return the table of both."""
    ours = ["predictor_scores", "predictor_point"]
    theirs = ["other_pooled", "other_point", "other_metrics"]
    compare = Node(
        func=compare_with_predictor,
        inputs=[*ours, *theirs, "params:evaluation"],
        outputs="other_comparison",
        name="compare_with_predictor",
    )
    tabulate = Node(
        func=tabulate_comparison,
        inputs=["predictor_metrics", "other_comparison"],
        outputs="comparison_table",
        name="tabulate_comparison",
    )
    return Pipeline(
        [compare, tabulate],
        namespace=_NAMESPACE,
        inputs={
            "predictor_scores": f"{_NAMESPACE}.{PREDICTOR}.pooled_scores",
            "predictor_point": f"{_NAMESPACE}.{PREDICTOR}.operating_point",
            "predictor_metrics": f"{_NAMESPACE}.{PREDICTOR}.metrics",
            "other_pooled": f"{_NAMESPACE}.{OTHER}.pooled_scores",
            "other_point": f"{_NAMESPACE}.{OTHER}.operating_point",
            "other_metrics": f"{_NAMESPACE}.{OTHER}.metrics",
        },
        parameters={"params:evaluation": "params:evaluation"},
        outputs="comparison_table",
    )
