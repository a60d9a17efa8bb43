"""Words with times -> the text row that Moshi reads: one token per frame."""

from collections import deque
from collections.abc import Callable, Iterable
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


class TextRow:
    """The text row, frame after frame, of words that may come while it is read.

    `words` is the convention that Moshi was trained with: a word's tokens follow one another from
    the frame in which it starts, the frame before is marked as the end of padding, and a new word
    cuts off what is left of the one before. It tells of a word before it has been heard to its end.
    `words_at_end` starts the tokens in the frame in which the word ends and sets no mark, so that a
    frame knows only words that are over.

    Args:
        encode: text -> token ids.
        placement: where a word's tokens begin.
        tokens: the model's ids.
        reset_frames: the row starts anew every so many frames, without what is left of a word;
            None: never.
    """

    def __init__(
        self,
        encode: Callable[[str], list[int]],
        *,
        placement: Placement,
        tokens: TokenIds,
        reset_frames: int | None,
    ) -> None:
        self._encode = encode
        self._placement = placement
        self._ids = tokens
        self._reset_frames = reset_frames
        self._frame = 0
        self._words: dict[int, _Tokens] = {}
        self._pending: deque[int] = deque()

    def add(self, words: Iterable[Word]) -> None:
        """Give words, in any order; those without duration are left out.

        Words whose frame has been read already follow one another from the next one on; without the
        mark, which would stand in a frame that has been read. Of two others that begin in a frame
        the later stays.
        """
        for word in sorted(words, key=lambda word: word.onset):
            if not word.onset < word.offset:
                continue
            seconds = word.onset if self._placement == "words" else word.offset
            due = int(frame_at(seconds))
            frame, is_late = max(due, self._frame), due < self._frame
            new = _Tokens(word.onset, self._encode(word.text.strip()), is_late)
            held = self._words.get(frame)
            if held is not None and (is_late or held.is_late):
                first, second = sorted((held, new), key=lambda tokens: tokens.onset)
                ids, is_late = [*first.ids, *second.ids], is_late and held.is_late
                self._words[frame] = _Tokens(second.onset, ids, is_late)
            elif held is None or word.onset >= held.onset:
                self._words[frame] = new

    def read(self, num_frames: int) -> npt.NDArray[np.int64]:
        """Return the tokens of the next frames, int64 [F]."""
        return np.array([self._next() for _ in range(num_frames)], dtype=np.int64)

    def _next(self) -> int:
        self._begin_word()
        token = self._pending.popleft() if self._pending else self._ids.text_padding
        self._frame += 1
        if self._reset_frames is not None and self._frame % self._reset_frames == 0:
            self._pending.clear()
            return token
        following = self._words.get(self._frame)
        speaks = bool(self._pending if following is None else following.ids)
        if speaks and token == self._ids.text_padding and self._placement == "words":
            return self._ids.text_end_padding
        return token

    def _begin_word(self) -> None:
        word = self._words.pop(self._frame, None)
        if word is not None:
            self._pending = deque(word.ids)


class _Tokens(NamedTuple):
    """Of a word: when it starts, in seconds, what stands for it, and whether it came too late."""

    onset: float
    ids: list[int]
    is_late: bool
