"""Settings of the corpus: where its files are, which are read, who is user and system."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StrictInt, model_validator

from acoustic_event_prediction.setting_types import Split, StrictModel, Text, as_tuple


class SplitFractions(StrictModel):
    """How much of the corpus each split gets, where splits are drawn; at least one is not 0."""

    train: Annotated[float, Field(ge=0)]
    validation: Annotated[float, Field(ge=0)]
    test: Annotated[float, Field(ge=0)]

    @model_validator(mode="after")
    def _not_nothing(self) -> Self:
        if self.train + self.validation + self.test == 0:
            raise ValueError("give at least one split a fraction above 0")
        return self


class TableParams(StrictModel):
    """Layout `table`: any recordings, with a table of events or a label file beside each."""

    events: Text | None
    split_by: Literal["auto", "column", "folder", "show", "episode"]
    fractions: SplitFractions
    seed: Annotated[StrictInt, Field(ge=0, lt=2**63)]
    rttm: Literal["auto", "turns", "events"]
    textgrid: Literal["text", "tier"]


class HubParams(StrictModel):
    """Layout `podcastfillers_hub`: audio in parquet shards, annotations in a CSV beside."""

    annotations: Text


class IngestionParams(StrictModel):
    """Which episodes are read, and what happens to a broken one."""

    layout: Literal["podcastfillers", "podcastfillers_hub", "table"]
    splits: Annotated[tuple[Split, ...], BeforeValidator(as_tuple), Field(min_length=1)]
    limit: Annotated[StrictInt, Field(ge=1)] | None
    exclude_episodes: Annotated[tuple[str, ...], BeforeValidator(as_tuple)]
    on_invalid: Literal["raise", "skip"]
    table: TableParams
    hub: HubParams


class StreamParams(StrictModel):
    """Who is the user, who the system, and how their audio streams are made."""

    source: Literal["auto", "separated", "diarization", "mono"]
    min_speaker_share: Annotated[float, Field(ge=0, le=1)]
    max_users: Annotated[StrictInt, Field(ge=1)] | None
    mask_laughter: Literal["both", "system", "none"]


class DiarizationParams(StrictModel):
    """Who speaks when, for episodes without turns: found by a model, or read from RTTM files."""

    source: Literal["pyannote", "rttm"]
    model: Text
    rttm: Text | None
    min_speakers: Annotated[StrictInt, Field(ge=1)] | None
    max_speakers: Annotated[StrictInt, Field(ge=1)] | None
    device: Literal["auto", "cpu", "cuda"]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.source == "rttm" and self.rttm is None:
            raise ValueError("diarization.source=rttm needs diarization.rttm, a folder or a file")
        low, high = self.min_speakers, self.max_speakers
        if low is not None and high is not None and low > high:
            raise ValueError(f"diarization.min_speakers={low} is more than max_speakers={high}")
        return self
