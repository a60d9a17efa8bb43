"""What a predictor file says about itself."""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# A file that asks for more would fill the memory before its weights are found not to fit.
_MOST = 2**20
_LONGEST_TEXT = 1000
_MOST_SHOWN = 40


class _Header(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    # Texts end up in logs, tables and pages; before all else, because messages show names of keys.
    @model_validator(mode="before")
    @classmethod
    def _texts_can_be_shown(cls, values: Any) -> Any:
        for place, text in _texts(values):
            if len(text) > _LONGEST_TEXT:
                raise ValueError(
                    f"a text in {place} has {len(text)} characters, more than {_LONGEST_TEXT}"
                )
            if not text.isprintable():
                raise ValueError(
                    f"a text in {place} holds control characters or others that can't be shown: "
                    f"{text[:_MOST_SHOWN]!a}"
                )
        return values


def _texts(values: Any, place: str = "the header") -> Iterator[tuple[str, str]]:
    """Yield the texts in JSON values, keys as well, each with the name of the field it is in."""
    if isinstance(values, str):
        yield place, values
    elif isinstance(values, Mapping):
        for key, value in values.items():
            yield place, str(key)
            yield from _texts(value, str(key) if place == "the header" else place)
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _texts(value, place)


class ClassifierHeader(_Header):
    """Shape of the classifier: D, H, and the hidden layer's width or None."""

    num_features: int = Field(ge=1, le=_MOST)
    num_horizons: int = Field(ge=1, le=1000)
    hidden_dim: int | None = Field(ge=1, le=_MOST)


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
            streams, text, order, masks; and `sources`, how their streams were made.
        checkpoint_folder: where the checkpoint lay; None if it is on the hub, or not known. What it
            must be says `features`.
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
    checkpoint_folder: str | None = None

    @model_validator(mode="after")
    def _has_main_horizon(self) -> Self:
        if self.shift_frames not in self.horizon_frames:
            raise ValueError(
                f"shift_frames={self.shift_frames} is none of the horizons {self.horizon_frames}"
            )
        if len(set(self.horizon_frames)) < len(self.horizons):
            raise ValueError(f"a horizon is there twice: {self.horizon_frames}")
        if len(self.horizons) != self.classifier.num_horizons:
            raise ValueError(
                f"{len(self.horizons)} horizons, {self.classifier.num_horizons} outputs"
            )
        return self

    @property
    def main_output(self) -> int:
        """Number of the output that is for the main horizon."""
        return self.horizon_frames.index(self.shift_frames)

    @property
    def horizon_frames(self) -> tuple[int, ...]:
        """Horizon of each output, in frames."""
        return tuple(summary.shift_frames for summary in self.horizons)
