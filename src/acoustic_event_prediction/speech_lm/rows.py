"""The episodes of a batch: their open files, and their places among its streams."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from acoustic_event_prediction.errors import AudioError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.speech_lm.episode_input import (
    AssignmentInput,
    EpisodeInput,
    Listeners,
)
from acoustic_event_prediction.speech_lm.sources import StreamReader
from acoustic_event_prediction.speech_lm.streams import StreamKey


class RowWriter(Protocol):
    """Takes the features of an assignment, block by block."""

    def append(self, rows: Array) -> None:
        """Write the next rows, [t, D]."""


OpenWriter = Callable[[EpisodeInput, AssignmentInput, contextlib.ExitStack], RowWriter]


@dataclass
class Row:
    """An episode on its way: its open files, and its place in the batch.

    Attributes:
        files: the writers and their partitions. The reader is not among them: when an episode is
            given up, a thread may still be reading.
        failed: nothing more is read or written.
        given_up: its failure has been reported.
    """

    episode: EpisodeInput
    keys: list[StreamKey]
    reader: StreamReader
    writers: list[RowWriter]
    files: contextlib.ExitStack
    streams: slice
    assignments: slice
    stream_frames: list[int]
    failed: bool = False
    given_up: bool = False


def open_rows(
    episodes: Sequence[EpisodeInput],
    open_writer: OpenWriter,
    listeners: Listeners,
    stack: contextlib.ExitStack,
) -> list[Row]:
    """Open the audio of some episodes, and the files of their assignments.

    Args:
        episodes: one whose audio can't be opened is reported and left out.
        open_writer: opens the files of one assignment, to be closed with the given stack.
        listeners: told of failures.
        stack: closes all that is opened.
    """
    rows: list[Row] = []
    num_streams = num_assignments = 0
    for episode in episodes:
        keys = episode.keys()
        try:
            reader = stack.enter_context(StreamReader(episode.audio, keys))
        except AudioError as error:
            listeners.on_failure(episode.episode_id, error)
            continue
        files = stack.enter_context(contextlib.ExitStack())
        writers = [open_writer(episode, assignment, files) for assignment in episode.assignments]
        rows.append(
            Row(
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


def stream_indices(rows: list[Row], silence: int) -> tuple[list[int], list[int]]:
    """Return [B] indices of the system streams and of the user streams.

    Where the system has no speakers it is silent: one stream, `silence`, for all that need it.
    """
    system, user = [], []
    for row in rows:
        index = {key: row.streams.start + place for place, key in enumerate(row.keys)}
        for assignment in row.episode.assignments:
            system.append(index.get(assignment.streams.system, silence))
            user.append(index[assignment.streams.user])
    return system, user
