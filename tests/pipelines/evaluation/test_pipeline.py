from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro_datasets.json import JSONDataset

from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.datasets.figure import FigureDataset
from acoustic_event_prediction.pipelines.evaluation import create_pipeline
from tests.made import audio_file, evaluation_params
from tests.pipelines.evaluation.made import SUMMARY, events_before, first_columns
from tests.report.made import Page

FIGURES = (
    "roc_curve",
    "pr_curve",
    "confusion_matrix",
    "reliability",
    "score_histogram",
    "lead_times",
    "score_track",
)
TURNS = pd.DataFrame({"onset": [0.0], "offset": [0.3], "speaker": ["x"]})
WORDS = pd.DataFrame({"onset": [0.0], "offset": [0.1], "text": ["so"], "speaker": ["x"]})


def test_node_names_are_function_names() -> None:
    for node in create_pipeline().nodes:
        assert node.name == node.func.__name__


def test_inputs_and_outputs_are_the_catalog_names() -> None:
    pipeline = create_pipeline()

    assert pipeline.inputs() == {
        *("predictor", "features", "labels", "onset_distances", "target_events"),
        *("label_summary", "feature_summary", "episodes", "turns", "words", "audio"),
        *("params:evaluation", "params:shift_frames", "params:corpus"),
        "baseline_rows",
    }
    assert pipeline.all_outputs() == {
        *("scores", "pooled_scores", "operating_point", "predictor_with_threshold", "metrics"),
        *("predictions", "predictions_csv", "textgrids", "audacity_labels", "report"),
        *FIGURES,
    }


def episode(episode_id: str) -> dict[str, Any]:
    split, _, name = episode_id.partition("/")
    return Episode(
        episode_id=episode_id,
        split=split,
        name=name,
        show=None,
        duration_seconds=0.32,
        num_frames=4,
        audio=audio_file(),
        tracks={},
        sources=("mono",),
        transcript_unit_seconds=None,
    ).model_dump(mode="json")


@pytest.mark.parametrize("threshold", ["tune", 0.5])
def test_pipeline_runs_from_features_to_the_report(tmp_path: Path, threshold: Any) -> None:
    episodes = [f"{split}/{name}" for split in ("train", "validation", "test") for name in "ab"]
    names = [f"{episode_id}/x" for episode_id in episodes]
    labels = [0, 0, 1, 0]
    features = np.array([[0.1], [0.2], [0.9], [0.3]], dtype=np.float16)
    results = ("textgrids", "audacity_labels", "predictions_csv", "report")
    entries: dict[str, Any] = {
        "predictor": first_columns(),
        "features": {name: partial(np.copy, features) for name in names},
        "labels": {name: partial(np.array, labels) for name in names},
        "onset_distances": {name: partial(np.array, [3, 2, 1, 0]) for name in names},
        "target_events": {name: partial(events_before, labels) for name in names},
        "label_summary": SUMMARY,
        "feature_summary": {},
        "episodes": {name: partial(episode, name) for name in episodes},
        "turns": dict.fromkeys(episodes, TURNS.copy),
        "words": dict.fromkeys(episodes, WORDS.copy),
        "audio": {},
        "params:corpus": "mine",
        "params:evaluation": evaluation_params(threshold=threshold, bootstrap_samples=20),
        "params:shift_frames": 1,
        "baseline_rows": None,
    }
    catalog = DataCatalog(
        {name: MemoryDataset(value) for name, value in entries.items()}
        | {name: MemoryDataset(copy_mode="assign") for name in (*results, "pooled_scores")}
        | {"metrics": JSONDataset(filepath=str(tmp_path / "metrics.json"))}
        | {name: FigureDataset(filepath=str(tmp_path / f"{name}.png"), dpi=30) for name in FIGURES}
    )

    SequentialRunner().run(create_pipeline(), catalog)

    metrics = catalog.load("metrics")
    assert metrics["test"]["num_frames"] == 8
    assert metrics["test"]["auprc"] == metrics["test"]["f1"] == 1.0
    assert metrics["test"]["intervals"]["num_units"] == 2
    assert metrics["test"]["events"]["num_hits"] == metrics["test"]["events"]["num_events"] == 2
    page = Page(catalog.load("report"))
    assert len(page.all("img")) == len(FIGURES)
    assert "There are no errors to show." in page.text
    table = catalog.load("predictions_csv")["test/a"]()
    assert table["user"].tolist() == 4 * ["x"]
    tiers = catalog.load("textgrids")["test/a"]().tiers
    # Frame 2 is positive: the event is in frame 3, the alarm in frame 2.
    assert tiers["Laughter A"].to_numpy().tolist() == [[0.24, 0.32, "Laughter"]]
    assert tiers["alarm x"].to_numpy().tolist() == [[0.16, 0.24, "0.900"]]
    spans = catalog.load("audacity_labels")["test/a"]()
    assert spans["text"].tolist() == ["alarm x: 0.900", "Laughter A: Laughter"]
