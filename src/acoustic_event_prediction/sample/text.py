"""Sentences of the synthetic speakers: random common words with fillers and repetitions."""

from dataclasses import dataclass

import numpy as np

_WORDS = (
    "the a well so you know think that podcast story yesterday funny really people house train "
    "morning never always market window garden music paper small large bright quiet question "
    "answer weather friend movie coffee river mountain doctor teacher engine kitchen number travel "
    "summer winter begin finish because about under around between maybe actually probably"
).split()
_FILLERS = ("um", "uh")
_FILLER_PROBABILITY = 0.25
_REPETITION_PROBABILITY = 0.12
_ANNOTATED_WORD_PROBABILITY = 0.15


@dataclass(frozen=True)
class LabelledWords:
    """An annotation on the words `start` to `stop - 1` of a sentence.

    Attributes:
        label: the fine label of PodcastFillers.
        start: index of the first word.
        stop: one past the index of the last word.
    """

    label: str
    start: int
    stop: int


@dataclass(frozen=True)
class Sentence:
    """Words in the order of speaking, and what an annotator would mark among them."""

    words: tuple[str, ...]
    labels: tuple[LabelledWords, ...]

    @property
    def text(self) -> str:
        """The sentence with a final stop, for the synthesiser."""
        return " ".join(self.words) + "."


def draw_sentence(rng: np.random.Generator, *, shortest: int, longest: int) -> Sentence:
    """Return a random sentence of `shortest` to `longest` words, fillers not counted."""
    words = [str(word) for word in rng.choice(_WORDS, rng.integers(shortest, longest + 1))]
    labels = []
    place = int(rng.integers(1, len(words)))
    draw = rng.random()
    if draw < _FILLER_PROBABILITY:
        filler = _FILLERS[int(rng.integers(len(_FILLERS)))]
        words.insert(place, filler)
        labels.append(LabelledWords(filler.capitalize(), place, place + 1))
    elif draw < _FILLER_PROBABILITY + _REPETITION_PROBABILITY:
        words.insert(place, words[place])
        labels.append(LabelledWords("Repetitions", place, place + 2))
    elif draw < _FILLER_PROBABILITY + _REPETITION_PROBABILITY + _ANNOTATED_WORD_PROBABILITY:
        labels.append(LabelledWords("Words", place, place + 1))
    return Sentence(tuple(words), tuple(labels))
