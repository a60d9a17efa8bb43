"""Scores and alarms of a recording as tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from acoustic_event_prediction.alarms import AlarmRule, find_alarms
from acoustic_event_prediction.annotations import AnnotationTiers, disjoint_tier
from acoustic_event_prediction.frames import start_of
from acoustic_event_prediction.scored_recording import ALARM_COLUMNS

Scores = npt.NDArray[np.float32]
_SHORTEST_SECONDS = 0.001
_MOST_LINES = 40
_WIDEST = 60


def scores_table(
    users: Sequence[str], horizons: Sequence[int], main_horizon: int, scores: Scores
) -> pd.DataFrame:
    """Return one row per user and frame, the frames of a user one after another.

    Args:
        users: U names.
        horizons: H numbers of frames.
        main_horizon: one of them.
        scores: [U, T, H].

    Returns:
        Columns frame, time_seconds (start of the frame), user, score at the main horizon; with
        several horizons also score_<n> of each. Scores are float64: as text, all digits are there.
    """
    num_users, num_frames, _ = scores.shape
    frames = np.arange(num_frames, dtype=np.int32)
    flat = scores.reshape(num_users * num_frames, len(horizons)).astype(np.float64)
    columns: dict[str, Any] = {
        "frame": np.tile(frames, num_users),
        "time_seconds": np.tile(start_of(frames), num_users),
        "user": np.repeat(np.array(users, dtype=object), num_frames),
        "score": flat[:, list(horizons).index(main_horizon)],
    }
    if len(horizons) > 1:
        columns |= {f"score_{horizon}": flat[:, i] for i, horizon in enumerate(horizons)}
    return pd.DataFrame(columns).astype({"user": "str"})


def alarms_table(
    users: Sequence[str], scores: Scores, rule: AlarmRule, duration_seconds: float
) -> pd.DataFrame:
    """Return the alarms of each user, sorted by onset.

    Args:
        users: U names.
        scores: [U, T] at the main horizon.
        rule: what an alarm is.
        duration_seconds: of the recording, in whose last frame an alarm ends with it.

    Returns:
        Columns user; onset, the start of the frame with which a live system raises the alarm;
        offset, the end of the run of high scores; both in seconds; peak, the run's highest score.
        An alarm lasts at least a millisecond, which is what RTTM can say.
    """
    num_frames = scores.shape[1]
    rows = []
    for user, own in zip(users, scores.astype(np.float64), strict=True):
        alarms = find_alarms(own, np.zeros(num_frames, np.bool_), [0, num_frames], rule)
        for begin, end, decided in zip(alarms.begin, alarms.end, alarms.decided, strict=True):
            onset = float(start_of(decided))
            last = round(min(float(start_of(end)), duration_seconds), 6)
            peak = float(own[begin:end].max())
            rows.append((user, onset, max(last, onset + _SHORTEST_SECONDS), peak))
    table = pd.DataFrame(rows, columns=list(ALARM_COLUMNS)).astype(
        {"user": "str", "onset": np.float64, "offset": np.float64, "peak": np.float64}
    )
    return table.sort_values(["onset", "user"], kind="stable", ignore_index=True)


def alarm_tiers(
    users: Sequence[str], alarms: pd.DataFrame, duration_seconds: float
) -> AnnotationTiers:
    """Return a tier `alarm <user>` for each user; its texts are the highest scores."""
    tiers = {}
    for user in users:
        own = alarms[alarms["user"] == user]
        spans = own[["onset", "offset"]].assign(text=[f"{peak:.3f}" for peak in own["peak"]])
        tiers[f"alarm {user}"] = disjoint_tier(spans, duration_seconds)
    return AnnotationTiers(duration_seconds, tiers)


def recordings_text(summary: pd.DataFrame) -> str:
    """Return what became of the recordings, for a terminal: one line each, failed ones first.

    Args:
        summary: columns recording, status, duration_seconds, alarms, missing and problem.
    """
    is_failed = summary["status"] == "failed"
    ordered = summary.loc[[*summary.index[is_failed], *summary.index[~is_failed]]]
    rows = ordered.head(_MOST_LINES).to_dict(orient="records")
    names = [_shown(row["recording"]) for row in rows]
    width = max(map(len, names))
    lines = []
    for name, row in zip(names, rows, strict=True):
        if row["status"] == "failed":
            told = _shown(str(row["problem"]), None)
        else:
            lacking = f"; without {row['missing']}" if isinstance(row["missing"], str) else ""
            noun = "alarm" if row["alarms"] == 1 else "alarms"
            told = f"{row['duration_seconds']:8.1f} s  {row['alarms']:5.0f} {noun}{lacking}"
        lines.append(f"{name:<{width}}  {row['status']:<9}  {told}")
    hidden = len(summary) - len(rows)
    return "\n".join(lines + ([f"and {hidden} recordings more"] if hidden else []))


def _shown(text: str, most: int | None = _WIDEST) -> str:
    """Return a text in one line, control characters escaped, and in the middle cut if too long."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    if most is None or len(line) <= most:
        return line
    half = most // 2
    return f"{line[:half]}…{line[-half:]}"
