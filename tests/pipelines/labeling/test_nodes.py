import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from acoustic_event_prediction.corpus.intervals import make_table
from acoustic_event_prediction.corpus.records import Assignment, Source
from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.labels import label_within
from acoustic_event_prediction.params import LabelingParams
from acoustic_event_prediction.pipelines.labeling import create_pipeline
from acoustic_event_prediction.pipelines.labeling.nodes import _log_prevalence, label_episodes

# In frames of 80 ms: A laughs in frame 4, B in frame 8, C unknown.
EVENTS = make_table(
    [
        (0.33, 0.5, "Laughter", "Laughter", "A"),
        (0.65, 0.7, "Laughter", "Laughter", "B"),
        (0.10, 0.2, "Words", "Repetitions", "A"),
    ],
    ("onset", "offset", "label", "label_full", "speaker"),
)


def assignments(*users: str, source: Source = "diarization") -> dict[str, dict[str, Any]]:
    items = [
        Assignment(
            assignment_id=f"{episode_id}/{user}",
            episode_id=episode_id,
            user=user,
            systems=(),
            source=source,
            user_share=None,
            num_frames=10,
        )
        for episode_id in ("train/show", "test/show")
        for user in users
    ]
    return {item.assignment_id: item.model_dump(mode="json") for item in items}


def lazily(values: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    return {key: partial(lambda value: value, value) for key, value in values.items()}


def label(
    chosen: dict[str, dict[str, Any]],
    events: pd.DataFrame = EVENTS,
    *,
    event: str = "Laughter",
    target: str = "any",
    shift_frames: int = 2,
) -> dict[str, list[int]]:
    _, _, distances, labels = label_episodes(
        lazily(chosen),
        lazily({"train/show": events, "test/show": events, "train/other": EVENTS}),
        LabelingParams.model_validate(
            {"event": event, "target": target, "shift_frames": shift_frames}
        ),
    )
    assert all(make().dtype == np.int8 for make in labels.values())
    for key, make in distances.items():
        assert np.array_equal(labels[key](), label_within(make(), shift_frames))
    return {key: np.flatnonzero(make()).tolist() for key, make in labels.items()}


def test_any_counts_the_events_of_every_speaker() -> None:
    labels = label(assignments("A", "B"))
    assert list(labels.values()) == 4 * [[2, 3, 6, 7]]


def test_user_counts_the_users_own_events() -> None:
    labels = label(assignments("A", "B", "C"), target="user")
    assert labels["train/show/A"] == [2, 3]
    assert labels["train/show/B"] == [6, 7]
    assert labels["train/show/C"] == []


def test_events_without_a_speaker_belong_to_no_user() -> None:
    unknown = EVENTS.assign(speaker=pd.array([None] * 3, dtype="str"))
    assert label(assignments("A"), unknown, target="user")["train/show/A"] == []
    assert label(assignments("A"), unknown)["train/show/A"] == [2, 3, 6, 7]


def test_another_event_of_either_vocabulary_can_be_predicted() -> None:
    assert label(assignments("A"), event="Words")["test/show/A"] == [0]
    assert label(assignments("A"), event="Repetitions")["test/show/A"] == [0]


def test_the_events_are_those_of_the_target_by_onset() -> None:
    labeling = LabelingParams(event="Laughter", target="user", shift_frames=2)
    loads = lazily({name: EVENTS[::-1] for name in ("train/show", "test/show")})

    for target, onsets in (("user", [0.33]), ("any", [0.33, 0.65])):
        chosen = labeling.model_copy(update={"target": target})
        made = label_episodes(lazily(assignments("A")), loads, chosen).target_events
        table = made["train/show/A"]()
        assert table.columns.tolist() == ["onset", "offset", "speaker"]
        assert table["onset"].tolist() == onsets


def test_an_unknown_event_is_an_error_that_lists_the_labels() -> None:
    with pytest.raises(CorpusError, match=r"'laughter'.*Laughter, Words; .*also Repetitions"):
        label(assignments("A"), event="laughter")


def test_one_stream_has_no_user_to_tell() -> None:
    mono = assignments("mix", source="mono")
    assert label(mono)["train/show/mix"] == [2, 3, 6, 7]
    with pytest.raises(CorpusError, match=r"no speaker to tell.*use labeling\.target=any"):
        label(mono, target="user")


def test_the_log_gives_the_prevalence_by_split(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        label(assignments("A"))
    assert "train: 4 of 10 frames (40.000%); test: 4 of 10 frames" in caplog.text


def test_the_pipeline_makes_labels_from_events_alone() -> None:
    pipeline = create_pipeline()
    assert pipeline.inputs() == {"assignments", "events", "params:labeling"}
    assert pipeline.outputs() == {*("label_summary", "target_events", "onset_distances", "labels")}


def test_a_split_without_any_positive_frame_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    _log_prevalence(
        {
            "train": {"num_frames": 9, "num_positive": 1, "prevalence": 1 / 9},
            "test": {"num_frames": 9, "num_positive": 0, "prevalence": 0.0},
        },
        LabelingParams(event="Breath", target="any", shift_frames=1),
    )
    assert "no frame of test is before a Breath" in caplog.text
