"""A trained classifier together with what one must know to use it, in one file."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from acoustic_event_prediction.errors import ProjectError, TrainingError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.losses import LossType
from acoustic_event_prediction.models.scoring import compute_logits, to_scores
from acoustic_event_prediction.models.tensor_file import read_tensors, write_tensors

_METADATA_KEY = "predictor"


class PredictorError(ProjectError):
    """A predictor file can't be read, or does not fit the features that it gets."""


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClassifierHeader(_Header):
    """Shape of the classifier: D, and the hidden layer's width or None."""

    num_features: int = Field(ge=1)
    hidden_dim: int | None = Field(ge=1)


class TrainingSummary(_Header):
    """The epoch that the weights come from, and the share of positive training frames."""

    epoch: int
    validation_auprc: float
    prior: float
    shuffled_labels: bool


class PredictorHeader(_Header):
    """What a predictor file says about itself.

    Attributes:
        format_version: of the file.
        package_version: of the package that trained it.
        classifier: shape of the network.
        shift_frames: horizon; a score is for an onset within so many frames of 80 ms.
        event: label of the predicted event.
        target: whose events: of any speaker, or of the user.
        threshold: score from which a frame is predicted positive; None until it is chosen.
        corpus: name of the training corpus, if known.
        loss: `training.loss_type`.
        features: what all training partitions say about how their features were made.
        training: how the weights were chosen.
    """

    format_version: Literal[1] = 1
    package_version: str = Field(default_factory=lambda: version("acoustic-event-prediction"))
    classifier: ClassifierHeader
    shift_frames: int = Field(ge=1)
    event: str
    target: Literal["any", "user"]
    threshold: float | None = Field(default=None, ge=0, le=1)
    corpus: str | None
    loss: LossType
    features: dict[str, Any]
    training: TrainingSummary


@dataclass(frozen=True)
class Predictor:
    """A classifier and its header.

    Attributes:
        classifier: one horizon; on any device.
        header: see `PredictorHeader`.
    """

    classifier: FrameClassifier
    header: PredictorHeader

    def scores(self, features: Array) -> npt.NDArray[np.float32]:
        """Return the probability of a positive label for each frame, float32 [T].

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
            return to_scores(compute_logits(self.classifier, features)[:, 0])
        except (TrainingError, ValueError) as error:
            raise PredictorError(str(error)) from error

    def with_threshold(self, threshold: float) -> Self:
        """Return the same predictor with its operating point, 0 to 1."""
        header = PredictorHeader.model_validate(self.header.model_dump() | {"threshold": threshold})
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
