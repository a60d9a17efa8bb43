"""The baselines pipeline; not part of a plain `kedro run`."""

from collections.abc import Mapping
from functools import partial, update_wrapper
from typing import Any

from kedro.pipeline import Node, Pipeline

from acoustic_event_prediction.baselines.kinds import KINDS
from acoustic_event_prediction.pipelines import evaluation, feature_extraction, training
from acoustic_event_prediction.pipelines.baselines.comparing import (
    plot_baselines,
    report_baselines,
    tabulate_baselines,
)
from acoustic_event_prediction.pipelines.baselines.nodes import extract_baseline_features
from acoustic_event_prediction.pipelines.baselines.references import score_hazard, score_prior
from acoustic_event_prediction.pipelines.baselines.settings import (
    at_one_horizon,
    choose_entries,
    with_shuffled_labels,
    without_text,
)
from acoustic_event_prediction.pipelines.evaluation.comparing import compare_with_predictor

SHUFFLED = "shuffled_labels"
WITHOUT_TEXT = "moshi_without_text"
UNTRAINED = ("prior", "hazard")
NAMES = (*UNTRAINED, *KINDS, WITHOUT_TEXT, SHUFFLED)

# Namespace of all of them; below it, each has its own.
_ALL = "baselines"

# What all stages of all baselines share with the predictor's.
_SHARED = {
    *("assignments", "audio", "episodes", "events", "turns", "words"),
    *("labels", "onset_distances", "target_events", "label_summary"),
    *("baseline_training", "shuffled_training", "text_free_extraction"),
}
_MEASURING = ("pool_scores", "choose_operating_point", "compute_metrics")


def create_pipeline(**_: Any) -> Pipeline:
    """Return the pipeline: features of every baseline, training, scores, metrics and the table."""
    features = Node(
        extract_baseline_features,
        inputs=[
            "assignments",
            "audio",
            "episodes",
            "events",
            "turns",
            "words",
            "params:feature_extraction",
            "params:streams",
            "params:checkpoint",
            "params:launcher",
            "worker_catalog",
        ],
        outputs=[
            name for kind in KINDS for name in (f"{kind}_feature_summary", f"{kind}_features")
        ],
        name="extract_baseline_features",
        tags="gpu",
    )
    settings = [
        Node(at_one_horizon, "params:training", "baseline_training", name="at_one_horizon"),
        Node(
            with_shuffled_labels,
            "params:training",
            "shuffled_training",
            name="with_shuffled_labels",
        ),
        Node(
            without_text, "params:feature_extraction", "text_free_extraction", name="without_text"
        ),
    ]
    trained = [
        *(_train(kind, f"{kind}_features", f"{kind}_feature_summary") for kind in KINDS),
        _train(WITHOUT_TEXT, extraction="text_free_extraction"),
        _train(SHUFFLED, "features", "feature_summary", settings="shuffled_training"),
    ]
    again = evaluation.create_pipeline().only_nodes("pool_scores", "write_report")
    measured = [_measure(name) for name in NAMES]
    stages = [again, *trained, _score_references(), *measured, _compare()]
    return sum(stages, Pipeline([features, *settings]))


def _train(
    name: str,
    features: str | None = None,
    summary: str | None = None,
    *,
    settings: str = "baseline_training",
    extraction: str = "params:feature_extraction",
) -> Pipeline:
    """Return training and scoring of a baseline.

    Args:
        name: of the baseline.
        features: that it is trained on; None: the stages make them.
        summary: of these features.
        settings: of the training.
        extraction: settings that the features are made with.
    """
    choose = update_wrapper(
        partial(choose_entries, baseline=name, features=features), choose_entries
    )
    entries = Node(choose, "all_entries", "worker_catalog", name="choose_entries")
    stages = sum(
        [
            training.create_pipeline(training=settings, feature_extraction=extraction),
            evaluation.create_pipeline().only_nodes("score_frames"),
        ],
        Pipeline([entries]),
    )
    mapped = {"all_entries": "worker_catalog"}
    if features is None or summary is None:
        stages += feature_extraction.create_pipeline(extraction)
    else:
        mapped |= {"features": features, "feature_summary": summary}
    return _in_namespace(name, stages, mapped)


def _score_references() -> Pipeline:
    """Return the scores of the baselines that need no features."""
    prior = Node(score_prior, ["tables", "label_summary"], "scores", name="score_prior")
    hazard = Node(
        score_hazard, ["tables", "labels", "target_events"], "scores", name="score_hazard"
    )
    mapped = {"tables": "scores"}
    return _in_namespace("prior", Pipeline([prior]), mapped) + _in_namespace(
        "hazard", Pipeline([hazard]), mapped
    )


def _measure(name: str) -> Pipeline:
    """Return the evaluation of a baseline's scores, and its comparison with the predictor."""
    compare = Node(
        compare_with_predictor,
        inputs=[
            "predictor_scores",
            "predictor_point",
            "pooled_scores",
            "operating_point",
            "metrics",
            "params:evaluation",
        ],
        outputs="comparison",
        name="compare_with_predictor",
    )
    stages = evaluation.create_pipeline().only_nodes(*_MEASURING) + Pipeline([compare])
    mapped = {"predictor_scores": "pooled_scores", "predictor_point": "operating_point"}
    return _in_namespace(name, stages, mapped)


def _compare() -> Pipeline:
    """Return the table of all systems, and its figure."""
    tabulate = Node(
        tabulate_baselines,
        inputs={"metrics": "metrics", **{name: f"{name}_comparison" for name in NAMES}},
        outputs="baseline_table",
        name="tabulate_baselines",
    )
    plot = Node(plot_baselines, "baseline_table", "baseline_figure", name="plot_baselines")
    report = Node(
        report_baselines,
        ["baseline_table", "pooled_scores", "params:evaluation"],
        "baseline_rows",
        name="report_baselines",
    )
    comparisons = {f"{name}_comparison": f"{_ALL}.{name}.comparison" for name in NAMES}
    return Pipeline(
        [tabulate, plot, report],
        namespace=_ALL,
        inputs={"metrics": "metrics", "pooled_scores": "pooled_scores", **comparisons},
        parameters={"params:evaluation": "params:evaluation"},
        outputs={"baseline_table", "baseline_figure", "baseline_rows"},
    )


def _in_namespace(name: str, stages: Pipeline, mapped: Mapping[str, str] | None = None) -> Pipeline:
    """Return the stages with outputs `<name>.…`; shared inputs and parameters stay as they are."""
    inputs = stages.inputs()
    return Pipeline(
        stages,
        namespace=f"{_ALL}.{name}",
        inputs={**{entry: entry for entry in inputs & _SHARED}, **(mapped or {})},
        parameters={entry: entry for entry in inputs if entry.startswith("params:")},
    )
