"""Equal provenance means kept, different means encoded again."""

from typing import Any

import pandas as pd
import pytest

from acoustic_event_prediction.comparison import differences
from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.speech_lm.provenance import feature_provenance
from tests.made import audio_file, extraction_params, stream_params

EPISODE = Episode(
    episode_id="train/x",
    split="train",
    name="x",
    duration_seconds=1.0,
    num_frames=13,
    audio=audio_file(sha256="mix"),
    tracks={"A": audio_file(sha256="a"), "B": audio_file(sha256="b")},
    sources=("separated", "diarization", "mono"),
    transcript_unit_seconds=1e-7,
)
OTHER_MIX = EPISODE.model_copy(update={"audio": audio_file(sha256="new")})
ASSIGNMENT = Assignment(
    assignment_id="train/x/A",
    episode_id="train/x",
    user="A",
    systems=("B",),
    source="diarization",
    user_share=0.5,
    num_frames=13,
)
TABLES = {
    "turns": pd.DataFrame({"onset": [0.0, 0.5], "offset": [0.5, 1.0], "speaker": ["A", "B"]}),
    "words": pd.DataFrame(
        {"onset": [0.1, 0.6], "offset": [0.2, 0.7], "text": ["hi", "you"], "speaker": ["A", "B"]}
    ),
    "events": pd.DataFrame(
        {
            "onset": [0.3, 0.8],
            "offset": [0.4, 0.9],
            "label": ["Laughter", "Um"],
            "speaker": ["A", "B"],
        }
    ),
}


def provenance(
    *,
    settings: dict[str, Any] | None = None,
    tables: dict[str, pd.DataFrame] | None = None,
    episode: Episode = EPISODE,
    source: str = "diarization",
    mask_laughter: str = "both",
    checkpoint: str = "one",
) -> dict[str, Any]:
    return feature_provenance(
        ASSIGNMENT.model_copy(update={"source": source}),
        episode,
        TABLES | (tables or {}),
        checkpoint={"sha256": checkpoint},
        settings=extraction_params(**{"device": "auto"} | (settings or {})),
        streams=stream_params(mask_laughter=mask_laughter),
    )


def changed(table: str, row: int, column: str, value: object) -> dict[str, pd.DataFrame]:
    copy = TABLES[table].copy()
    copy.loc[row, column] = value
    return {table: copy}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"settings": {"stream_order": "reference"}}, ["feature_extraction.stream_order"]),
        ({"settings": {"text": "none"}}, ["episode.words", "feature_extraction.text"]),
        ({"settings": {"dtype": "float32"}}, ["feature_extraction.dtype"]),
        ({"checkpoint": "two"}, ["checkpoint.sha256"]),
        ({"mask_laughter": "system"}, ["streams.mask_laughter"]),
        ({"episode": OTHER_MIX}, ["episode.audio.mix"]),
        ({"tables": changed("turns", 1, "onset", 0.55)}, ["episode.turns"]),
        ({"tables": changed("words", 1, "text", "me")}, ["episode.words"]),
        ({"tables": changed("events", 0, "offset", 0.45)}, ["episode.laughs"]),
        # Neither speed nor what the streams don't hold makes other features.
        ({"settings": {"chunk_frames": 16, "device": "cpu"}}, []),
        ({"tables": changed("words", 0, "text", "ho")}, []),
        ({"tables": changed("events", 1, "onset", 0.85)}, []),
        ({"episode": EPISODE.model_copy(update={"tracks": {}})}, []),
    ],
)
def test_provenance_changes_with_what_the_features_depend_on_and_nothing_else(
    changes: dict[str, Any], expected: list[str]
) -> None:
    assert list(differences(provenance(), provenance(**changes))) == expected


def test_separated_tracks_do_not_depend_on_turns_or_the_mix() -> None:
    before = provenance(source="separated")
    assert before["episode"]["audio"] == {"A": "a", "B": "b"}
    turns = changed("turns", 1, "onset", 0.55)
    after = provenance(source="separated", episode=OTHER_MIX, tables=turns)
    assert differences(before, after) == {}
