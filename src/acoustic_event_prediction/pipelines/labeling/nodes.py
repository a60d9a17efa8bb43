"""Nodes of the labeling pipeline."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from acoustic_event_prediction.corpus.records import Assignment
from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.labels import label_within, onset_distances
from acoustic_event_prediction.params import LabelingParams

logger = logging.getLogger(__name__)

_MAX_LISTED = 50

Labels = dict[str, Callable[[], npt.NDArray[np.int8]]]
Distances = dict[str, Callable[[], npt.NDArray[np.int16]]]
Tables = dict[str, Callable[[], pd.DataFrame]]


class LabelingResult(NamedTuple):
    """What the labels are, the events, the frames to the next one, and the labels; so saved."""

    label_summary: dict[str, Any]
    target_events: Tables
    onset_distances: Distances
    labels: Labels


def label_episodes(
    assignments: Mapping[str, Callable[[], dict[str, Any]]],
    events: Mapping[str, Callable[[], pd.DataFrame]],
    labeling: LabelingParams,
) -> LabelingResult:
    """Label the frames of every assignment; the arrays are made when the catalog saves them.

    Args:
        assignments: records by assignment id.
        events: tables by episode id.
        labeling: which event, whose, and how far ahead.

    Returns:
        The settings with counts per split, and by assignment id callables: one gives the table of
        the predicted events (onset, offset in seconds, speaker; by onset), one int16 [T], the
        frames to the next onset, one int8 [T], the labels at `shift_frames`.

    Raises:
        CorpusError: no event in the corpus has the label, or `target: user` without users.
    """
    records = [Assignment.model_validate(load()) for load in assignments.values()]
    _check_users(records, labeling.target)
    wanted = {item.episode_id for item in records}
    tables = {episode_id: load() for episode_id, load in events.items() if episode_id in wanted}
    chosen = _choose_events(tables, labeling.event)
    distances: Distances = {}
    targets: Tables = {}
    for item in records:
        table = chosen[item.episode_id]
        if labeling.target == "user":
            table = table[table["speaker"] == item.user]
        targets[item.assignment_id] = partial(_target_table, table)
        onsets = table["onset"].to_numpy(dtype=np.float64)
        distances[item.assignment_id] = partial(onset_distances, onsets, item.num_frames)
    labels: Labels = {
        name: partial(_label, make, labeling.shift_frames) for name, make in distances.items()
    }
    summary = {"labeling": labeling.model_dump(), "splits": _count(labels)}
    _log_prevalence(summary["splits"], labeling)
    return LabelingResult(summary, targets, distances, labels)


def _target_table(table: pd.DataFrame) -> pd.DataFrame:
    columns = ["onset", "offset", "speaker"]
    return table[columns].sort_values(columns[:2], kind="stable", ignore_index=True)


def _label(
    make_distances: Callable[[], npt.NDArray[np.int16]], shift_frames: int
) -> npt.NDArray[np.int8]:
    return label_within(make_distances(), shift_frames)


def _check_users(records: list[Assignment], target: str) -> None:
    mono = [item.episode_id for item in records if item.source == "mono"]
    if target == "user" and mono:
        raise CorpusError(
            f"labeling.target=user, but {len(mono)} episodes are one stream, in which there is no "
            f"speaker to tell, the first: {mono[0]}; use labeling.target=any, or add diarizations"
        )


def _choose_events(tables: Mapping[str, pd.DataFrame], event: str) -> dict[str, pd.DataFrame]:
    """Return the events of one label, of the full vocabulary if the other does not have it."""
    names: dict[str, set[str]] = {}
    for column in ("label", "label_full"):
        names[column] = {name for table in tables.values() for name in table[column]}
        if event in names[column]:
            return {key: table[table[column] == event] for key, table in tables.items()}
    more = names["label_full"] - names["label"]
    raise CorpusError(
        f"labeling.event={event!r} occurs nowhere in the corpus; its labels are "
        f"{_listed(names['label']) or 'none'}"
        f"{'; in the full vocabulary also ' + _listed(more) if more else ''}"
    )


def _listed(names: Collection[str]) -> str:
    """Return names by alphabet; where each sentence is a label there are thousands."""
    hidden = len(names) - _MAX_LISTED
    shown = ", ".join(sorted(names)[:_MAX_LISTED])
    return f"{shown} and {hidden} more" if hidden > 0 else shown


def _count(labels: Labels) -> dict[str, dict[str, float]]:
    frames: Counter[str] = Counter()
    positives: Counter[str] = Counter()
    for assignment_id, make in labels.items():
        split, array = assignment_id.partition("/")[0], make()
        frames[split] += len(array)
        positives[split] += int(array.sum())
    return {
        split: {
            "num_frames": total,
            "num_positive": positives[split],
            "prevalence": positives[split] / total,
        }
        for split, total in frames.items()
    }


def _log_prevalence(splits: Mapping[str, Mapping[str, float]], labeling: LabelingParams) -> None:
    summary = "; ".join(
        f"{split}: {n['num_positive']} of {n['num_frames']} frames ({n['prevalence']:.3%})"
        for split, n in splits.items()
    )
    logger.info("%s within %d frames: %s", labeling.event, labeling.shift_frames, summary)
    empty = [split for split, counts in splits.items() if not counts["num_positive"]]
    if empty:
        logger.warning(
            "no frame of %s is before a %s: nothing can be learnt or measured there",
            *(" and ".join(empty), labeling.event),
        )
