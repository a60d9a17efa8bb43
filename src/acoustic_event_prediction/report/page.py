"""The page itself: what it says about a run, put into the template."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

from acoustic_event_prediction.models.predictor_header import PredictorHeader
from acoustic_event_prediction.report.baseline_table import BaselineRow, baseline_table
from acoustic_event_prediction.report.browser import BrowserSettings, ErrorEntry
from acoustic_event_prediction.report.cells import (
    checkpoint_text,
    event_text,
    horizon_text,
    number,
    rule_text,
)
from acoustic_event_prediction.report.fingerprint import FINGERPRINT_OF
from acoustic_event_prediction.report.metric_tables import (
    event_table,
    frame_tables,
    headline_table,
    horizon_table,
    unit_sentences,
)
from acoustic_event_prediction.report.sound_format import data_uri
from acoustic_event_prediction.report.strips import HEIGHT, WIDTH
from acoustic_event_prediction.report.templates import load_template

SAMPLE = "sample"
# By the name of the figure: its title, and what it shows.
FIGURES = {
    "roc_curve": (
        "ROC curve",
        "Recall against the share of negative frames with a score as high; chance is the diagonal.",
    ),
    "pr_curve": (
        "Precision-recall curve",
        "Precision against recall of frames; chance is the prevalence.",
    ),
    "confusion_matrix": ("Confusion matrix", "Frames by truth and decision at the threshold."),
    "reliability": (
        "Reliability",
        "Share of positive frames against the score, in bins of as many frames each.",
    ),
    "score_histogram": ("Scores", "Scores of the positive and of the negative frames."),
    "lead_times": ("Lead times", "How long before its onset an announced event was announced."),
    "score_track": (
        "Score track",
        "The 30 s that hold most events: scores, events, alarms, speakers and words.",
    ),
}


@dataclass(frozen=True)
class RunFacts:
    """What the page says about a run beside its numbers.

    Attributes:
        corpus: name of the evaluated corpus.
        labeling: event, target and shift_frames of the labels.
        features: what the evaluated features have in common: checkpoint and settings.
        evaluation: parameters of the evaluation.
        fingerprint: of labels and scores.
        written: when.
    """

    corpus: str
    labeling: Mapping[str, Any]
    features: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    fingerprint: str
    written: datetime


@dataclass(frozen=True)
class ErrorSection:
    """The error browser.

    Attributes:
        split: whose errors.
        threshold: of alarms; None without an alarm rule.
        undefined: why there is no alarm rule.
        entries: the worst first.
        settings: how much is shown.
    """

    split: str
    threshold: float | None
    undefined: str | None
    entries: Sequence[ErrorEntry]
    settings: BrowserSettings


def render_page(
    run: RunFacts,
    header: PredictorHeader,
    metrics: Mapping[str, Any],
    figures: Mapping[str, bytes],
    errors: ErrorSection,
    baselines: Sequence[BaselineRow] | None = None,
) -> str:
    """Return the page: HTML that loads nothing and shows every name as text.

    Args:
        run: what was run.
        header: of the predictor.
        metrics: what `metrics.json` holds.
        figures: PNG files by the names in `FIGURES`; those that are absent are not shown.
        errors: the error browser.
        baselines: rows of simpler systems; None: the page says how to make them.
    """
    shown = [name for name in FIGURES if name in figures]
    return load_template("template.html.j2").render(
        title=f"{run.labeling['event']} in {run.corpus}",
        is_sample=run.corpus == SAMPLE,
        facts=_facts(run, header, metrics["operating_point"]),
        settings=_settings(run, header),
        headline=headline_table(metrics),
        units=unit_sentences(metrics),
        frame_tables=frame_tables(metrics),
        event_table=event_table(metrics),
        horizons=horizon_table(metrics, run.labeling["shift_frames"]),
        figures=[(*FIGURES[name], data_uri("image/png", figures[name])) for name in shown],
        baselines=None if baselines is None else baseline_table(baselines),
        errors=errors,
        episodes=sorted({entry.episode_id for entry in errors.entries}),
        num_with_sound=sum(entry.snippet.uri is not None for entry in errors.entries),
        threshold=None if errors.threshold is None else number(errors.threshold),
        strip_width=WIDTH,
        strip_height=HEIGHT,
    )


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted names and values as JSON.

    >>> list(flatten({"a": {"b": None}, "c": (1, 2)}))
    [('a.b', 'null'), ('c', '[1, 2]')]
    """
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", json.dumps(value, ensure_ascii=False)


def _facts(
    run: RunFacts, header: PredictorHeader, point: Mapping[str, Any]
) -> list[tuple[str, str]]:
    shift = run.labeling["shift_frames"]
    return [
        ("Corpus", run.corpus),
        ("Trained on", header.corpus),
        ("Event", event_text(run.labeling["event"], run.labeling["target"])),
        ("Horizon", horizon_text(shift)),
        ("Threshold of frames", f"{number(point['threshold'])}, {_origin(point)}"),
        ("Alarms", _alarm_text(point)),
        ("Checkpoint", checkpoint_text(run.features)),
        (
            "Package",
            f"{version('acoustic-event-prediction')}, trained with {header.package_version}",
        ),
        ("Written", f"{run.written:%Y-%m-%d %H:%M %Z}"),
        ("Labels and scores", run.fingerprint),
    ]


def _origin(point: Mapping[str, Any]) -> str:
    if point["metric"] is None:
        return "as set"
    return f"best on validation for {point['metric']}: {number(point['value'])}"


def _alarm_text(point: Mapping[str, Any]) -> str:
    alarms = point["alarms"]
    if alarms is None:
        return f"no rule: {point['alarms_undefined']}"
    return f"{rule_text(alarms)}; {_origin(alarms)}"


def _settings(run: RunFacts, header: PredictorHeader) -> list[tuple[str, list[tuple[str, str]]]]:
    network = header.model_dump(mode="json", include={"classifier", "is_standardized", "horizons"})
    groups: dict[str, Mapping[str, Any]] = {
        "Training": {**header.training, **network},
        "Choice of users and streams": header.streams,
        "Features and checkpoint": run.features,
        "Evaluation": run.evaluation,
        "Fingerprint": {"of": FINGERPRINT_OF},
    }
    return [(title, list(flatten(values))) for title, values in groups.items()]
