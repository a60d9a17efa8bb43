"""What a predictor needs to be given: the models and the streams that it was trained with."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypedDict

from pydantic import ValidationError

from acoustic_event_prediction.alarms import AlarmRule
from acoustic_event_prediction.comparison import differences
from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.errors import CheckpointError
from acoustic_event_prediction.models.predictor import PredictorError
from acoustic_event_prediction.models.predictor_header import PredictorHeader
from acoustic_event_prediction.params import (
    CheckpointParams,
    FeatureExtractionParams,
    PredictionParams,
)
from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint, locate_checkpoint
from acoustic_event_prediction.speech_lm.provenance import FORMAT

_RULE = ("threshold", "merge_gap_seconds", "minimum_duration_seconds", "refractory_seconds")


class UserLimits(TypedDict):
    """Who can be the user; see `assignments.assign`."""

    min_speaker_share: float
    max_users: int | None


@dataclass(frozen=True)
class Requirements:
    """How the features of a predictor are made, as its header says.

    Attributes:
        settings: of the extraction; chunk_frames and device are the user's.
        streams: how users are chosen and streams made.
        sources: how the streams of the training were made; empty if the header does not say.
    """

    settings: FeatureExtractionParams
    streams: StreamParams
    sources: frozenset[str]

    @classmethod
    def of(cls, header: PredictorHeader, *, chunk_frames: int, device: str) -> Self:
        """Read a header.

        Args:
            header: of the predictor.
            chunk_frames: frames per pass.
            device: auto, cpu or cuda.

        Raises:
            PredictorError: its features are not those of a Moshi checkpoint, or of another version
                of this package.
        """
        features = header.features
        if "kind" in features:
            raise PredictorError(
                f"the predictor was trained on baseline features ({features['kind']}), which are "
                "made for comparison only; give one that was trained on Moshi's features, with "
                "prediction.predictor"
            )
        if not isinstance(features.get("checkpoint"), Mapping):
            raise PredictorError(
                "the predictor's header does not say which checkpoint it was trained with; train "
                f"anew, or use version {header.package_version} of the package"
            )
        if features.get("format") != FORMAT:
            raise PredictorError(
                f"the predictor's features have format {features.get('format')!r}, this version of "
                f"the package makes {FORMAT!r}: train anew, or use version {header.package_version}"
            )
        try:
            settings = FeatureExtractionParams.model_validate(
                {**features["feature_extraction"], "chunk_frames": chunk_frames, "device": device}
            )
            streams = StreamParams.model_validate(header.streams)
            sources = frozenset(features.get("sources", ()))
        except (ValidationError, KeyError, TypeError) as error:
            raise PredictorError(
                f"the predictor's header does not say how its features are made ({error}); train "
                f"anew, or use version {header.package_version} of the package"
            ) from error
        return cls(settings, streams, sources)

    def user_limits(self, user: str | None) -> UserLimits:
        """Return who can be the user: whoever is asked for by name need not speak much."""
        if user is None:
            return UserLimits(
                min_speaker_share=self.streams.min_speaker_share, max_users=self.streams.max_users
            )
        return UserLimits(min_speaker_share=0.0, max_users=None)

    @property
    def hears_mixes_only(self) -> bool:
        """Whether the training had one stream for all speakers of a recording."""
        return self.streams.source == "mono" or self.sources == {"mono"}

    @property
    def hears_speakers(self) -> bool:
        """Whether the training had a stream for each speaker in all of its recordings."""
        return self.streams.source != "mono" and bool(self.sources) and "mono" not in self.sources


def find_checkpoint(
    header: PredictorHeader,
    predictor: Path | None,
    *,
    configured: CheckpointParams | None = None,
    only: Path | None = None,
) -> Checkpoint:
    """Return the checkpoint that a predictor was trained with, told by its content.

    One from the hub is taken from there, or from the hub's cache. A folder is looked for where the
    settings say, and then where it lay when the predictor was trained.

    Args:
        header: of the predictor.
        predictor: the predictor's own file: a relative folder is looked for from the working
            directory, and from the folders above that file.
        configured: where the settings say that a checkpoint lies.
        only: the one folder where it may lie.

    Raises:
        PredictorError: it is nowhere there; the message says what was found instead.
    """
    identity = header.features["checkpoint"]
    if "hf_repo" in identity:
        if only is not None:
            raise PredictorError(
                f"the predictor was trained with {identity['hf_repo']} from the hub; whether "
                f"{only} holds the same can't be told: leave the folder out, and it is taken from "
                "the hub or its cache"
            )
        return _from_hub(identity)
    found = []
    for folder in [only] if only is not None else _folders(header, configured, predictor):
        if not os.path.isdir(folder):
            found.append(f"there is no folder {folder} (looked for {folder.absolute()})")
            continue
        try:
            checkpoint = locate_checkpoint(
                CheckpointParams(hf_repo=None, revision=None, directory=str(folder))
            )
        except CheckpointError as error:
            found.append(str(error))
            continue
        if checkpoint.identity == identity:
            return checkpoint
        changed = ", ".join(differences(identity, checkpoint.identity))
        found.append(f"{folder} is another one ({changed} differ)")
    hub = configured.hf_repo if configured is not None else None
    if hub is not None:
        found.append(f"checkpoint.hf_repo={hub} is on the hub, the predictor's was a folder")
    raise PredictorError(
        "the checkpoint that the predictor was trained with is not found: "
        f"{'; '.join(found) or 'no folder is known'}; give the folder that holds it with "
        "checkpoint.directory=... (Predictor.predict: checkpoint=...), or train a predictor with "
        f"the checkpoint that you have. Its files are known by SHA-256: {identity.get('sha256')}"
    )


def _from_hub(identity: Mapping[str, Any]) -> Checkpoint:
    try:
        params = CheckpointParams(
            hf_repo=identity["hf_repo"], revision=identity.get("revision"), directory=None
        )
    except ValidationError as error:
        raise PredictorError(f"the predictor's checkpoint {dict(identity)} is none") from error
    try:
        checkpoint = locate_checkpoint(params)
    except CheckpointError as error:
        raise PredictorError(
            f"the predictor was trained with {params.hf_repo} at revision {params.revision}, "
            "which can't be had (a copy in a folder can't be told to be the same): "
            f"{error}"
        ) from error
    if checkpoint.identity != identity:
        raise PredictorError(
            f"the predictor was trained with {dict(identity)}, the hub gives {checkpoint.identity}"
        )
    return checkpoint


def _folders(
    header: PredictorHeader, configured: CheckpointParams | None, predictor: Path | None
) -> list[Path]:
    """Return the folders where the checkpoint may lie, each once, the most likely first."""
    folders = []
    if configured is not None and configured.directory is not None:
        folders.append(Path(configured.directory))
    if header.checkpoint_folder is not None:
        written = Path(header.checkpoint_folder)
        above = predictor.absolute().parents if predictor is not None else ()
        places = [written, *(folder / written for folder in above)]
        # False for a name that no file system takes.
        folders += [place for place in places if os.path.isdir(place)] or [written]
    return list({folder.absolute(): folder for folder in folders}.values())


def choose_rule(header: PredictorHeader, params: PredictionParams | None) -> AlarmRule:
    """Return how scores become alarms: as the predictor's header says, unless it is given.

    Args:
        header: of the predictor.
        params: what is None there is the predictor's own; None: all is.

    Raises:
        PredictorError: neither says it.
    """
    own = header.alarms.model_dump(include=set(_RULE)) if header.alarms is not None else {}
    given = params.model_dump(include=set(_RULE)) if params is not None else {}
    values = own | {name: value for name, value in given.items() if value is not None}
    if missing := [name for name in _RULE if name not in values]:
        raise PredictorError(
            "the predictor has no rule for alarms: the evaluation chooses one (`kedro run "
            "--pipelines evaluation`), and has not run or could not; without it give "
            + ", ".join(f"prediction.{name}" for name in missing)
        )
    return AlarmRule(**values)
