"""Files beside the model: audio decoded a block ahead of it, features written a block behind it."""

from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import torch

from acoustic_event_prediction.errors import (
    AudioError,
    CheckpointError,
    ProjectError,
    unwritable,
)
from acoustic_event_prediction.frame_arrays import Array, as_dtype
from acoustic_event_prediction.speech_lm.episode_input import Listeners
from acoustic_event_prediction.speech_lm.features import BlockPlan, samples_of
from acoustic_event_prediction.speech_lm.rows import Row

_DECODERS = 4  # threads; one decodes about 600 s of audio a second


class AudioBlock(NamedTuple):
    """The audio of frames start ... stop - 1, float32 [S, F * 1920], and what could not be read."""

    start: int
    stop: int
    begins: bool
    waveforms: torch.Tensor
    failures: list[tuple[Row, AudioError]]


def read_ahead(
    rows: list[Row], num_streams: int, plan: BlockPlan, device: torch.device
) -> Generator[AudioBlock]:
    """Yield the audio of each block, decoded while the model works on the one before.

    An episode that fails or is over is silent from then on.
    """
    with ThreadPoolExecutor(_DECODERS, thread_name_prefix="audio") as pool:

        def start_reading(start: int, stop: int, *, begins: bool) -> _Reading:
            shape = (num_streams, samples_of(start, stop))
            waveforms = torch.zeros(shape, pin_memory=device.type == "cuda")
            jobs = [
                (row, pool.submit(_read_row, row, waveforms))
                for row in rows
                if not row.failed and start < row.episode.num_frames
            ]
            return _Reading(AudioBlock(start, stop, begins, waveforms, []), jobs)

        pending: _Reading | None = None
        for start, stop, begins in plan.blocks():
            block = None if pending is None else pending.wait()
            pending = start_reading(start, stop, begins=begins)
            if block is not None:
                yield block
        if pending is not None:
            yield pending.wait()


def _read_row(row: Row, waveforms: torch.Tensor) -> None:
    waveforms[row.streams] = torch.from_numpy(row.reader.read(waveforms.shape[1]))


class _Reading(NamedTuple):
    """A block that is being decoded."""

    block: AudioBlock
    jobs: list[tuple[Row, "Future[None]"]]

    def wait(self) -> AudioBlock:
        for row, job in self.jobs:
            try:
                job.result()
            except AudioError as error:
                row.failed = True
                self.block.failures.append((row, error))
                self.block.waveforms[row.streams] = 0
        return self.block


class BlockWriter:
    """Writes blocks in a thread, at most one behind; a context manager that waits for the last."""

    def __init__(self, rows: list[Row], dtype: str, listeners: Listeners) -> None:
        self._rows = rows
        self._dtype = dtype
        self._listeners = listeners
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="features")
        self._closing = ThreadPoolExecutor(1, thread_name_prefix="partitions")
        self._pending: list[Future[None]] = []
        self._closed: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # In this order: the last block still adds files to be closed.
        self._pool.shutdown()
        self._closing.shutdown()
        if error is None:
            for job in [*self._pending, *self._closed]:
                job.result()

    def write(self, block: AudioBlock, features: torch.Tensor) -> None:
        """Take the features [B, F, D] of a block.

        Raises:
            StoreError: an earlier block could not be written.
        """
        stored = HostCopy.of(features, self._dtype)
        for job in self._pending:
            job.result()
        self._pending = [self._pool.submit(self._write, block, stored)]

    def _write(self, block: AudioBlock, stored: "HostCopy") -> None:
        for row, error in block.failures:
            self._give_up(row, error)
        features, is_finite = stored.wait()  # [B, F, D], [B, F]
        for row in self._rows:
            num_frames = min(features.shape[1], row.episode.num_frames - block.start)
            if row.failed or num_frames <= 0:
                continue
            if not is_finite[row.assignments, :num_frames].all():
                in_row = is_finite[row.assignments].all(axis=0)
                first = block.start + int(np.argmin(in_row))
                self._give_up(row, not_finite(first, self._dtype))
                continue
            _append(row, features[row.assignments, :num_frames])
            self._listeners.on_frames(row.episode.episode_id, num_frames * len(row.writers))
            if block.start + num_frames == row.episode.num_frames:
                # Complete: the partitions appear now, not at the end of the batch. Syncing them to
                # the disk takes its time, so the next block does not wait for it.
                self._closed.append(self._closing.submit(self._close, row))

    def _close(self, row: Row) -> None:
        row.files.close()
        self._listeners.on_stored(row.episode.episode_id, len(row.writers))

    def _give_up(self, row: Row, error: ProjectError) -> None:
        if row.given_up:
            return
        row.failed = row.given_up = True
        self._listeners.on_failure(row.episode.episode_id, error)
        row.files.__exit__(type(error), error, error.__traceback__)  # no partition appears


def not_finite(frame: int, dtype: str) -> CheckpointError:
    """Return the error for features of which `frame` is the first that is not finite."""
    return CheckpointError(
        f"its features are NaN or infinite from frame {frame} on: the checkpoint is damaged, or "
        f"feature_extraction.dtype={dtype} can't hold them (bfloat16 and float32 can)"
    )


def _append(row: Row, features: Array) -> None:
    """Write the next features [assignments, F, D] of an episode."""
    assignments = row.episode.assignments
    for assignment, writer, frames in zip(assignments, row.writers, features, strict=True):
        try:
            writer.append(frames)
        except OSError as error:
            raise unwritable(assignment.assignment_id, error) from error


class HostCopy(NamedTuple):
    """Features [B, F, D], and which frames are finite [B, F], on their way to the host's memory."""

    features: torch.Tensor
    is_finite: torch.Tensor
    copied: torch.cuda.Event | None

    @classmethod
    def of(cls, features: torch.Tensor, dtype: str) -> Self:
        """Round to the dtype that features are stored in, and begin to copy from a GPU."""
        rounded = features.to(getattr(torch, dtype))
        is_finite = torch.isfinite(rounded).all(dim=-1)
        if features.device.type != "cuda":
            return cls(rounded, is_finite, None)
        copies = []
        for tensor in (rounded, is_finite):
            copies.append(torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True))
            copies[-1].copy_(tensor, non_blocking=True)
        stream = torch.cuda.current_stream(features.device)
        return cls(copies[0], copies[1], stream.record_event())  # type: ignore[no-untyped-call]

    def wait(self) -> tuple[Array, Array]:
        """Return both as arrays, when they are there."""
        if self.copied is not None:
            self.copied.synchronize()
        if self.features.dtype == torch.bfloat16:  # NumPy has no such type of its own
            features = self.features.view(torch.int16).numpy().view(as_dtype("bfloat16"))
        else:
            features = self.features.numpy()
        return features, self.is_finite.numpy()
