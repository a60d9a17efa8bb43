"""What features are made from, as JSON: where it is equal, stored features can be used again."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from acoustic_event_prediction.comparison import describe_differences
from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.laughter import is_laughter
from acoustic_event_prediction.params import FeatureExtractionParams

# Of the provenance; another number makes all stored features outdated.
FORMAT = 2


def feature_provenance(
    assignment: Assignment,
    episode: Episode,
    tables: Mapping[str, pd.DataFrame],
    *,
    checkpoint: Mapping[str, Any],
    settings: FeatureExtractionParams,
    streams: StreamParams,
) -> dict[str, Any]:
    """Return all that the features of an assignment depend on, and nothing that they don't.

    `checkpoint`, `streams` and `feature_extraction` are the same for a whole corpus; `episode` is
    this one's.

    Args:
        assignment: who is user and system.
        episode: its audio, by content.
        tables: `turns`, `words` and `events` of the episode.
        checkpoint: identity of the model files.
        settings: with their precision decided; of these, chunk_frames and device change no feature
            but by rounding and are left out.
        streams: of these, only mask_laughter reaches the features but through the assignment.
    """
    facts = stream_facts(assignment, episode, tables, streams)
    if settings.text != "none" and assignment.systems:
        words = tables["words"]
        facts["words"] = _digest(words[words["speaker"].isin(assignment.systems)])
    return {**common_provenance(checkpoint, settings, streams), "episode": facts}


def stream_facts(
    assignment: Assignment,
    episode: Episode,
    tables: Mapping[str, pd.DataFrame],
    streams: StreamParams,
) -> dict[str, Any]:
    """Return all that the two audio streams of an assignment depend on.

    Args:
        assignment: who is user and system.
        episode: its audio, by content.
        tables: `turns` and `events` of the episode.
        streams: of these, only mask_laughter reaches the streams but through the assignment.
    """
    separated = assignment.source == "separated"
    audio = episode.tracks if separated else {"mix": episode.audio}
    speakers = [assignment.user, *assignment.systems]
    turns, events = tables["turns"], tables["events"]
    facts: dict[str, Any] = {
        "source": assignment.source,
        "user": assignment.user,
        "systems": list(assignment.systems),
        "num_frames": assignment.num_frames,
        "audio": {name: audio[name].sha256 for name in sorted(audio)},
    }
    if assignment.source == "diarization":
        facts["turns"] = _digest(turns[turns["speaker"].isin(speakers)])
    if streams.mask_laughter != "none":
        facts["laughs"] = _digest(events.loc[is_laughter(events["label"]), ["onset", "offset"]])
    return facts


def common_provenance(
    checkpoint: Mapping[str, Any], settings: FeatureExtractionParams, streams: StreamParams
) -> dict[str, Any]:
    """Return what all features of a corpus have in common; a predictor needs features of its own.

    Args:
        checkpoint: identity of the model files.
        settings: parameters of the extraction.
        streams: parameters of the streams.
    """
    return {
        "format": FORMAT,
        "checkpoint": dict(checkpoint),
        "streams": {"mask_laughter": streams.mask_laughter},
        "feature_extraction": settings.model_dump(exclude={"chunk_frames", "device"}),
    }


def setting_differences(
    summary: Mapping[str, Any], settings: FeatureExtractionParams, streams: StreamParams
) -> list[str]:
    """Return how stored features differ from what the settings would make, one text per setting.

    Args:
        summary: what the features have in common, as `common_provenance` gave it.
        settings: parameters of the extraction; `precision: auto` agrees with either.
        streams: parameters of the streams.
    """
    wanted = common_provenance({}, settings, streams)
    if settings.precision == "auto":
        del wanted["feature_extraction"]["precision"]
    stored = {
        group: {name: summary[group].get(name) for name in wanted[group]}
        for group in ("feature_extraction", "streams")
    }
    return describe_differences(stored, {group: wanted[group] for group in stored})


def _digest(table: pd.DataFrame) -> str:
    rows = [list(row) for row in table.itertuples(index=False)]
    text = json.dumps(rows, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
