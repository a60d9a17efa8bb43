"""The threshold that is best on some frames, found exactly.

Every distinct score is a candidate. Lowering the threshold past negative frames alone gains false
positives and nothing else, which makes each metric here worse or leaves it; so it is enough to look
at the distinct scores of positives, and at the highest score.

Candidates are compared as fractions of counts, so a limit is met or missed whatever binary
rounding does to it, and equal values are equal.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.curves import (
    Counts,
    Floats,
    allowed_false_positives,
    check_frames,
    sort_frames,
)
from acoustic_event_prediction.frames import FRAMES_PER_HOUR

TuneMetric = Literal[
    "f1",
    "f_beta",
    "youden_j",
    "mcc",
    "precision_at_recall",
    "recall_at_precision",
    "false_alarms_per_hour",
]
_NEEDED: dict[str, str] = {
    "f_beta": "beta",
    "precision_at_recall": "min_recall",
    "recall_at_precision": "min_precision",
    "false_alarms_per_hour": "max_false_alarms_per_hour",
}
# Far above the rounding of the few float operations that the shortlist is made with.
_CLOSE = 1e-12


@dataclass(frozen=True)
class Objective:
    """What a threshold is chosen for; of the numbers, only that of `metric` is looked at.

    Attributes:
        metric: "f1", "f_beta", "youden_j" and "mcc" are made as large as possible.
            "precision_at_recall" is the largest precision with a recall of at least `min_recall`;
            "recall_at_precision" the largest recall with a precision of at least `min_precision`;
            "false_alarms_per_hour" the largest recall with at most `max_false_alarms_per_hour`
            negative frames predicted positive per hour of frames, of both classes.
        beta: weight of recall against precision in F-beta, above 0.
        min_recall: in [0, 1].
        min_precision: in [0, 1].
        max_false_alarms_per_hour: at least 0.

    Raises:
        ValueError: the metric is unknown, or its number is missing or out of range.
    """

    metric: TuneMetric
    beta: float | None = None
    min_recall: float | None = None
    min_precision: float | None = None
    max_false_alarms_per_hour: float | None = None

    def __post_init__(self) -> None:
        if self.metric not in get_args(TuneMetric):
            known = ", ".join(get_args(TuneMetric))
            raise ValueError(f"metric must be one of {known}, got {self.metric!r}")
        if self.metric not in _NEEDED:
            return
        name, limit = _NEEDED[self.metric], self.limit
        is_share = name in {"min_recall", "min_precision"}
        if not (0 <= limit <= 1 if is_share else 0 <= limit < math.inf):
            allowed = "from 0 to 1" if is_share else "finite and at least 0"
            raise ValueError(f"{name} must be {allowed}, got {limit}")
        if name == "beta" and limit == 0:
            raise ValueError("beta must be above 0, got 0; F-beta would be precision alone")

    @property
    def limit(self) -> float:
        """The number that belongs to `metric`; f1, youden_j and mcc have none."""
        name = _NEEDED[self.metric]
        value: float | None = getattr(self, name)
        if value is None:
            raise ValueError(f"the metric {self.metric!r} needs {name}, got None")
        return value


class UnattainableError(ValueError):
    """No threshold keeps to the objective's limit; the message says how near the best one comes.

    Attributes:
        best: the largest precision of any threshold, or the fewest false alarms per hour.
    """

    def __init__(self, message: str, best: float) -> None:
        super().__init__(message)
        self.best = best


class _Candidates(NamedTuple):
    """Counts at K thresholds of frames of both classes; see `ScoreCurve` for the arrays."""

    thresholds: Floats
    true_positive: Counts
    predicted_positive: Counts
    num_positive: int
    num_frames: int


def choose_threshold(
    labels: npt.ArrayLike, scores: npt.ArrayLike, objective: Objective
) -> float | None:
    """Return the score that is best when used as the threshold.

    Among equally good scores the highest wins, the one that predicts fewest positives. MCC at a
    threshold that makes every frame positive counts as 0.

    Args:
        labels: [N], 0 or 1.
        scores: [N], finite.
        objective: what the threshold is chosen for.

    Returns:
        One of the scores, or None when all frames have the same label. `objective_value` says how
        good it is.

    Raises:
        UnattainableError: no score keeps to the objective's limit.
        ValueError: see `check_frames`.

    >>> choose_threshold([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9], Objective("f1"))
    0.4
    """
    found = _find_candidates(labels, scores)
    if found is None:
        return None
    within = np.flatnonzero(_keeps_limit(found, objective))
    if within.size == 0:
        raise _unattainable(found, objective)
    true_positive, predicted = found.true_positive[within], found.predicted_positive[within]
    rough = _rough_values(found, objective)[within]
    close = np.flatnonzero(rough >= rough.max() - _CLOSE * abs(rough.max()))
    value_of = _exact_value(objective, found.num_positive, found.num_frames)
    # Candidates go from high to low, and max takes the first of equal ones.
    best = max(close, key=lambda at: value_of(int(true_positive[at]), int(predicted[at])))
    return float(found.thresholds[within[best]])


def objective_value(
    labels: npt.ArrayLike, scores: npt.ArrayLike, threshold: float, objective: Objective
) -> float | None:
    """Return what the objective makes large, at a threshold: F1, precision, recall ...

    Args:
        labels: [N], 0 or 1; also of other frames than the threshold was chosen on.
        scores: [N], finite.
        threshold: a frame is predicted positive when its score is at least this.
        objective: its limit is not looked at, except beta.

    Returns:
        None where the frames don't define the value; `threshold_metrics` has the reasons.

    Raises:
        ValueError: see `check_frames`.

    >>> objective_value([0, 1, 1], [0.1, 0.4, 0.9], 0.5, Objective("f1"))
    0.6666666666666666
    """
    label_array, score_array = check_frames(labels, scores)
    num_positive, num_frames = int(label_array.sum(dtype=np.int64)), label_array.size
    is_predicted = score_array >= np.float64(threshold)
    predicted = int(is_predicted.sum())
    true_positive = int(label_array[is_predicted].sum(dtype=np.int64))
    if objective.metric == "mcc" and predicted in {0, num_frames}:
        return None
    try:
        value = _exact_value(objective, num_positive, num_frames)(true_positive, predicted)
    except ZeroDivisionError:
        return None
    if objective.metric == "mcc":
        return math.copysign(math.sqrt(abs(value)), value)
    return float(value)


def _find_candidates(labels: npt.ArrayLike, scores: npt.ArrayLike) -> _Candidates | None:
    ascending, positive = sort_frames(labels, scores)
    if not 0 < positive.size < ascending.size:
        return None
    thresholds = np.unique(np.append(positive, ascending[-1]))[::-1]
    return _Candidates(
        thresholds=thresholds,
        true_positive=positive.size - np.searchsorted(positive, thresholds, side="left"),
        predicted_positive=ascending.size - np.searchsorted(ascending, thresholds, side="left"),
        num_positive=positive.size,
        num_frames=ascending.size,
    )


def _keeps_limit(found: _Candidates, objective: Objective) -> npt.NDArray[np.bool_]:
    """Return which of the K candidates keep to the objective's limit, [K]."""
    true_positive, predicted = found.true_positive, found.predicted_positive
    if objective.metric == "precision_at_recall":
        return true_positive >= math.ceil(_decimal(objective.limit) * found.num_positive)
    if objective.metric == "false_alarms_per_hour":
        allowed = allowed_false_positives(objective.limit, found.num_frames)
        return predicted - true_positive <= min(allowed, found.num_frames)
    if objective.metric == "recall_at_precision":
        share, of = _decimal(objective.limit).as_integer_ratio()
        kind = np.int64 if of * found.num_frames < 2**63 else object
        return np.asarray(true_positive.astype(kind) * of >= predicted.astype(kind) * share, bool)
    return np.ones(true_positive.size, bool)


def _rough_values(found: _Candidates, objective: Objective) -> Floats:
    """Return the value at each candidate but for rounding and a constant factor, [K]."""
    true_positive, predicted = found.true_positive, found.predicted_positive
    rough: Floats
    if objective.metric in {"f1", "f_beta"}:
        weight = 1.0 if objective.metric == "f1" else objective.limit**2
        rough = true_positive / (predicted + weight * found.num_positive)
    elif objective.metric == "precision_at_recall":
        rough = true_positive / predicted
    elif objective.metric in {"youden_j", "mcc"}:
        # TP * TN - FP * FN, in whole numbers.
        rough = (true_positive * found.num_frames - predicted * found.num_positive).astype(float)
        if objective.metric == "mcc":
            spread = predicted.astype(float) * (found.num_frames - predicted)
            rough /= np.sqrt(np.maximum(spread, 1.0))
    else:
        rough = true_positive.astype(float)
    return rough


def _exact_value(
    objective: Objective, num_positive: int, num_frames: int
) -> Callable[[int, int], Fraction]:
    """Return the function of TP and predicted positives that gives the value; MCC with its square.

    The sign of MCC stays; where it is undefined it is 0.
    """
    metric = objective.metric
    weight = _decimal(objective.limit) ** 2 if metric == "f_beta" else Fraction(1)
    classes = num_positive * (num_frames - num_positive)

    def value(true_positive: int, predicted: int) -> Fraction:
        if metric in {"f1", "f_beta"}:
            return (1 + weight) * true_positive / (weight * num_positive + predicted)
        if metric == "precision_at_recall":
            return Fraction(true_positive, predicted)
        margin = true_positive * num_frames - predicted * num_positive
        if metric == "youden_j":
            return Fraction(margin, classes)
        if metric == "mcc":
            spread = predicted * (num_frames - predicted)
            return Fraction(margin * abs(margin), max(spread, 1) * classes)
        return Fraction(true_positive, num_positive)

    return value


def _unattainable(found: _Candidates, objective: Objective) -> UnattainableError:
    if objective.metric == "recall_at_precision":
        precision = found.true_positive / found.predicted_positive
        best = float(precision.max())
        return UnattainableError(
            f"no threshold has a precision of at least {objective.limit}; the best precision is "
            f"{best:.9g}, at {found.thresholds[precision.argmax()]:.9g}",
            best,
        )
    num_alarms = int(found.predicted_positive[0] - found.true_positive[0])
    fewest = num_alarms * FRAMES_PER_HOUR / found.num_frames
    return UnattainableError(
        f"no threshold has at most {objective.limit} false alarms per hour; the fewest are "
        f"{fewest:.9g}, at the highest score, {found.thresholds[0]:.9g}",
        fewest,
    )


def _decimal(value: float) -> Fraction:
    """Return the number as it is written: 3/10 for 0.3, which in binary is a little less."""
    return Fraction(str(value))
