from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from acoustic_event_prediction.errors import LabelError, ProjectError
from acoustic_event_prediction.pipelines.evaluation.scoring import score_frames
from tests.made import evaluation_params
from tests.pipelines.evaluation.made import (
    SUMMARY,
    TWO_SPLITS,
    events_before,
    first_columns,
    make_scores,
)

PARAMS = evaluation_params()
NONE = {"test/a/x": partial(events_before, [0, 0, 0])}


def test_only_validation_and_test_are_scored() -> None:
    assert sorted(make_scores(TWO_SPLITS)) == [
        "test/d/x",
        "test/e/x",
        "validation/b/x",
        "validation/b/y",
        "validation/c/x",
    ]


def test_score_table_gives_each_frame_its_time_user_score_and_label() -> None:
    table = make_scores({"test/An Episode/SPEAKER_00": ([0.25, 0.5], [0, 1])})[
        "test/An Episode/SPEAKER_00"
    ]()

    assert table.to_dict("list") == {
        "frame": [0, 1],
        "time_seconds": [0.0, 0.08],
        "user": ["SPEAKER_00", "SPEAKER_00"],
        "score": [0.25, 0.5],
        "label": [0, 1],
        "ignore": [False, False],
    }
    assert [str(table[name].dtype) for name in ("frame", "score", "label", "ignore")] == [
        "int32",
        "float32",
        "int8",
        "bool",
    ]


def test_each_horizon_of_a_predictor_has_its_score_and_label() -> None:
    scores = score_frames(
        first_columns(1, 2),
        {"test/a/x": partial(np.array, [[0.25, 0.5], [0.75, 0.125], [0.0, 1.0]])},
        {"test/a/x": partial(np.array, [0, 1, 0])},
        {"test/a/x": partial(np.array, [2, 1, 0])},
        {"test/a/x": partial(events_before, [0, 1, 0])},
        SUMMARY,
        {},
        PARAMS,
    )
    table = scores["test/a/x"]()
    assert table["score"].tolist() == table["score_1"].tolist() == [0.25, 0.75, 0.0]
    assert table["label"].tolist() == table["label_1"].tolist() == [0, 1, 0]
    assert table["score_2"].tolist() == [0.5, 0.125, 1.0]
    assert table["label_2"].tolist() == [1, 1, 0]


def test_nothing_is_scored_before_it_is_loaded() -> None:
    def fail() -> npt.NDArray[Any]:
        raise AssertionError("loaded too early")

    assert list(score_frames(first_columns(), *[{"test/a/x": fail}] * 4, SUMMARY, {}, PARAMS))


def test_labels_of_another_event_are_refused() -> None:
    other = {"labeling": {"event": "Breath", "target": "any", "shift_frames": 1}}
    with pytest.raises(LabelError, match="have event=Breath, but the predictor needs event=Laugh"):
        score_frames(first_columns(), {}, {}, {}, {}, other, {}, PARAMS)


def test_features_of_another_kind_are_refused() -> None:
    with pytest.raises(ProjectError, match=r"checkpoint was None and is .*new.*--pipelines train"):
        score_frames(
            first_columns(), {}, {}, {}, {}, SUMMARY, {"checkpoint": {"sha256": "new"}}, PARAMS
        )


def test_missing_labels_are_named_with_the_command_that_makes_them() -> None:
    features = {"test/a/x": partial(np.zeros, (3, 2)), "test/b/x": partial(np.zeros, (3, 2))}

    with pytest.raises(ProjectError, match=r"1 partitions.*'test/b/x'.*--pipelines labeling"):
        score_frames(
            *(first_columns(), features, *[{"test/a/x": partial(np.zeros, 3)}] * 3),
            *(SUMMARY, {}, PARAMS),
        )


def test_labels_of_another_length_are_named_with_the_command_that_makes_them() -> None:
    scores = score_frames(
        first_columns(),
        {"test/a/x": partial(np.zeros, (3, 2))},
        *[{"test/a/x": partial(np.zeros, 4)}] * 2,
        NONE,
        SUMMARY,
        {},
        PARAMS,
    )

    with pytest.raises(ProjectError, match=r"'test/a/x' has 3 .* 4 labels.*--pipelines labeling"):
        scores["test/a/x"]()


def test_training_partitions_alone_cannot_be_evaluated() -> None:
    with pytest.raises(ProjectError, match=r"none of the 1 partitions .*ingestion\.splits"):
        make_scores({"train/a/x": ([0.5], [1])})


@pytest.mark.parametrize("contradiction", ["distances and labels", "labels"])
def test_labels_that_contradict_the_events_are_refused(contradiction: str) -> None:
    zeros = {"test/a/x": partial(np.zeros, 3)}
    moved = {"test/a/x": partial(events_before, [0, 1, 0])}
    distances = {"test/a/x": partial(np.array, [2, 1, 0])} if contradiction == "labels" else zeros
    scores = score_frames(
        first_columns(),
        {"test/a/x": partial(np.zeros, (3, 2))},
        zeros,
        distances,
        moved,
        SUMMARY,
        {},
        PARAMS,
    )

    with pytest.raises(ProjectError, match=r"'test/a/x': .*contradict.*--pipelines labeling"):
        scores["test/a/x"]()


@pytest.mark.parametrize(
    ("ignore", "ignored"),
    [
        ({"inside_event": True, "tail_seconds": 0.0}, [2]),
        ({"inside_event": False, "tail_seconds": 0.16}, [3, 4]),
        ({"inside_event": True, "tail_seconds": 0.08}, [2, 3]),
    ],
)
def test_frames_inside_and_after_an_event_can_be_ignored(
    ignore: dict[str, Any], ignored: list[int]
) -> None:
    # The onset is in frame 2, the event a frame long.
    frames = {"test/a/x": ([0.1] * 6, [0, 1, 0, 0, 0, 0])}

    table = make_scores(frames, evaluation_params(ignore=ignore))["test/a/x"]()

    assert np.flatnonzero(table["ignore"]).tolist() == ignored
