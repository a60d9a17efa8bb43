import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from acoustic_event_prediction.metrics import frame_metrics, threshold_metrics

Frames = list[tuple[int, float]]
# Few levels, so that ties are the rule; some differ by the last bit only.
LEVELS = [0.0, 5e-324, 0.1, np.nextafter(0.1, 1), 0.5, 0.75, 1.0]
frames_with_ties = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(LEVELS)), min_size=1, max_size=40
)


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


@given(frames=frames_with_ties, threshold=st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0, 2.0]))
def test_metrics_agree_with_scikit_learn_where_they_are_defined(
    frames: Frames, threshold: float
) -> None:
    labels = np.array([label for label, _ in frames])
    scores = np.array([score for _, score in frames])
    predicted = (scores >= threshold).astype(int)

    metrics = dict(frame_metrics(labels, scores, threshold))

    expected = {"accuracy": sk.accuracy_score(labels, predicted)}
    expected["brier_score"] = sk.brier_score_loss(labels, scores, pos_label=1)
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
    assert {"calibration_error", "calibration_error_quantile"} <= metrics.keys()
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


@pytest.mark.parametrize("name", ["brier_score", "calibration_error", "calibration_error_quantile"])
def test_scores_that_are_no_probabilities_have_no_metric_of_probabilities(name: str) -> None:
    metrics = dict(frame_metrics([0, 1], [-3.0, 2.0], 0.0))

    assert metrics[name] is None
    assert "outside [0, 1]" in metrics["undefined"][name]
    assert metrics["auroc"] == 1.0


def test_both_calibration_errors_on_paper() -> None:
    # 14 zeros fill bins of equal mass among them; 0.01 is with them only in the bin 0 to 1/15.
    metrics = frame_metrics([0] * 14 + [1], [0.0] * 14 + [0.01], 0.5)

    assert metrics["calibration_error"] == pytest.approx((1 - 0.01) / 15, abs=1e-12)
    assert metrics["calibration_error_quantile"] == pytest.approx(0.99 / 15, abs=1e-12)
    mixed = frame_metrics([0, 1] * 5, [0.41, 0.45] * 5, 0.5)
    assert mixed["calibration_error"] == pytest.approx(abs(0.43 - 0.5), abs=1e-12)
    assert mixed["calibration_error_quantile"] == pytest.approx((0.41 + 0.55) / 2, abs=1e-12)


def test_infinite_threshold_is_refused() -> None:
    with pytest.raises(ValueError, match="threshold must be finite, got inf"):
        threshold_metrics([0, 1], [0.1, 0.2], float("inf"))


def test_counts_of_a_large_corpus_do_not_overflow() -> None:
    labels = np.zeros(3_000_000, dtype=np.int8)
    labels[::2] = 1

    metrics = frame_metrics(labels, labels * np.float32(0.5), 0.5)

    assert metrics["mcc"] == metrics["youden_j"] == metrics["auroc"] == metrics["auprc"] == 1.0
