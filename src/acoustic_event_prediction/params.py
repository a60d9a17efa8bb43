"""Every setting of the project, typed: one frozen model per parameter group of `conf/`.

The numbers themselves live in `conf/base`; a field has a default here only where the field's
absence has a meaning of its own. Unknown keys and wrong types are refused before any node runs.
"""

from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
    field_validator,
    model_validator,
)

from acoustic_event_prediction.corpus_params import (
    DiarizationParams,
    IngestionParams,
    StreamParams,
)
from acoustic_event_prediction.frames import whole_frames
from acoustic_event_prediction.setting_types import (
    Name,
    ShiftFrames,
    ShownText,
    StrictModel,
    Text,
    as_horizons,
    as_rates,
    as_seconds,
)

TuneMetric = Literal[
    "f1",
    "f_beta",
    "youden_j",
    "mcc",
    "precision_at_recall",
    "recall_at_precision",
    "false_alarms_per_hour",
]
TextSetting = Literal["words", "words_at_end", "none"]


class CheckpointParams(StrictModel):
    """Where Moshi and Mimi come from: a local directory, or a hub repository at a revision."""

    hf_repo: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")] | None
    revision: ShownText | None
    directory: ShownText | None

    @model_validator(mode="after")
    def _one_source(self) -> "CheckpointParams":
        if (self.hf_repo is None) == (self.directory is None):
            raise ValueError(
                "set exactly one of checkpoint.directory (a local folder) and checkpoint.hf_repo "
                f"(owner/name), got directory={self.directory!r} and hf_repo={self.hf_repo!r}"
            )
        return self


class LauncherParams(StrictModel):
    """How torchrun starts the workers; `auto`: one process per GPU, or one without GPUs."""

    nproc_per_node: Annotated[StrictInt, Field(ge=1, le=1024)] | Literal["auto"]
    nnodes: Annotated[StrictInt, Field(ge=1)]
    node_rank: Annotated[StrictInt, Field(ge=0)]
    rdzv_endpoint: Annotated[str, StringConstraints(pattern=r"^[\w.\-\[\]:]+:\d+$")] | None
    timeout_seconds: Annotated[float, Field(gt=0)]

    @property
    def is_main_node(self) -> bool:
        """True on the one node that decides what is done, and that locks what is written."""
        return self.node_rank == 0

    @model_validator(mode="after")
    def _rendezvous(self) -> "LauncherParams":
        if self.nnodes > 1 and self.rdzv_endpoint is None:
            raise ValueError("launcher.nnodes > 1 needs launcher.rdzv_endpoint=host:port")
        if self.node_rank >= self.nnodes:
            raise ValueError(
                f"launcher.node_rank must be below nnodes={self.nnodes}, got {self.node_rank}"
            )
        return self


class GlobalParams(StrictModel):
    """`conf/<env>/globals.yml`: what names the run and its folders."""

    data_root: Annotated[str, StringConstraints(min_length=1)]
    corpus: Name
    dataset_root: Annotated[str, StringConstraints(min_length=1)]
    checkpoint: CheckpointParams
    shift_frames: ShiftFrames
    other_scores: Annotated[str, StringConstraints(min_length=1)]
    launcher: LauncherParams


class FeatureExtractionParams(StrictModel):
    """How the streams go through Mimi and Moshi, and how the features are stored."""

    text: TextSetting
    stream_order: Literal["moshi", "reference"]
    reset_every_seconds: Annotated[float, Field(gt=0)] | None
    chunk_frames: Annotated[StrictInt, Field(ge=1, le=8192)]
    dtype: Literal["float16", "bfloat16", "float32"]
    precision: Literal["auto", "float32", "bfloat16"]
    device: Literal["auto", "cpu", "cuda"]

    @field_validator("reset_every_seconds")
    @classmethod
    def _resets_between_frames(cls, seconds: float | None) -> float | None:
        if seconds is not None:
            whole_frames(seconds)
        return seconds


class LabelingParams(StrictModel):
    """Which frames are positive; the rule is in docs/labeling.md."""

    event: Annotated[ShownText, StringConstraints(min_length=1)]
    target: Literal["any", "user"]
    shift_frames: ShiftFrames


Horizons = Annotated[tuple[ShiftFrames, ...], BeforeValidator(as_horizons), Field(min_length=1)]


class TrainingParams(StrictModel):
    """Classifier, loss and optimisation; the values in conf/base are the reference's."""

    horizons: Horizons | None
    standardize: bool
    loss_type: Literal["bce", "focal", "adaptive_focal"]
    positive_weight: Annotated[float, Field(gt=0, le=1e9)] | Literal["auto"]
    focal_alpha: Annotated[float, Field(gt=0, lt=1)]
    focal_gamma: Annotated[float, Field(ge=0)]
    reduction: Literal["auto", "mean", "sum"]
    prior_bias: StrictBool | Literal["auto"]
    hidden_dim: Annotated[StrictInt, Field(ge=1)] | None
    dropout: Annotated[float, Field(ge=0, lt=1)]
    batch_size: Annotated[StrictInt, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    learning_rate_factor: Annotated[float, Field(gt=0, lt=1)]
    learning_rate_patience: Annotated[StrictInt, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    max_gradient_norm: Annotated[float, Field(gt=0)] | None
    epochs: Annotated[StrictInt, Field(ge=1)]
    early_stopping_patience: Annotated[StrictInt, Field(ge=1)]
    seed: Annotated[StrictInt, Field(ge=0, lt=2**63)]
    shuffle_block_gb: Annotated[float, Field(gt=0)]
    resident: StrictBool | Literal["auto"]
    resume: bool
    shuffle_labels: bool


Seconds = Annotated[StrictFloat, Field(ge=0, le=3600)]
Probability = Annotated[float, Field(ge=0, le=1)]
SomeSeconds = Annotated[
    tuple[Seconds, ...], BeforeValidator(as_seconds), Field(min_length=1, max_length=20)
]
Tune = Literal["tune"]
# Fewer have no 2.5th percentile.
_FEWEST_RESAMPLES = 20


class IgnoreParams(StrictModel):
    """Which frames are left out of all metrics."""

    inside_event: StrictBool
    tail_seconds: Seconds


class AlarmParams(StrictModel):
    """How scores become alarms; of several values, the best on validation is taken."""

    threshold: Probability | Tune
    merge_gap_seconds: SomeSeconds
    minimum_duration_seconds: SomeSeconds
    refractory_seconds: SomeSeconds
    tune_metric: Literal["f1", "hit_rate"]
    collars_seconds: SomeSeconds
    bout_gap_seconds: Seconds

    @field_validator("collars_seconds")
    @classmethod
    def _collars_have_names(cls, seconds: tuple[float, ...]) -> tuple[float, ...]:
        if len({f"{value:g}" for value in seconds}) < len(seconds):
            raise ValueError("two collars differ by less than their names, of 6 digits, show")
        return seconds


class ReportParams(StrictModel):
    """How much of the errors the report shows and plays."""

    snippet_seconds: Annotated[StrictFloat, Field(ge=0.5, le=60)]
    errors_per_episode: Annotated[StrictInt, Field(ge=0, le=100)]
    max_megabytes: Annotated[StrictFloat, Field(ge=0, le=500)]


class EvaluationParams(StrictModel):
    """How the threshold is chosen; a number fixes it, `tune` chooses it on validation."""

    threshold: Probability | Tune
    tune_metric: TuneMetric
    beta: Annotated[float, Field(gt=0, le=100)]
    min_recall: Annotated[float, Field(gt=0, le=1)]
    min_precision: Annotated[float, Field(gt=0, le=1)]
    max_false_alarms_per_hour: Annotated[float, Field(gt=0, le=45_000)]
    bootstrap_samples: Annotated[StrictInt, Field(ge=0, le=100_000)]
    bootstrap_unit: Literal["auto", "episode", "show"]
    ignore: IgnoreParams
    alarms: AlarmParams
    report: ReportParams

    @field_validator("bootstrap_samples")
    @classmethod
    def _enough_for_percentiles(cls, number: int) -> int:
        if 0 < number < _FEWEST_RESAMPLES:
            raise ValueError(f"give at least {_FEWEST_RESAMPLES} resamples, or 0 for no intervals")
        return number


class PredictionReportParams(StrictModel):
    """How much sound the page of a recording holds."""

    max_megabytes: Annotated[StrictFloat, Field(ge=0, le=500)]


class PredictionParams(StrictModel):
    """Which recordings are predicted on, with what, and how scores become alarms."""

    recording: Text | None
    tracks: Text | None
    turns: Text | None
    words: Text | None
    laughs: Text | None
    channels: Literal["auto", "speakers", "mix"]
    user: Text | None
    predictor: Text | None
    on_missing: Literal["warn", "raise"]
    threshold: Probability | None
    merge_gap_seconds: Seconds | None
    minimum_duration_seconds: Seconds | None
    refractory_seconds: Seconds | None
    report: PredictionReportParams


class CausalityCheckParams(StrictModel):
    """What the causality check changes, and how much of the corpus it looks at."""

    episodes: Annotated[StrictInt, Field(ge=1)]
    points: Annotated[StrictInt, Field(ge=1, le=256)]
    seconds: Annotated[float, Field(gt=0)]
    seed: Annotated[StrictInt, Field(ge=0, lt=2**63)]


class HorizonSweepParams(StrictModel):
    """Which horizons are compared, and the false alarms per hour at which recall is measured."""

    horizons: Horizons
    false_alarms_per_hour: Annotated[
        tuple[Annotated[StrictFloat, Field(gt=0)], ...],
        BeforeValidator(as_rates),
        Field(min_length=1),
    ]


class ProjectParams(StrictModel):
    """All parameter groups together, as `kedro run` resolves them."""

    shift_frames: ShiftFrames
    corpus: Name
    checkpoint: CheckpointParams
    launcher: LauncherParams
    ingestion: IngestionParams
    diarization: DiarizationParams
    streams: StreamParams
    feature_extraction: FeatureExtractionParams
    labeling: LabelingParams
    training: TrainingParams
    evaluation: EvaluationParams
    prediction: PredictionParams
    causality_check: CausalityCheckParams
    horizon_sweep: HorizonSweepParams
