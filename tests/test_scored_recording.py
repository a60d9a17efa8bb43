from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.scored import make_alarms, make_scores, scored_recording


def test_main_scores_are_those_of_the_main_horizon() -> None:
    scores = make_scores(2, 3, 4)

    recording = scored_recording(
        users=("a", "b"),
        scores=scores,
        horizons=(1, 5, 10, 25),
        main_horizon=10,
        alarms=make_alarms(),
    )

    assert recording.main_scores.tolist() == scores[:, :, 2].tolist()
    assert recording.main_scores.dtype == np.float32


def test_each_horizon_has_its_scores_and_its_axis() -> None:
    scores = np.array([[[0.3, 0.01], [0.1, 0.04]]], np.float32)
    recording = scored_recording(
        scores=scores, horizons=(5, 1), threshold=0.7, alarms=make_alarms()
    )

    assert recording.scores_at(1).tolist() == scores[:, :, 1].tolist()
    # The threshold is on the main horizon's axis only.
    assert [recording.score_limit_at(horizon) for horizon in (5, 1)] == [1.0, 0.05]
    with pytest.raises(ValueError, match=r"at \(5, 1\) frames, none at 2"):
        recording.scores_at(2)


@pytest.mark.parametrize(
    ("highest", "threshold", "limit"),
    [
        (0.9, 0.5, 1.0),
        (0.3, 0.4, 0.5),
        (0.1, 0.05, 0.1),
        (0.011, 0.01, 0.02),
        (0.0, 0.0, 1.0),
        (0.0003, -1.0, 0.0005),
        (1.0, 1.0, 1.0),
    ],
)
def test_score_limit_holds_scores_and_threshold(
    highest: float, threshold: float, limit: float
) -> None:
    scores = np.full((1, 4, 1), highest, np.float32)
    recording = scored_recording(scores=scores, threshold=threshold, alarms=make_alarms())
    assert recording.score_limit == limit


def test_a_recording_may_have_no_alarm_and_any_name() -> None:
    recording = scored_recording(name="\udcff\0</script>", alarms=make_alarms())
    assert recording.alarms.empty


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": make_scores().astype(np.float64)}, "must be float32, got float64"),
        ({"scores": make_scores(2)}, r"shape \(1, T, 1\) .* got \(2, 125, 1\)"),
        ({"scores": make_scores(1, 125, 2)}, r"got \(1, 125, 2\)"),
        ({"scores": make_scores()[:, :, 0]}, r"got \(1, 125\)"),
        ({"scores": make_scores(1, 0), "duration_seconds": 1.0}, "at least one of each"),
        ({"scores": np.full((1, 3, 1), 1.5, np.float32)}, "from 0 to 1, got 1.5 to 1.5"),
        ({"scores": np.full((1, 3, 1), np.nan, np.float32)}, "3 NaN"),
        ({"users": ("a", "a"), "scores": make_scores(2)}, "named once"),
        ({"main_horizon": 4}, r"one of \(5,\), got 4"),
        ({"horizons": (0,)}, "at least 1 frame"),
        ({"horizons": (5, 5), "scores": make_scores(1, 9, 2)}, "there once"),
        ({"duration_seconds": 0.0}, "above 0 s"),
        ({"duration_seconds": float("nan")}, "above 0 s, got nan"),
        ({"threshold": float("inf")}, "finite number, got inf"),
        ({"alarms": pd.DataFrame({"user": []})}, "missing: .*onset"),
        ({"alarms": make_alarms(("other", 0.0, 1.0, 0.5))}, r"\['other'\]"),
        ({"alarms": make_alarms(("mix", 2.0, 1.0, 0.5))}, "offset after its onset"),
        ({"alarms": make_alarms(("mix", 2.0, np.nan, 0.5))}, "finite times"),
        (
            {"alarms": make_alarms(("mix", 2.0, 3.0, 0.5), ("mix", 1.0, 4.0, 0.5))},
            "sorted by onset",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scored_recording(**changes)
