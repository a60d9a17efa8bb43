"""Where the causality check looks: which assignments, and at which frames of them."""

from collections.abc import Mapping, Sequence

import numpy as np

from acoustic_event_prediction.frames import frame_at, start_of
from acoustic_event_prediction.speech_lm.words import Word

FEWEST_FRAMES = 10
# A change shows 1 to 3 frames later (acoustic codebooks come one late, a reset costs one more).
_TAIL_FRAMES = 4


def count_excerpt_frames(num_frames: int, seconds: float) -> int:
    """Return the number of whole frames in the first `seconds` of an episode."""
    return min(num_frames, int(frame_at(seconds)))


def draw_assignments(has_words: Mapping[str, bool], number: int, seed: int) -> list[str]:
    """Return up to `number` ids in random order, those with words before those without.

    Args:
        has_words: whether the system of each assignment says a word, by id.
        number: how many are wished.
        seed: of the draw; the order of the mapping does not matter.
    """
    shuffled = np.random.default_rng(seed).permutation(sorted(has_words)).tolist()
    return sorted(shuffled, key=lambda name: not has_words[name])[:number]


def draw_frames(
    words: Sequence[Word], num_frames: int, num_points: int, rng: np.random.Generator
) -> list[int]:
    """Return up to `num_points` different frames, in order.

    Half of them are the last frames of words, where a text row can betray most: of the longest word
    of the excerpt and of others at random. The rest, or all without words, are uniform.

    Args:
        words: the system's.
        num_frames: of the excerpt, at least FEWEST_FRAMES.
        num_points: how many are wished.
        rng: source of chance.
    """
    stop = num_frames - _TAIL_FRAMES
    longest_first = sorted(words, key=lambda word: word.onset - word.offset)
    ends = [_last_frame(word) for word in longest_first if word.onset < word.offset]
    ends = list(dict.fromkeys(frame for frame in ends if 1 <= frame < stop))
    chosen = [*ends[:1], *rng.permutation(ends[1:]).tolist()][: (num_points + 1) // 2]
    others = [frame for frame in range(1, stop) if frame not in chosen]
    num_others = min(num_points - len(chosen), len(others))
    chosen += rng.choice(others, num_others, replace=False).tolist()
    return sorted(int(frame) for frame in chosen)


def _last_frame(word: Word) -> int:
    """Return the last frame at whose start the word has not ended."""
    frame = int(frame_at(word.offset))
    return frame if start_of(frame) < word.offset else frame - 1
