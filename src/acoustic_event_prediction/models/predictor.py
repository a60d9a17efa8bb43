"""A trained classifier together with what one must know to use it, in one file."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt
import torch

from acoustic_event_prediction.comparison import describe_differences
from acoustic_event_prediction.errors import ProjectError, TrainingError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.predictor_header import AlarmSettings, PredictorHeader
from acoustic_event_prediction.models.scoring import compute_logits, to_scores
from acoustic_event_prediction.models.tensor_file import read_tensors, write_tensors

if TYPE_CHECKING:
    import pandas as pd

    from acoustic_event_prediction.alarms import AlarmRule
    from acoustic_event_prediction.prediction.live import Listener
    from acoustic_event_prediction.prediction.waveform import Prediction

_METADATA_KEY = "predictor"
_MOST_SHOWN = 40


class PredictorError(ProjectError):
    """A predictor file can't be read, or does not fit the features that it gets."""


@dataclass(frozen=True, repr=False)
class Predictor:
    """A classifier and its header.

    Attributes:
        classifier: on any device.
        header: see `PredictorHeader`.
        path: of the file that it was read from; None for one that was made in memory.
        loaded: models that `predict` has loaded.
    """

    classifier: FrameClassifier
    header: PredictorHeader
    path: Path | None = None
    loaded: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        """Return what it predicts, not its weights."""
        header = self.header
        return (
            f"Predictor({header.event!r}, horizons={header.horizon_frames}, trained on "
            f"{header.corpus!r}, path={str(self.path)!r})"
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of what decides scores: weights, shape and horizons, not the threshold."""
        shape = self.header.model_dump_json(include={"classifier", "horizons"})
        digest = hashlib.sha256(shape.encode("utf-8"))
        for name, weights in sorted(self.classifier.state_dict().items()):
            digest.update(name.encode("utf-8") + b"\0")
            digest.update(weights.detach().cpu().numpy().tobytes())
        return digest.hexdigest()

    def scores(self, features: Array) -> npt.NDArray[np.float32]:
        """Return the scores, 0 to 1, at the main horizon, float32 [T].

        Args:
            features: see `horizon_scores`.

        Raises:
            PredictorError: see `horizon_scores`.
        """
        return self.horizon_scores(features)[:, self.header.main_output]

    def horizon_scores(self, features: Array) -> npt.NDArray[np.float32]:
        """Return the scores, 0 to 1, at each horizon, float32 [T, H].

        Args:
            features: [T, D], float16, bfloat16 or float32; a memory map is read block by block.

        Raises:
            PredictorError: another D, or a feature that is NaN or infinite.
        """
        num_features = self.header.classifier.num_features
        if features.ndim != 2 or features.shape[1] != num_features:  # noqa: PLR2004
            raise PredictorError(
                f"this predictor takes features [T, {num_features}], got an array "
                f"{list(features.shape)}; extract the features with the checkpoint that it was "
                f"trained with: {self.header.features}"
            )
        try:
            return to_scores(compute_logits(self.classifier, features))
        except (TrainingError, ValueError) as error:
            raise PredictorError(str(error)) from error

    def require_features(self, summary: Mapping[str, Any]) -> None:
        """Check that features were made as those that the predictor was trained on.

        Args:
            summary: what the features have in common, by the names of `header.features`.

        Raises:
            PredictorError: they were not; the message shows every difference.
        """
        trained_on = {name: self.header.features.get(name) for name in summary}
        changed = describe_differences(trained_on, summary)
        if changed:
            raise PredictorError(
                f"the predictor was trained on other features: {'; '.join(changed)}; extract the "
                "features as they were, or train anew with `kedro run --pipelines training`"
            )

    def with_threshold(
        self, threshold: float, metric: str | None, alarms: AlarmSettings | None = None
    ) -> Self:
        """Return the same predictor with its threshold, 0 to 1, and its alarm rule.

        Args:
            threshold: of frames.
            metric: what it is best for; None if it is fixed.
            alarms: None: no rule could be chosen.
        """
        update = {
            "threshold": threshold,
            "threshold_metric": metric,
            "alarms": alarms and alarms.model_dump(),
        }
        header = PredictorHeader.model_validate(self.header.model_dump() | update)
        return type(self)(self.classifier, header, self.path, self.loaded)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the loaded models: a copy loads its own."""
        return {**vars(self), "loaded": {}}

    def save(self, path: Path) -> None:
        """Write weights and header to one safetensors file."""
        weights = {k: v.detach().cpu() for k, v in self.classifier.state_dict().items()}
        write_tensors(path, weights, key=_METADATA_KEY, text=self.header.model_dump_json())

    def predict(
        self,
        waveform: Array | torch.Tensor,
        sample_rate_hz: int,
        *,
        turns: "pd.DataFrame | Iterable[Sequence[Any]] | None" = None,
        words: "pd.DataFrame | Iterable[Sequence[Any]] | None" = None,
        laughs: "pd.DataFrame | Iterable[Sequence[Any]] | None" = None,
        user: str | None = None,
        checkpoint: str | Path | None = None,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        on_progress: Callable[[float], None] | None = None,
    ) -> "Prediction":
        """Score a waveform: is an event about to begin?

        The first call loads Moshi and Mimi, which stay with this object. Features are scored block
        by block and not kept. Calls from several threads wait for one another.

        Args:
            waveform: floats of -1 to 1: [N], one recording of all; or [C, N], with one speaker per
                channel, who is the user once while the others are the system.
            sample_rate_hz: of the waveform, any.
            turns: who speaks when: rows of onset, offset (seconds) and speaker. A waveform [N] is
                divided into a stream for each speaker by them.
            words: what is said: rows of onset, offset (seconds), text and speaker; without one, it
                is the speaker whose turn overlaps most.
            laughs: rows of onset, offset (seconds); silenced, if the predictor was trained so.
            user: only this speaker as the user, e.g. `channel_1`; None: everybody who speaks
                enough.
            checkpoint: folder of Moshi and Mimi; None: where they lay when the predictor was
                trained, or the hub. It must be the same checkpoint.
            device: where the models run.
            on_progress: called now and then, from a thread, with the part that is done, 0 to 1.

        Warns:
            MissingInputWarning: the predictor was trained with turns, words or laughs, and none are
                given; an empty list says that there are none.

        Raises:
            PredictorError: the predictor can't be used, or its checkpoint is not found.
            AudioError: the waveform is empty, of another shape or type, or not finite.
            CorpusError: turns, words or laughs can't be used.
            CheckpointError: a file of the checkpoint is damaged.
            DeviceError: the device is not there.
        """
        # moshi takes seconds to import, and whoever scores stored features does not need it.
        from acoustic_event_prediction.prediction.waveform import predict_waveform  # noqa: PLC0415

        return predict_waveform(
            self,
            waveform,
            sample_rate_hz,
            turns=turns,
            words=words,
            laughs=laughs,
            user=user,
            checkpoint=checkpoint,
            device=device,
            on_progress=on_progress,
        )

    def listen(
        self,
        sample_rate_hz: int,
        num_channels: int = 1,
        *,
        user: str | None = None,
        with_words: bool = False,
        rule: "AlarmRule | None" = None,
        checkpoint: str | Path | None = None,
        device: Literal["auto", "cpu", "cuda"] = "auto",
    ) -> "Listener":
        """Score sound while it comes; close what is returned, or use it in a `with` statement.

        The scores are those of `predict` for the same sound. Until it is closed, this predictor
        can't be used for anything else that needs the models.

        Args:
            sample_rate_hz: of the sound, any.
            num_channels: 1, all in one stream; or more, with one speaker per channel.
            user: only this speaker as the user, e.g. `channel_1`; None: everybody in turn.
            with_words: what is said will be pushed as well, when it is known.
            rule: how scores become alarms; None: the predictor's own.
            checkpoint: see `predict`.
            device: where the models run.

        Warns:
            MissingInputWarning: the predictor was trained with turns, words or laughs that will not
                be there.

        Raises:
            PredictorError: the predictor can't be used, its checkpoint is not found, or it listens
                already.
            AudioError, CorpusError: no such rate, number of channels or user.
            CheckpointError: a file of the checkpoint is damaged.
            DeviceError: the device is not there.
        """
        from acoustic_event_prediction.prediction.live import Listener  # noqa: PLC0415

        return Listener(
            self,
            sample_rate_hz,
            num_channels,
            user=user,
            with_words=with_words,
            rule=rule,
            checkpoint=checkpoint,
            device=device,
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a predictor file; nothing in it is executed.

        Args:
            path: of a `predictor.safetensors`.

        Raises:
            PredictorError: there is no such file, or it is damaged, foreign or of another version.
        """
        path = Path(path)
        if not os.path.isfile(path):
            raise PredictorError(
                f"there is no predictor {path} (looked for {path.absolute()}); train one with "
                "`kedro run --pipelines training,evaluation`, or give the path of another"
            )
        try:
            weights, text = read_tensors(path, key=_METADATA_KEY)
            header = PredictorHeader.model_validate_json(text)
            classifier = FrameClassifier(**header.classifier.model_dump())
            # torch would name them as they are, control characters and all.
            if unknown := sorted(set(weights) - set(classifier.state_dict())):
                raise ValueError(f"unknown weights, the first: {unknown[0][:_MOST_SHOWN]!a}")
            classifier.load_state_dict(weights)
        except (ValueError, RuntimeError) as error:
            raise PredictorError(
                f"{path} is no predictor of this project, or damaged ({error}); "
                "train one with `kedro run --pipelines training`, or give the path of another"
            ) from error
        classifier.eval()
        return cls(classifier, header, path)
