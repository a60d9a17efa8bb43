"""Delays of many points -> the lead that each text setting truly has."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from acoustic_event_prediction.frames import FRAME_MILLISECONDS, start_of
from acoustic_event_prediction.params import TextSetting
from acoustic_event_prediction.speech_lm.causality import (
    PROBES,
    ROUNDING_MARGIN,
    TEXT_SETTINGS,
    Delays,
    Measurement,
)


class Lead(NamedTuple):
    """Time from the last thing that a feature knows to the start of the onset's frame.

    Attributes:
        nearest: of the positive frame next to the onset, in milliseconds; negative: the feature
            knows of times after the onset.
        farthest: of the positive frame farthest from it.
    """

    nearest: int
    farthest: int


def lead_milliseconds(delay: int, shift_frames: int) -> Lead:
    """Return the lead of features with a delay, for labels with a horizon.

    Feature t knows of times up to (t - delay + 1) * 80 ms; with s the onset's frame, positive are
    frames s - shift_frames ... s - 1.

    Args:
        delay: frames from the first changed frame to the first feature that notices.
        shift_frames: horizon in frames.

    >>> lead_milliseconds(1, 5)
    Lead(nearest=80, farthest=400)
    """
    return Lead(delay * FRAME_MILLISECONDS, (delay + shift_frames - 1) * FRAME_MILLISECONDS)


def summarise_setting(
    measurements: Sequence[Measurement], text: TextSetting, current: TextSetting, shift_frames: int
) -> dict[str, Any]:
    """Return one row of the table: a text setting over all points of all assignments.

    The lead is that of the smallest delay found by any probe. What has no effect anywhere has no
    delay: null, not a pass.

    Args:
        measurements: at least one.
        text: the setting.
        current: the setting of this run.
        shift_frames: horizon in frames.
    """
    row: dict[str, Any] = {
        "text": text,
        "is_current": text == current,
        "num_points": sum(len(measured.frames) for measured in measurements),
    }
    for probe in PROBES:
        delays = [delay for measured in measurements for delay in measured.delays[text][probe]]
        row |= _summarise(probe, delays)
    smallest = [row[f"{probe}_smallest_delay"] for probe in PROBES]
    known = [delay for delay in smallest if delay is not None]
    lead = lead_milliseconds(min(known), shift_frames) if known else None
    return row | {
        "lead_milliseconds_nearest": lead and lead.nearest,
        "lead_milliseconds_farthest": lead and lead.farthest,
    }


def _summarise(probe: str, delays: Delays) -> dict[str, Any]:
    known = [delay for delay in delays if delay is not None]
    return {
        f"{probe}_smallest_delay": min(known, default=None),
        f"{probe}_median_delay": statistics.median(known) if known else None,
        f"{probe}_num_without_effect": len(delays) - len(known),
    }


def build_report(
    measurements: Sequence[Measurement],
    *,
    current: TextSetting,
    shift_frames: int,
    ran_with: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the report as JSON: what was run, the result of each setting, and every point.

    Args:
        measurements: at least one.
        current: the text setting of this run.
        shift_frames: horizon in frames.
        ran_with: checkpoint and parameters.
    """
    settings = [
        summarise_setting(measurements, text, current, shift_frames) for text in TEXT_SETTINGS
    ]
    return {
        **ran_with,
        "shift_frames": shift_frames,
        "device": measurements[0].device,
        # Relative to the features' root mean square; 0: compared bit by bit.
        "tolerance": ROUNDING_MARGIN * max(measured.rounding for measured in measurements),
        "settings": [{**row, "headline": _headline(row)} for row in settings],
        "assignments": [_describe(measured) for measured in measurements],
    }


def build_table(report: Mapping[str, Any]) -> pd.DataFrame:
    """Return the results of a report, one row per text setting; empty where there is no delay."""
    rows = [
        {name: value for name, value in row.items() if name != "headline"}
        for row in report["settings"]
    ]
    whole = [name for name in rows[0] if name.endswith(("_smallest_delay", "nearest", "farthest"))]
    return pd.DataFrame(rows).astype(dict.fromkeys(whole, "Int64"))


def _describe(measured: Measurement) -> dict[str, Any]:
    points = [
        {
            "frame": frame,
            "seconds": float(start_of(frame)),
            "in_word": in_word,
            "delays": {
                text: {probe: delays[place] for probe, delays in by_probe.items()}
                for text, by_probe in measured.delays.items()
            },
        }
        for place, (frame, in_word) in enumerate(
            zip(measured.frames, measured.in_word, strict=True)
        )
    ]
    described = measured.model_dump(include={"assignment_id", "source", "num_frames"})
    return {**described, "points": points}


def _headline(row: Mapping[str, Any]) -> str:
    changed = [
        f"{probe} {_milliseconds(row[f'{probe}_smallest_delay'])}" for probe in ("audio", "words")
    ]
    if row["lead_milliseconds_nearest"] is None:
        lead = "no lead: nothing had an effect"
    else:
        nearest, farthest = row["lead_milliseconds_nearest"], row["lead_milliseconds_farthest"]
        lead = f"true lead {nearest:+d}" + f" to {farthest:+d}" * (farthest != nearest) + " ms"
    current = " (this run's)" if row["is_current"] else ""
    return f"text {row['text']}{current}: {', '.join(changed)}; {lead}"


def _milliseconds(delay: int | None) -> str:
    return "no effect" if delay is None else f"{delay * FRAME_MILLISECONDS:+d} ms"
