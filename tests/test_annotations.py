import pandas as pd

from acoustic_event_prediction.annotations import AnnotationTiers, as_labels, disjoint_tier


def spans(*rows: tuple[float, float, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["onset", "offset", "text"])


def test_spans_outside_of_the_recording_are_clipped_or_left_out() -> None:
    tier = disjoint_tier(spans((-1, 0.5, "a"), (2, 9, "b"), (5, 6, "c"), (1, 1, "d")), 4.0)
    assert tier.to_numpy().tolist() == [[0.0, 0.5, "a"], [2.0, 4.0, "b"]]


def test_spans_that_touch_stay_two() -> None:
    tier = disjoint_tier(spans((1, 2, "b"), (0, 1, "a")), 4.0)
    assert tier["text"].tolist() == ["a", "b"]


def test_an_empty_tier_stays_a_table_of_times() -> None:
    tier = disjoint_tier(spans(), 4.0)
    assert tier.columns.tolist() == ["onset", "offset", "text"]
    assert tier.dtypes.tolist()[:2] == [float, float]


def test_labels_of_all_tiers_are_sorted_lines() -> None:
    tiers = {"true\tA": spans((2.0, 3.0, "Laugh\nter")), "alarm": spans((1.0, 1.5, "0.9"))}
    labels = as_labels(AnnotationTiers(4.0, {**tiers, "none": spans()}))
    assert labels.to_numpy().tolist() == [
        [1.0, 1.5, "alarm: 0.9"],
        [2.0, 3.0, "true A: Laugh ter"],
    ]
    assert as_labels(AnnotationTiers(4.0, {})).empty
