"""The node that writes the report; what it shows is made in `report/`."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from acoustic_event_prediction.audio_spans import Recording
from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.params import EvaluationParams
from acoustic_event_prediction.pipelines.evaluation.measuring import (
    OperatingPoint,
    find_split_alarms,
)
from acoustic_event_prediction.pipelines.evaluation.nodes import Metrics
from acoustic_event_prediction.pipelines.evaluation.score_tables import Partitions
from acoustic_event_prediction.pipelines.evaluation.scored_frames import (
    EvaluatedSplit,
    PooledScores,
)
from acoustic_event_prediction.report.baseline_table import BaselineRow, Baselines
from acoustic_event_prediction.report.browser import (
    BrowserSettings,
    EvaluatedFrames,
    browse_errors,
)
from acoustic_event_prediction.report.page import ErrorSection, RunFacts, render_page

logger = logging.getLogger(__name__)
_BASELINES = TypeAdapter(Baselines)


def write_report(
    pooled_scores: PooledScores,
    operating_point: OperatingPoint,
    metrics: Metrics,
    predictor: Predictor,
    label_summary: Mapping[str, Any],
    feature_summary: Mapping[str, Any],
    target_events: Partitions[pd.DataFrame],
    words: Partitions[pd.DataFrame],
    audio: Mapping[str, Recording],
    params: EvaluationParams,
    corpus: str,
    baselines: Any,
    **figures: bytes,
) -> str:
    """Return the report as one HTML page that needs no other file and no network.

    Args:
        pooled_scores: see `pool_scores`.
        operating_point: threshold and alarm rule.
        metrics: see `compute_metrics`.
        predictor: whose scores they are.
        label_summary: which event is predicted.
        feature_summary: checkpoint and settings that the features are made with.
        target_events: events by partition id.
        words: tables by episode id.
        audio: recordings of the raw corpus; decoded one episode at a time, as far as needed.
        params: of it, how much of the errors is shown; all of it is listed.
        corpus: name of the evaluated corpus.
        baselines: simpler systems; None: there are none yet.
        figures: PNG files by the names in `page.FIGURES`.
    """
    fingerprint = pooled_scores.fingerprint()
    run = RunFacts(
        corpus=corpus,
        labeling=label_summary["labeling"],
        features=feature_summary,
        evaluation=params.model_dump(mode="json"),
        fingerprint=fingerprint,
        written=datetime.now(UTC),
    )
    errors = _errors(pooled_scores, operating_point, target_events, words, audio, params)
    rows = None if baselines is None else _current_rows(baselines, fingerprint, params)
    return render_page(run, predictor.header, metrics, figures, errors, rows)


def measured_with(params: EvaluationParams) -> dict[str, Any]:
    """Return the settings that decide what is measured; those of the report do not."""
    return params.model_dump(mode="json", exclude={"report"})


def _current_rows(
    baselines: Any, fingerprint: str, params: EvaluationParams
) -> list[BaselineRow] | None:
    """Return the rows if they were measured beside these scores and with these settings."""
    try:
        found = _BASELINES.validate_python(baselines)
    except ValidationError as error:
        raise ProjectError(
            f"the baselines' results (baselines.json, beside the report) are damaged: "
            f"{error.error_count()} values are not as expected, the first: "
            f"{'.'.join(map(str, error.errors()[0]['loc']))}; delete the file, or run `kedro run "
            "--pipelines baselines`"
        ) from error
    now = {"fingerprint": fingerprint, "evaluation": measured_with(params)}
    then = {"fingerprint": found["fingerprint"], "evaluation": found["evaluation"]}
    if now != then:
        logger.warning(
            "the baselines were measured beside other scores or with other evaluation settings, so "
            "the report leaves them out; run `kedro run --pipelines baselines` to measure them "
            "again"
        )
        return None
    return found["rows"]


def _errors(
    pooled_scores: PooledScores,
    operating_point: OperatingPoint,
    target_events: Partitions[pd.DataFrame],
    words: Partitions[pd.DataFrame],
    audio: Mapping[str, Recording],
    params: EvaluationParams,
) -> ErrorSection:
    split: EvaluatedSplit = "test" if "test" in pooled_scores.splits else "validation"
    settings, point = BrowserSettings(**params.report.model_dump()), operating_point["alarms"]
    if point is None:
        return ErrorSection(split, None, operating_point["alarms_undefined"], [], settings)
    loaded = pooled_scores.splits[split]
    evaluated = EvaluatedFrames(
        partition_ids=loaded.partition_ids,
        frames=loaded.events,
        alarms=find_split_alarms(loaded, point),
        threshold=point["threshold"],
        horizon=pooled_scores.shift_frames,
    )
    entries = browse_errors(evaluated, target_events, words, audio, settings)
    return ErrorSection(split, point["threshold"], None, entries, settings)
