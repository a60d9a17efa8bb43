import json
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from acoustic_event_prediction.metrics import (
    TuneMetric,
    choose_threshold,
    frame_metrics,
    threshold_metrics,
)

METRICS: tuple[TuneMetric, ...] = get_args(TuneMetric)
Frames = list[tuple[int, float]]
# Few levels, so that ties are the rule.
frames_with_ties = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])),
    min_size=1,
    max_size=40,
)


def value_at(
    labels: npt.NDArray[np.int8], scores: npt.NDArray[np.float64], at: float, metric: TuneMetric
) -> float:
    predicted = (scores >= at).astype(int)
    if metric == "f1":
        return float(sk.f1_score(labels, predicted, zero_division=0))
    if metric == "mcc":
        return float(sk.matthews_corrcoef(labels, predicted))
    return float(sk.balanced_accuracy_score(labels, predicted, adjusted=True))


@pytest.mark.parametrize("metric", METRICS)
@given(frames=frames_with_ties)
def test_threshold_is_the_highest_of_the_best_of_all_distinct_scores(
    metric: TuneMetric, frames: Frames
) -> None:
    labels = np.array([label for label, _ in frames], dtype=np.int8)
    scores = np.array([score for _, score in frames])

    threshold = choose_threshold(labels, scores, metric)

    if len(set(labels.tolist())) == 1:
        assert threshold is None
        return
    values = {at: value_at(labels, scores, at, metric) for at in set(scores.tolist())}
    best = max(values.values())
    assert threshold == max(at for at, value in values.items() if value > best - 1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_threshold_is_exact_without_ties(metric: TuneMetric) -> None:
    rng = np.random.default_rng(3)
    labels = (rng.random(400) < 0.1).astype(np.int8)
    scores = rng.random(400) ** (2 - labels)

    threshold = choose_threshold(labels, scores, metric)

    assert threshold is not None
    best = max(value_at(labels, scores, at, metric) for at in scores)
    assert value_at(labels, scores, threshold, metric) == pytest.approx(best, abs=1e-9)


def test_threshold_between_equal_f1_is_the_higher_one() -> None:
    # At 0.9: TP 1, FP 0, FN 1, F1 2/3. At 0.4: TP 2, FP 2, F1 4/6, the same.
    assert choose_threshold([1, 0, 0, 1], [0.9, 0.6, 0.5, 0.4], "f1") == 0.9


@pytest.mark.parametrize("metric", METRICS)
def test_constant_scores_leave_one_threshold(metric: TuneMetric) -> None:
    assert choose_threshold([0, 1, 0], [0.3, 0.3, 0.3], metric) == 0.3


def test_threshold_of_float32_scores_is_reached_by_its_own_frame() -> None:
    scores = np.array([0.1, 0.7], dtype=np.float32)

    threshold = choose_threshold([0, 1], scores, "f1")

    assert threshold == float(scores[1])
    assert threshold_metrics([0, 1], scores, threshold)["recall"] == 1.0


def test_unknown_metric_is_named() -> None:
    with pytest.raises(ValueError, match="'auprc'"):
        choose_threshold([0, 1], [0.1, 0.2], "auprc")  # type: ignore[arg-type]


def test_metrics_on_paper() -> None:
    # TP 1 (0.9), FP 1 (0.8), FN 1 (0.2), TN 2.
    metrics = frame_metrics([1, 0, 1, 0, 0], [0.9, 0.8, 0.2, 0.1, 0.0], 0.5)

    assert metrics["confusion_matrix"] == {
        "true_negative": 2,
        "false_positive": 1,
        "false_negative": 1,
        "true_positive": 1,
    }
    assert metrics["num_frames"] == 5
    assert metrics["num_positive"] == 2
    assert metrics["prevalence"] == 0.4
    assert metrics["precision"] == metrics["recall"] == metrics["f1"] == 0.5
    assert metrics["accuracy"] == 0.6
    assert metrics["balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 3) / 2, abs=1e-12)
    assert metrics["youden_j"] == pytest.approx(1 / 2 - 1 / 3, abs=1e-12)
    assert metrics["mcc"] == pytest.approx((1 * 2 - 1 * 1) / np.sqrt(2 * 2 * 3 * 3), abs=1e-12)
    assert metrics["auprc"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3, abs=1e-12)
    assert metrics["auprc_over_prevalence"] == pytest.approx((5 / 6) / 0.4, abs=1e-12)
    assert metrics["brier_score"] == pytest.approx((0.01 + 0.64 + 0.64 + 0.01) / 5, abs=1e-12)
    assert metrics["undefined"] == {}


@given(frames=frames_with_ties, threshold=st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_metrics_agree_with_scikit_learn_where_they_are_defined(
    frames: Frames, threshold: float
) -> None:
    labels = np.array([label for label, _ in frames])
    scores = np.array([score for _, score in frames])
    predicted = (scores >= threshold).astype(int)

    metrics = dict(frame_metrics(labels, scores, threshold))

    expected = {"accuracy": sk.accuracy_score(labels, predicted)}
    expected["brier_score"] = np.mean((scores - labels) ** 2)
    if predicted.any():
        expected["precision"] = sk.precision_score(labels, predicted)
    if labels.any():
        expected["recall"] = sk.recall_score(labels, predicted)
    if labels.any() or predicted.any():
        expected["f1"] = sk.f1_score(labels, predicted)
    if 0 < labels.sum() < labels.size:
        expected["auroc"] = sk.roc_auc_score(labels, scores)
        expected["auprc"] = sk.average_precision_score(labels, scores)
        expected["balanced_accuracy"] = sk.balanced_accuracy_score(labels, predicted)
        expected["youden_j"] = 2 * expected["balanced_accuracy"] - 1
        expected["auprc_over_prevalence"] = expected["auprc"] / labels.mean()
        if 0 < predicted.sum() < predicted.size:
            expected["mcc"] = sk.matthews_corrcoef(labels, predicted)
    for name, value in expected.items():
        assert metrics[name] == pytest.approx(value, abs=1e-9), name
    is_none = {name for name, value in metrics.items() if value is None}
    assert is_none == set(metrics["undefined"])
    assert is_none.isdisjoint(expected)
    json.dumps(metrics, allow_nan=False)


@pytest.mark.parametrize(
    ("labels", "threshold", "undefined"),
    [
        ([0, 1], 0.9, {"precision", "mcc"}),
        ([0, 1], 0.0, {"mcc"}),
        (
            [0, 0],
            0.9,
            {"precision", "recall", "f1", "auroc", "auprc", "auprc_over_prevalence"}
            | {"balanced_accuracy", "youden_j", "mcc"},
        ),
        (
            [1, 1],
            0.0,
            {"auroc", "auprc", "auprc_over_prevalence", "balanced_accuracy", "youden_j", "mcc"},
        ),
    ],
)
def test_what_the_data_do_not_define_is_none_with_a_reason(
    labels: list[int], threshold: float, undefined: set[str]
) -> None:
    metrics = dict(frame_metrics(labels, [0.1, 0.2], threshold))

    assert {name for name, value in metrics.items() if value is None} == undefined
    assert set(metrics["undefined"]) == undefined
    assert all(metrics["undefined"].values())


def test_one_frame_is_measured() -> None:
    metrics = frame_metrics([1], [0.7], 0.5)

    assert metrics["recall"] == metrics["precision"] == metrics["f1"] == 1.0
    assert metrics["auroc"] is None
    assert metrics["undefined"]["auroc"] == "needs both classes, got 1 positive of 1 frames"


def test_scores_that_are_no_probabilities_have_no_brier_score() -> None:
    metrics = frame_metrics([0, 1], [-3.0, 2.0], 0.0)

    assert metrics["brier_score"] is None
    assert "outside [0, 1]" in metrics["undefined"]["brier_score"]
    assert metrics["auroc"] == 1.0


def test_infinite_threshold_is_refused() -> None:
    with pytest.raises(ValueError, match="threshold must be finite, got inf"):
        threshold_metrics([0, 1], [0.1, 0.2], float("inf"))


def test_counts_of_a_large_corpus_do_not_overflow() -> None:
    labels = np.zeros(3_000_000, dtype=np.int8)
    labels[::2] = 1

    metrics = frame_metrics(labels, labels * np.float32(0.5), 0.5)

    assert metrics["mcc"] == metrics["youden_j"] == metrics["auroc"] == metrics["auprc"] == 1.0
