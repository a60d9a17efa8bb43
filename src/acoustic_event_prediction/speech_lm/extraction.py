"""Episodes -> features, several at a time; one that can't be read does not stop the others."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from acoustic_event_prediction.audio import Samples
from acoustic_event_prediction.errors import AudioError
from acoustic_event_prediction.frame_arrays import FrameArrayWriter, as_dtype
from acoustic_event_prediction.params import FeatureExtractionParams
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.features import BlockPlan, FeatureStream, samples_of
from acoustic_event_prediction.speech_lm.sources import EpisodeAudio, StreamReader
from acoustic_event_prediction.speech_lm.streams import StreamKey, StreamPair
from acoustic_event_prediction.speech_lm.words import Word, text_tokens


@dataclass(frozen=True)
class AssignmentInput:
    """One choice of user and system.

    Attributes:
        assignment_id: `<split>/<episode>/<user>`.
        streams: the two streams that it hears.
        words: what the system says; empty for padding only.
        provenance: what its features are made from.
    """

    assignment_id: str
    streams: StreamPair
    words: Sequence[Word]
    provenance: dict[str, Any]


@dataclass(frozen=True)
class EpisodeInput:
    """One episode with all its assignments."""

    episode_id: str
    num_frames: int
    audio: EpisodeAudio
    assignments: Sequence[AssignmentInput]

    def keys(self) -> list[StreamKey]:
        """Return the distinct streams; each is encoded once, whoever hears it."""
        pairs = [assignment.streams for assignment in self.assignments]
        return list(dict.fromkeys(key for pair in pairs for key in pair))


class FeatureStore(Protocol):
    """Where features go: gives a file that takes the partition's place once it is complete."""

    def writing(self, partition_id: str) -> contextlib.AbstractContextManager[Path]:
        """Give a file to write the partition to."""


@dataclass
class Listeners:
    """Who is told of (episode id, error) and (episode id, frames done over all assignments)."""

    on_failure: Callable[[str, Exception], None]
    on_frames: Callable[[str, int], None]


@dataclass
class _Row:
    """An episode on its way: its open files, and its place in the batch."""

    episode: EpisodeInput
    keys: list[StreamKey]
    reader: StreamReader
    writers: list[FrameArrayWriter]
    files: contextlib.ExitStack
    streams: slice
    assignments: slice
    stream_frames: list[int]
    failed: bool = field(default=False)


class _AudioBlock(NamedTuple):
    """The audio of frames start ... stop - 1, float32 [S, F * 1920], and what could not be read."""

    start: int
    stop: int
    begins: bool
    waveforms: Samples
    failures: list[tuple[_Row, AudioError]]


def extract_batch(
    episodes: Sequence[EpisodeInput],
    lm: SpeechLM,
    settings: FeatureExtractionParams,
    store: FeatureStore,
    listeners: Listeners,
) -> None:
    """Write the features of all assignments of some episodes, [T, D] each.

    The episodes run side by side; shorter ones are padded at the end, which a causal model does not
    notice. An episode whose audio can't be read is reported and leaves no file.

    Args:
        episodes: best of similar length.
        lm: the models.
        settings: parameters of the extraction.
        store: takes one file per assignment.
        listeners: told of progress and failures.

    Raises:
        StoreError: a file can't be written; the rest would fail alike.
    """
    with contextlib.ExitStack() as stack:
        rows = _open_rows(episodes, lm, settings, store, listeners, stack)
        if rows:
            _run(rows, lm, settings, listeners)


def _open_rows(
    episodes: Sequence[EpisodeInput],
    lm: SpeechLM,
    settings: FeatureExtractionParams,
    store: FeatureStore,
    listeners: Listeners,
    stack: contextlib.ExitStack,
) -> list[_Row]:
    rows: list[_Row] = []
    num_streams = num_assignments = 0
    for episode in episodes:
        keys = episode.keys()
        files = stack.enter_context(contextlib.ExitStack())
        try:
            reader = files.enter_context(StreamReader(episode.audio, keys))
        except AudioError as error:
            listeners.on_failure(episode.episode_id, error)
            continue
        shape = (episode.num_frames, lm.temporal.dim)
        writers = [
            files.enter_context(
                FrameArrayWriter(
                    files.enter_context(store.writing(assignment.assignment_id)),
                    shape,
                    as_dtype(settings.dtype),
                    assignment.provenance,
                )
            )
            for assignment in episode.assignments
        ]
        rows.append(
            _Row(
                episode,
                keys,
                reader,
                writers,
                files,
                slice(num_streams, num_streams := num_streams + len(keys)),
                slice(num_assignments, num_assignments := num_assignments + len(writers)),
                reader.count_frames(),
            )
        )
    return rows


def _run(
    rows: list[_Row], lm: SpeechLM, settings: FeatureExtractionParams, listeners: Listeners
) -> None:
    num_frames = max(row.episode.num_frames for row in rows)
    plan = BlockPlan.of(num_frames, settings.chunk_frames, settings.reset_every_seconds)
    text = torch.stack([tokens for row in rows for tokens in _text(row, plan, lm, settings)])
    stream_frames = torch.tensor([frames for row in rows for frames in row.stream_frames])
    system, user = _stream_indices(rows)
    with FeatureStream(
        lm,
        plan,
        system_streams=system,
        user_streams=user,
        num_streams=len(stream_frames),
        order=settings.stream_order,
    ) as features:
        for block in _ahead(_read(rows, len(stream_frames), plan)):
            for row, error in block.failures:
                row.failed = True
                listeners.on_failure(row.episode.episode_id, error)
                _discard(row, error)
            hidden = features.push(
                torch.from_numpy(block.waveforms),
                stream_frames - block.start,
                text[:, block.start : block.stop],
                begins=block.begins,
            )  # [B, F, D]
            _write(rows, hidden.numpy(), block.start, listeners)


def _stream_indices(rows: list[_Row]) -> tuple[list[int], list[int]]:
    """Return [B] indices of the system streams and of the user streams."""
    system, user = [], []
    for row in rows:
        for assignment in row.episode.assignments:
            system.append(row.streams.start + row.keys.index(assignment.streams.system))
            user.append(row.streams.start + row.keys.index(assignment.streams.user))
    return system, user


def _text(
    row: _Row, plan: BlockPlan, lm: SpeechLM, settings: FeatureExtractionParams
) -> list[torch.Tensor]:
    """Return the text rows of an episode's assignments, int64 [T of the batch] each."""
    tokens = lm.temporal.tokens
    padding = torch.full((plan.num_frames,), tokens.text_padding)
    rows = []
    for assignment in row.episode.assignments:
        if settings.text == "none" or not assignment.words:
            rows.append(padding)
            continue
        segments = [
            text_tokens(
                assignment.words,
                lm.tokenizer.encode,
                start_frame=start,
                num_frames=stop - start,
                placement=settings.text,
                tokens=tokens,
            )
            for start, stop in plan.segments()
        ]
        rows.append(torch.from_numpy(np.concatenate(segments)))
    return rows


def _read(rows: list[_Row], num_streams: int, plan: BlockPlan) -> Iterator[_AudioBlock]:
    """Yield the audio of each block; an episode that fails or is over is silent from then on."""
    silent: set[str] = set()
    for start, stop, begins in plan.blocks():
        waveforms = np.zeros((num_streams, samples_of(start, stop)), dtype=np.float32)
        failures = []
        for row in rows:
            if row.episode.episode_id in silent or start >= row.episode.num_frames:
                continue
            try:
                waveforms[row.streams] = row.reader.read(waveforms.shape[1])
            except AudioError as error:
                silent.add(row.episode.episode_id)
                failures.append((row, error))
        yield _AudioBlock(start, stop, begins, waveforms, failures)


def _ahead(blocks: Iterator[_AudioBlock]) -> Iterator[_AudioBlock]:
    """Yield the same blocks, each decoded while the model works on the one before."""
    with ThreadPoolExecutor(1, thread_name_prefix="audio") as decoder:
        pending = decoder.submit(next, blocks, None)
        while (block := pending.result()) is not None:
            pending = decoder.submit(next, blocks, None)
            yield block


def _write(
    rows: list[_Row],
    block: Samples,
    start: int,
    listeners: Listeners,
) -> None:
    for row in rows:
        num_frames = min(block.shape[1], row.episode.num_frames - start)
        if row.failed or num_frames <= 0:
            continue
        for writer, features in zip(row.writers, block[row.assignments], strict=True):
            writer.append(features[:num_frames])
        listeners.on_frames(row.episode.episode_id, num_frames * len(row.writers))
        if start + num_frames == row.episode.num_frames:
            row.files.close()  # complete: the partitions appear now, not at the end of the batch


def _discard(row: _Row, error: Exception) -> None:
    """Leave the writers' contexts with the error, so that no partition appears."""
    row.files.__exit__(type(error), error, error.__traceback__)
