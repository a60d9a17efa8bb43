"""Scores of a waveform that lies in memory, computed in this process."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from acoustic_event_prediction.alarms import AlarmRule
from acoustic_event_prediction.audio import read_header
from acoustic_event_prediction.audio_source import HeldWaveform
from acoustic_event_prediction.corpus.records import Source
from acoustic_event_prediction.devices import choose_device
from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.frames import count_frames, start_of
from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.prediction.given_tables import GivenTables, Rows
from acoustic_event_prediction.prediction.given_waveform import (
    as_samples,
    choose_pairs,
    warn_of,
    warn_of_missing,
)
from acoustic_event_prediction.prediction.loaded_models import LoadedModels, load_models
from acoustic_event_prediction.prediction.missing import MISSING, find_missing
from acoustic_event_prediction.prediction.requirements import Requirements, choose_rule
from acoustic_event_prediction.prediction.streams import channel_names
from acoustic_event_prediction.prediction.tables import alarms_table, scores_table
from acoustic_event_prediction.speech_lm.episode_input import (
    AssignmentInput,
    EpisodeInput,
    Listeners,
    laugh_spans,
    turn_spans,
    words_of,
)
from acoustic_event_prediction.speech_lm.extraction import encode_batch
from acoustic_event_prediction.speech_lm.sources import EpisodeAudio
from acoustic_event_prediction.speech_lm.streams import pair_streams

_CHUNK_FRAMES = 256
_REMEDIES = {kind: f"give {kind}= (an empty list if there are none)" for kind in MISSING}


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """The scores of a waveform: T frames of 80 ms, U users, H horizons.

    A score, 0 to 1, is the higher the likelier an event begins within the horizon, told from the
    sound before the frame's start. Whether it is a probability depends on the training's loss:
    with the default it lies far above (`reliability` of the evaluation).

    Attributes:
        users: whose streams were heard as the user's: a speaker each, or `mix`.
        horizons: in frames, one per output.
        shift_frames: the main horizon.
        time_seconds: start of each frame, float64 [T].
        scores: at the main horizon, float32 [T] of a waveform without channels and turns, else
            [U, T].
        horizon_scores: float32 [U, T, H].
        rule: how scores become alarms; None if the predictor has no rule.
        duration_seconds: of the waveform.
    """

    users: tuple[str, ...]
    horizons: tuple[int, ...]
    shift_frames: int
    time_seconds: npt.NDArray[np.float64]
    scores: npt.NDArray[np.float32]
    horizon_scores: npt.NDArray[np.float32]
    rule: AlarmRule | None
    duration_seconds: float

    def __repr__(self) -> str:
        """Return what it holds, not all of it."""
        return (
            f"Prediction(users={self.users}, horizons={self.horizons}, {len(self.time_seconds)} "
            f"frames, highest score {self.scores.max():.3f})"
        )

    def alarms(self, rule: AlarmRule | None = None) -> pd.DataFrame:
        """Return the alarms: columns user, onset, offset (seconds) and peak, the highest score.

        Args:
            rule: another one than the predictor's.

        Raises:
            ValueError: there is neither.
        """
        chosen = rule or self.rule
        if chosen is None:
            raise ValueError(
                "the predictor has no rule for alarms: run `kedro run --pipelines evaluation`, or "
                "give one, e.g. AlarmRule(0.5, 0.0, 0.08, 1.0)"
            )
        main = self.horizon_scores[:, :, self.horizons.index(self.shift_frames)]
        return alarms_table(self.users, main, chosen, self.duration_seconds)

    def to_frame(self) -> pd.DataFrame:
        """Return the scores as the table that the pipeline writes; see `scores_table`."""
        return scores_table(self.users, self.horizons, self.shift_frames, self.horizon_scores)


def predict_waveform(
    predictor: Predictor,
    waveform: Array | torch.Tensor,
    sample_rate_hz: int,
    *,
    turns: pd.DataFrame | Rows | None,
    words: pd.DataFrame | Rows | None,
    laughs: pd.DataFrame | Rows | None,
    user: str | None,
    checkpoint: str | Path | None,
    device: str,
    on_progress: Callable[[float], None] | None,
) -> Prediction:
    """Score a waveform; see `Predictor.predict`."""
    choose_device(device)
    requirements = Requirements.of(predictor.header, chunk_frames=_CHUNK_FRAMES, device=device)
    audio = HeldWaveform(as_samples(waveform), sample_rate_hz)
    header = read_header(audio)
    sample_rate_hz = audio.sample_rate_hz
    num_frames = count_frames(header.num_samples, sample_rate_hz)
    tables = GivenTables.of(turns, words, laughs, header.num_samples / sample_rate_hz)
    num_channels = 1 if audio.samples.ndim == 1 else header.num_channels
    pairs, source = choose_pairs(num_channels, tables.turns, requirements, user)
    if systems := {name for others in pairs.values() for name in others}:
        tables.require_speakers(systems)
    elif not tables.words.empty:
        warn_of("words are given, but all is one stream, in which nobody else speaks: none is read")
    missing = find_missing(
        requirements,
        source,
        has_turns="turns" in tables.given,
        has_words="words" in tables.given,
        has_laughs="laughs" in tables.given,
    )
    warn_of_missing(missing, _REMEDIES)
    models = load_models(predictor, requirements, checkpoint, device)
    mask = requirements.streams.mask_laughter
    episode = EpisodeInput(
        episode_id="waveform",
        num_frames=num_frames,
        audio=_sound(audio, num_channels, tables, source),
        assignments=[
            AssignmentInput(
                name, pair_streams(name, systems, mask), words_of(tables.words, systems), {}
            )
            for name, systems in pairs.items()
        ],
    )
    scores = _score(predictor, episode, models, requirements, on_progress)  # [U, T, H]
    main = scores[:, :, predictor.header.main_output]
    return Prediction(
        users=tuple(pairs),
        horizons=predictor.header.horizon_frames,
        shift_frames=predictor.header.shift_frames,
        time_seconds=start_of(np.arange(num_frames)),
        scores=main[0] if source == "mono" and audio.samples.ndim == 1 else main,
        horizon_scores=scores,
        rule=None if predictor.header.alarms is None else choose_rule(predictor.header, None),
        duration_seconds=header.num_samples / sample_rate_hz,
    )


def _sound(
    audio: HeldWaveform, num_channels: int, tables: GivenTables, source: Source
) -> EpisodeAudio:
    channels = zip(channel_names(num_channels), np.atleast_2d(audio.samples), strict=True)
    return EpisodeAudio(
        mix=None if source == "separated" else audio,
        tracks={name: HeldWaveform(samples, audio.sample_rate_hz) for name, samples in channels},
        turns=turn_spans(tables.turns),
        laughs=laugh_spans(tables.laughs),
    )


class _Scorer:
    """Takes the features of an assignment block by block, and keeps the scores."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.parts: list[npt.NDArray[np.float32]] = []

    def append(self, rows: Array) -> None:
        self.parts.append(self._predictor.horizon_scores(rows))


def _score(
    predictor: Predictor,
    episode: EpisodeInput,
    models: LoadedModels,
    requirements: Requirements,
    on_progress: Callable[[float], None] | None,
) -> npt.NDArray[np.float32]:
    scorers = {item.assignment_id: _Scorer(predictor) for item in episode.assignments}
    failures: list[Exception] = []
    total = episode.num_frames * len(scorers)
    done = 0

    def open_scorer(
        _episode: EpisodeInput, assignment: AssignmentInput, _files: contextlib.ExitStack
    ) -> _Scorer:
        return scorers[assignment.assignment_id]

    def advance(_name: str, num_frames: int) -> None:
        nonlocal done
        done += num_frames
        if on_progress is not None:
            on_progress(done / total)

    listeners = Listeners(on_failure=lambda _, error: failures.append(error), on_frames=advance)
    with models.use() as lm:
        encode_batch([episode], lm, requirements.settings, open_scorer, listeners)
    if failures:
        raise failures[0] if isinstance(failures[0], ProjectError) else RuntimeError(failures[0])
    return np.stack([np.concatenate(scorer.parts) for scorer in scorers.values()])
