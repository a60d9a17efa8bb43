from functools import partial
from typing import Any

import numpy as np
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from matplotlib.figure import Figure

from acoustic_event_prediction.params import EvaluationParams
from acoustic_event_prediction.pipelines.evaluation import create_pipeline
from tests.pipelines.evaluation.made import SUMMARY, first_columns


def test_node_names_are_function_names() -> None:
    for node in create_pipeline().nodes:
        assert node.name == node.func.__name__


def test_inputs_and_outputs_are_the_catalog_names() -> None:
    pipeline = create_pipeline()

    assert pipeline.inputs() == {
        *(
            "predictor",
            "features",
            "labels",
            "onset_distances",
            "label_summary",
            "feature_summary",
            "params:evaluation",
        ),
    }
    assert pipeline.all_outputs() == {
        "scores",
        "operating_point",
        "predictor_with_threshold",
        "metrics",
        "roc_curve",
        "pr_curve",
        "confusion_matrix",
    }


@pytest.mark.parametrize("threshold", ["tune", 0.5])
def test_pipeline_runs_from_features_to_figures(threshold: Any) -> None:
    names = [
        f"{split}/{episode}/x" for split in ("train", "validation", "test") for episode in "ab"
    ]
    labels = np.array([0, 0, 1, 0], dtype=np.int8)
    features = np.array([[0.1], [0.2], [0.9], [0.3]], dtype=np.float16)
    params = EvaluationParams(threshold=threshold, tune_metric="f1", bootstrap_samples=10)
    results = ("metrics", "roc_curve", "pr_curve", "confusion_matrix")
    catalog = DataCatalog(
        {
            "predictor": MemoryDataset(first_columns()),
            "features": MemoryDataset({name: partial(np.copy, features) for name in names}),
            **{
                entry: MemoryDataset({name: partial(np.copy, labels) for name in names})
                for entry in ("labels", "onset_distances")
            },
            "label_summary": MemoryDataset(SUMMARY),
            "feature_summary": MemoryDataset({}),
            "params:evaluation": MemoryDataset(params),
        }
        | {name: MemoryDataset(copy_mode="assign") for name in results}
    )

    SequentialRunner().run(create_pipeline(), catalog)

    metrics = catalog.load("metrics")
    assert metrics["test"]["num_frames"] == 8
    assert metrics["test"]["auprc"] == metrics["test"]["f1"] == 1.0
    assert metrics["test"]["intervals"]["num_episodes"] == 2
    for name in results[1:]:
        assert isinstance(catalog.load(name), Figure)
