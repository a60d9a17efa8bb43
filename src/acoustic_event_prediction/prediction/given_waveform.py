"""Samples that a caller gives: whose they are, and what the predictor lacks beside them."""

import os
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from acoustic_event_prediction.assignments import pair_speakers
from acoustic_event_prediction.corpus.records import Source
from acoustic_event_prediction.errors import AudioError, CorpusError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.prediction.missing import MISSING
from acoustic_event_prediction.prediction.requirements import Requirements
from acoustic_event_prediction.prediction.streams import channel_names


class MissingInputWarning(UserWarning):
    """The predictor was trained with something that is not given."""


def as_samples(waveform: Array | torch.Tensor) -> Array:
    """Return samples as float32; what is no float stays as it is, for its full scale is another.

    Raises:
        AudioError: a masked array, or the path of a file.
    """
    if isinstance(waveform, str | bytes | os.PathLike):
        raise AudioError(
            f"got {waveform!r}, a name, where samples are needed: read the file first, e.g. with "
            "soundfile.read"
        )
    if isinstance(waveform, np.ma.MaskedArray):
        raise AudioError(
            "the waveform is a masked array, whose mask would be lost: fill it, e.g. "
            "waveform.filled(0.0) for silence"
        )
    samples = np.asarray(
        waveform.detach().cpu().float().numpy()
        if isinstance(waveform, torch.Tensor) and waveform.is_floating_point()
        else waveform
    )
    # soundfile and librosa give float64 and float32.
    return samples.astype(np.float32, copy=False) if samples.dtype.kind == "f" else samples


def choose_pairs(
    num_channels: int, turns: pd.DataFrame, requirements: Requirements, user: str | None
) -> tuple[dict[str, tuple[str, ...]], Source]:
    """Return the system of each user, and how the streams are made.

    Args:
        num_channels: of the samples; each of several is a speaker's.
        turns: columns onset, offset (seconds) and speaker; empty if they are not known.
        requirements: of the predictor.
        user: the only one; None: everybody who speaks enough.

    Raises:
        CorpusError: turns of others than the channels' speakers, or no such user.
    """
    channels = channel_names(num_channels) if num_channels > 1 else []
    if strange := sorted(set(turns["speaker"]) - set(channels) if channels else ()):
        raise CorpusError(
            f"turns are of {', '.join(strange)}, the channels are {', '.join(channels)}: give one "
            "of both, or name the speakers after the channels"
        )
    source: Source = "mono"
    if not requirements.hears_mixes_only:
        source = "separated" if channels else "mono" if turns.empty else "diarization"
    pairs = {
        speaker.name: systems
        for speaker, systems in pair_speakers(
            channels, turns, source, **requirements.user_limits(user)
        )
    }
    if source == "separated" and turns.empty:  # by number, not by name
        pairs = {name: pairs[name] for name in channels if name in pairs}
    if user is not None:
        if user not in pairs:
            raise CorpusError(f"there is no user {user!r}, only {', '.join(pairs)}")
        pairs = {user: pairs[user]}
    return pairs, source


def warn_of_missing(missing: Sequence[str], remedies: Mapping[str, str]) -> None:
    """Warn the caller's caller's caller of each kind of `MISSING` that is missing.

    Args:
        missing: kinds.
        remedies: what to do, by kind.
    """
    for kind in missing:
        problem, _ = MISSING[kind]
        warn_of(f"{problem}; {remedies[kind]}", stacklevel=5)


def warn_of(problem: str, *, stacklevel: int = 4) -> None:
    """Warn the caller's caller's caller."""
    warnings.warn(problem, MissingInputWarning, stacklevel=stacklevel)
