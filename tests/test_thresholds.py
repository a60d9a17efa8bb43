from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from acoustic_event_prediction.thresholds import (
    Objective,
    UnattainableError,
    choose_threshold,
    objective_value,
)

FREE = [
    Objective("f1"),
    Objective("f_beta", beta=0.5),
    Objective("f_beta", beta=2),
    Objective("youden_j"),
    Objective("mcc"),
]
LIMITED = [
    *(Objective("precision_at_recall", min_recall=share) for share in (0.0, 0.3, 0.5, 1.0)),
    *(Objective("recall_at_precision", min_precision=share) for share in (0.0, 0.3, 0.7, 1.0)),
    *(
        Objective("false_alarms_per_hour", max_false_alarms_per_hour=limit)
        for limit in (0, 1500, 4500, 22_500, 1e30)
    ),
]
# Few levels, so that ties are the rule; some differ by the last bit only.
LEVELS = [-0.0, 5e-324, 0.1, np.nextafter(0.1, 1), 0.5, 0.75, 1.0]
frames_with_ties = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(LEVELS)), min_size=1, max_size=40
)
frames_without_ties = st.lists(st.integers(0, 1), min_size=1, max_size=30).flatmap(
    lambda labels: st.permutations(range(len(labels))).map(
        lambda ranks: [(label, rank / 7) for label, rank in zip(labels, ranks, strict=True)]
    )
)


def name_of(objective: Objective) -> str:
    return " ".join(str(value) for value in vars(objective).values() if value is not None)


def counts_at(labels: npt.NDArray[Any], scores: npt.NDArray[Any], at: float) -> tuple[int, int]:
    """True and false positives."""
    predicted = scores >= at
    return int((predicted & (labels == 1)).sum()), int((predicted & (labels == 0)).sum())


def merit(objective: Objective, tp: int, fp: int, fn: int, tn: int) -> Fraction | None:
    """The value at a threshold, MCC with its square, or None where the limit is missed."""
    recall, precision = Fraction(tp, tp + fn), Fraction(tp, tp + fp)
    margin, spread = tp * tn - fp * fn, (tp + fp) * (tn + fn)
    weight = Fraction(objective.beta or 1) ** 2
    f_beta = (
        (1 + weight) * precision * recall / (weight * precision + recall) if tp else Fraction(0)
    )
    false_alarms = Fraction(45_000 * fp, tp + fp + fn + tn)
    value, has, wanted = {
        "f1": (f_beta, 0, 0),
        "f_beta": (f_beta, 0, 0),
        "youden_j": (recall - Fraction(fp, fp + tn), 0, 0),
        "mcc": (Fraction(margin * abs(margin), spread or 1), 0, 0),
        "precision_at_recall": (precision, recall, objective.min_recall),
        "recall_at_precision": (recall, precision, objective.min_precision),
        "false_alarms_per_hour": (
            *(recall, -false_alarms),
            -Fraction(str(objective.max_false_alarms_per_hour or 0)),
        ),
    }[objective.metric]
    return value if has >= Fraction(str(wanted)) else None


def try_all(
    labels: npt.NDArray[Any], scores: npt.NDArray[Any], objective: Objective
) -> float | None:
    """The highest of the best of all distinct scores, or None where none is within the limit."""
    found = []
    for at in set(scores.tolist()):
        tp, fp = counts_at(labels, scores, at)
        fn = int(labels.sum()) - tp
        value = merit(objective, tp, fp, fn, labels.size - tp - fp - fn)
        if value is not None:
            found.append((value, at))
    return max(found)[1] if found else None


@pytest.mark.parametrize("objective", FREE + LIMITED, ids=name_of)
@settings(max_examples=60)
@given(frames=frames_with_ties | frames_without_ties)
def test_threshold_is_the_highest_of_the_best_of_all_distinct_scores(
    objective: Objective, frames: list[tuple[int, float]]
) -> None:
    labels, scores = (np.array(column) for column in zip(*frames, strict=True))
    if len(set(labels.tolist())) == 1:
        assert choose_threshold(labels, scores, objective) is None
        return

    expected = try_all(labels, scores, objective)

    if expected is None:
        with pytest.raises(UnattainableError):
            choose_threshold(labels, scores, objective)
    else:
        assert choose_threshold(labels, scores, objective) == expected


@pytest.mark.parametrize("objective", FREE + LIMITED, ids=name_of)
def test_threshold_of_many_frames_is_exact(objective: Objective) -> None:
    rng = np.random.default_rng(3)
    labels = (rng.random(600) < 0.1).astype(np.int8)
    scores = rng.random(600) ** (2 - labels)
    expected = try_all(labels, scores, objective)

    if expected is None:
        with pytest.raises(UnattainableError):
            choose_threshold(labels, scores, objective)
    else:
        assert choose_threshold(labels, scores, objective) == expected


@settings(max_examples=40)
@given(frames=frames_with_ties, threshold=st.sampled_from([*LEVELS, 0.3, 2.0]))
def test_values_agree_with_scikit_learn(frames: list[tuple[int, float]], threshold: float) -> None:
    labels, scores = (np.array(column) for column in zip(*frames, strict=True))
    predicted = (scores >= threshold).astype(int)
    both = 0 < labels.sum() < labels.size
    any_positive, any_predicted = bool(labels.any()), bool(predicted.any())
    recall = sk.recall_score(labels, predicted, zero_division=0) if any_positive else None
    beta_2 = sk.fbeta_score(labels, predicted, beta=2, zero_division=0)
    expected: dict[Objective, Any] = {
        Objective("f1"): sk.f1_score(labels, predicted, zero_division=0)
        if any_positive or any_predicted
        else None,
        Objective("f_beta", beta=2): beta_2 if any_positive or any_predicted else None,
        Objective("youden_j"): sk.balanced_accuracy_score(labels, predicted, adjusted=True)
        if both
        else None,
        Objective("mcc"): sk.matthews_corrcoef(labels, predicted)
        if both and 0 < predicted.sum() < predicted.size
        else None,
        Objective("precision_at_recall", min_recall=0.5): sk.precision_score(labels, predicted)
        if any_predicted
        else None,
        Objective("recall_at_precision", min_precision=0.5): recall,
        Objective("false_alarms_per_hour", max_false_alarms_per_hour=5): recall,
    }

    for objective, value in expected.items():
        found = objective_value(labels, scores, threshold, objective)
        assert found == (None if value is None else pytest.approx(value, abs=1e-9)), objective


def test_threshold_between_equal_f1_is_the_higher_one() -> None:
    # At 0.9: TP 1, FP 0, FN 1, F1 2/3. At 0.4: TP 2, FP 2, F1 4/6, the same.
    assert choose_threshold([1, 0, 0, 1], [0.9, 0.6, 0.5, 0.4], Objective("f1")) == 0.9


@pytest.mark.parametrize("objective", FREE, ids=name_of)
def test_constant_scores_leave_one_threshold(objective: Objective) -> None:
    assert choose_threshold([0, 1, 0], [0.3, 0.3, 0.3], objective) == 0.3


def test_threshold_of_float32_scores_is_reached_by_its_own_frame() -> None:
    scores = np.array([0.1, 0.7], dtype=np.float32)

    threshold = choose_threshold([0, 1], scores, Objective("f1"))

    assert threshold == float(scores[1])
    assert objective_value([0, 1], scores, threshold, Objective("f1")) == 1.0


def test_threshold_just_above_a_float32_score_does_not_reach_it() -> None:
    # The float32 nearest to 0.7 is below 0.7.
    scores = np.array([0.1, 0.7], dtype=np.float32)

    assert objective_value([0, 1], scores, 0.7, Objective("f1")) == 0.0


@pytest.mark.parametrize("num_positive", [10, 30, 70, 110])
@pytest.mark.parametrize("tenths", range(1, 11))
def test_a_recall_that_is_exactly_reached_is_reached(num_positive: int, tenths: int) -> None:
    # Positives and negatives take turns, so precision falls as recall grows.
    scores = np.arange(2 * num_positive, 0, -1)
    objective = Objective("precision_at_recall", min_recall=tenths / 10)

    threshold = choose_threshold([1, 0] * num_positive, scores, objective)

    assert threshold == scores[2 * (num_positive * tenths // 10 - 1)]


def test_a_precision_that_is_exactly_reached_is_reached() -> None:
    # 0.3 as a float is below 3/10, and 0.7 is below 7/10; 3 of 10 and 7 of 10 keep to them.
    for hits, limit in ((3, 0.3), (7, 0.7), (1, 0.1), (6, 0.6)):
        labels = [0] * (10 - hits) + [1] * hits + [0]
        scores = [0.9] * 10 + [0.1]
        objective = Objective("recall_at_precision", min_precision=limit)

        assert choose_threshold(labels, scores, objective) == 0.9
        with pytest.raises(UnattainableError):
            choose_threshold(
                labels, scores, Objective("recall_at_precision", min_precision=limit + 1e-15)
            )


def test_a_precision_of_many_digits_is_compared_exactly() -> None:
    objective = Objective("recall_at_precision", min_precision=0.3333333333333333)

    assert choose_threshold([1, 0, 0, 0], [0.9, 0.9, 0.9, 0.1], objective) == 0.9


def test_an_exactly_allowed_false_alarm_is_not_lost_to_rounding() -> None:
    # 150 000 frames are 3 1/3 hours: 0.3 per hour is one false alarm, in binary a little less.
    scores = np.zeros(150_000)
    scores[:2] = 0.9, 0.8
    labels = np.zeros(150_000, dtype=np.int8)
    labels[1] = 1
    objective = Objective("false_alarms_per_hour", max_false_alarms_per_hour=0.3)

    assert choose_threshold(labels, scores, objective) == 0.8


def test_unattainable_precision_says_the_best_one() -> None:
    objective = Objective("recall_at_precision", min_precision=0.6)

    with pytest.raises(
        UnattainableError, match=r"0.6; the best precision is 0.5, at 0.8"
    ) as raised:
        choose_threshold([0, 1, 0, 0], [0.9, 0.8, 0.7, 0.6], objective)
    assert raised.value.best == 0.5


def test_too_many_false_alarms_say_the_fewest() -> None:
    # One of four frames is 11 250 per hour.
    objective = Objective("false_alarms_per_hour", max_false_alarms_per_hour=11_249)

    with pytest.raises(
        UnattainableError, match=r"at most 11249 .* 11250, at the highest"
    ) as raised:
        choose_threshold([0, 1, 0, 0], [0.9, 0.8, 0.7, 0.6], objective)
    assert raised.value.best == 11_250


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": "auprc"}, "one of f1, .*, got 'auprc'"),
        ({"metric": "f_beta"}, "'f_beta' needs beta, got None"),
        ({"metric": "f_beta", "beta": 0}, "beta must be above 0"),
        ({"metric": "f_beta", "beta": float("inf")}, "beta must be finite"),
        ({"metric": "precision_at_recall"}, "needs min_recall"),
        ({"metric": "precision_at_recall", "min_recall": 1.1}, "from 0 to 1, got 1.1"),
        ({"metric": "recall_at_precision", "min_precision": -0.1}, "from 0 to 1, got -0.1"),
        ({"metric": "recall_at_precision", "min_precision": float("nan")}, "got nan"),
        ({"metric": "false_alarms_per_hour", "min_recall": 0.5}, "max_false_alarms_per_hour"),
        ({"metric": "false_alarms_per_hour", "max_false_alarms_per_hour": -1}, "at least 0"),
    ],
)
def test_an_objective_without_its_number_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Objective(**settings)


def test_numbers_of_other_metrics_are_not_looked_at() -> None:
    assert Objective("f1", beta=-1, min_recall=9).metric == "f1"
