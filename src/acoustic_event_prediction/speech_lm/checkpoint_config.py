"""The JSON files of a checkpoint, and whether their numbers make a model."""

import json
from pathlib import Path
from typing import Any

from moshi.models import loaders

from acoustic_event_prediction.errors import CheckpointError

_MOST_DELAY = 64  # frames, 5 s


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises:
        CheckpointError: it holds no such thing.
    """
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds {type(values).__name__} instead of an object")
    return values


def read_lm_config(path: Path | None) -> dict[str, Any]:
    """Return the language model's configuration: that of the original 7B without a file.

    Raises:
        CheckpointError: the file is no configuration, or has numbers that moshi would take and make
            nonsense of.
    """
    if path is None:
        return dict(loaders._lm_kwargs)
    config = read_object(path)
    num_rows = 1 + _number(path, config, "n_q", least=2)
    delays = config.get("delays")
    if (
        not isinstance(delays, list)
        or len(delays) != num_rows
        or not all(type(delay) is int and 0 <= delay <= _MOST_DELAY for delay in delays)
    ):
        raise CheckpointError(
            f"{path}: delays must be {num_rows} numbers of 0 to {_MOST_DELAY} frames, got {delays}"
        )
    for name, least in (("context", 2), ("num_layers", 1), ("dep_q", 1), ("card", 1)):
        _number(path, config, name, least=least)
    heads, dim = _number(path, config, "num_heads", least=1), _number(path, config, "dim", least=2)
    if dim % (2 * heads):
        raise CheckpointError(f"{path}: {heads} heads can't share {dim} dimensions")
    card = _number(path, config, "text_card", least=1)
    config = {"existing_text_padding_id": 3} | config  # moshi's own default
    if (padding := _number(path, config, "existing_text_padding_id", least=0)) >= card:
        raise CheckpointError(
            f"{path}: existing_text_padding_id {padding} is none of the {card} text tokens"
        )
    return config


def read_latent_dim(path: Path | None) -> int:
    """Return the width of Mimi's latent: that of the original Mimi without a file.

    Raises:
        CheckpointError: the file does not say.
    """
    if path is None:
        dimension: Any = loaders._seanet_kwargs["dimension"]
        return int(dimension)
    encoder = read_object(path).get("seanet")
    if not isinstance(encoder, dict):
        raise CheckpointError(f"{path}: seanet must be an object, got {encoder!r}")
    return _number(path, encoder, "dimension", least=1)


def _number(path: Path, config: dict[str, Any], name: str, *, least: int) -> int:
    value = config.get(name)
    if type(value) is not int or value < least:
        raise CheckpointError(
            f"{path}: {name} must be a whole number from {least} on, got {value!r}"
        )
    return value
