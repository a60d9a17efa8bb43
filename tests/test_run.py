"""`kedro run` as a user types it, on a few episodes of the sample, each run in its own process."""

import copy
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from acoustic_event_prediction.curves import score_curve
from acoustic_event_prediction.datasets.textgrid import TextGridDataset
from acoustic_event_prediction.frame_arrays import read_frame_array
from acoustic_event_prediction.labels import label_within
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.trainer import Trainer
from acoustic_event_prediction.models.training_set import TrainingSet
from acoustic_event_prediction.params import TrainingParams
from acoustic_event_prediction.shuffled_frames import FramePartition
from tests.conftest import PROJECT, SAMPLE
from tests.kedro_runs import command, features_of, kedro_run


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of one run of everything on the sample; no test may change what others read."""
    root = tmp_path_factory.mktemp("run")
    (root / "output.txt").write_text(kedro_run(root))
    return root


def test_a_run_makes_every_result_and_says_where_it_is(data_root: Path) -> None:
    output = (data_root / "output.txt").read_text()
    reporting = data_root / "08_reporting" / "sample" / "shift_5"
    for path in (
        data_root / "06_models" / "sample" / "shift_5" / "predictor.safetensors",
        reporting / "metrics.json",
        reporting / "roc_curve.png",
        reporting / "pr_curve.png",
        reporting / "confusion_matrix.png",
        reporting / "reliability.png",
        reporting / "score_histogram.png",
        reporting / "lead_times.png",
        reporting / "score_track.png",
        reporting / "training_history.csv",
    ):
        assert path.is_file()
        assert str(path) in output
    assert list((reporting / "tensorboard").rglob("events.out.tfevents.*"))


def test_metrics_have_the_agreed_names(data_root: Path) -> None:
    path = data_root / "08_reporting" / "sample" / "shift_5" / "metrics.json"
    metrics = json.loads(path.read_text())
    expected = {
        *("num_frames", "num_positive", "prevalence", "auprc", "auroc", "threshold", "precision"),
        *("recall", "f1", "accuracy", "balanced_accuracy", "youden_j", "mcc", "confusion_matrix"),
    }
    for split in ("validation", "test"):
        assert expected <= metrics[split].keys()
        assert sum(metrics[split]["confusion_matrix"].values()) == metrics[split]["num_frames"]


def test_metrics_can_be_computed_again_from_the_predictions(data_root: Path) -> None:
    from sklearn import metrics as theirs

    folder = data_root / "07_model_output" / "sample" / "shift_5" / "predictions"
    reported = json.loads(
        (data_root / "08_reporting" / "sample" / "shift_5" / "metrics.json").read_text()
    )
    for split in ("validation", "test"):
        tables = [pd.read_csv(path) for path in sorted((folder / "csv" / split).glob("*.csv"))]
        frames = pd.concat(tables)
        found = reported[split]
        assert len(frames) == found["num_frames"]
        assert theirs.average_precision_score(frames["label"], frames["score"]) == pytest.approx(
            found["auprc"], abs=1e-9
        )
        is_predicted = frames["score"].astype(np.float32) >= np.float32(found["threshold"])
        assert theirs.f1_score(frames["label"], is_predicted) == pytest.approx(found["f1"])
    for path in (folder / "parquet").rglob("*.parquet"):
        same = folder / "csv" / path.relative_to(folder / "parquet").with_suffix(".csv")
        pd.testing.assert_frame_equal(
            pd.read_parquet(path), pd.read_csv(same), check_dtype=False, rtol=1e-6
        )


def test_annotations_hold_the_events_and_the_alarms(data_root: Path) -> None:
    reporting = data_root / "08_reporting" / "sample" / "shift_5"
    events = json.loads((reporting / "metrics.json").read_text())["test"]["events"]
    num_alarms = 0
    for path in sorted((reporting / "annotations" / "textgrid" / "test").glob("*.TextGrid")):
        tiers = TextGridDataset(filepath=str(path)).load().tiers
        alarms = {name: table for name, table in tiers.items() if name.startswith("alarm ")}
        assert len(alarms) >= 2
        num_alarms += sum(map(len, alarms.values()))
        labels = pd.read_csv(
            reporting / "annotations" / "audacity" / "test" / f"{path.stem}.txt",
            sep="\t",
            header=None,
        )
        assert len(labels) == sum(map(len, tiers.values()))
        assert (labels[0].to_numpy() <= labels[1].to_numpy()).all()
    # An alarm that goes on over the next one is one span with it.
    assert 0 < num_alarms <= events["num_alarms"]


def test_laughs_of_the_sample_are_predicted(data_root: Path) -> None:
    path = data_root / "08_reporting" / "sample" / "shift_5" / "metrics.json"
    test = json.loads(path.read_text())["test"]
    assert test["auprc"] > 4 * test["prevalence"]
    assert test["intervals"]["auprc"]["low"] > 2 * test["prevalence"]


def test_shuffled_labels_leave_nothing_to_predict(data_root: Path) -> None:
    # One shuffle is one random direction in a space with a few strong ones; the mean tells.
    ratios = [ratio_with_shuffled_labels(data_root, seed) for seed in range(4)]
    assert 0.6 < np.mean(ratios) < 1.7, ratios


def ratio_with_shuffled_labels(root: Path, seed: int) -> float:
    """Train as `kedro run` does, on shuffled labels; return test AUPRC over prevalence."""
    params = OmegaConf.load(PROJECT / "conf" / "base" / "parameters_training.yml")
    training = TrainingParams.model_validate({**params["training"], "seed": seed})
    parts = [partitions_of(root, split) for split in ("train", "validation")]
    training_set = TrainingSet(*parts, horizons=(5,)).with_shuffled_labels(seed)
    trainer = Trainer(training_set, training, Ranks(), torch.device("cpu"))
    weights = {}
    while not trainer.is_finished:
        trainer.run_epoch()
        if trainer.improved():
            weights = copy.deepcopy(trainer.learner.classifier.state_dict())
    classifier = FrameClassifier(trainer.learner.classifier.num_features)
    classifier.load_state_dict(weights)
    features, labels = frames_of(root, "test")
    with torch.no_grad():
        logits = classifier(torch.from_numpy(features))[:, 0].numpy()
    auprc = score_curve(labels, logits.astype(np.float64)).auprc()
    assert auprc is not None
    return auprc / float(labels.mean())


def partitions_of(root: Path, split: str) -> list[FramePartition]:
    features = root / "04_feature" / "sample" / "features"
    distances = root / "05_model_input" / "sample" / "shift_5" / "onset_distances"
    return [
        FramePartition(
            str(path.relative_to(features)),
            partial(read_frame_array, path),
            np.array(read_frame_array(distances / path.relative_to(features))),
        )
        for path in sorted((features / split).rglob("*.safetensors"))
    ]


def frames_of(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Features [N, D] and labels [N] of a split at a horizon of 5 frames."""
    parts = partitions_of(root, split)
    labels = [label_within(part.distances, 5) for part in parts]
    features = [np.asarray(part.load_features(), np.float32) for part in parts]
    return np.concatenate(features), np.concatenate(labels)


def test_scikit_learns_logistic_regression_is_not_much_better(data_root: Path) -> None:
    regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    regression.fit(*frames_of(data_root, "train"))
    features, labels = frames_of(data_root, "test")
    theirs = score_curve(labels, regression.decision_function(features)).auprc()
    path = data_root / "08_reporting" / "sample" / "shift_5" / "metrics.json"
    assert theirs is not None
    assert json.loads(path.read_text())["test"]["auprc"] > 0.95 * theirs


def test_features_labels_and_scores_have_one_row_per_frame(data_root: Path) -> None:
    features = data_root / "04_feature" / "sample" / "features"
    predictor = Predictor.load(
        data_root / "06_models" / "sample" / "shift_5" / "predictor.safetensors"
    )
    scored = data_root / "07_model_output" / "sample" / "shift_5" / "scores"
    tables = list(scored.rglob("*.parquet"))
    assert {path.relative_to(scored).parts[0] for path in tables} == {"validation", "test"}
    for path in tables:
        table = pd.read_parquet(path)
        name = path.relative_to(scored).with_suffix("")
        array = read_frame_array(features / name.parent / f"{name.name}.safetensors")
        assert len(array) == len(table)
        assert np.allclose(predictor.scores(array), table["score"], atol=1e-6)


def test_a_second_run_encodes_nothing(data_root: Path) -> None:
    before = features_of(data_root)
    output = kedro_run(data_root, "--pipelines", "feature_extraction")
    assert f"{len(before)} partitions kept, 0 to encode" in output
    assert "loading the models" not in output
    assert features_of(data_root) == before


def test_another_horizon_gets_its_own_labels_and_leaves_the_rest_alone(data_root: Path) -> None:
    labels = data_root / "05_model_input" / "sample"
    features = {p: p.stat().st_mtime_ns for p in (data_root / "04_feature").rglob("*.safetensors")}
    first = {p: p.read_bytes() for p in (labels / "shift_5" / "labels").rglob("*.safetensors")}
    kedro_run(data_root, "--pipelines", "labeling", params="shift_frames=10")
    made = list((labels / "shift_10" / "labels").rglob("*.safetensors"))
    assert len(made) == len(first) == len(features)
    assert {p: p.read_bytes() for p in first} == first
    assert {p: p.stat().st_mtime_ns for p in features} == features


def test_labels_of_another_event_are_not_scored_or_trained_on(
    data_root: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    shutil.copytree(data_root, root)
    kedro_run(root, "--pipelines", "labeling", params="labeling.event=Breath")
    for pipeline, by in (("training", "training"), ("evaluation", "the predictor")):
        done = subprocess.run(
            command(root, "--pipelines", pipeline),
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert f"have event=Breath, but {by} needs event=Laughter" in done.stderr


def test_a_changed_setting_encodes_again_what_it_touches(
    few_features: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    shutil.copytree(few_features, root)
    before = features_of(root)
    output = kedro_run(
        root,
        *["--pipelines", "feature_extraction"],
        params="feature_extraction.stream_order=reference",
    )
    assert f"0 partitions kept, {len(before)} to encode" in output
    assert "changed: feature_extraction.stream_order" in output
    after = features_of(root)
    assert all(before[name] != after[name] for name in before)


@pytest.mark.parametrize(
    ("arguments", "params", "message"),
    [
        ([], "shift_frame=5", "unknown --params shift_frame"),
        ([], "shift_frames=../../evil", "shift_frames: "),
        (["--pipelines", "ingestion"], "dataset_root=/nowhere", "/nowhere"),
        (["--pipelines", "training"], "corpus=other", "not complete"),
        (["--pipelines", "feature_extraction"], "checkpoint.directory=/nowhere", "/nowhere"),
    ],
)
def test_a_users_mistake_ends_in_one_message(
    data_root: Path, arguments: list[str], params: str, message: str
) -> None:
    done = subprocess.run(
        command(data_root, *arguments, params=params),
        cwd=PROJECT,
        env={**os.environ, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_the_real_corpus_that_is_not_there_is_explained(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *[sys.executable, "-m", "kedro", "run", "--env", "podcastfillers"],
            *["--params", f"data_root={tmp_path},dataset_root={tmp_path / 'PodcastFillers'}"],
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert str(tmp_path / "PodcastFillers") in done.stderr
    assert "non-commercial" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_prediction_on_an_episode_gives_the_scores_of_the_evaluation(
    data_root: Path, tmp_path: Path
) -> None:
    metadata = SAMPLE / "metadata"
    given = {
        "recording": SAMPLE / "audio" / "episode_mp3" / "validation",
        "turns": metadata / "episode_diarizations" / "validation",
        "words": metadata / "episode_transcripts" / "validation",
        "laughs": metadata / "episode_annotations" / "validation",
        "tracks": SAMPLE / "audio" / "episode_wav_dial" / "validation",
        "predictor": data_root / "06_models" / "sample" / "shift_5" / "predictor.safetensors",
    }
    params = ",".join(f"prediction.{name}={path}" for name, path in given.items())
    kedro_run(tmp_path, "--pipelines", "prediction", params=params)
    evaluated = data_root / "07_model_output" / "sample" / "shift_5" / "scores" / "validation"
    sources = set()
    for folder in sorted((tmp_path / "07_model_output" / "sample" / "prediction").iterdir()):
        if not folder.is_dir():
            continue
        predicted = pd.read_parquet(folder / "scores.parquet")
        users = sorted(path.stem for path in (evaluated / folder.name).glob("*.parquet"))
        assert sorted(predicted["user"].unique()) == users
        for user, own in predicted.groupby("user"):
            expected = pd.read_parquet(evaluated / folder.name / f"{user}.parquet")
            np.testing.assert_allclose(own["score"], expected["score"], rtol=0, atol=1e-3)
        sources.add(json.loads((folder / "prediction.json").read_text())["heard"]["source"])
        assert not json.loads((folder / "prediction.json").read_text())["heard"]["missing"]
    assert "diarization" in sources
