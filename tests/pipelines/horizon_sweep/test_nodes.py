import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from acoustic_event_prediction.params import HorizonSweepParams, TrainingParams
from acoustic_event_prediction.pipelines.evaluation.nodes import (
    choose_operating_point,
    compute_metrics,
    pool_scores,
)
from acoustic_event_prediction.pipelines.horizon_sweep import nodes
from acoustic_event_prediction.pipelines.horizon_sweep.nodes import (
    choose_horizons,
    compare_horizons,
    plot_horizons,
)
from tests.made import evaluation_params

EVALUATION = evaluation_params(threshold=0.5)
# Of eight frames, one false alarm is 5625 per hour.
SWEEP = HorizonSweepParams(horizons=(1, 2), false_alarms_per_hour=(5625, 11_250))
Scores = dict[str, Callable[[], pd.DataFrame]]

# An onset in frame 3. At horizon 1 one negative is above the positive, at horizon 2 none is.
EPISODE = pd.DataFrame(
    {
        "score": np.array([0.1, 0.9, 0.8, 0.3], dtype=np.float32),
        "label": np.array([0, 1, 1, 0], dtype=np.int8),
        "score_1": np.array([0.1, 0.95, 0.9, 0.3], dtype=np.float32),
        "label_1": np.array([0, 0, 1, 0], dtype=np.int8),
        "score_2": np.array([0.1, 0.9, 0.8, 0.3], dtype=np.float32),
        "label_2": np.array([0, 1, 1, 0], dtype=np.int8),
    }
)
EVENT = {"onset": [0.24], "offset": [0.3]}
NO_EVENT: dict[str, list[float]] = {"onset": [], "offset": []}
ONE_HORIZON = EPISODE[["score", "label"]]


def make_scores(**tables: pd.DataFrame) -> Scores:
    """Partitions by id, with `_` for `/`."""
    return {name.replace("_", "/"): partial(pd.DataFrame, table) for name, table in tables.items()}


def compare(scores: Scores) -> pd.DataFrame:
    tables = {name: partial(_with_ignore, load) for name, load in scores.items()}
    events = {
        name: partial(pd.DataFrame, EVENT if "train" in name or load()["label"].any() else NO_EVENT)
        for name, load in scores.items()
    }
    pooled = pool_scores(tables, events, {}, EVALUATION, shift_frames=2)
    point = choose_operating_point(pooled, EVALUATION)
    metrics = compute_metrics(pooled, point, EVALUATION)
    return compare_horizons(pooled, metrics, SWEEP, EVALUATION)


def _with_ignore(load: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    return load().assign(ignore=False)


def test_a_horizon_on_paper() -> None:
    twice = {f"{split}_{name}_x": EPISODE for split in ("validation", "test") for name in "ab"}
    table = compare(make_scores(**twice)).set_index("split").loc["test"]
    first, second = table.to_dict("records")

    # Both episodes are equal, so that each resample of them is.
    assert first == pytest.approx(
        {
            "shift_frames": 1,
            "lead_time_ms": 80,
            "num_frames": 8,
            "num_positive": 2,
            "prevalence": 1 / 4,
            "auprc": 1 / 2,
            "auprc_low": 1 / 2,
            "auprc_high": 1 / 2,
            "auprc_over_prevalence": 2,
            "auprc_over_prevalence_low": 2,
            "auprc_over_prevalence_high": 2,
            "auroc": 2 / 3,
            "auroc_low": 2 / 3,
            "auroc_high": 2 / 3,
            "recall_at_5625_per_hour": 0,
            "recall_at_5625_per_hour_low": 0,
            "recall_at_5625_per_hour_high": 0,
            "recall_at_11250_per_hour": 1,
            "recall_at_11250_per_hour_low": 1,
            "recall_at_11250_per_hour_high": 1,
            # Two frames before the onset, which is one too early: no hit, and no lead time.
            "event_hit_rate": 0,
            "event_hit_rate_low": 0,
            "event_hit_rate_high": 0,
            "event_false_alarms_per_hour": 11_250,
            "event_false_alarms_per_hour_low": 11_250,
            "event_false_alarms_per_hour_high": 11_250,
            "event_f1": 0,
            "event_f1_low": 0,
            "event_f1_high": 0,
            "event_median_lead_seconds": np.nan,
        },
        nan_ok=True,
    )
    assert (second["event_hit_rate"], second["event_false_alarms_per_hour"]) == (1, 0)
    assert second["event_median_lead_seconds"] == pytest.approx(0.16)


def test_rows_are_splits_and_ascending_horizons() -> None:
    reversed_columns = EPISODE[EPISODE.columns[::-1]]
    table = compare(make_scores(test_a_x=reversed_columns, validation_b_x=reversed_columns))

    assert table[["split", "shift_frames", "lead_time_ms"]].to_numpy().tolist() == [
        ["validation", 1, 80],
        ["validation", 2, 160],
        ["test", 1, 80],
        ["test", 2, 160],
    ]
    assert table["auprc"].tolist() == [0.5, 1.0, 0.5, 1.0]


def test_a_predictor_of_one_horizon_is_a_table_of_one() -> None:
    table = compare(make_scores(test_a_x=ONE_HORIZON, test_b_x=ONE_HORIZON))

    assert table[["shift_frames", "auprc"]].to_numpy().tolist() == [[2, 1.0]]


def test_what_one_class_leaves_undefined_is_nan_and_not_0() -> None:
    silent = EPISODE.assign(label=0, label_1=0, label_2=0)
    table = compare(make_scores(test_a_x=silent, test_b_x=EPISODE))
    empty = compare(make_scores(test_a_x=silent))

    # Without validation there is no rule for alarms, so nothing is known of events.
    events = table.columns.str.startswith("event_")
    assert table.loc[:, ~events].notna().all(axis=None)
    assert table.loc[:, events].isna().all(axis=None)
    assert empty.loc[0, ["num_positive", "prevalence"]].tolist() == [0, 0.0]
    assert empty.loc[0, "auprc":].isna().all()
    assert empty.loc[:, "auprc":].dtypes.eq("float64").all()


def test_one_episode_has_values_without_an_interval() -> None:
    row = compare(make_scores(test_a_x=EPISODE, test_a_y=EPISODE)).loc[0]

    assert row["auprc"] == 0.5
    assert row[["auprc_low", "auprc_high", "auroc_low", "auroc_high"]].isna().all()


def test_training_partitions_are_not_measured() -> None:
    scores = make_scores(test_a_x=EPISODE)
    scores["train/b/x"] = lambda: pytest.fail("train was loaded")

    assert set(compare(scores)["split"]) == {"test"}


def test_log_gives_the_ratio_by_lead_time(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger=nodes.__name__):
        compare(make_scores(test_a_x=EPISODE))

    assert caplog.messages[-1] == "test: AUPRC / prevalence 2 at 80 ms, 2 at 160 ms"


def test_the_table_of_one_split_can_be_drawn() -> None:
    figure = plot_horizons(compare(make_scores(test_a_x=EPISODE)))

    assert [axes.get_ylabel().split("\n")[0] for axes in figure.axes] == [
        "AUPRC / prevalence",
        "AUROC",
        "Recall of frames at",
        "F1 of events",
    ]


@pytest.mark.parametrize(("own", "used"), [(None, (1, 2)), ((3,), (3,))])
def test_horizons_of_the_training_take_the_place_of_the_sweeps(own: Any, used: Any) -> None:
    training = TrainingParams.model_construct(horizons=own, seed=7)

    chosen = choose_horizons(training, SWEEP)

    assert (chosen.horizons, chosen.seed) == (used, 7)
    assert training.horizons == own
