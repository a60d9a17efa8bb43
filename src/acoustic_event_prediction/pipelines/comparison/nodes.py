"""Nodes of the comparison pipeline."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.pipelines.evaluation.comparing import Comparison, tabulate
from acoustic_event_prediction.pipelines.evaluation.score_tables import Partitions, ScoreColumns
from acoustic_event_prediction.pipelines.evaluation.scored_frames import SPLITS

logger = logging.getLogger(__name__)

OTHER = "other"
_REMEDY = (
    "; --params other_scores=... must be the folder `scores` of a run with the same episodes, "
    "splits, event, target, horizon and ignored frames"
)
_SHOWN = {
    "auprc": "AUPRC",
    "event_hit_rate": "hit rate of events",
    "event_false_alarms_per_hour": "false alarms per hour",
}
Tables = dict[str, Callable[[], pd.DataFrame]]


def pair_scores(
    scores: Partitions[pd.DataFrame], other_scores: Partitions[pd.DataFrame], shift_frames: int
) -> tuple[Tables, Tables]:
    """Return both predictors' tables at one horizon; nothing is read until it is used.

    Args:
        scores: of the predictor, see `score_frames`.
        other_scores: of the other one.
        shift_frames: the horizon; tables of several horizons give the columns of this one.

    Returns:
        For each partition of validation and test a table of the columns score, label and ignore:
        the predictor's, and the other's, which is refused on loading where its frames differ.

    Raises:
        ProjectError: the two are not of the same partitions.
    """
    ours, theirs = (
        {name for name in tables if name.partition("/")[0] in SPLITS}
        for tables in (scores, other_scores)
    )
    if ours != theirs:
        example = min(ours ^ theirs)
        owner = "only the predictor" if example in ours else "only the other"
        raise ProjectError(
            f"the predictor has scores of {len(ours)} partitions of validation and test, the other "
            f"of {len(theirs)}, and {len(ours & theirs)} are in both: {owner} has {example!r}"
            + _REMEDY
        )
    return (
        {name: partial(_at_horizon, name, scores[name], shift_frames) for name in sorted(ours)},
        {
            name: partial(_of_same_frames, name, scores[name], other_scores[name], shift_frames)
            for name in sorted(ours)
        },
    )


def tabulate_comparison(metrics: Mapping[str, Any], comparison: Comparison) -> pd.DataFrame:
    """Return two rows per split: the predictor, then the other with the differences.

    Args:
        metrics: of the predictor.
        comparison: of the other, see `compare_with_predictor`.
    """
    table = tabulate(metrics, {OTHER: comparison})
    for split, rows in table.groupby("split", sort=False):
        ours, other = rows.iloc[0], rows.iloc[1]
        for name, shown in _SHOWN.items():
            logger.info(
                "%s: %s %.4g, the other %.4g: difference %s",
                *(split, shown, ours[name], other[name]),
                _difference(other, f"{name}_difference"),
            )
    return table


def _difference(row: "pd.Series[Any]", name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if np.isnan(low):
        return f"{row[name]:.4g} (no interval)"
    verdict = "" if low > 0 or high < 0 else "; it holds 0"
    return f"{row[name]:.4g} (95 % {low:.4g} to {high:.4g}{verdict})"


def _of_same_frames(
    name: str,
    load_ours: Callable[[], pd.DataFrame],
    load_theirs: Callable[[], pd.DataFrame],
    horizon: int,
) -> pd.DataFrame:
    ours, theirs = (_at_horizon(name, load, horizon) for load in (load_ours, load_theirs))
    if len(ours) != len(theirs):
        raise ProjectError(
            f"{name!r} has {len(ours)} frames of the predictor and {len(theirs)} of the other"
            + _REMEDY
        )
    for column in ("label", "ignore"):
        if not np.array_equal(ours[column], theirs[column]):
            first = int(np.argmax(ours[column].to_numpy() != theirs[column].to_numpy()))
            raise ProjectError(
                f"{name!r}: the predictor and the other differ in {column!r}, first in frame "
                f"{first}" + _REMEDY
            )
    if not np.isfinite(theirs["score"].to_numpy(np.float64)).all():
        raise ProjectError(f"{name!r}: the other has scores that are not finite" + _REMEDY)
    return theirs


def _at_horizon(name: str, load: Callable[[], pd.DataFrame], horizon: int) -> pd.DataFrame:
    table = load()
    main, numbered = ScoreColumns(), ScoreColumns.of(horizon)
    source = numbered if numbered.score in table.columns else main
    missing = {source.score, source.label, "ignore"} - {*table.columns}
    if missing:
        raise ProjectError(f"{name!r} lacks the columns {sorted(missing)}" + _REMEDY)
    return pd.DataFrame(
        {
            main.score: table[source.score],
            main.label: table[source.label],
            "ignore": table["ignore"],
        }
    )
