"""Nodes of the prediction pipeline that prepare: the predictor, the recordings, who hears what."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from acoustic_event_prediction.alarms import AlarmRule
from acoustic_event_prediction.corpus.episode_reading import EpisodeReading
from acoustic_event_prediction.corpus.findings import Finding
from acoustic_event_prediction.corpus.recordings import MIXED_DOWN, checked_audio
from acoustic_event_prediction.corpus.survey import read_recordings as read_files
from acoustic_event_prediction.devices import choose_device
from acoustic_event_prediction.models.predictor import Predictor, PredictorError
from acoustic_event_prediction.params import (
    CheckpointParams,
    FeatureExtractionParams,
    PredictionParams,
)
from acoustic_event_prediction.prediction.recordings import SPLIT, find_recordings
from acoustic_event_prediction.prediction.requirements import (
    Requirements,
    choose_rule,
    find_checkpoint,
)
from acoustic_event_prediction.prediction.streams import (
    PreparedRecording,
    describe_missing,
    prepare_recordings,
)
from acoustic_event_prediction.report.cells import event_text, horizon_text
from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint

logger = logging.getLogger(__name__)

_MAX_LOGGED = 20
_SIDES = {"turns", "words", "laughs", "tracks"}


@dataclass(frozen=True)
class PredictionSetup:
    """A predictor with all that it needs, found and checked before anything is heard.

    Attributes:
        predictor: with its file's path.
        checkpoint: that it was trained with.
        requirements: how its features are made.
        rule: how its scores become alarms.
    """

    predictor: Predictor
    checkpoint: Checkpoint
    requirements: Requirements
    rule: AlarmRule

    @property
    def path(self) -> Path:
        """The predictor's file."""
        assert self.predictor.path is not None
        return self.predictor.path


@dataclass(frozen=True)
class RecordingNotes:
    """What is known of the recordings beside their tables, by id.

    Attributes:
        root: folder that they lie in.
        given: files or folders of turns, words, laughs and tracks, by the names of the settings.
        missing: what a recording lacks; see `missing.MISSING`.
        problems: why recordings can't be used.
    """

    root: Path
    given: dict[str, str]
    missing: dict[str, tuple[str, ...]]
    problems: dict[str, str]


class Recordings(NamedTuple):
    """The recordings that can be heard, by id; in this order they are saved."""

    episodes: dict[str, dict[str, Any]]
    events: dict[str, pd.DataFrame]
    turns: dict[str, pd.DataFrame]
    words: dict[str, pd.DataFrame]
    assignments: dict[str, dict[str, Any]]
    notes: RecordingNotes


def prepare_prediction(
    trained_predictor: Predictor | None,
    params: PredictionParams,
    checkpoint: CheckpointParams,
    feature_extraction: FeatureExtractionParams,
) -> PredictionSetup:
    """Load the predictor, and find what its header asks for.

    Args:
        trained_predictor: of this project; None if there is none.
        params: another predictor, and another rule for alarms.
        checkpoint: where one lies; which one it must be, the predictor says.
        feature_extraction: of these, only chunk_frames and device; the rest says the predictor.

    Raises:
        PredictorError: there is no predictor, or it can't be used; no checkpoint or rule is found.
    """
    if params.predictor is not None:
        predictor = Predictor.load(Path(params.predictor))
    elif trained_predictor is not None:
        predictor = trained_predictor
    else:
        raise PredictorError(
            "this project has trained no predictor at this horizon: run `kedro run` first, with "
            "the same shift_frames, or give one with prediction.predictor=path/to/"
            "predictor.safetensors"
        )
    requirements = Requirements.of(
        predictor.header,
        chunk_frames=feature_extraction.chunk_frames,
        device=feature_extraction.device,
    )
    choose_device(feature_extraction.device)
    rule = choose_rule(predictor.header, params)
    found = find_checkpoint(predictor.header, predictor.path, configured=checkpoint)
    setup = PredictionSetup(predictor, found, requirements, rule)
    logger.info(
        "predictor %s, trained on %s: %s within %s; text %s, streams %s, laughs masked in %s",
        *(setup.path, predictor.header.corpus),
        event_text(predictor.header.event, predictor.header.target),
        horizon_text(predictor.header.shift_frames),
        *(requirements.settings.text, requirements.settings.stream_order),
        requirements.streams.mask_laughter,
    )
    return setup


def read_recordings(
    setup: PredictionSetup,
    params: PredictionParams,
    earlier_episodes: Mapping[str, Callable[[], dict[str, Any]]] | None = None,
) -> Recordings:
    """Read and check the recordings and what belongs to them; no model is loaded for it.

    If none can be used, the notes say why of each, and the tables are empty: the summary of the run
    is written all the same, before it fails.

    Args:
        setup: see `prepare_prediction`.
        params: the recordings, and what belongs to them.
        earlier_episodes: records of the last run; audio that has not changed since is not decoded
            again to check it.

    Raises:
        CorpusError: there are no recordings, or what belongs to them is not there.
    """
    corpus = find_recordings(params)
    readings = read_files(corpus, corpus.episodes, checked_audio(earlier_episodes or {}))
    prepared = prepare_recordings(corpus, readings, setup.requirements, params)
    broken = [reading for reading in readings if reading.findings.problems]
    _log(prepared, broken)
    return Recordings(
        episodes={
            item.episode.episode_id: item.episode.model_dump(mode="json") for item in prepared
        },
        events={item.episode.episode_id: item.reading.events for item in prepared},
        turns={item.episode.episode_id: item.reading.turns for item in prepared},
        words={item.episode.episode_id: item.reading.words for item in prepared},
        assignments={
            assignment.assignment_id: assignment.model_dump(mode="json")
            for item in prepared
            for assignment in item.assignments
        },
        notes=RecordingNotes(
            root=corpus.root,
            given=params.model_dump(include=_SIDES, exclude_none=True),
            missing={item.episode.episode_id: item.missing for item in prepared},
            problems={
                reading.episode_id: "; ".join(map(_short, reading.findings.problems))
                for reading in broken
            },
        ),
    )


def _short(finding: Finding) -> str:
    return str(_of_recording(finding)._replace(episode_id=""))


def _of_recording(finding: Finding) -> Finding:
    """Return a finding in the words of this pipeline, which has no episodes."""
    return finding._replace(
        episode_id=finding.episode_id.removeprefix(f"{SPLIT}/"),
        remedy=finding.remedy.replace("leave the episode out", "leave it out").removesuffix(
            " (ingestion.exclude_episodes)"
        ),
    )


def _log(prepared: list[PreparedRecording], broken: list[EpisodeReading]) -> None:
    for item in prepared[:_MAX_LOGGED]:
        logger.info(
            "%s: %.1f s, heard as %s, user %s",
            item.episode.name,
            item.episode.duration_seconds,
            item.source,
            " and ".join(assignment.user for assignment in item.assignments),
        )
    if len(prepared) > _MAX_LOGGED:
        logger.info("and %d recordings more", len(prepared) - _MAX_LOGGED)
    for sentence in describe_missing(prepared):
        logger.warning("%s", sentence)
    warnings = [
        warning
        for item in prepared
        for warning in item.reading.findings.warnings
        if item.source != "separated" or not warning.problem.endswith(MIXED_DOWN)
    ]
    for warning in warnings[:_MAX_LOGGED]:
        logger.warning("%s", _of_recording(warning))
    if len(warnings) > _MAX_LOGGED:
        logger.warning("%d warnings more", len(warnings) - _MAX_LOGGED)
    for reading in broken:
        for problem in reading.findings.problems:
            logger.warning("left out: %s", _of_recording(problem))
