"""Scores of a waveform that lies in memory, computed in this process."""

import contextlib
import os
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from acoustic_event_prediction.alarms import AlarmRule
from acoustic_event_prediction.assignments import pair_speakers
from acoustic_event_prediction.audio import read_header
from acoustic_event_prediction.audio_source import HeldWaveform
from acoustic_event_prediction.corpus.records import Source
from acoustic_event_prediction.devices import choose_device
from acoustic_event_prediction.errors import CorpusError, ProjectError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.frames import count_frames, start_of
from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.prediction.given_tables import GivenTables, Rows
from acoustic_event_prediction.prediction.missing import MISSING, find_missing
from acoustic_event_prediction.prediction.requirements import (
    Requirements,
    choose_rule,
    find_checkpoint,
)
from acoustic_event_prediction.prediction.streams import channel_names
from acoustic_event_prediction.prediction.tables import alarms_table, scores_table
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM, load_speech_lm
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


class MissingInputWarning(UserWarning):
    """The predictor was trained with something that is not given."""


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


@dataclass(frozen=True)
class LoadedModels:
    """Models that are ready, and the lock of who uses them: they hold the state of the stream."""

    lm: SpeechLM
    lock: threading.Lock


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
    audio = HeldWaveform(_as_samples(waveform), sample_rate_hz)
    header = read_header(audio)
    sample_rate_hz = audio.sample_rate_hz
    num_frames = count_frames(header.num_samples, sample_rate_hz)
    tables = GivenTables.of(turns, words, laughs, header.num_samples / sample_rate_hz)
    num_channels = 1 if audio.samples.ndim == 1 else header.num_channels
    pairs, source = _choose_pairs(num_channels, tables, requirements, user)
    tables.require_speakers({*pairs, *(name for others in pairs.values() for name in others)})
    _warn_of_missing(tables, source, requirements)
    models = _models(predictor, requirements, checkpoint, device)
    mask = requirements.streams.mask_laughter
    episode = EpisodeInput(
        episode_id="waveform",
        num_frames=num_frames,
        audio=EpisodeAudio(
            mix=None if source == "separated" else audio,
            tracks={
                name: HeldWaveform(samples, sample_rate_hz)
                for name, samples in zip(
                    channel_names(num_channels), np.atleast_2d(audio.samples), strict=True
                )
            },
            turns=turn_spans(tables.turns),
            laughs=laugh_spans(tables.laughs),
        ),
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


def _as_samples(waveform: Array | torch.Tensor) -> Array:
    samples = np.asarray(
        waveform.detach().cpu().float().numpy()
        if isinstance(waveform, torch.Tensor) and waveform.is_floating_point()
        else waveform
    )
    # soundfile and librosa give float64 and float32; integers would have another full scale.
    return samples.astype(np.float32, copy=False) if samples.dtype.kind == "f" else samples


def _choose_pairs(
    num_channels: int, tables: GivenTables, requirements: Requirements, user: str | None
) -> tuple[dict[str, tuple[str, ...]], Source]:
    """Return the system of each user, and how the streams are made."""
    channels = channel_names(num_channels) if num_channels > 1 else []
    if strange := sorted(set(tables.turns["speaker"]) - set(channels) if channels else ()):
        raise CorpusError(
            f"turns are of {', '.join(strange)}, the channels are {', '.join(channels)}: give one "
            "of both, or name the speakers after the channels"
        )
    source: Source = "mono"
    if not requirements.hears_mixes_only:
        source = "separated" if channels else "mono" if tables.turns.empty else "diarization"
    pairs = {
        speaker.name: systems
        for speaker, systems in pair_speakers(
            channels, tables.turns, source, **requirements.user_limits(user)
        )
    }
    if user is not None:
        if user not in pairs:
            raise CorpusError(f"there is no user {user!r}, only {', '.join(pairs)}")
        pairs = {user: pairs[user]}
    return pairs, source


def _warn_of_missing(tables: GivenTables, source: Source, requirements: Requirements) -> None:
    for kind in find_missing(
        requirements,
        source,
        has_turns="turns" in tables.given,
        has_words="words" in tables.given,
        has_laughs="laughs" in tables.given,
    ):
        problem, _ = MISSING[kind]
        message = f"{problem}; give {kind}= (an empty list if there are none)"
        warnings.warn(message, MissingInputWarning, stacklevel=4)


def _models(
    predictor: Predictor, requirements: Requirements, checkpoint: str | Path | None, device: str
) -> LoadedModels:
    """Return the loaded models; they stay with the predictor."""
    kind = choose_device(device)
    key = (None if checkpoint is None else os.path.abspath(checkpoint), kind)
    loaded: dict[tuple[str | None, str], LoadedModels] = predictor.loaded
    if key not in loaded:
        folder = None if checkpoint is None else Path(checkpoint)
        found = find_checkpoint(predictor.header, predictor.path, only=folder)
        precision = getattr(torch, requirements.settings.precision)
        loaded[key] = LoadedModels(
            load_speech_lm(found, torch.device(kind), precision), threading.Lock()
        )
    return loaded[key]


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
    with models.lock:
        encode_batch([episode], models.lm, requirements.settings, open_scorer, listeners)
    if failures:
        raise failures[0] if isinstance(failures[0], ProjectError) else RuntimeError(failures[0])
    return np.stack([np.concatenate(scorer.parts) for scorer in scorers.values()])
