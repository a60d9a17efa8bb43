from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.framework.project import configure_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.pipeline_registry import register_pipelines
from acoustic_event_prediction.pipelines.comparison import create_pipeline
from acoustic_event_prediction.pipelines.comparison.nodes import pair_scores
from tests.made import evaluation_params
from tests.pipelines.evaluation.made import TWO_SPLITS, Frames, make_scores, target_events

Tables = dict[str, Callable[[], pd.DataFrame]]
# The same frames; on test, both positives have the highest scores of their partition.
BETTER: Frames = {
    **TWO_SPLITS,
    "test/d/x": ([0.3, 0.95, 0.1], [0, 1, 0]),
    "test/e/x": ([0.9, 0.2], [1, 0]),
}


def load_pair(theirs: Tables, horizon: int = 1) -> list[dict[str, pd.DataFrame]]:
    pair = pair_scores(make_scores(TWO_SPLITS), theirs, horizon)
    return [{name: load() for name, load in tables.items()} for tables in pair]


def changed(name: str, **columns: Any) -> Tables:
    """The same scores, other columns in one partition; None drops one."""
    table = make_scores(TWO_SPLITS)[name]().assign(**columns).dropna(axis="columns", how="all")
    return {**make_scores(TWO_SPLITS), name: partial(pd.DataFrame, table)}


def compare(ours: Frames, theirs: Frames) -> pd.DataFrame:
    entries = {
        "scores": make_scores(ours),
        "other_scores": make_scores(theirs),
        "target_events": target_events(ours),
        "episodes": {},
        "params:evaluation": evaluation_params(),
        "params:shift_frames": 1,
    }
    passed = {"predictor_frames", "other_frames"} | {
        f"comparison.{system}.pooled_scores" for system in ("predictor", "other")
    }
    catalog = DataCatalog(
        {name: MemoryDataset(data, copy_mode="assign") for name, data in entries.items()}
        | {name: MemoryDataset(copy_mode="assign") for name in passed}
    )
    configure_project("acoustic_event_prediction")
    SequentialRunner().run(create_pipeline(), catalog)
    return catalog.load("comparison_table").set_index(["split", "name"])


def test_a_comparison_on_paper() -> None:
    table = compare(BETTER, TWO_SPLITS)

    assert list(table.index) == [
        (split, name) for split in ("validation", "test") for name in ("predictor", "other")
    ]
    ours, theirs = table.loc[("test", "predictor")], table.loc[("test", "other")]
    assert ours["auprc"] == 1.0
    # 0.9 is negative, 0.85 and 0.6 are positive.
    assert theirs["auprc"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert theirs["auprc_difference"] == pytest.approx(1 - 7 / 12)
    # Both are tuned on their own validation frames.
    assert ours["threshold"] == theirs["threshold"] == np.float32(0.8)
    assert np.isnan(ours["auprc_difference"])


def test_a_predictor_is_as_good_as_itself() -> None:
    table = compare(TWO_SPLITS, TWO_SPLITS).xs("other", level="name")
    differences = table.filter(regex="_difference").dropna(axis="columns")

    assert "event_hit_rate_difference_low" in differences
    assert (differences == 0).all(axis=None)


def test_tables_of_several_horizons_give_the_columns_of_the_one_that_is_compared() -> None:
    tables = make_scores(TWO_SPLITS)
    name = "test/e/x"
    several = changed(
        name,
        score=[0.0, 0.0],
        label=[1, 1],
        score_1=tables[name]()["score"],
        label_1=tables[name]()["label"],
    )

    ours, theirs = load_pair(several)

    assert {*ours} == {*TWO_SPLITS} - {"train/a/x"}
    for partition, table in ours.items():
        pd.testing.assert_frame_equal(table, theirs[partition])


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (changed("test/e/x", label=[0, 1]), r"'test/e/x': .* differ in 'label', first in frame 0"),
        (changed("test/e/x", ignore=[False, True]), "differ in 'ignore', first in frame 1"),
        (changed("test/e/x", score=[0.5, np.nan]), "scores that are not finite"),
        (changed("test/e/x", ignore=None), r"lacks the columns \['ignore'\]"),
        (
            {**make_scores(TWO_SPLITS), "test/e/x": make_scores(TWO_SPLITS)["test/d/x"]},
            "has 2 frames of the predictor and 3 of the other",
        ),
        (make_scores({"test/e/x": TWO_SPLITS["test/e/x"]}), "5 partitions .* only the predictor"),
    ],
    ids=["labels", "ignored", "not finite", "columns", "frames", "partitions"],
)
def test_scores_of_other_frames_are_refused(theirs: Tables, message: str) -> None:
    with pytest.raises(ProjectError, match=message) as error:
        load_pair(theirs)
    assert "--params other_scores=..." in str(error.value)


def test_a_plain_run_compares_nothing_and_a_comparison_changes_no_result() -> None:
    configure_project("acoustic_event_prediction")
    pipelines = register_pipelines()
    comparison, default = pipelines["comparison"], pipelines["__default__"]

    assert "comparison_table" in comparison.all_outputs()
    assert not comparison.all_outputs() & (default.all_outputs() | default.inputs())
    assert comparison.inputs() - {"other_scores"} <= default.all_outputs() | default.inputs()
