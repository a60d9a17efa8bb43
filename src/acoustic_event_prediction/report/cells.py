"""Numbers as they are shown: with interval, and with the reason where there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acoustic_event_prediction.frames import FRAME_MILLISECONDS

_MANY = 999.5
_FEW = 1e-4


@dataclass(frozen=True)
class Cell:
    """One value of a table.

    Attributes:
        text: the value.
        interval: the 95 % interval or why there is none; None where none is meant to be.
        reason: why the value is undefined; None if it is defined.
    """

    text: str
    interval: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Row:
    """A metric, or a system: its name and a cell per column."""

    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows."""

    caption: str
    first_column: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def number(value: float) -> str:
    """Return a number with three significant digits, a count in full.

    >>> number(0.05213), number(95.14), number(1), number(12_345), number(12_345.6), number(0.0)
    ('0.0521', '95.1', '1', '12,345', '12,346', '0')
    """
    if isinstance(value, int) or abs(value) >= _MANY:
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    return f"{value:.1e}" if abs(value) < _FEW else f"{value:#.3g}".rstrip(".")


def clock(seconds: float) -> str:
    """Return a time as minutes, seconds and tenths, with hours if there are any.

    >>> clock(0), clock(59.96), clock(3723.45)
    ('0:00.0', '1:00.0', '1:02:03.4')
    """
    minutes, tenths = divmod(round(seconds * 10), 600)
    hours, minutes_left = divmod(minutes, 60)
    start = f"{hours}:{minutes_left:02d}" if hours else f"{minutes}"
    return f"{start}:{tenths // 10:02d}.{tenths % 10}"


def value_cell(values: Mapping[str, Any], name: str, undefined: Mapping[str, str]) -> Cell:
    """Return a value, or the reason why it is undefined, without an interval."""
    value = values[name]
    if value is None:
        return undefined_cell(undefined.get(name))
    return Cell(number(value))


def undefined_cell(reason: str | None) -> Cell:
    """Return the cell of a value that does not exist."""
    return Cell("undefined", reason=reason or "no reason was given")


def interval_text(interval: Mapping[str, Any] | None, why_none: str | None = None) -> str:
    """Return an interval, with how many resamples don't define the value if some don't.

    Args:
        interval: low, high and num_undefined.
        why_none: shown where there is no interval.
    """
    if interval is None:
        return f"no interval: {why_none}" if why_none else "no interval"
    text = f"{number(interval['low'])} to {number(interval['high'])}"
    lost = interval["num_undefined"]
    return f"{text}; undefined in {lost} resamples" if lost else text


def horizon_text(frames: int) -> str:
    """Return a horizon in words.

    >>> horizon_text(1), horizon_text(5)
    ('1 frame, 80 ms', '5 frames, 400 ms')
    """
    unit = "frame" if frames == 1 else "frames"
    return f"{frames} {unit}, {frames * FRAME_MILLISECONDS} ms"


def event_text(event: str, target: str) -> str:
    """Return which events are predicted, in words.

    >>> event_text("Laughter", "any")
    'Laughter of any speaker'
    """
    return f"{event} {'of any speaker' if target == 'any' else 'of the user'}"


def rule_text(rule: Mapping[str, Any]) -> str:
    """Return how scores become alarms, in words; the names are those of `AlarmRule`."""
    return (
        f"threshold {number(rule['threshold'])}, gaps up to {rule['merge_gap_seconds']:g} s "
        f"joined, at least {rule['minimum_duration_seconds']:g} s long, then none for "
        f"{rule['refractory_seconds']:g} s"
    )


def checkpoint_text(features: Mapping[str, Any]) -> str:
    """Return which checkpoint features were made with: a repository, or the files' digests."""
    identity = features.get("checkpoint", {})
    if "hf_repo" in identity:
        return f"{identity['hf_repo']} at revision {identity.get('revision')}"
    digests = identity.get("sha256", {})
    return ", ".join(f"{name} {digest[:12]}" for name, digest in digests.items()) or "not recorded"


def headline_text(values: Mapping[str, Any]) -> str:
    """Return the metrics of a split in one line; the names are those of `FrameMetrics`."""
    if values["auprc"] is None:
        return f"no AUPRC: {values['num_positive']} of {values['num_frames']} frames are positive"
    return (
        f"AUPRC {values['auprc']:.4f}, {values['auprc'] / values['prevalence']:.1f} times the "
        f"prevalence of {values['prevalence']:.4f}; AUROC {values['auroc']:.3f}"
    )


def place_text(path: Path) -> str:
    """Return a path, relative to the working directory if it lies below."""
    whole, here = path.absolute(), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)
