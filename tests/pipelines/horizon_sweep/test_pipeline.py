import json
import shutil
from pathlib import Path

import pandas as pd
from kedro.framework.project import configure_project

from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.pipeline_registry import register_pipelines
from acoustic_event_prediction.pipelines.horizon_sweep import create_pipeline
from tests.kedro_runs import kedro_run


def test_the_sweep_is_labeling_training_evaluation_and_the_comparison() -> None:
    configure_project("acoustic_event_prediction")
    pipelines = register_pipelines()
    stages = pipelines["labeling"] + pipelines["training"] + pipelines["evaluation"]

    assert pipelines["horizon_sweep"].all_outputs() == stages.all_outputs() | {
        "sweep_training",
        "horizon_table",
        "horizon_figure",
    }
    assert pipelines["horizon_sweep"].inputs() == stages.inputs() | {"params:horizon_sweep"} | {
        "params:shift_frames"
    }


def test_a_plain_run_does_not_sweep() -> None:
    configure_project("acoustic_event_prediction")

    default = register_pipelines()["__default__"]

    assert not default.all_outputs() & {"sweep_training", "horizon_table", "horizon_figure"}


def test_node_names_are_function_names() -> None:
    for node in create_pipeline().nodes:
        assert node.name == node.func.__name__


def test_a_sweep_trains_all_horizons_and_compares_them(few_features: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(few_features, root)

    output = kedro_run(
        root,
        *["--pipelines", "horizon_sweep"],
        params="training.epochs=2,horizon_sweep.horizons=1 10,"
        "horizon_sweep.false_alarms_per_hour=60 3600",
    )

    reporting = root / "08_reporting" / "sample" / "shift_5"
    table = pd.read_csv(reporting / "horizons.csv").set_index(["split", "shift_frames"])
    assert list(table.index) == [
        (split, horizon) for split in ("validation", "test") for horizon in (1, 5, 10)
    ]
    recalls = table.filter(regex="per_hour$").columns.tolist()
    assert recalls[:2] == ["recall_at_60_per_hour", "recall_at_3600_per_hour"]
    predictor = root / "06_models" / "sample" / "shift_5" / "predictor.safetensors"
    assert Predictor.load(predictor).header.horizon_frames == (1, 5, 10)
    # The main horizon is measured twice, with the same result.
    metrics = json.loads((reporting / "metrics.json").read_text())["test"]
    main = table.loc[("test", 5)]
    assert main["auprc"] == metrics["auprc"]
    assert main["auroc_low"] == metrics["intervals"]["auroc"]["low"]
    assert main["event_hit_rate"] == metrics["events"]["hit_rate"]
    for name in ("horizons.csv", "horizons.png"):
        assert str(reporting / name) in output
