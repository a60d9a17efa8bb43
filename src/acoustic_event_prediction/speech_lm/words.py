"""Words with times -> the text row that Moshi reads: one token per frame."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.frames import frame_at
from acoustic_event_prediction.speech_lm.temporal import TokenIds

Placement = Literal["words", "words_at_end"]


class Word(NamedTuple):
    """A word and when it is spoken, in seconds."""

    text: str
    onset: float
    offset: float


def text_tokens(
    words: Sequence[Word],
    encode: Callable[[str], list[int]],
    *,
    start_frame: int,
    num_frames: int,
    placement: Placement,
    tokens: TokenIds,
) -> npt.NDArray[np.int64]:
    """Return the text row of frames start_frame ... start_frame + num_frames - 1.

    `words` is the convention that Moshi was trained with: a word's tokens follow one another from
    the frame in which it starts, the frame before is marked as the end of padding, and a new word
    cuts off what is left of the one before. It tells of a word before it has been heard to its end.
    `words_at_end` starts the tokens in the frame in which the word ends and sets no mark, so that a
    frame knows only words that are over.

    Args:
        words: in any order; those without duration, or placed outside the frames, are left out.
        encode: text -> token ids.
        start_frame: first frame; words that belong to earlier frames are forgotten.
        num_frames: F.
        placement: where a word's tokens begin.
        tokens: the model's ids.

    Returns:
        int64 [F].
    """
    row = np.full(num_frames, tokens.text_padding, dtype=np.int64)
    begins = _begin_frames(words, placement)
    pending: deque[int] = deque()
    for frame in range(num_frames):
        for word in begins.get(start_frame + frame, ()):
            pending = deque(encode(word.text.strip()))
        if not pending:
            continue
        if placement == "words" and frame > 0 and row[frame - 1] == tokens.text_padding:
            row[frame - 1] = tokens.text_end_padding
        row[frame] = pending.popleft()
    return row


def _begin_frames(words: Sequence[Word], placement: Placement) -> dict[int, list[Word]]:
    begins: dict[int, list[Word]] = {}
    for word in sorted(words, key=lambda word: word.onset):
        if word.onset < word.offset:
            seconds = word.onset if placement == "words" else word.offset
            begins.setdefault(int(frame_at(seconds)), []).append(word)
    return begins
