"""Episodes -> features, several at a time; one that can't be read does not stop the others."""

import contextlib
from collections.abc import Sequence
from functools import partial

import torch

from acoustic_event_prediction.frame_arrays import FrameArrayWriter, as_dtype
from acoustic_event_prediction.params import FeatureExtractionParams, TextSetting
from acoustic_event_prediction.speech_lm.block_io import BlockWriter, read_ahead
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.episode_input import (
    AssignmentInput,
    EpisodeInput,
    FeatureStore,
    Listeners,
)
from acoustic_event_prediction.speech_lm.features import BlockPlan, FeatureStream
from acoustic_event_prediction.speech_lm.rows import OpenWriter, Row, open_rows, stream_indices
from acoustic_event_prediction.speech_lm.words import Placement, TextRow, Word


def extract_batch(
    episodes: Sequence[EpisodeInput],
    lm: SpeechLM,
    settings: FeatureExtractionParams,
    store: FeatureStore,
    listeners: Listeners,
) -> None:
    """Write the features of all assignments of some episodes, [T, D] each.

    Args:
        episodes: best of similar length.
        lm: the models.
        settings: parameters of the extraction.
        store: takes one file per assignment.
        listeners: told of progress and failures, in a thread.

    Raises:
        StoreError: a file can't be written; the rest would fail alike.
    """
    open_writer = partial(_open_writer, store, lm.temporal.dim, settings.dtype)
    encode_batch(episodes, lm, settings, open_writer, listeners)


def encode_batch(
    episodes: Sequence[EpisodeInput],
    lm: SpeechLM,
    settings: FeatureExtractionParams,
    open_writer: OpenWriter,
    listeners: Listeners,
) -> None:
    """Give the features of all assignments of some episodes to writers, block by block.

    The episodes run side by side; shorter ones are padded at the end, which a causal model does not
    notice. An episode whose audio can't be read is reported and leaves no file. The model never
    waits for files: threads decode one block ahead of it and write one block behind it.

    Args:
        episodes: best of similar length.
        lm: the models.
        settings: parameters of the extraction; features have its dtype.
        open_writer: opens what takes the features of one assignment.
        listeners: told of progress and failures, in a thread.

    Raises:
        StoreError: a file can't be written; the rest would fail alike.
    """
    with contextlib.ExitStack() as stack:
        rows = open_rows(episodes, open_writer, listeners, stack)
        if rows:
            _run(rows, lm, settings, listeners)


def _open_writer(
    store: FeatureStore,
    dim: int,
    dtype: str,
    episode: EpisodeInput,
    assignment: AssignmentInput,
    files: contextlib.ExitStack,
) -> FrameArrayWriter:
    return files.enter_context(
        FrameArrayWriter(
            files.enter_context(store.writing(assignment.assignment_id)),
            (episode.num_frames, dim),
            as_dtype(dtype),
            assignment.provenance,
        )
    )


def _run(
    rows: list[Row], lm: SpeechLM, settings: FeatureExtractionParams, listeners: Listeners
) -> None:
    num_frames = max(row.episode.num_frames for row in rows)
    plan = BlockPlan.of(num_frames, settings.chunk_frames, settings.reset_every_seconds)
    text = torch.stack([tokens for row in rows for tokens in _text(row, plan, lm, settings)])
    text = text.to(lm.device)
    lengths = [frames for row in rows for frames in row.stream_frames]
    system, user = stream_indices(rows, silence=len(lengths))
    if len(lengths) in system:
        lengths.append(num_frames)
    stream_frames = torch.tensor(lengths, device=lm.device)
    with (
        FeatureStream(
            lm,
            plan,
            system_streams=system,
            user_streams=user,
            num_streams=len(lengths),
            order=settings.stream_order,
        ) as features,
        BlockWriter(rows, settings.dtype, listeners) as writer,
        contextlib.closing(read_ahead(rows, len(lengths), plan, lm.device)) as blocks,
    ):
        for block in blocks:
            hidden = features.push(
                block.waveforms,
                stream_frames - block.start,
                text[:, block.start : block.stop],
                begins=block.begins,
            )  # [B, F, D]
            writer.write(block, hidden)


def _text(
    row: Row, plan: BlockPlan, lm: SpeechLM, settings: FeatureExtractionParams
) -> list[torch.Tensor]:
    """Return the text rows of an episode's assignments, int64 [T of the batch] each."""
    return [
        text_row(assignment.words, plan, lm, settings.text)
        for assignment in row.episode.assignments
    ]


def text_row(
    words: Sequence[Word], plan: BlockPlan, lm: SpeechLM, text: TextSetting
) -> torch.Tensor:
    """Return the text row of an assignment, int64 [T of the plan]; it starts anew at each reset.

    Args:
        words: what the system says; empty for padding only.
        plan: how the stream is cut.
        lm: for its tokenizer and ids.
        text: where a word's tokens begin; `none` gives padding only.
    """
    if text == "none" or not words:
        return torch.full((plan.num_frames,), lm.temporal.tokens.text_padding)
    row = open_text_row(plan, lm, text)
    row.add(words)
    return torch.from_numpy(row.read(plan.num_frames))


def open_text_row(plan: BlockPlan, lm: SpeechLM, placement: Placement) -> TextRow:
    """Return the text row of an assignment, to be read in blocks; see `text_row`."""
    return TextRow(
        lm.tokenizer.encode,
        placement=placement,
        tokens=lm.temporal.tokens,
        reset_frames=plan.reset_frames,
    )
