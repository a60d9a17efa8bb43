import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from acoustic_event_prediction.curves import check_frames, score_curve


def test_counts_at_every_distinct_score_on_paper() -> None:
    curve = score_curve([1, 0, 1, 0, 0], [0.9, 0.5, 0.5, 0.5, 0.1])

    assert curve.thresholds.tolist() == [0.9, 0.5, 0.1]
    assert curve.true_positive.tolist() == [1, 2, 2]
    assert curve.predicted_positive.tolist() == [1, 4, 5]
    # 6 pairs: 3 won by 0.9, 2 ties and 1 win by 0.5. Precision 1 and 2/4 gain half the recall each.
    assert curve.auroc() == pytest.approx((3 + 2 * 0.5 + 1) / 6, abs=1e-12)
    assert curve.auprc() == pytest.approx(0.5 * 1 + 0.5 * 0.5, abs=1e-12)


@pytest.mark.parametrize("num_levels", [1, 2, 7, 10**9])
@pytest.mark.parametrize("prevalence", [0.003, 0.3, 0.95])
def test_areas_agree_with_scikit_learn(num_levels: int, prevalence: float) -> None:
    rng = np.random.default_rng(num_levels)
    labels = (rng.random(3000) < prevalence).astype(np.int8)
    labels[:2] = 0, 1
    scores = np.floor(rng.random(3000) ** (2 - labels) * num_levels) / num_levels

    curve = score_curve(labels, scores)

    assert curve.auroc() == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert curve.auprc() == pytest.approx(average_precision_score(labels, scores), abs=1e-9)


def test_scores_that_differ_in_the_last_bit_are_two_thresholds() -> None:
    scores = np.array([0.5, np.nextafter(0.5, 1), 5e-324, 0.0, -0.0])

    assert score_curve([0, 1, 1, 0, 0], scores).thresholds.tolist() == sorted(
        {0.5, np.nextafter(0.5, 1), 5e-324, 0.0}, reverse=True
    )


@pytest.mark.parametrize("labels", [[0, 0], [1, 1], [1]])
def test_one_class_has_no_area(labels: list[int]) -> None:
    curve = score_curve(labels, np.linspace(0, 1, len(labels)))

    assert curve.auroc() is None
    assert curve.auprc() is None


# Of N frames, one false alarm is 45 000 / N per hour: 7500 of these six.
@pytest.mark.parametrize(
    ("per_hour", "threshold"),
    [(0, 0.9), (7499, 0.9), (7500, 0.8), (14_999, 0.8), (15_000, 0.4), (22_500, 0.1), (1e30, 0.1)],
)
def test_threshold_at_false_alarms_on_paper(per_hour: float, threshold: float) -> None:
    curve = score_curve([1, 0, 1, 0, 1, 0], [0.9, 0.8, 0.8, 0.5, 0.4, 0.1])

    assert curve.threshold_at_false_alarms(per_hour) == threshold


def test_threshold_is_infinite_when_the_highest_score_gives_too_many_false_alarms() -> None:
    assert score_curve([1, 0, 1], [0.9, 0.9, 0.1]).threshold_at_false_alarms(14_999) == np.inf
    assert score_curve([1, 0, 1], [0.9, 0.9, 0.1]).threshold_at_false_alarms(15_000) == 0.1


def test_an_exactly_allowed_false_alarm_is_not_lost_to_rounding() -> None:
    # 150 000 frames are 3 1/3 hours: 0.3 per hour is one false alarm, in binary a little less.
    scores = np.zeros(150_000)
    scores[:2] = 0.9, 0.8
    labels = np.zeros(150_000, dtype=np.int8)
    labels[1] = 1

    assert score_curve(labels, scores).threshold_at_false_alarms(0.3) == 0.8


@pytest.mark.parametrize("num_levels", [1, 3, 20, 10**9])
def test_threshold_at_false_alarms_agrees_with_trying_every_threshold(num_levels: int) -> None:
    rng = np.random.default_rng(num_levels)
    labels = (rng.random(200) < 0.2).astype(np.int8)
    scores = np.floor(rng.random(200) ** (2 - labels) * num_levels) / num_levels
    curve = score_curve(labels, scores)

    for num_allowed in range(170):
        allowed = [
            threshold
            for threshold in scores
            if (labels[scores >= threshold] == 0).sum() <= num_allowed
        ]
        per_hour = num_allowed * 45_000 / 200
        assert curve.threshold_at_false_alarms(per_hour) == min(allowed, default=np.inf)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([], [], "at least one frame"),
        ([0, 1], [0.1], r"shapes \(2,\) and \(1,\)"),
        ([[0, 1]], [[0.1, 0.2]], r"1-D.*\(1, 2\)"),
        ([0, 2], [0.1, 0.2], r"0 or 1, got \[2\]"),
        ([0, 0.5], [0.1, 0.2], r"0 or 1, got \[0.5\]"),
        ([0, 1, 1], [0.1, np.nan, np.inf], "2 NaN or infinite of 3"),
    ],
)
def test_what_is_no_frames_is_refused(
    labels: npt.ArrayLike, scores: npt.ArrayLike, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_frames(labels, scores)
