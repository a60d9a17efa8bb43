"""The page of one recording: its sound, and the scores and alarms that move along with it."""

import base64
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.figure_style import USER_COLORS
from acoustic_event_prediction.frames import FRAME_SECONDS
from acoustic_event_prediction.report.cells import clock, event_text, horizon_text, number
from acoustic_event_prediction.report.sound import Sound
from acoustic_event_prediction.report.sound_format import data_uri
from acoustic_event_prediction.report.templates import load_template
from acoustic_event_prediction.scored_recording import ScoredRecording

_SCORE_TYPE, _PEAK_TYPE = "<u2", "u1"
# Of the scores at all horizons but the main one: 3 hours of two users at 27 more horizons.
_MOST_OTHER_SCORES_BYTES = 20_000_000


class AlarmRow(NamedTuple):
    """An alarm as the table shows it; `onset` in seconds is what its button goes to."""

    onset: float
    time: str
    length: str
    user: str
    peak: str


def render_recording_page(
    recording: ScoredRecording,
    sound: Sound,
    figure_png: bytes,
    facts: Sequence[tuple[str, str]],
    notes: Sequence[str],
) -> str:
    """Return the page: HTML that loads nothing and shows every name as text.

    Args:
        recording: scores and alarms.
        sound: of the same frames.
        figure_png: of the whole recording, for who has no JavaScript or prints the page.
        facts: name and value of what else is to be known, as predictor and rule.
        notes: sentences about what the prediction lacks.

    Raises:
        ValueError: the number of peaks is not that of the frames.
    """
    num_frames = recording.scores.shape[1]
    if sound.peaks.shape != (num_frames,):
        raise ValueError(
            f"need one peak for each of the {num_frames} frames of {recording.name!r}, got the "
            f"shape {sound.peaks.shape}"
        )
    shown = _shown_horizons(recording)
    page = load_template("recording.html.j2").render(
        name=recording.name or "unnamed",
        event=recording.event,
        summary=_summary(recording),
        facts=facts,
        notes=notes,
        sound=sound,
        figure_uri=data_uri("image/png", figure_png),
        users=[(user, _color(row)) for row, user in enumerate(recording.users)],
        alarms=list(_alarm_rows(recording)),
        counted=_count(len(recording.alarms), "alarm"),
        duration=clock(recording.duration_seconds),
        threshold=f"{recording.threshold:.3g}",
        score_limit=f"{recording.score_limit:g}",
        highest=number(float(recording.main_scores.max())),
        main_horizon=horizon_text(recording.main_horizon),
        horizons=[
            (index, horizon_text(horizon), horizon == recording.main_horizon)
            for index, horizon in enumerate(shown)
        ],
        num_horizons=len(recording.horizons),
        left_out=[horizon_text(horizon) for horizon in sorted({*recording.horizons} - {*shown})],
        recording=_payload(recording, shown, sound.peaks),
    )
    # A file name that is no valid UTF-8 comes as lone surrogates, which can't be written.
    return page.encode("utf-8", "replace").decode("utf-8")


def _summary(recording: ScoredRecording) -> str:
    counted = _count(len(recording.alarms), "alarm") if len(recording.alarms) else "No alarm"
    events = event_text(recording.event, recording.target)
    return (
        f"{counted} in {clock(recording.duration_seconds)} for "
        f"{_count(len(recording.users), 'user')}. A score, 0 to 1, is high where "
        f"{events} is expected to begin within {horizon_text(recording.main_horizon)}."
    )


def _count(number_of: int, noun: str) -> str:
    return f"{number_of:,} {noun}" if number_of == 1 else f"{number_of:,} {noun}s"


def _color(row: int) -> str:
    return USER_COLORS[row % len(USER_COLORS)]


def _alarm_rows(recording: ScoredRecording) -> Iterator[AlarmRow]:
    for user, onset, offset, peak in _alarms(recording):
        length = f"{offset - onset:.2f} s"
        yield AlarmRow(round(onset, 6), clock(onset), length, user, number(peak))


def _alarms(recording: ScoredRecording) -> Iterator[tuple[str, float, float, float]]:
    alarms = recording.alarms
    times = alarms[["onset", "offset", "peak"]].to_numpy(dtype=np.float64)
    for user, (onset, offset, peak) in zip(alarms["user"], times.tolist(), strict=True):
        yield str(user), onset, offset, peak


def _shown_horizons(recording: ScoredRecording) -> list[int]:
    """Return the main horizon and the shortest of the others that the page has room for."""
    num_users, num_frames, _ = recording.scores.shape
    # Base64 needs four characters for three bytes.
    size = num_users * num_frames * np.dtype(_SCORE_TYPE).itemsize * 4 / 3
    others = sorted(set(recording.horizons) - {recording.main_horizon})
    return sorted([recording.main_horizon, *others[: int(_MOST_OTHER_SCORES_BYTES / size)]])


def _payload(
    recording: ScoredRecording, shown: Sequence[int], peaks: npt.NDArray[np.float32]
) -> dict[str, Any]:
    """Return what the script draws; waveforms are as loud as the row is high."""
    users = recording.users
    loudest = float(peaks.max()) or 1.0
    return {
        "duration": recording.duration_seconds,
        "frame_seconds": FRAME_SECONDS,
        "users": [{"name": user, "color": _color(row)} for row, user in enumerate(users)],
        "alarms": [
            [users.index(user), round(onset, 6), round(offset, 6)]
            for user, onset, offset, _ in _alarms(recording)
        ],
        "horizons": [_horizon_payload(recording, horizon) for horizon in shown],
        "peaks": _whole_numbers(peaks / loudest, _PEAK_TYPE),
    }


def _horizon_payload(recording: ScoredRecording, horizon: int) -> dict[str, Any]:
    """Return what is drawn of a horizon; only the main one has a threshold."""
    return {
        "scores": _whole_numbers(recording.scores_at(horizon), _SCORE_TYPE),
        "score_limit": recording.score_limit_at(horizon),
        "threshold": recording.threshold if horizon == recording.main_horizon else None,
    }


def _whole_numbers(values: npt.NDArray[np.float32], dtype: str) -> str:
    """Return values from 0 to 1 as parts of the highest number of a type, in base64."""
    highest = np.iinfo(dtype).max
    return base64.b64encode(np.rint(values * highest).astype(dtype).tobytes()).decode("ascii")
