"""Equal provenance means kept, different means made again: of the kinds that the change reaches."""

from typing import Any

import pandas as pd
import pytest

from acoustic_event_prediction.baselines.kinds import KINDS
from acoustic_event_prediction.baselines.provenance import (
    baseline_provenance,
    baseline_summary,
    summary_differences,
)
from tests.made import extraction_params, stream_params
from tests.speech_lm.test_provenance import ASSIGNMENT, EPISODE, OTHER_MIX, TABLES

LATER = TABLES | {"turns": TABLES["turns"].assign(onset=[0.0, 0.6])}
OTHER_WORDS = TABLES | {"words": TABLES["words"].assign(text=["hi", "me"])}
OTHER_LAUGH = TABLES | {"events": TABLES["events"].assign(onset=[0.2, 0.8])}


def provenance(
    *,
    tables: dict[str, pd.DataFrame] = TABLES,
    episode: Any = EPISODE,
    mimi: str = "one",
    settings: dict[str, Any] | None = None,
    mask_laughter: str = "both",
) -> dict[str, Any]:
    return baseline_provenance(
        *(ASSIGNMENT, episode, tables),
        kinds=KINDS,
        mimi={"sha256": mimi},
        settings=extraction_params(**settings or {}),
        streams=stream_params(mask_laughter=mask_laughter),
    )


@pytest.mark.parametrize(
    ("changes", "reached"),
    [
        ({"tables": LATER}, set(KINDS)),
        ({"tables": OTHER_LAUGH}, set(KINDS)),
        ({"episode": OTHER_MIX}, set(KINDS)),
        ({"mask_laughter": "none"}, set(KINDS)),
        ({"settings": {"dtype": "float32"}}, set(KINDS)),
        ({"settings": {"reset_every_seconds": 210}}, set(KINDS)),
        ({"mimi": "another"}, {"mimi_latents"}),
        ({"tables": OTHER_WORDS}, set()),
        ({"settings": {"text": "none"}}, set()),
        ({"settings": {"stream_order": "reference"}}, set()),
        ({"settings": {"precision": "bfloat16"}}, set()),
        ({"settings": {"chunk_frames": 7}}, set()),
    ],
)
def test_a_change_makes_outdated_what_it_reaches(
    changes: dict[str, Any], reached: set[str]
) -> None:
    before, after = provenance(), provenance(**changes)
    assert {kind for kind in KINDS if before[kind] != after[kind]} == reached


def test_no_two_kinds_are_taken_for_each_other() -> None:
    made = provenance()
    assert made.keys() == set(KINDS)
    assert all(made[a] != made[b] for a in KINDS for b in KINDS if a != b)


def test_stored_features_of_other_settings_are_told_from_the_wished_ones() -> None:
    settings, streams = extraction_params(), stream_params()
    summary = baseline_summary("mimi_latents", {"sha256": "one"}, settings, streams)
    assert summary_differences(summary, "mimi_latents", settings, streams) == []
    assert summary_differences(
        summary, "mimi_latents", settings, stream_params(mask_laughter="none")
    ) == ["streams.mask_laughter was 'both' and is 'none'"]
    other = summary_differences(summary, "energy", settings, streams)
    assert "kind was 'mimi_latents' and is 'energy'" in other
