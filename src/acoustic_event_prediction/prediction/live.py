"""Scores while sound comes, frame by frame: what a dialogue system runs."""

import contextlib
import math
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from acoustic_event_prediction.alarm_state import AlarmState
from acoustic_event_prediction.alarms import AlarmRule
from acoustic_event_prediction.audio_decoding import Decoder
from acoustic_event_prediction.audio_source import AudioFileError, HeldWaveform
from acoustic_event_prediction.devices import choose_device
from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.frames import SAMPLES_PER_FRAME, start_of
from acoustic_event_prediction.models.predictor import Predictor, PredictorError
from acoustic_event_prediction.prediction.given_tables import GivenTables, Rows
from acoustic_event_prediction.prediction.given_waveform import (
    as_samples,
    choose_pairs,
    warn_of,
    warn_of_missing,
)
from acoustic_event_prediction.prediction.live_scores import LiveScores
from acoustic_event_prediction.prediction.live_sound import LiveSound, check_format
from acoustic_event_prediction.prediction.loaded_models import load_models
from acoustic_event_prediction.prediction.missing import find_missing
from acoustic_event_prediction.prediction.requirements import Requirements, choose_rule
from acoustic_event_prediction.prediction.streams import channel_names
from acoustic_event_prediction.speech_lm.block_io import HostCopy, not_finite
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.episode_input import words_of
from acoustic_event_prediction.speech_lm.extraction import open_text_row
from acoustic_event_prediction.speech_lm.features import BlockPlan, FeatureStream

_ENDLESS_FRAMES = 2**40
_WARM_UP_FRAMES = 3
_REMEDIES = {
    "turns": "give each speaker a channel (num_channels=2)",
    "words": "open it with with_words=True, and push what the system says",
    "laughs": "train a predictor that hears them (streams.mask_laughter=none)",
}


class Listener:
    """Hears a conversation and scores each frame as soon as the sound before it is there.

    Made by `Predictor.listen`, which says what it takes. A context manager: until it is closed, the
    models hold its state. Threads take turns. Memory does not grow with time.

    Attributes:
        users: whose streams are heard as the user's: a channel each, or `mix`.
        horizons: in frames, one per output.
        shift_frames: the main horizon.
        rule: how scores become alarms; None if there is none.
    """

    def __init__(
        self,
        predictor: Predictor,
        sample_rate_hz: int,
        num_channels: int,
        *,
        user: str | None,
        with_words: bool,
        rule: AlarmRule | None,
        checkpoint: str | Path | None,
        device: str,
    ) -> None:
        choose_device(device)
        requirements = Requirements.of(predictor.header, chunk_frames=1, device=device)
        # A signal's handler may close it in the midst of a push of the same thread.
        self._lock = threading.RLock()
        self._is_pushing = self._is_closing = False
        self._num_channels = num_channels
        self._sample_rate_hz = check_format(num_channels, sample_rate_hz)
        turns = GivenTables.of(None, None, None, math.inf).turns
        self._pairs, source = choose_pairs(num_channels, turns, requirements, user)
        self._is_mixed = source == "mono"
        if with_words and self._is_mixed:
            raise CorpusError(
                "words are what the others say, and all is heard as one stream: give each speaker "
                "a channel, or open it without with_words"
            )
        self._with_words = with_words
        missing = find_missing(
            requirements, source, has_turns=False, has_words=with_words, has_laughs=False
        )
        warn_of_missing(missing, _REMEDIES)
        self._predictor = predictor
        self.users = tuple(self._pairs)
        self.horizons = predictor.header.horizon_frames
        self.shift_frames = predictor.header.shift_frames
        has_own_rule = predictor.header.alarms is not None
        self.rule = rule or (choose_rule(predictor.header, None) if has_own_rule else None)
        self._alarms = [AlarmState(self.rule) for _ in self.users] if self.rule else []
        self._dtype = requirements.settings.dtype
        self._sound = LiveSound(self._pairs, num_channels, self._sample_rate_hz, self._is_mixed)
        models = self._models = load_models(predictor, requirements, checkpoint, device)
        resources = contextlib.ExitStack()
        # Also closes what nobody closed, once nobody has it any more.
        self._close = weakref.finalize(self, resources.close)
        lm = resources.enter_context(models.use(to_listen=True))
        try:
            self._plan = BlockPlan.of(_ENDLESS_FRAMES, 1, requirements.settings.reset_every_seconds)
            text = requirements.settings.text
            self._text = [open_text_row(self._plan, lm, text) for _ in self.users if text != "none"]
            self._padding = lm.temporal.tokens.text_padding
            self._stream = resources.enter_context(self._open_stream(lm, requirements))
            self._warm_up()
        except BaseException as error:
            models.note(error)
            self._close()
            raise
        self._num_frames = 0  # that have been scored

    def __enter__(self) -> Self:
        """Return the listener itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Give the models back, after a push that is going on; nothing can be pushed after that."""
        with self._lock:
            self._is_closing = True
            if not self._is_pushing:
                self._close()

    @property
    def heard_seconds(self) -> float:
        """How much sound was pushed; the times of words are counted alike."""
        return self._sound.num_samples / self._sample_rate_hz

    def push(
        self, samples: Array | torch.Tensor, words: pd.DataFrame | Rows | None = None
    ) -> LiveScores:
        """Take the next piece of sound, and return the scores of the frames that begin now.

        The score of frame t, at t * 80 ms, comes with the sound before it: after N samples at
        24 kHz, frames 0 to N // 1920 are scored. At another rate it comes later by up to 40 ms
        (below 16 kHz: 80 ms), the length of the resampler's filter.

        Args:
            samples: floats of -1 to 1, [n] of one channel or [C, n]; any n, also 0.
            words: that are new: rows of onset, offset (seconds since the first sound), text and
                speaker (`channel_2`). They may come early: the system knows what it is about to
                say. Words whose time is over follow one another from the next frame on.

        Raises:
            AudioError: samples of another type or shape, not finite, or far beyond full scale.
            CorpusError: words can't be used.
            CheckpointError: features are not finite. It is closed then, as it is when a push is
                interrupted.
            PredictorError: scores are not finite, or it is closed.
        """
        with self._lock:
            if self._is_closing or not self._close.alive:
                raise PredictorError("this listener is closed: open another with Predictor.listen")
            piece = self._check_samples(as_samples(samples))
            if words is not None:
                self._add_words(words)
            self._is_pushing = True
            try:
                found = [] if self._num_frames else [self._score(self._stream.begin())]
                for frame in self._sound.push(piece):
                    found.append(self._score(self._hear(frame)))
                return self._collect(found)
            except BaseException as error:
                # Part of the sound is heard, and the rest can't be made up for.
                self._is_closing = True
                self._models.note(error)
                raise
            finally:
                self._is_pushing = False
                if self._is_closing:
                    self._close()

    def _check_samples(self, samples: Array) -> Array:
        """Return the samples, float32 [n, C]."""
        name = f"sound from {self.heard_seconds:.3f} s on"
        if samples.size == 0 and samples.dtype.kind == "f":
            return np.zeros((0, self._num_channels), np.float32)
        source = HeldWaveform(samples, self._sample_rate_hz, name)
        num_channels = len(source.channels)
        if num_channels != self._num_channels:
            raise AudioFileError(
                source,
                f"has {num_channels} channels, the listener was opened for {self._num_channels}",
                "give [C, n], the channels first (`samples.T`), or open it with num_channels=",
            )
        with Decoder(source) as decoder:
            return np.concatenate(list(decoder))

    def _add_words(self, words: pd.DataFrame | Rows) -> None:
        table = GivenTables.of(None, words, None, math.inf)
        if table.words.empty:
            return
        if not self._with_words:
            raise CorpusError(
                "words were pushed, but it was opened without them: open it with with_words=True"
            )
        channels = channel_names(self._num_channels)
        if strange := [name for name in table.words["speaker"] if name not in channels]:
            raise CorpusError(
                f"a word is of {strange[0]!r}, the speakers are {', '.join(channels)}: name one of "
                "them in its column speaker"
            )
        read = {name for others in self._pairs.values() for name in others}
        if table.has_words_of_others(read):
            warn_of(f"only words of {', '.join(sorted(read))} are read: these are the user's own")
        for row, systems in zip(self._text, self._pairs.values(), strict=False):
            row.add(words_of(table.words, systems))

    def _hear(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Take one frame, float32 [S, 1920], and return the feature of the next, [U, 1, D]."""
        text = self._read_text()
        reset = self._plan.reset_frames
        if reset is not None and self._num_frames % reset == 0:
            return self._stream.begin()
        return self._stream.hear(waveforms, text)

    def _read_text(self) -> torch.Tensor:
        """Return the tokens of the next frame, int64 [U, 1]."""
        if not self._text:
            return torch.full((len(self.users), 1), self._padding)
        return torch.from_numpy(np.stack([row.read(1) for row in self._text]))

    def _score(self, features: torch.Tensor) -> npt.NDArray[np.float32]:
        """Return the scores of features [U, 1, D], float32 [U, H]."""
        rows, is_finite = HostCopy.of(features, self._dtype).wait()
        if not is_finite.all():
            raise not_finite(self._num_frames, self._dtype)
        scores = self._predictor.horizon_scores(rows[:, 0])
        self._num_frames += 1
        return scores

    def _collect(self, found: Sequence[npt.NDArray[np.float32]]) -> LiveScores:
        shape = (len(self.users), 0, len(self.horizons))
        scores = np.stack(found, axis=1) if found else np.zeros(shape, np.float32)  # [U, F, H]
        main = scores[:, :, self._predictor.header.main_output]
        alarms = [
            [state.push(score) for score in row.tolist()]
            for state, row in zip(self._alarms, main, strict=False)
        ]
        first = self._num_frames - len(found)
        return LiveScores(
            start_of(np.arange(first, self._num_frames)),
            main,
            scores,
            np.array(alarms, dtype=np.bool_).reshape(main.shape) if self._alarms else None,
        )

    def _open_stream(self, lm: SpeechLM, requirements: Requirements) -> FeatureStream:
        return FeatureStream(
            lm,
            self._plan,
            system_streams=self._sound.system_streams,
            user_streams=self._sound.user_streams,
            num_streams=self._sound.num_streams,
            order=requirements.settings.stream_order,
        )

    def _warm_up(self) -> None:
        """Have the models do once what they will do: the first time takes longer."""
        silence = torch.zeros((self._sound.num_streams, SAMPLES_PER_FRAME))
        text = torch.full((len(self.users), 1), self._padding)
        features = self._stream.begin()
        for _ in range(_WARM_UP_FRAMES):
            features = self._stream.hear(silence, text)
        rows, _ = HostCopy.of(features, self._dtype).wait()
        self._predictor.horizon_scores(rows[:, 0])
