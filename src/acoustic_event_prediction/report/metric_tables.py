"""The tables of `metrics.json`: a row per metric, a column per split."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from acoustic_event_prediction.report.cells import (
    Cell,
    Row,
    Table,
    horizon_text,
    interval_text,
    number,
    undefined_cell,
    value_cell,
)

_SPLITS = ("validation", "test")
_SCORES = {
    "num_frames": "frames that count",
    "num_positive": "positive frames",
    "num_ignored": "ignored frames",
    "prevalence": "prevalence",
    "auprc": "AUPRC (average precision)",
    "auprc_over_prevalence": "AUPRC / prevalence",
    "auroc": "AUROC",
    "brier_score": "Brier score",
    "calibration_error": "calibration error, bins of equal width",
    "calibration_error_quantile": "calibration error, bins of equal mass",
}
_DECISIONS = {
    "threshold": "threshold",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "youden_j": "Youden's J",
    "mcc": "Matthews' correlation",
}
_CONFUSION = {
    "true_positive": "true positives",
    "false_positive": "false positives",
    "false_negative": "false negatives",
    "true_negative": "true negatives",
}
_EVENTS = {
    "num_events": "events",
    "num_unreachable": "events without a frame before them that counts",
    "num_hits": "events announced",
    "num_alarms": "alarms",
    "num_repeated_alarms": "alarms repeated",
    "num_false_alarms": "false alarms",
    "hours": "hours",
    "hit_rate": "hit rate",
    "precision": "precision",
    "f1": "F1",
    "false_alarms_per_hour": "false alarms per hour",
    "num_reachable_first": "first events of a bout",
    "num_hits_first": "announced of the first",
    "hit_rate_first": "hit rate of the first",
    "num_reachable_following": "following events of a bout",
    "num_hits_following": "announced of the following",
    "hit_rate_following": "hit rate of the following",
}
_LEADS = {
    "mean": "mean",
    "min": "shortest",
    "quartile_1": "first quartile",
    "median": "median",
    "quartile_3": "third quartile",
    "max": "longest",
}
_COLLAR = {"num_matched": "matched", "precision": "precision", "recall": "recall", "f1": "F1"}


@dataclass(frozen=True)
class _Split:
    """Metrics of one split, and why it has no event metrics if it has none."""

    metrics: Mapping[str, Any]
    no_events: str | None

    def frame(self, name: str) -> Cell:
        intervals = self.metrics["intervals"]
        cell = value_cell(self.metrics, name, self.metrics["undefined"])
        if cell.reason or name not in intervals:
            return cell
        return Cell(cell.text, interval_text(intervals[name], intervals["undefined"].get(name)))

    def at_half(self, name: str) -> Cell:
        return value_cell(self.metrics["at_0.5"], name, self.metrics["at_0.5"]["undefined"])

    def event(self, name: str) -> Cell:
        events = self.metrics["events"]
        if events is None:
            return undefined_cell(self.no_events)
        cell = value_cell(events, name, events["undefined"])
        return self._with_event_interval(cell, name)

    def lead_time(self, name: str) -> Cell:
        events = self.metrics["events"]
        if events is None:
            return undefined_cell(self.no_events)
        if events["lead_time_seconds"] is None:
            return undefined_cell(events["undefined"].get("lead_time_seconds"))
        cell = Cell(number(events["lead_time_seconds"][name]))
        return self._with_event_interval(cell, f"{name}_lead_time_seconds")

    def collar(self, name: str, *, collar: str) -> Cell:
        events = self.metrics["events"]
        if events is None:
            return undefined_cell(self.no_events)
        reasons = {name: events["undefined"].get(f"collars.{collar}.{name}")}
        return value_cell(events["collars"][collar], name, reasons)

    def _with_event_interval(self, cell: Cell, name: str) -> Cell:
        intervals = self.metrics["events"]["intervals"]
        if cell.reason or name not in intervals:
            return cell
        return Cell(cell.text, interval_text(intervals[name]))


def headline_table(metrics: Mapping[str, Any]) -> Table:
    """Return what one looks at first.

    Args:
        metrics: what `metrics.json` holds.
    """
    splits = _splits(metrics)
    frames = ("auprc", "prevalence", "auprc_over_prevalence", "auroc")
    events = {name: _EVENTS[name] for name in ("hit_rate", "false_alarms_per_hour")}
    rows = (
        *_rows(splits, {name: _SCORES[name] for name in frames}, _Split.frame),
        *_rows(splits, {**events, "f1": "event F1"}, _Split.event),
        *_rows(splits, {n: f"{n} lead time (s)" for n in ("median", "mean")}, _Split.lead_time),
    )
    return Table("Headline, with 95 % intervals", "metric", tuple(splits), rows)


def frame_tables(metrics: Mapping[str, Any]) -> list[Table]:
    """Return the metrics of frames: those of the scores, and those at two thresholds."""
    splits = _splits(metrics)
    columns: dict[str, Callable[[str], Cell]] = {}
    for name, split in splits.items():
        columns |= {f"{name}, at the threshold": split.frame, f"{name}, at 0.5": split.at_half}
    decisions = [
        Row(label, tuple(cell(name) for cell in columns.values()))
        for name, label in _DECISIONS.items()
    ]
    matrices = [
        values["confusion_matrix"]
        for split in splits.values()
        for values in (split.metrics, split.metrics["at_0.5"])
    ]
    counts = [
        Row(label, tuple(Cell(number(matrix[name])) for matrix in matrices))
        for name, label in _CONFUSION.items()
    ]
    return [
        Table(
            "Frames, at any threshold",
            "metric",
            tuple(splits),
            _rows(splits, _SCORES, _Split.frame),
        ),
        Table("Frames, decided", "metric", tuple(columns), (*decisions, *counts)),
    ]


def event_table(metrics: Mapping[str, Any]) -> Table:
    """Return the metrics of events."""
    splits = _splits(metrics)
    leads = {name: f"lead time (s), {label}" for name, label in _LEADS.items()}
    rows = [
        *_rows(splits, _EVENTS, _Split.event),
        *_rows(splits, leads, _Split.lead_time),
    ]
    measured = [split.metrics["events"] for split in splits.values() if split.metrics["events"]]
    for collar in dict.fromkeys(name for events in measured for name in events["collars"]):
        labels = {name: f"within {collar} s, {label}" for name, label in _COLLAR.items()}
        rows += _rows(splits, labels, partial(_Split.collar, collar=collar))
    return Table("Events", "metric", tuple(splits), tuple(rows))


def horizon_table(metrics: Mapping[str, Any], main_horizon: int) -> Table | None:
    """Return all horizons of a predictor of several, one row per split; None if it has one.

    Args:
        metrics: what `metrics.json` holds.
        main_horizon: in frames.
    """
    if not metrics.get("horizons"):
        return None
    known = {int(horizon): values for horizon, values in metrics["horizons"].items()}
    columns = (
        "AUPRC",
        "AUPRC / prevalence",
        "AUROC",
        "hit rate",
        "false alarms per hour",
        "event F1",
    )
    rows = []
    for horizon, values in sorted({main_horizon: metrics, **known}.items()):
        label = horizon_text(horizon)
        if values["operating_point"] is None:
            cell = undefined_cell(values["undefined"])
            rows.append(Row(label, (cell,) * len(columns)))
            continue
        for name, split in _splits(values).items():
            frames = [split.frame(n) for n in ("auprc", "auprc_over_prevalence", "auroc")]
            events = [split.event(n) for n in ("hit_rate", "false_alarms_per_hour", "f1")]
            rows.append(Row(f"{label}, {name}", (*frames, *events)))
    return Table("Horizons, with 95 % intervals", "horizon", columns, tuple(rows))


def unit_sentences(metrics: Mapping[str, Any]) -> list[str]:
    """Return, for each split, what the intervals resample and how many there are."""
    sentences = []
    for name, split in _splits(metrics).items():
        unit, intervals = split.metrics["unit"], split.metrics["intervals"]
        sentences.append(
            f"{name}: {intervals['num_units']} units; a unit is one {unit}, drawn as a whole in "
            f"each of {intervals['num_resamples']:,} resamples"
        )
    return sentences


def _splits(metrics: Mapping[str, Any]) -> dict[str, _Split]:
    no_events = metrics["operating_point"]["alarms_undefined"]
    return {name: _Split(metrics[name], no_events) for name in _SPLITS if name in metrics}


def _rows(
    splits: Mapping[str, _Split],
    labels: Mapping[str, str],
    measure: Callable[[_Split, str], Cell],
) -> tuple[Row, ...]:
    return tuple(
        Row(label, tuple(measure(split, name) for split in splits.values()))
        for name, label in labels.items()
    )
