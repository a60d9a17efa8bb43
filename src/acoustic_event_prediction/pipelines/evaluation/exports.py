"""Nodes that write predictions for other tools: tables, Audacity labels, Praat TextGrids."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from acoustic_event_prediction.alarms import find_alarms
from acoustic_event_prediction.annotations import COLUMNS, AnnotationTiers, as_labels, disjoint_tier
from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.frames import start_of
from acoustic_event_prediction.pipelines.evaluation.measuring import (
    AlarmPoint,
    OperatingPoint,
    alarm_rule,
)
from acoustic_event_prediction.pipelines.evaluation.score_tables import Partitions

Tables = dict[str, Callable[[], pd.DataFrame]]


class Predictions(NamedTuple):
    """The same tables, once for each format."""

    predictions: Tables
    predictions_csv: Tables


class Annotations(NamedTuple):
    """The same spans, once for Praat and once for Audacity."""

    textgrids: dict[str, Callable[[], AnnotationTiers]]
    audacity_labels: Tables


def export_predictions(scores: Partitions[pd.DataFrame]) -> Predictions:
    """Return one table per episode, the frames of its users one after another.

    Args:
        scores: tables by `<split>/<episode>/<user>`; see `score_frames`.
    """
    tables: Tables = {
        episode_id: partial(_join, [scores[name] for name in names])
        for episode_id, names in by_episode(scores).items()
    }
    return Predictions(tables, {name: partial(_exact, load) for name, load in tables.items()})


def export_annotations(
    scores: Partitions[pd.DataFrame],
    target_events: Partitions[pd.DataFrame],
    episodes: Partitions[dict[str, Any]],
    operating_point: OperatingPoint,
    label_summary: Mapping[str, Any],
) -> Annotations:
    """Return the true events and the alarms of each episode as tiers, to be seen beside the audio.

    A tier `<event> <speaker>` holds the events of one speaker, a tier `alarm <user>` the alarms for
    one user: from the frame in which a live system raises it to the end of its run, with the
    highest score. Without an alarm rule there are no alarm tiers.

    Args:
        scores: tables by `<split>/<episode>/<user>`; see `score_frames`.
        target_events: the true events, by the same ids.
        episodes: records by episode id.
        operating_point: of it, the alarm rule.
        label_summary: which event is predicted.
    """
    event, point = label_summary["labeling"]["event"], operating_point["alarms"]
    textgrids: dict[str, Callable[[], AnnotationTiers]] = {
        episode_id: partial(
            _annotate,
            *(episodes[episode_id], event, point),
            {name.rpartition("/")[2]: (scores[name], target_events[name]) for name in names},
        )
        for episode_id, names in by_episode(scores).items()
    }
    labels: Tables = {name: partial(_as_labels, make) for name, make in textgrids.items()}
    return Annotations(textgrids, labels)


def _as_labels(make: Callable[[], AnnotationTiers]) -> pd.DataFrame:
    return as_labels(make())


def by_episode(partitions: Partitions[pd.DataFrame]) -> dict[str, list[str]]:
    """Return the ids of the partitions of each episode, all sorted."""
    grouped: dict[str, list[str]] = {}
    for name in sorted(partitions):
        grouped.setdefault(name.rpartition("/")[0], []).append(name)
    return grouped


def _join(loads: list[Callable[[], pd.DataFrame]]) -> pd.DataFrame:
    return pd.concat([load() for load in loads], ignore_index=True)


def _exact(load: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Return the table with float64 scores.

    Written as text, a float32 has fewer digits than the threshold that was chosen among them, and
    read back the score that is the threshold would lie beside it.
    """
    table = load()
    return table.astype({name: np.float64 for name in table.columns if name.startswith("score")})


_Loads = tuple[Callable[[], pd.DataFrame], Callable[[], pd.DataFrame]]


def _annotate(
    load_episode: Callable[[], dict[str, Any]],
    event: str,
    point: AlarmPoint | None,
    users: Mapping[str, _Loads],
) -> AnnotationTiers:
    duration = Episode.model_validate(load_episode()).duration_seconds
    loaded = {user: (scores(), events()) for user, (scores, events) in users.items()}
    # Every user's partition holds the same events, or the user's own.
    truth = pd.concat([events for _, events in loaded.values()]).drop_duplicates()
    truth = truth.assign(speaker=truth["speaker"].fillna("unknown"), text=event)
    tiers = {
        f"{event} {speaker}": disjoint_tier(rows[list(COLUMNS)], duration)
        for speaker, rows in truth.groupby("speaker", sort=True)
    }
    if point is not None:
        for user, (scores, _) in loaded.items():
            tiers[f"alarm {user}"] = disjoint_tier(_alarm_spans(scores, point), duration)
    return AnnotationTiers(duration, tiers)


def _alarm_spans(table: pd.DataFrame, point: AlarmPoint) -> pd.DataFrame:
    scores = table["score"].to_numpy(np.float64)
    alarms = find_alarms(scores, table["ignore"].to_numpy(), [0, len(table)], alarm_rule(point))
    peaks = [
        f"{scores[begin:end].max():.3f}"
        for begin, end in zip(alarms.begin, alarms.end, strict=True)
    ]
    return pd.DataFrame(
        {"onset": start_of(alarms.decided), "offset": start_of(alarms.end), "text": peaks}
    )
