"""Checkpoints of a training: the last epoch to go on from, the best weights to use.

Each is one safetensors file: weights and, of the last epoch, the optimiser's state as tensors, the
rest as JSON. Learning rates and patience follow from the history, random numbers from seed and
epoch.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from acoustic_event_prediction.atomic import replacing
from acoustic_event_prediction.comparison import describe_differences
from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.models.history import EpochRecord
from acoustic_event_prediction.models.tensor_file import Tensors, read_tensors, write_tensors

CheckpointName = Literal["last", "best"]
_METADATA_KEY = "training"


class CheckpointHeader(BaseModel):
    """The JSON of a checkpoint.

    Attributes:
        settings: everything that decides the result, flat; a training goes on only with the same.
        history: one record per epoch done.
        features_provenance: what the headers of all used partitions have in common, and the
            `sources` of their streams.
        prior: share of positive training frames, one per horizon.
        log_name: folder of the TensorBoard log.
    """

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")

    settings: dict[str, Any]
    history: list[EpochRecord]
    features_provenance: dict[str, Any]
    prior: tuple[float, ...]
    log_name: str


class Checkpoint(NamedTuple):
    """Header and tensors, on the CPU."""

    header: CheckpointHeader
    tensors: Tensors


class CheckpointFolder:
    """The folder of one training's checkpoints.

    Args:
        path: an existing folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def file(self, name: CheckpointName) -> Path:
        """Return the path of a checkpoint."""
        return self._path / f"{name}.safetensors"

    def clear(self) -> None:
        """Forget an earlier training."""
        for name in ("last", "best"):
            self.file(name).unlink(missing_ok=True)

    def save(self, name: CheckpointName, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; the one of the same name is there until the new one is complete.

        `best` goes before `last`: a training killed in between repeats an epoch and loses nothing.
        """
        text = checkpoint.header.model_dump_json()
        with replacing(self.file(name)) as part:
            write_tensors(part, checkpoint.tensors, key=_METADATA_KEY, text=text)

    def load(self, name: CheckpointName) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            TrainingError: it is damaged or not there.
        """
        path = self.file(name)
        try:
            tensors, text = read_tensors(path, key=_METADATA_KEY)
            header = CheckpointHeader.model_validate_json(text)
        except ValueError as error:
            raise TrainingError(
                f"{path} is no complete training checkpoint ({error}); "
                "train again with training.resume=false"
            ) from error
        return Checkpoint(header, tensors)

    def resume(self, settings: Mapping[str, Any]) -> Checkpoint | None:
        """Return `last`, or None when there is none.

        Raises:
            TrainingError: it is damaged, or comes from other settings or other data.
        """
        if not self.file("last").is_file():
            return None
        checkpoint = self.load("last")
        differences = describe_differences(
            checkpoint.header.settings, json.loads(json.dumps(settings))
        )
        if differences:
            raise TrainingError(
                f"the training in {self._path} can't be resumed, it had other settings or data: "
                f"{'; '.join(differences)}. Restore them, or train anew with training.resume=false"
            )
        return checkpoint


def digest(parts: Mapping[str, str]) -> str:
    """Return a short fingerprint of named fingerprints, whatever their order."""
    canonical = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()[:16]


def common_part(mappings: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the keys, at any depth, whose values are equal in all mappings.

    >>> common_part([{"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 2, "d": 4}}])
    {'a': 1, 'b': {'c': 2}}
    >>> common_part([{"b": {"d": 3}}, {"b": {"d": 4}}])
    {}
    """
    if not mappings:
        return {}
    first, *others = mappings
    common: dict[str, Any] = {}
    for key, value in first.items():
        values = [other.get(key) for other in others]
        if all(other == value for other in values):
            common[key] = value
        elif isinstance(value, dict) and all(isinstance(other, dict) for other in values):
            shared = common_part([value, *(other for other in values if isinstance(other, dict))])
            common |= {key: shared} if shared else {}
    return common
