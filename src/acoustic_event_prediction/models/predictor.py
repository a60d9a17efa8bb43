"""A trained classifier together with what one must know to use it, in one file."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from acoustic_event_prediction.comparison import describe_differences
from acoustic_event_prediction.errors import ProjectError, TrainingError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.scoring import compute_logits, to_scores
from acoustic_event_prediction.models.tensor_file import read_tensors, write_tensors

_METADATA_KEY = "predictor"


class PredictorError(ProjectError):
    """A predictor file can't be read, or does not fit the features that it gets."""


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassifierHeader(_Header):
    """Shape of the classifier: D, H, and the hidden layer's width or None."""

    num_features: int = Field(ge=1)
    num_horizons: int = Field(ge=1)
    hidden_dim: int | None = Field(ge=1)


class HorizonSummary(_Header):
    """One output: its horizon, the epoch that its weights come from, what that epoch gave.

    Attributes:
        shift_frames: a score is for an onset within so many frames of 80 ms.
        epoch: counted from 1.
        validation_auprc: after that epoch.
        prior: share of positive training frames.
    """

    shift_frames: int = Field(ge=1)
    epoch: int = Field(ge=1)
    validation_auprc: float
    prior: float


class AlarmSettings(_Header):
    """How scores at the main horizon become alarms; see `alarms.AlarmRule`.

    Attributes:
        threshold: of alarms, another than that of frames.
        merge_gap_seconds: a gap that is no longer does not end an alarm.
        minimum_duration_seconds: an alarm is given when scores have been high for so long.
        refractory_seconds: after an alarm there is none for so long.
        metric: what the rule is best for; None if it was fixed.
        value: of the metric on validation.
    """

    threshold: float
    merge_gap_seconds: float = Field(ge=0)
    minimum_duration_seconds: float = Field(ge=0)
    refractory_seconds: float = Field(ge=0)
    metric: str | None
    value: float | None


class PredictorHeader(_Header):
    """What a predictor file says about itself.

    Attributes:
        format_version: of the file.
        package_version: of the package that trained it.
        classifier: shape of the network.
        is_standardized: whether the network takes features by the training set's mean and scale.
        shift_frames: the main horizon, in frames of 80 ms.
        horizons: all horizons, in the order of the outputs.
        event: label of the predicted event.
        target: whose events: of any speaker, or of the user.
        threshold: score at the main horizon from which a frame is predicted positive; None until
            the evaluation has chosen it.
        threshold_metric: what it is best for on validation; None if it was fixed or is not known.
        alarms: how scores become alarms; None until the evaluation has chosen it, or if it can't.
        corpus: name of the training corpus.
        training: all settings of the training; `frames_per_step` is over all processes.
        streams: settings by which users and streams were chosen.
        features: what all training partitions say about how their features were made: checkpoint,
            streams, text, order, masks.
    """

    format_version: Literal[2] = 2
    package_version: str = Field(default_factory=lambda: version("acoustic-event-prediction"))
    classifier: ClassifierHeader
    is_standardized: bool
    shift_frames: int = Field(ge=1)
    horizons: tuple[HorizonSummary, ...]
    event: str
    target: Literal["any", "user"]
    threshold: float | None = Field(default=None, ge=0, le=1)
    threshold_metric: str | None = None
    alarms: AlarmSettings | None = None
    corpus: str
    training: dict[str, Any]
    streams: dict[str, Any]
    features: dict[str, Any]

    @model_validator(mode="after")
    def _has_main_horizon(self) -> Self:
        if self.shift_frames not in self.horizon_frames:
            raise ValueError(
                f"shift_frames={self.shift_frames} is none of the horizons {self.horizon_frames}"
            )
        if len(self.horizons) != self.classifier.num_horizons:
            raise ValueError(
                f"{len(self.horizons)} horizons, {self.classifier.num_horizons} outputs"
            )
        return self

    @property
    def horizon_frames(self) -> tuple[int, ...]:
        """Horizon of each output, in frames."""
        return tuple(summary.shift_frames for summary in self.horizons)


@dataclass(frozen=True)
class Predictor:
    """A classifier and its header.

    Attributes:
        classifier: on any device.
        header: see `PredictorHeader`.
    """

    classifier: FrameClassifier
    header: PredictorHeader

    def scores(self, features: Array) -> npt.NDArray[np.float32]:
        """Return the probability of a positive label at the main horizon, float32 [T].

        Args:
            features: see `horizon_scores`.

        Raises:
            PredictorError: see `horizon_scores`.
        """
        main = self.header.horizon_frames.index(self.header.shift_frames)
        return self.horizon_scores(features)[:, main]

    def horizon_scores(self, features: Array) -> npt.NDArray[np.float32]:
        """Return the probability of a positive label at each horizon, float32 [T, H].

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
        return type(self)(self.classifier, header)

    def save(self, path: Path) -> None:
        """Write weights and header to one safetensors file."""
        weights = {k: v.detach().cpu() for k, v in self.classifier.state_dict().items()}
        write_tensors(path, weights, key=_METADATA_KEY, text=self.header.model_dump_json())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a predictor file; nothing in it is executed.

        Raises:
            PredictorError: there is no such file, or it is damaged, foreign or of another version.
        """
        try:
            weights, text = read_tensors(path, key=_METADATA_KEY)
            header = PredictorHeader.model_validate_json(text)
            classifier = FrameClassifier(**header.classifier.model_dump())
            classifier.load_state_dict(weights)
        except (ValueError, RuntimeError) as error:
            raise PredictorError(
                f"{path} is no predictor of this project, or damaged ({error}); "
                "train one with `kedro run --pipelines training`, or give the path of another"
            ) from error
        classifier.eval()
        return cls(classifier, header)
