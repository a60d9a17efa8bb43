"""What is written of each recording, as soon as its scores are there."""

import io
import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

import numpy as np

from acoustic_event_prediction.annotations import as_labels
from acoustic_event_prediction.corpus.content import seems_unchanged
from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.errors import AudioError, ProjectError
from acoustic_event_prediction.figures_recording import recording_figure
from acoustic_event_prediction.models.predictor_header import PredictorHeader
from acoustic_event_prediction.params import PredictionReportParams
from acoustic_event_prediction.pipelines.prediction.kept import FACTS_FILE, kept_alarms
from acoustic_event_prediction.pipelines.prediction.nodes import PredictionSetup, RecordingNotes
from acoustic_event_prediction.pipelines.prediction.outcomes import Outcome
from acoustic_event_prediction.prediction.missing import missing_notes
from acoustic_event_prediction.prediction.tables import alarm_tiers, alarms_table, scores_table
from acoustic_event_prediction.progress import track
from acoustic_event_prediction.report.cells import (
    checkpoint_text,
    clock,
    event_text,
    horizon_text,
    place_text,
    rule_text,
)
from acoustic_event_prediction.report.recording_page import render_recording_page
from acoustic_event_prediction.report.sound import Sound, hear
from acoustic_event_prediction.scored_recording import ScoredRecording
from acoustic_event_prediction.workers.stored_features import Provenance

logger = logging.getLogger(__name__)

_MOST_THREADS = 8
_DPI = 150
_SOURCES = {
    "separated": "one stream per channel or track",
    "diarization": "one stream per speaker, by turns",
    "mono": "one stream",
}


@dataclass(frozen=True)
class HeardRecording:
    """A recording, and what its scores are made from.

    Attributes:
        episode: its record.
        assignments: one per user.
        provenances: of the scores of each.
    """

    episode: Episode
    assignments: Sequence[Assignment]
    provenances: Sequence[Provenance]


class _InterruptedError(ProjectError):
    """Ctrl-C: what is not finished is not wanted any more."""


class OutputWriter:
    """Writes the folder of a recording when all its scores are stored; a context manager.

    Folders are written by threads while the workers go on. When it is left, also by an error, what
    has begun is completed; but on Ctrl-C what is not being saved yet is given up.

    Args:
        setup: predictor and rule.
        notes: what the recordings lack.
        report: how much sound a page holds.
        scores: data set of the stored scores.
        folders: data set of the recordings' folders.
    """

    def __init__(
        self,
        setup: PredictionSetup,
        notes: RecordingNotes,
        report: PredictionReportParams,
        scores: Any,
        folders: Any,
    ) -> None:
        self._setup = setup
        self._notes = notes
        self._report = report
        self._scores = scores
        self._folders = folders
        self._pool = ThreadPoolExecutor(
            min(_MOST_THREADS, os.cpu_count() or 1), thread_name_prefix="outputs"
        )
        self._drawing = threading.Lock()  # matplotlib's settings are the whole process's
        self._jobs: dict[str, Future[Outcome]] = {}
        self._is_interrupted = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, Exception):
            self._is_interrupted.set()
        self._pool.shutdown(cancel_futures=error is not None)

    def submit(self, recording: HeardRecording) -> None:
        """Write the outputs of a recording whose scores are all stored, unless they are there."""
        name = recording.episode.episode_id
        self._jobs[name] = self._pool.submit(self._make, recording)

    def outcomes(self) -> dict[str, Outcome]:
        """Wait for what was submitted, and return what became of each recording, by id."""
        found = {}
        with track("writing results", len(self._jobs), "recordings") as advance:
            for name, job in self._jobs.items():
                found[name] = job.result()
                advance(1)
        return found

    @property
    def num_finished(self) -> int:
        """Number of recordings whose folders are complete."""
        done = (job for job in self._jobs.values() if job.done() and not job.cancelled())
        return sum(job.result().status != "failed" for job in done)

    def _make(self, recording: HeardRecording) -> Outcome:
        try:
            return self._write(recording)
        except ProjectError as error:
            return Outcome("failed", problem=str(error))
        # What nobody has foreseen must not stop the others; the log has the whole of it.
        except Exception as error:
            logger.exception("outputs of %s", recording.episode.name)
            return Outcome("failed", problem=f"{type(error).__name__}: {error}")

    def _go_on(self) -> None:
        if self._is_interrupted.is_set():
            raise _InterruptedError("interrupted before its results were complete; run again")

    def _write(self, recording: HeardRecording) -> Outcome:
        episode, setup = recording.episode, self._setup
        facts = self._facts(recording)
        if (num_alarms := kept_alarms(self._folders, episode.name, facts)) is not None:
            return Outcome("kept", num_alarms)
        scored = _scored(recording, setup, self._scores)
        source = episode.audio.locate(self._notes.root)
        sound = hear(source, episode.num_frames, self._report.max_megabytes, self._go_on)
        if not seems_unchanged(episode.audio, self._notes.root):
            raise AudioError(
                f"{episode.audio.path} has changed while the run was going on; run again"
            )
        tiers = alarm_tiers(scored.users, scored.alarms, episode.duration_seconds)
        table = scores_table(scored.users, scored.horizons, scored.main_horizon, scored.scores)
        missing = self._notes.missing[episode.episode_id]
        png = self._draw(scored, sound)
        self._folders.save_recording(
            episode.name,
            {
                "scores.csv": table,
                "scores.parquet": table,
                "events.csv": scored.alarms,
                "events.json": scored.alarms.to_dict(orient="records"),
                "events.TextGrid": tiers,
                "events.rttm": scored.alarms.rename(columns={"user": "name"}),
                "events.audacity.txt": as_labels(tiers),
                "score_track.png": png,
                "report.html": render_recording_page(
                    scored, sound, png, _page_facts(recording, setup), missing_notes(missing)
                ),
                FACTS_FILE: lambda sizes: {
                    **facts,
                    "num_alarms": len(scored.alarms),
                    "files": sizes,
                },
            },
        )
        return Outcome("predicted", len(scored.alarms))

    def _draw(self, scored: ScoredRecording, sound: Sound) -> bytes:
        """Return the figure as PNG, drawn once for file and page."""
        png = io.BytesIO()
        with self._drawing:
            recording_figure(scored, sound.peaks).savefig(png, format="png", dpi=_DPI)
        return png.getvalue()

    def _facts(self, recording: HeardRecording) -> dict[str, Any]:
        """Return, as JSON, all that the outputs are made from."""
        episode, setup, header = recording.episode, self._setup, self._setup.predictor.header
        users = [assignment.user for assignment in recording.assignments]
        return {
            "recording": {
                "file": place_text(self._notes.root / episode.audio.path),
                "sha256": episode.audio.sha256,
                "duration_seconds": episode.duration_seconds,
                "num_frames": episode.num_frames,
            },
            "heard": {
                "source": recording.assignments[0].source,
                "users": users,
                "missing": list(self._notes.missing[episode.episode_id]),
            },
            "predictor": {
                "file": place_text(setup.path),
                "fingerprint": setup.predictor.fingerprint,
                "trained_on": header.corpus,
                "event": header.event,
                "target": header.target,
                "shift_frames": header.shift_frames,
                "horizons": list(header.horizon_frames),
                "features": header.features,
            },
            "alarms": asdict(setup.rule),
            # Audio, turns, words and laughs by digest; of words, the other speakers' are read.
            "streams": {
                user: provenance["episode"]
                for user, provenance in zip(users, recording.provenances, strict=True)
            },
            "given": self._notes.given,
            "report": self._report.model_dump(),
            "package_version": version("acoustic-event-prediction"),
        }


def _scored(recording: HeardRecording, setup: PredictionSetup, scores: Any) -> ScoredRecording:
    episode, header = recording.episode, setup.predictor.header
    users = tuple(assignment.user for assignment in recording.assignments)
    values = np.stack(
        [np.array(scores.partition(item.assignment_id).load()) for item in recording.assignments]
    )  # [U, T, H]
    main = values[:, :, header.main_output]
    return ScoredRecording(
        name=episode.name,
        duration_seconds=episode.duration_seconds,
        event=header.event,
        target=header.target,
        horizons=header.horizon_frames,
        main_horizon=header.shift_frames,
        users=users,
        scores=values,
        threshold=setup.rule.threshold,
        alarms=alarms_table(users, main, setup.rule, episode.duration_seconds),
    )


def _page_facts(recording: HeardRecording, setup: PredictionSetup) -> list[tuple[str, str]]:
    episode, header = recording.episode, setup.predictor.header
    users = ", ".join(assignment.user for assignment in recording.assignments)
    return [
        ("Recording", f"{episode.audio.path}, {clock(episode.duration_seconds)}"),
        ("Heard as", f"{_SOURCES[recording.assignments[0].source]}; user: {users}"),
        ("Event", event_text(header.event, header.target)),
        ("Horizon", _horizons_text(header)),
        ("Alarms", rule_text(asdict(setup.rule))),
        ("Predictor", f"{place_text(setup.path)}, trained on {header.corpus}"),
        ("Checkpoint", checkpoint_text(header.features)),
        ("Package", version("acoustic-event-prediction")),
    ]


def _horizons_text(header: PredictorHeader) -> str:
    others = [str(frames) for frames in header.horizon_frames if frames != header.shift_frames]
    main = horizon_text(header.shift_frames)
    return f"{main}; scores at {', '.join(others)} frames are in scores.csv" if others else main
