import io
from functools import partial

import numpy as np
import pandas as pd

from acoustic_event_prediction.annotations import AnnotationTiers
from acoustic_event_prediction.pipelines.evaluation.exports import (
    export_annotations,
    export_predictions,
)
from acoustic_event_prediction.pipelines.evaluation.nodes import choose_operating_point
from tests.made import evaluation_params
from tests.pipelines.evaluation.made import SUMMARY, Frames, make_scores, pool, target_events
from tests.pipelines.evaluation.test_pipeline import episode

# The event of episode a is in frame 2; B's scores announce it, and A's are a false alarm.
TWO_USERS: Frames = {
    "test/a/A": ([0.9, 0.2, 0.1, 0.1], [0, 1, 0, 0]),
    "test/a/B": ([0.1, 0.8, 0.1, 0.1], [0, 1, 0, 0]),
    "test/b/A": ([0.1, 0.1, 0.1, 0.1], [0, 0, 0, 0]),
    "validation/c/A": ([0.1, 0.8, 0.1, 0.1], [0, 1, 0, 0]),
}


def annotate(frames: Frames = TWO_USERS, **changes: object) -> dict[str, AnnotationTiers]:
    point = choose_operating_point(pool(frames), evaluation_params(**changes))
    episodes = {name.rpartition("/")[0]: None for name in frames}
    made = export_annotations(
        make_scores(frames),
        target_events(frames),
        {name: partial(episode, name) for name in episodes},
        point,
        SUMMARY,
    )
    return {name: make() for name, make in made.textgrids.items()}


def spans(table: pd.DataFrame) -> list[list[object]]:
    return table.round(6).to_numpy().tolist()


def test_an_event_that_two_users_hear_is_there_once() -> None:
    tiers = annotate()["test/a"].tiers

    assert list(tiers) == ["Laughter A", "alarm A", "alarm B"]
    assert spans(tiers["Laughter A"]) == [[0.16, 0.24, "Laughter"]]
    assert spans(tiers["alarm A"]) == [[0.0, 0.08, "0.900"]]
    assert spans(tiers["alarm B"]) == [[0.08, 0.16, "0.800"]]


def test_an_episode_without_events_has_its_alarm_tiers() -> None:
    assert {name: len(tier) for name, tier in annotate()["test/b"].tiers.items()} == {"alarm A": 0}


def test_without_an_alarm_rule_there_are_the_events_alone() -> None:
    no_events = {**TWO_USERS, "validation/c/A": ([0.1] * 4, [0, 0, 0, 0])}
    assert list(annotate(no_events, threshold=0.5)["test/a"].tiers) == ["Laughter A"]


def test_a_score_that_is_the_threshold_is_still_at_least_it_after_the_way_through_a_csv() -> None:
    point = choose_operating_point(pool(TWO_USERS), evaluation_params())
    table = export_predictions(make_scores(TWO_USERS)).predictions_csv["validation/c"]()

    again = pd.read_csv(io.StringIO(table.to_csv(index=False)))

    assert point["threshold"] == float(np.float32(0.8)) != 0.8
    assert (again["score"] >= point["threshold"]).tolist() == [False, True, False, False]


def test_predictions_are_one_table_per_episode() -> None:
    made = export_predictions(make_scores(TWO_USERS))

    assert sorted(made.predictions) == ["test/a", "test/b", "validation/c"]
    table = made.predictions_csv["test/a"]()
    assert table["user"].tolist() == 4 * ["A"] + 4 * ["B"]
    assert table["frame"].tolist() == 2 * [0, 1, 2, 3]
