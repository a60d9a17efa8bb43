import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.params import EvaluationParams
from acoustic_event_prediction.pipelines.evaluation import nodes, plots
from acoustic_event_prediction.pipelines.evaluation.nodes import (
    choose_operating_point,
    compute_metrics,
    pool_scores,
    store_threshold,
)
from tests.drawn import legend_of
from tests.made import evaluation_params
from tests.pipelines.evaluation.made import (
    TWO_SPLITS,
    Frames,
    first_columns,
    make_scores,
    pool,
    target_events,
)

TUNE = evaluation_params()
EMPTY = pd.DataFrame({"onset": [], "offset": []})
DEMANDED = (
    "num_frames num_positive prevalence auprc auroc threshold precision recall f1 accuracy "
    "balanced_accuracy youden_j mcc confusion_matrix brier_score calibration_error"
).split()


def fixed_at(threshold: float) -> EvaluationParams:
    return evaluation_params(threshold=threshold)


def test_the_chosen_threshold_goes_into_the_predictor() -> None:
    tuned = store_threshold(first_columns(), choose_operating_point(pool(), TUNE))
    assert (tuned.header.threshold, tuned.header.threshold_metric) == (pytest.approx(0.8), "f1")
    fixed = store_threshold(tuned, choose_operating_point(pool(), fixed_at(0.25)))
    assert (fixed.header.threshold, fixed.header.threshold_metric) == (0.25, None)


@pytest.mark.parametrize("metric", ["f1", "youden_j", "mcc"])
def test_threshold_is_tuned_on_validation(metric: Any) -> None:
    params = evaluation_params(tune_metric=metric, bootstrap_samples=0)

    point = choose_operating_point(pool(), params)

    # From 0.8 on, the two positives of validation are found and nothing else.
    assert point["threshold"] == float(np.float32(0.8))
    assert point["source"] == "tuned on validation"
    assert (point["metric"], point["value"]) == (metric, 1.0)


def test_tuning_never_looks_at_test() -> None:
    other = dict(TWO_SPLITS) | {"test/d/x": ([0.7, 0.7, 0.7], [1, 1, 0])}

    assert choose_operating_point(pool(other), TUNE) == choose_operating_point(pool(), TUNE)


def test_a_fixed_threshold_is_taken_as_it_is() -> None:
    point = choose_operating_point(pool(), fixed_at(0.3))

    found = [point[name] for name in ("threshold", "source", "metric", "value")]
    assert found == [0.3, "fixed", None, None]


@pytest.mark.parametrize(
    ("partitions", "message"),
    [
        ({"validation/a/x": ([0.1, 0.2], [0, 0])}, "0 positive of 2 frames"),
        ({"validation/a/x": ([0.1, 0.2], [1, 1])}, "2 positive of 2 frames"),
        ({"test/a/x": ([0.1, 0.2], [0, 1])}, "validation has no partitions"),
    ],
)
def test_untunable_validation_says_how_to_go_on(partitions: Frames, message: str) -> None:
    with pytest.raises(ProjectError, match=f"{message}.*evaluation.threshold=0.5"):
        choose_operating_point(pool(partitions), TUNE)


def test_partitions_without_frames_are_refused() -> None:
    empty = {"validation/a/x": ([], [])}

    with pytest.raises(ProjectError, match=r"1 partitions of scores of validation hold no frame"):
        pool(empty)


def test_metrics_of_both_splits_are_ready_for_json() -> None:
    scores = pool()

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
    metrics = compute_metrics(pool(), choose_operating_point(pool(), TUNE), TUNE)

    assert metrics["validation"]["intervals"]["num_units"] == 2
    assert metrics["test"]["intervals"]["num_units"] == 2


def test_split_without_partitions_is_left_out_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    scores = pool({"test/a/x": ([0.9, 0.1], [1, 0])})
    params = fixed_at(0.5)

    with caplog.at_level(logging.INFO, logger=nodes.__name__):
        metrics = compute_metrics(scores, choose_operating_point(scores, params), params)

    assert set(metrics) == {"operating_point", "test"}
    assert "validation: no partitions, so no metrics" in caplog.messages


def test_split_of_one_class_has_null_areas() -> None:
    scores = pool({"test/a/x": ([0.9, 0.1], [0, 0]), "test/b/x": ([0.4], [0])})
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
    scores = pool()

    with caplog.at_level(logging.INFO, logger=nodes.__name__):
        compute_metrics(scores, choose_operating_point(scores, TUNE), TUNE)

    line, events = [message for message in caplog.messages if message.startswith("test: ")]
    assert events.startswith("test: 1 of 2 events announced, hit rate 0.5 ")
    assert "prevalence 0.40000 (2 of 5 frames)" in line
    assert "AUPRC / prevalence" in line
    assert "(95 % " in line


@pytest.mark.parametrize(
    "plot",
    [
        plots.plot_roc_curve,
        plots.plot_pr_curve,
        plots.plot_confusion_matrix,
        plots.plot_score_histogram,
        plots.plot_lead_times,
    ],
)
def test_figures_show_both_splits(plot: Callable[..., Figure]) -> None:
    scores = pool()

    figure = plot(scores, choose_operating_point(scores, TUNE))

    titles = [axes.get_title() for axes in figure.axes]
    entries = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    for split in ("validation", "test"):
        assert any(text.startswith(split) for text in titles + entries)


def test_figures_say_that_there_is_no_alarm_rule() -> None:
    frames = {"test/a/x": ([0.9, 0.1], [1, 0])}
    scores = pool(frames)
    point = choose_operating_point(scores, fixed_at(0.5))
    assert point["alarms"] is None
    empty = EMPTY.assign(speaker=[]), EMPTY.assign(text=[])
    tables = [{"test/a": table.copy} for table in empty]

    leads = plots.plot_lead_times(scores, point)
    track = plots.plot_score_track(scores, point, target_events(frames), *tables)

    assert "no alarm rule" in " ".join(text.get_text() for text in leads.axes[0].texts)
    assert "no alarm rule, so no alarms" in legend_of(track)
    assert "threshold 0.5" in legend_of(track)


def test_a_fixed_alarm_rule_needs_no_validation() -> None:
    fixed = TUNE.alarms.model_dump() | {"threshold": 0.5}
    scores = pool({"test/a/x": ([0.9, 0.1], [1, 0])})
    params = evaluation_params(threshold=0.5, alarms=fixed)

    point = choose_operating_point(scores, params)
    metrics = compute_metrics(scores, point, params)

    assert point["alarms"] is not None
    assert (point["alarms"]["threshold"], point["alarms"]["metric"]) == (0.5, None)
    assert metrics["test"]["events"]["hit_rate"] == 1.0


def test_intervals_of_few_units_are_called_narrow(caplog: pytest.LogCaptureFixture) -> None:
    pool()
    assert "intervals of validation and test are likely to be too narrow" in caplog.text


@pytest.mark.parametrize(
    ("table", "events", "message"),
    [
        ({"score": [0.9, np.nan]}, {}, r"'test/a/x' are damaged \(a score is not between 0 and 1"),
        ({"score": [0.9, 1.5]}, {}, "a score is not between 0 and 1"),
        ({"score": ["high", "low"]}, {}, "are damaged"),
        ({"label": [0, 1]}, {}, "have other labels than its target events give"),
        ({}, {"onset": [0.0]}, "have other labels than its target events give"),
        ({}, {"offset": [np.nan]}, r"are damaged \(event 0 lies at 0.08 to nan s"),
        ({}, {"onset": [9.0], "offset": [9.5]}, "are damaged"),
    ],
)
def test_scores_and_events_that_do_not_belong_together_are_refused(
    table: dict[str, Any], events: dict[str, Any], message: str
) -> None:
    frames = {"test/a/x": ([0.9, 0.1], [1, 0])}
    scores = {"test/a/x": lambda: make_scores(frames)["test/a/x"]().assign(**table)}
    changed = {"test/a/x": lambda: target_events(frames)["test/a/x"]().assign(**events)}

    with pytest.raises(ProjectError, match=message) as error:
        pool_scores(scores, changed, {}, TUNE, 1)
    assert "--pipelines labeling,evaluation" in str(error.value)


def test_scores_without_events_are_refused() -> None:
    with pytest.raises(ProjectError, match="'test/a/x' has scores, but no target events"):
        pool_scores(make_scores({"test/a/x": ([0.9], [0])}), {}, {}, TUNE, 1)
