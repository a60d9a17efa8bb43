"""Moshi and Mimi as a predictor keeps them: they hold the state of one stream at a time."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import torch

from acoustic_event_prediction.devices import choose_device
from acoustic_event_prediction.models.predictor import Predictor, PredictorError
from acoustic_event_prediction.prediction.requirements import Requirements, find_checkpoint
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM, load_speech_lm

_LOOK_AGAIN_SECONDS = 0.2
_LOADING = threading.Lock()


class LoadedModels:
    """Models that are ready, for one user at a time.

    Args:
        lm: the models.

    Attributes:
        is_spoiled: an interrupt may have left them in a state that nobody knows.
    """

    def __init__(self, lm: SpeechLM) -> None:
        self._lm = lm
        self._lock = threading.Lock()
        self._is_listening = False
        self.is_spoiled = False

    @contextlib.contextmanager
    def use(self, *, to_listen: bool = False) -> Iterator[SpeechLM]:
        """Give the models, when a call of another thread has ended.

        Args:
            to_listen: whether they are kept until somebody closes what listens.

        Raises:
            PredictorError: somebody listens, which may go on for hours.
        """
        while not self._lock.acquire(timeout=_LOOK_AGAIN_SECONDS):
            if self._is_listening:
                raise PredictorError(
                    "the models of this predictor are in use by what `listen` has returned: close "
                    "it first, or load the predictor once more with Predictor.load"
                )
        self._is_listening = to_listen
        try:
            yield self._lm
        except BaseException as error:
            self.note(error)
            raise
        finally:
            self._is_listening = False
            self._lock.release()

    def note(self, error: BaseException) -> None:
        """Take note of what ended their use: an interrupt may have left them half in a stream."""
        self.is_spoiled = self.is_spoiled or not isinstance(error, Exception)


def load_models(
    predictor: Predictor, requirements: Requirements, checkpoint: str | Path | None, device: str
) -> LoadedModels:
    """Return the models that a predictor was trained with; they stay with it.

    Args:
        predictor: whose they are.
        requirements: of the predictor.
        checkpoint: the one folder where they may lie; None: see `find_checkpoint`.
        device: auto, cpu or cuda.

    Raises:
        PredictorError: the checkpoint is not found.
        CheckpointError: a file of it is damaged.
        DeviceError: the device is not there.
    """
    kind = choose_device(device)
    key = (None if checkpoint is None else os.path.abspath(checkpoint), kind)
    loaded: dict[tuple[str | None, str], LoadedModels] = predictor.loaded
    with _LOADING:
        if key not in loaded or loaded[key].is_spoiled:
            loaded.pop(key, None)
            folder = None if checkpoint is None else Path(checkpoint)
            found = find_checkpoint(predictor.header, predictor.path, only=folder)
            precision = getattr(torch, requirements.settings.precision)
            loaded[key] = LoadedModels(load_speech_lm(found, torch.device(kind), precision))
        return loaded[key]
