"""Episodes -> baseline features, several at a time; a broken one does not stop the others."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from moshi.models.compression import MimiModel

from acoustic_event_prediction.baselines.kinds import KINDS, BaselineKind, feature_dim
from acoustic_event_prediction.baselines.stream import BaselineStream
from acoustic_event_prediction.errors import DeviceError
from acoustic_event_prediction.frame_arrays import Array, FrameArrayWriter, as_dtype
from acoustic_event_prediction.frames import SAMPLES_PER_FRAME
from acoustic_event_prediction.params import FeatureExtractionParams
from acoustic_event_prediction.speech_lm.batch_size import (
    FRAMES_PER_PASS,
    MOST_ASSIGNMENTS,
    codec_bytes,
)
from acoustic_event_prediction.speech_lm.block_io import BlockWriter, read_ahead
from acoustic_event_prediction.speech_lm.episode_input import (
    AssignmentInput,
    EpisodeInput,
    FeatureStore,
    Listeners,
)
from acoustic_event_prediction.speech_lm.features import BlockPlan
from acoustic_event_prediction.speech_lm.rows import Row, open_rows, stream_indices

_SHARE = 0.5  # of the free memory
_COPIES = 8  # of a block's audio, alive at once: decoded, read ahead, squared, in windows


@dataclass(frozen=True)
class BaselineMaker:
    """Who makes the features.

    Attributes:
        device: where all is computed.
        mimi: on that device; None where no kind needs it.
    """

    device: torch.device
    mimi: MimiModel | None

    @property
    def latent_dim(self) -> int:
        """C, the width of Mimi's latent; 0 without Mimi."""
        return 0 if self.mimi is None else int(self.mimi.dimension)


def extract_baselines(
    episodes: Sequence[EpisodeInput],
    maker: BaselineMaker,
    settings: FeatureExtractionParams,
    stores: Mapping[BaselineKind, FeatureStore],
    listeners: Listeners,
) -> None:
    """Write the features of all assignments of some episodes, of all kinds in one pass.

    An episode whose audio can't be read is reported and leaves no file.

    Args:
        episodes: best of similar length. The provenance of an assignment has an entry for each
            kind that is to be made of it.
        maker: device and codec.
        settings: parameters of the extraction.
        stores: take one file per assignment, by kind.
        listeners: told of progress and failures, in a thread.

    Raises:
        StoreError: a file can't be written; the rest would fail alike.
    """
    wanted = {
        kind
        for episode in episodes
        for assignment in episode.assignments
        for kind in assignment.provenance
    }
    kinds = [kind for kind in KINDS if kind in wanted]
    with contextlib.ExitStack() as stack:
        open_files = partial(_open_files, kinds, maker.latent_dim, settings.dtype, stores)
        rows = open_rows(episodes, open_files, listeners, stack)
        if rows:
            _run(rows, kinds, maker, settings, listeners)


def assignments_per_batch(maker: BaselineMaker, plan: BlockPlan, free_bytes: int) -> int:
    """Return how many assignments may run side by side.

    Args:
        maker: device and codec.
        plan: of the longest stream.
        free_bytes: memory that this process may still take.

    Raises:
        DeviceError: not even one assignment fits.
    """
    need = 2 * _COPIES * plan.block_frames * SAMPLES_PER_FRAME * 4
    if maker.mimi is not None:
        need += codec_bytes(maker.mimi, plan)
    fitting = int(free_bytes * _SHARE) // need
    if fitting < 1:
        raise DeviceError(
            f"{maker.device} has {free_bytes / 1e9:.1f} GB of free memory; one assignment needs "
            f"{need / _SHARE / 1e9:.1f} GB for a block of {plan.block_frames} frames: end what "
            "else runs there, or lower feature_extraction.chunk_frames"
        )
    wanted = max(1, FRAMES_PER_PASS[maker.device.type] // plan.block_frames)
    return min(wanted, fitting, MOST_ASSIGNMENTS)


class _KindFiles(NamedTuple):
    """The files of an assignment, and the columns that go into each."""

    parts: list[tuple[slice, FrameArrayWriter]]

    def append(self, rows: Array) -> None:
        for columns, writer in self.parts:
            writer.append(rows[:, columns])


def _open_files(
    kinds: Sequence[BaselineKind],
    latent_dim: int,
    dtype: str,
    stores: Mapping[BaselineKind, FeatureStore],
    episode: EpisodeInput,
    assignment: AssignmentInput,
    files: contextlib.ExitStack,
) -> _KindFiles:
    parts = []
    stop = 0
    for kind in kinds:
        dim = feature_dim(kind, latent_dim)
        start, stop = stop, stop + dim
        if kind in assignment.provenance:
            writer = FrameArrayWriter(
                files.enter_context(stores[kind].writing(assignment.assignment_id)),
                (episode.num_frames, dim),
                as_dtype(dtype),
                assignment.provenance[kind],
            )
            parts.append((slice(start, stop), files.enter_context(writer)))
    return _KindFiles(parts)


def _run(
    rows: list[Row],
    kinds: Sequence[BaselineKind],
    maker: BaselineMaker,
    settings: FeatureExtractionParams,
    listeners: Listeners,
) -> None:
    num_frames = max(row.episode.num_frames for row in rows)
    plan = BlockPlan.of(num_frames, settings.chunk_frames, settings.reset_every_seconds)
    silence = num_streams = rows[-1].streams.stop
    system, user = stream_indices(rows, silence)
    if silence in system:
        num_streams += 1
    with (
        BaselineStream(
            kinds,
            plan,
            mimi=maker.mimi,
            device=maker.device,
            system_streams=system,
            user_streams=user,
            num_streams=num_streams,
        ) as features,
        BlockWriter(rows, settings.dtype, listeners) as writer,
        contextlib.closing(read_ahead(rows, num_streams, plan, maker.device)) as blocks,
    ):
        for block in blocks:
            writer.write(block, features.push(block.waveforms, begins=block.begins))
