import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from kedro.framework.project import configure_project

from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.pipeline_registry import register_pipelines
from acoustic_event_prediction.pipelines.baselines.pipeline import NAMES
from tests.kedro_runs import features_of, kedro_run

QUICK = "training.epochs=2,evaluation.bootstrap_samples=20"


def test_a_plain_run_makes_no_baselines() -> None:
    configure_project("acoustic_event_prediction")
    pipelines = register_pipelines()

    assert not pipelines["__default__"].all_outputs() & {"baseline_table", "baseline_figure"}
    assert {"baseline_table", "baseline_figure"} <= pipelines["baselines"].all_outputs()


def test_baselines_need_what_a_plain_run_has_made() -> None:
    configure_project("acoustic_event_prediction")
    pipelines = register_pipelines()
    made = pipelines["__default__"].all_outputs() | pipelines["__default__"].inputs()
    assert "baseline_rows" in pipelines["baselines"].all_outputs() & made

    assert pipelines["baselines"].inputs() <= made
    shared = pipelines["baselines"].all_outputs() & pipelines["__default__"].all_outputs()
    # Anything else would be the predictor's own result, overwritten.
    assert shared == {"pooled_scores", "report"}


@pytest.fixture(scope="module")
def root(few_features: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("baselines") / "data"
    shutil.copytree(few_features, root)
    kedro_run(root, "--pipelines", "labeling,training,evaluation", params=QUICK)
    return root


def test_every_baseline_is_in_the_table_and_the_predictor_is_left_alone(root: Path) -> None:
    features = features_of(root)
    predictor = root / "06_models" / "sample" / "shift_5" / "predictor.safetensors"
    weights = predictor.read_bytes()

    output = kedro_run(root, "--pipelines", "baselines", params=QUICK)

    assert features_of(root) == features
    assert predictor.read_bytes() == weights
    reporting = root / "08_reporting" / "sample" / "shift_5"
    assert str(reporting / "baselines.csv") in output
    assert (reporting / "baselines.png").is_file()
    assert "moshi_without_text, test" in (reporting / "report.html").read_text()
    table = pd.read_csv(reporting / "baselines.csv").set_index(["split", "name"])
    metrics = json.loads((reporting / "metrics.json").read_text())
    for split in ("validation", "test"):
        rows = table.loc[split]
        assert rows.index.tolist() == ["predictor", *NAMES]
        # The same frames for all, and the predictor's row is what the evaluation found.
        assert rows["num_positive"].nunique() == rows["num_frames"].nunique() == 1
        assert rows.loc["predictor", "auprc"] == pytest.approx(metrics[split]["auprc"])
        assert rows.loc["prior", "auprc_over_prevalence"] == pytest.approx(1.0)
        assert rows.loc["prior", "auroc"] == 0.5
        others = rows.drop(index="predictor")
        differences = rows.loc["predictor", "auprc"] - others["auprc"]
        assert others["auprc_difference"].to_numpy() == pytest.approx(differences.to_numpy())
    folder = root / "06_models" / "sample" / "shift_5" / "baselines"
    text_free = Predictor.load(folder / "moshi_without_text" / "predictor.safetensors").header
    assert text_free.features["feature_extraction"]["text"] == "none"
    shuffled = Predictor.load(folder / "shuffled_labels" / "predictor.safetensors").header
    assert shuffled.training["shuffle_labels"] is True
