"""Nodes that put the baselines beside the predictor: one table, its figure, the report's rows."""

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from acoustic_event_prediction.figures_baselines import baselines_figure
from acoustic_event_prediction.params import EvaluationParams
from acoustic_event_prediction.pipelines.evaluation.comparing import (
    PREDICTOR,
    Comparison,
    tabulate,
)
from acoustic_event_prediction.pipelines.evaluation.reporting import measured_with
from acoustic_event_prediction.pipelines.evaluation.scored_frames import SPLITS, PooledScores
from acoustic_event_prediction.report.baseline_table import BaselineRow, Baselines

logger = logging.getLogger(__name__)


def tabulate_baselines(metrics: Mapping[str, Any], **comparisons: Comparison) -> pd.DataFrame:
    """Return one row per split and system, the predictor first, then the baselines.

    Args:
        metrics: of the predictor.
        comparisons: of each baseline, by its name.
    """
    table = tabulate(metrics, comparisons)
    for row in table.itertuples():
        logger.info(
            "%s, %s: AUPRC / prevalence %.3g, hit rate %.3g at %.3g false alarms per hour",
            *(row.split, row.name, row.auprc_over_prevalence),
            *(row.event_hit_rate, row.event_false_alarms_per_hour),
        )
    return table


def report_baselines(
    baseline_table: pd.DataFrame, pooled_scores: PooledScores, params: EvaluationParams
) -> Baselines:
    """Return what the report shows of the table, with the fingerprint of the scores beside it.

    Args:
        baseline_table: see `tabulate_baselines`.
        pooled_scores: of the predictor.
        params: that all were measured with.
    """
    columns = {
        "event_hit_rate": "hit_rate",
        "event_false_alarms_per_hour": "false_alarms_per_hour",
    }
    shown = [name for name in BaselineRow.__annotations__ if name != "undefined"]
    rows = []
    for record in baseline_table.rename(columns=columns).reindex(columns=shown).to_dict("records"):
        row: Any = {name: None if pd.isna(value) else value for name, value in record.items()}
        is_predictor = row["name"] == PREDICTOR
        row["undefined"] = {
            name: "it is the predictor itself" if is_predictor else "see its metrics.json"
            for name, value in row.items()
            if value is None and not name.endswith(("_low", "_high"))
        }
        rows.append(row)
    return Baselines(
        fingerprint=pooled_scores.fingerprint(), evaluation=measured_with(params), rows=rows
    )


def plot_baselines(baseline_table: pd.DataFrame) -> Figure:
    """Draw AUPRC over prevalence of all systems on test, or on validation without a test split."""
    splits = set(baseline_table["split"])
    rows = baseline_table[baseline_table["split"] == ("test" if "test" in splits else SPLITS[0])]
    name = "auprc_over_prevalence"
    return baselines_figure(
        pd.DataFrame(
            {
                "name": rows["name"].str.replace("_", " "),
                "value": rows[name],
                "low": rows[f"{name}_low"],
                "high": rows[f"{name}_high"],
            }
        ).reset_index(drop=True)
    )
