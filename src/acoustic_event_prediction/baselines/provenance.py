"""What baseline features are made from, as JSON; as `speech_lm.provenance` has it for Moshi's."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from acoustic_event_prediction.baselines.kinds import BaselineKind, describe_kind
from acoustic_event_prediction.comparison import describe_differences
from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.params import FeatureExtractionParams
from acoustic_event_prediction.speech_lm.provenance import stream_facts

_FORMAT = 1
# Of the extraction's settings, those that reach a baseline; Mimi is float32 everywhere.
_SETTINGS = {"dtype", "reset_every_seconds"}


def baseline_provenance(
    assignment: Assignment,
    episode: Episode,
    tables: Mapping[str, pd.DataFrame],
    *,
    kinds: Iterable[BaselineKind],
    mimi: Mapping[str, Any],
    settings: FeatureExtractionParams,
    streams: StreamParams,
) -> dict[str, Any]:
    """Return, by kind, all that the features of an assignment depend on.

    Args:
        assignment: who is user and system.
        episode: its audio, by content.
        tables: `turns` and `events` of the episode.
        kinds: of the features.
        mimi: identity of Mimi's files.
        settings: parameters of the extraction.
        streams: parameters of the streams.
    """
    facts = stream_facts(assignment, episode, tables, streams)
    return {
        kind: {**baseline_summary(kind, mimi, settings, streams), "episode": facts}
        for kind in kinds
    }


def baseline_summary(
    kind: BaselineKind,
    mimi: Mapping[str, Any],
    settings: FeatureExtractionParams,
    streams: StreamParams,
) -> dict[str, Any]:
    """Return what all features of a kind and corpus have in common.

    Args:
        kind: of the features.
        mimi: identity of Mimi's files; part of the summary where the kind needs Mimi.
        settings: parameters of the extraction.
        streams: parameters of the streams.
    """
    summary = {
        "format": _FORMAT,
        "kind": kind,
        "baseline": describe_kind(kind),
        "streams": {"mask_laughter": streams.mask_laughter},
        "feature_extraction": settings.model_dump(include=_SETTINGS),
    }
    if kind == "mimi_latents":
        summary["checkpoint"] = dict(mimi)
    return summary


def summary_differences(
    summary: Mapping[str, Any],
    kind: BaselineKind,
    settings: FeatureExtractionParams,
    streams: StreamParams,
) -> list[str]:
    """Return how stored features differ from what the settings would make, one text per setting.

    Args:
        summary: what the features have in common, as `baseline_summary` gave it.
        kind: that the features should be of.
        settings: parameters of the extraction.
        streams: parameters of the streams.
    """
    wanted = baseline_summary(kind, {}, settings, streams)
    wanted.pop("checkpoint", None)
    return describe_differences({name: summary.get(name) for name in wanted}, wanted)
