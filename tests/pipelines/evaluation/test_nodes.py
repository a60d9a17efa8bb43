import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from matplotlib.figure import Figure

from acoustic_event_prediction.errors import LabelError, ProjectError
from acoustic_event_prediction.params import EvaluationParams
from acoustic_event_prediction.pipelines.evaluation import nodes
from acoustic_event_prediction.pipelines.evaluation.nodes import (
    choose_operating_point,
    compute_metrics,
    plot_confusion_matrix,
    plot_pr_curve,
    plot_roc_curve,
    score_frames,
    store_threshold,
)
from tests.pipelines.evaluation.made import SUMMARY, first_columns

TUNE = EvaluationParams(threshold="tune", tune_metric="f1", bootstrap_samples=20)
Scores = dict[str, Callable[[], pd.DataFrame]]
DEMANDED = (
    "num_frames num_positive prevalence auprc auroc threshold precision recall f1 accuracy "
    "balanced_accuracy youden_j mcc confusion_matrix"
).split()


def fixed_at(threshold: float) -> EvaluationParams:
    return EvaluationParams(threshold=threshold, tune_metric="f1", bootstrap_samples=20)


def make_scores(partitions: dict[str, tuple[list[float], list[int]]]) -> Scores:
    features = {
        name: partial(np.array, [[value, 9.0] for value in values])
        for name, (values, _) in partitions.items()
    }
    labels = {name: partial(np.array, marks) for name, (_, marks) in partitions.items()}
    return score_frames(first_columns(), features, labels, labels, SUMMARY, {})


def make_two_splits() -> Scores:
    return make_scores(
        {
            "train/a/x": ([0.5], [1]),
            "validation/b/x": ([0.9, 0.4, 0.1], [1, 0, 0]),
            "validation/b/y": ([0.8, 0.4, 0.1], [1, 0, 0]),
            "validation/c/x": ([0.3, 0.2], [0, 0]),
            "test/d/x": ([0.9, 0.6, 0.1], [0, 1, 0]),
            "test/e/x": ([0.85, 0.2], [1, 0]),
        }
    )


def test_the_chosen_threshold_goes_into_the_predictor() -> None:
    tuned = store_threshold(first_columns(), choose_operating_point(make_two_splits(), TUNE))
    assert (tuned.header.threshold, tuned.header.threshold_metric) == (pytest.approx(0.8), "f1")
    fixed = store_threshold(tuned, choose_operating_point({}, fixed_at(0.25)))
    assert (fixed.header.threshold, fixed.header.threshold_metric) == (0.25, None)


def test_only_validation_and_test_are_scored() -> None:
    assert sorted(make_two_splits()) == [
        "test/d/x",
        "test/e/x",
        "validation/b/x",
        "validation/b/y",
        "validation/c/x",
    ]


def test_score_table_gives_each_frame_its_time_speaker_score_and_label() -> None:
    table = make_scores({"test/An Episode/SPEAKER_00": ([0.25, 0.5], [0, 1])})[
        "test/An Episode/SPEAKER_00"
    ]()

    assert table.to_dict("list") == {
        "frame": [0, 1],
        "time_seconds": [0.0, 0.08],
        "speaker": ["SPEAKER_00", "SPEAKER_00"],
        "score": [0.25, 0.5],
        "label": [0, 1],
    }
    assert [str(table[name].dtype) for name in ("frame", "score", "label")] == [
        "int32",
        "float32",
        "int8",
    ]


def test_each_horizon_of_a_predictor_has_its_score_and_label() -> None:
    scores = score_frames(
        first_columns(1, 2),
        {"test/a/x": partial(np.array, [[0.25, 0.5], [0.75, 0.125], [0.0, 1.0]])},
        {"test/a/x": partial(np.array, [0, 1, 0])},
        {"test/a/x": partial(np.array, [2, 1, 0])},
        SUMMARY,
        {},
    )
    table = scores["test/a/x"]()
    assert table["score"].tolist() == table["score_1"].tolist() == [0.25, 0.75, 0.0]
    assert table["label"].tolist() == table["label_1"].tolist() == [0, 1, 0]
    assert table["score_2"].tolist() == [0.5, 0.125, 1.0]
    assert table["label_2"].tolist() == [1, 1, 0]


def test_nothing_is_scored_before_it_is_loaded() -> None:
    def fail() -> npt.NDArray[Any]:
        raise AssertionError("loaded too early")

    assert list(score_frames(first_columns(), *[{"test/a/x": fail}] * 3, SUMMARY, {}))


def test_labels_of_another_event_are_refused() -> None:
    other = {"labeling": {"event": "Breath", "target": "any", "shift_frames": 1}}
    with pytest.raises(LabelError, match="have event=Breath, but the predictor needs event=Laugh"):
        score_frames(first_columns(), {}, {}, {}, other, {})


def test_features_of_another_kind_are_refused() -> None:
    with pytest.raises(ProjectError, match=r"checkpoint was None and is .*new.*--pipelines train"):
        score_frames(first_columns(), {}, {}, {}, SUMMARY, {"checkpoint": {"sha256": "new"}})


def test_missing_labels_are_named_with_the_command_that_makes_them() -> None:
    features = {"test/a/x": partial(np.zeros, (3, 2)), "test/b/x": partial(np.zeros, (3, 2))}

    with pytest.raises(ProjectError, match=r"1 partitions.*'test/b/x'.*--pipelines labeling"):
        score_frames(
            first_columns(), features, *[{"test/a/x": partial(np.zeros, 3)}] * 2, SUMMARY, {}
        )


def test_labels_of_another_length_are_named_with_the_command_that_makes_them() -> None:
    scores = score_frames(
        first_columns(),
        {"test/a/x": partial(np.zeros, (3, 2))},
        *[{"test/a/x": partial(np.zeros, 4)}] * 2,
        SUMMARY,
        {},
    )

    with pytest.raises(ProjectError, match=r"'test/a/x' has 3 .* 4 labels.*--pipelines labeling"):
        scores["test/a/x"]()


def test_training_partitions_alone_cannot_be_evaluated() -> None:
    with pytest.raises(ProjectError, match=r"none of the 1 partitions .*ingestion\.splits"):
        make_scores({"train/a/x": ([0.5], [1])})


@pytest.mark.parametrize("metric", ["f1", "youden_j", "mcc"])
def test_threshold_is_tuned_on_validation(metric: Any) -> None:
    params = EvaluationParams(threshold="tune", tune_metric=metric, bootstrap_samples=0)

    point = choose_operating_point(make_two_splits(), params)

    # From 0.8 on, the two positives of validation are found and nothing else.
    assert point["threshold"] == float(np.float32(0.8))
    assert point["source"] == "tuned on validation"
    assert (point["metric"], point["value"]) == (metric, 1.0)


def test_tuning_never_loads_test() -> None:
    scores = make_two_splits()
    for name in [name for name in scores if name.startswith("test/")]:
        scores[name] = lambda: pytest.fail("test was loaded")

    choose_operating_point(scores, TUNE)


def test_fixed_threshold_loads_nothing() -> None:
    point = choose_operating_point({"validation/a/x": lambda: pytest.fail("loaded")}, fixed_at(0.3))

    assert point == {"threshold": 0.3, "source": "fixed", "metric": None, "value": None}


@pytest.mark.parametrize(
    ("partitions", "message"),
    [
        ({"validation/a/x": ([0.1, 0.2], [0, 0])}, "0 positive of 2 frames"),
        ({"validation/a/x": ([0.1, 0.2], [1, 1])}, "2 positive of 2 frames"),
        ({"test/a/x": ([0.1, 0.2], [0, 1])}, "validation has no partitions"),
    ],
)
def test_untunable_validation_says_how_to_go_on(
    partitions: dict[str, tuple[list[float], list[int]]], message: str
) -> None:
    with pytest.raises(ProjectError, match=f"{message}.*evaluation.threshold=0.5"):
        choose_operating_point(make_scores(partitions), TUNE)


def test_partitions_without_frames_are_refused() -> None:
    empty = make_two_splits()["test/d/x"]().iloc[:0]

    with pytest.raises(ProjectError, match=r"1 partitions of scores of validation hold no frame"):
        choose_operating_point({"validation/a/x": lambda: empty}, TUNE)


def test_metrics_of_both_splits_are_ready_for_json() -> None:
    scores = make_two_splits()

    metrics = compute_metrics(scores, choose_operating_point(scores, TUNE), TUNE)

    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    for split in (metrics["validation"], metrics["test"]):
        assert set(DEMANDED) <= set(split)
        assert split["at_0.5"]["threshold"] == 0.5
    # Test at 0.8: 0.9 is a false alarm, 0.85 a hit, 0.6 is missed.
    assert metrics["test"]["confusion_matrix"] == {
        "true_negative": 2,
        "false_positive": 1,
        "false_negative": 1,
        "true_positive": 1,
    }
    assert metrics["test"]["at_0.5"]["recall"] == 1.0
    assert metrics["operating_point"]["source"] == "tuned on validation"


def test_partitions_of_one_episode_are_one_unit_of_the_intervals() -> None:
    metrics = compute_metrics(
        make_two_splits(), choose_operating_point(make_two_splits(), TUNE), TUNE
    )

    assert metrics["validation"]["intervals"]["num_episodes"] == 2
    assert metrics["test"]["intervals"]["num_episodes"] == 2


def test_split_without_partitions_is_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    scores = make_scores({"test/a/x": ([0.9, 0.1], [1, 0])})
    params = fixed_at(0.5)

    with caplog.at_level(logging.INFO, logger=nodes.__name__):
        metrics = compute_metrics(scores, choose_operating_point(scores, params), params)

    assert set(metrics) == {"operating_point", "test"}
    assert "validation: no partitions, so no metrics" in caplog.messages


def test_split_of_one_class_has_null_areas() -> None:
    scores = make_scores({"test/a/x": ([0.9, 0.1], [0, 0]), "test/b/x": ([0.4], [0])})
    params = fixed_at(0.5)

    metrics = compute_metrics(scores, choose_operating_point(scores, params), params)

    assert metrics["test"]["auprc"] is None
    assert metrics["test"]["auroc"] is None
    assert metrics["test"]["prevalence"] == 0.0
    assert metrics["test"]["intervals"]["auroc"] is None
    json.dumps(metrics, allow_nan=False)


def test_log_gives_auprc_with_prevalence_ratio_and_interval(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scores = make_two_splits()

    with caplog.at_level(logging.INFO, logger=nodes.__name__):
        compute_metrics(scores, choose_operating_point(scores, TUNE), TUNE)

    (line,) = [message for message in caplog.messages if message.startswith("test: ")]
    assert "prevalence 0.40000 (2 of 5 frames)" in line
    assert "AUPRC / prevalence" in line
    assert "(95 % " in line


@pytest.mark.parametrize("plot", [plot_roc_curve, plot_pr_curve, plot_confusion_matrix])
def test_figures_show_both_splits(plot: Callable[..., Figure]) -> None:
    scores = make_two_splits()

    figure = plot(scores, choose_operating_point(scores, TUNE))

    titles = [axes.get_title() for axes in figure.axes]
    entries = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    for split in ("validation", "test"):
        assert any(text.startswith(split) for text in titles + entries)
