"""What the types of the settings are made of."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StringConstraints,
)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("give a text without control characters and others that can't be shown")
    return text


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Text = Annotated[str, StringConstraints(min_length=1)]
# What a predictor's header takes over.
ShownText = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_printable)]
ShiftFrames = Annotated[StrictInt, Field(ge=1, le=1000)]
Split = Literal["train", "validation", "test"]


class StrictModel(BaseModel):
    """A parameter group: frozen, no unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, allow_inf_nan=False
    )


def as_tuple(value: object) -> object:
    """Return a tuple; `--params` can't hold a list: one name stands for a list of one."""
    return (value,) if isinstance(value, str) else value


def as_numbers(value: object, read: type[int] | type[float], unit: str) -> object:
    """Return numbers in ascending order, each once; what is none is left to the field's type.

    `--params` can't hold a list: `training.horizons="1 5 25"` and a single number stand for one.
    """
    if isinstance(value, str):
        try:
            value = [read(number.replace("_", "?")) for number in value.split()]
        except ValueError:
            message = f"give numbers of {unit} with blanks in between, as in '1 5 25'"
            raise ValueError(message) from None
    if type(value) in {int, float}:
        value = [value]
    if isinstance(value, list | tuple) and all(type(number) in {int, float} for number in value):
        return sorted(set(value))
    return value


def as_horizons(value: object) -> object:
    """Return ascending numbers of frames; see `as_numbers`."""
    return as_numbers(value, int, "frames")


def as_rates(value: object) -> object:
    """Return ascending false alarms per hour; see `as_numbers`."""
    return as_numbers(value, float, "false alarms per hour")


def as_seconds(value: object) -> object:
    """Return ascending seconds; see `as_numbers`."""
    return as_numbers(value, float, "seconds")
