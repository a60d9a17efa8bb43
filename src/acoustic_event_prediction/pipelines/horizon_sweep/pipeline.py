"""The horizon_sweep pipeline; not part of a plain `kedro run`."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.pipelines import evaluation, labeling, training
from acoustic_event_prediction.pipelines.horizon_sweep.nodes import (
    choose_horizons,
    compare_horizons,
    plot_horizons,
)


def create_pipeline(**_: Any) -> Pipeline:
    """Return the pipeline: labeling, training at all horizons, evaluation, and the comparison."""
    sweep = Pipeline(
        [
            Node(
                func=choose_horizons,
                inputs=["params:training", "params:horizon_sweep"],
                outputs="sweep_training",
                name="choose_horizons",
            ),
            Node(
                func=compare_horizons,
                inputs=[
                    "pooled_scores",
                    "metrics",
                    "params:horizon_sweep",
                    "params:evaluation",
                ],
                outputs="horizon_table",
                name="compare_horizons",
            ),
            Node(plot_horizons, "horizon_table", "horizon_figure", name="plot_horizons"),
        ]
    )
    stages = (
        labeling.create_pipeline(),
        training.create_pipeline(training="sweep_training"),
        evaluation.create_pipeline(),
    )
    return sum(stages, sweep)
