"""Statistics of frames that come in units (episodes, shows) of different weight.

A unit of weight m counts as if its frames were there m times. No frame is copied: scores are sorted
once per unit, and everything follows from counts of each unit times its weight.

Cost, with N frames, E units and R sets of weights: one sort of the N scores, then H x E searches
and an [H, E] x [E, R] matrix product for H blocks of distinct scores of positives. Blocks are as
large as a part of their rank, so H grows with the logarithm of the number of positives (10 000
blocks of a million). Memory beside the input is one sorted copy and a few [_BLOCK, R] arrays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from acoustic_event_prediction.curves import Counts, Floats, check_frames

# Counted from the nearer end, a block of heights holds this part of the heights before it: single
# heights where the curves bend, up to the rank of 1200.
_RANKS_PER_HEIGHT = 600
# Blocks that are in memory at once.
_BLOCK = 1024


@dataclass(frozen=True)
class UnitFrames:
    """The frames of E units, sorted for counting.

    Attributes:
        scores: E arrays float64 [N_e], ascending.
        positive_scores: float64 [P], descending.
        positive_units: int64 [P], the unit of each positive frame, 0 to E - 1.
        squared_error: float64 [E], sum of (score - label)^2 over the frames of each unit.
    """

    scores: list[Floats]
    positive_scores: Floats
    positive_units: Counts
    squared_error: Floats

    def __len__(self) -> int:
        """Return E."""
        return len(self.scores)

    @property
    def are_probabilities(self) -> bool:
        """Whether all scores lie in [0, 1]."""
        return all(part[0] >= 0 and part[-1] <= 1 for part in self.scores)

    def num_frames(self, threshold: float = -np.inf) -> Floats:
        """Return each unit's frames with a score of at least `threshold`, float64 [E]."""
        at_least = [part.size - np.searchsorted(part, threshold) for part in self.scores]
        return np.array(at_least, dtype=np.float64)

    def num_positive(self, threshold: float = -np.inf) -> Floats:
        """Return each unit's positive frames with a score of at least `threshold`, float64 [E]."""
        chosen = self.positive_units[self.positive_scores >= threshold]
        return np.bincount(chosen, minlength=len(self)).astype(np.float64)


class _Blocks(NamedTuple):
    """B blocks of neighbouring heights, from high to low; a height is a distinct positive score.

    Attributes:
        num_heights: [B], heights in the block.
        gained: [B, E], positives of each unit in the block.
        above: [B, E], frames of each unit above the block's highest height.
        at_least: [B, E], frames of each unit with at least its lowest height.
    """

    num_heights: Counts
    gained: csr_array
    above: Floats
    at_least: Floats


def group_frames(labels: npt.ArrayLike, scores: npt.ArrayLike, units: npt.ArrayLike) -> UnitFrames:
    """Sort the frames of each unit by score; units are used in ascending order.

    Args:
        labels: [N], 0 or 1.
        scores: [N], finite.
        units: [N] integers, the same for all frames of a unit.

    Raises:
        ValueError: see `check_frames`; or `units` has another length.
    """
    label_array, score_array = check_frames(labels, scores)
    unit_array = np.asarray(units)
    if unit_array.shape != score_array.shape:
        raise ValueError(
            f"need one unit number per frame, got {unit_array.shape} for {score_array.shape}"
        )
    numbers = np.unique(unit_array)  # [E]
    members = np.searchsorted(numbers, unit_array)  # [N]
    grouped = score_array[np.argsort(members, kind="stable")]
    ends = np.cumsum(np.bincount(members, minlength=numbers.size))
    positive = np.flatnonzero(label_array)
    positive = positive[np.argsort(-score_array[positive], kind="stable")]
    squared = (score_array - label_array) ** 2
    return UnitFrames(
        scores=[np.sort(part) for part in np.split(grouped, ends[:-1])],
        positive_scores=score_array[positive],
        positive_units=members[positive],
        squared_error=np.bincount(members, weights=squared, minlength=numbers.size).astype(
            np.float64
        ),
    )


def weighted_statistics(groups: UnitFrames, weights: Floats, threshold: float) -> dict[str, Floats]:
    """Return each statistic for each set of weights, as if unit e were there `weights[e, r]` times.

    Args:
        groups: frames of E units.
        weights: float64 [E, R], whole numbers of at least 0.
        threshold: a frame is predicted positive when its score is at least this.

    Returns:
        float64 [R] by the name that the statistic has in `FrameMetrics`; NaN where it is not
        defined. AUPRC and AUROC are exact below 2400 distinct scores of positives; beyond,
        their relative error is below 1e-4.
    """
    frames = groups.num_frames() @ weights  # [R]
    positive = groups.num_positive() @ weights  # [R]
    predicted = groups.num_frames(threshold) @ weights  # [R]
    true_positive = groups.num_positive(threshold) @ weights  # [R]
    auprc, auroc = _areas(groups, weights)
    prevalence = divide(positive, frames)
    brier_score = divide(groups.squared_error @ weights, frames)
    return {
        "prevalence": prevalence,
        "auprc": auprc,
        "auprc_over_prevalence": divide(auprc, prevalence),
        "auroc": auroc,
        **_of_counts(frames, positive, predicted, true_positive),
        "brier_score": brier_score if groups.are_probabilities else np.full_like(frames, np.nan),
    }


def _of_counts(
    frames: Floats, positive: Floats, predicted: Floats, true_positive: Floats
) -> dict[str, Floats]:
    """Return what the confusion matrix gives, each [R]."""
    negative = frames - positive
    true_negative = negative - (predicted - true_positive)
    margin = true_positive * negative - (predicted - true_positive) * positive
    spread = np.sqrt(predicted * (frames - predicted)) * np.sqrt(positive * negative)
    return {
        "precision": divide(true_positive, predicted),
        "recall": divide(true_positive, positive),
        "f1": divide(2 * true_positive, predicted + positive),
        "accuracy": divide(true_positive + true_negative, frames),
        "balanced_accuracy": (divide(true_positive, positive) + divide(true_negative, negative))
        / 2,
        "youden_j": divide(margin, positive * negative),
        "mcc": divide(margin, spread),
    }


def _areas(groups: UnitFrames, weights: Floats) -> tuple[Floats, Floats]:
    """Return AUPRC and AUROC, each [R].

    AUPRC sums gained positives times precision over heights. AUROC is the share of pairs of a
    positive and a negative that the positive wins; a tie is half won. In a block of several heights
    precision and false positives are taken to change evenly from positive to positive.
    """
    positive = groups.num_positive() @ weights
    negative = groups.num_frames() @ weights - positive
    summed_precision, pairs_lost = np.zeros((2, weights.shape[1]))
    true_positive, false_positive = np.zeros((2, weights.shape[1]))
    for blocks in _blocks(groups):
        gained = blocks.gained @ weights  # [B, R]
        true_at = np.cumsum(np.vstack([true_positive, gained]), axis=0)  # [B + 1, R]
        false_at = np.vstack([false_positive, blocks.at_least @ weights - true_at[1:]])
        # Negatives above the block, and half of those in it, are not beaten.
        lost = (blocks.above @ weights - true_at[:-1] + false_at[1:]) / 2
        pairs_lost += np.einsum("br,br->r", gained, lost)
        precision = _mean_precision(blocks, weights, gained, true_at[:-1], false_at)
        summed_precision += np.einsum("br,br->r", gained, precision)
        true_positive, false_positive = true_at[-1], false_at[-1]
    has_both = np.where((positive > 0) & (negative > 0), 1.0, np.nan)
    pairs = positive * negative
    return has_both * divide(summed_precision, positive), divide(pairs - pairs_lost, pairs)


def _mean_precision(
    blocks: _Blocks, weights: Floats, gained: Floats, true_above: Floats, false_at: Floats
) -> Floats:
    """Return the precision at the mean counts of each block's positives, [B, R].

    Args:
        blocks: B blocks of m heights each.
        weights: [E, R].
        gained: [B, R], G positives of the block.
        true_above: [B, R], positives above the block.
        false_at: [B + 1, R], false positives above the first block and at the end of each.
    """
    # The mean over k = 1 .. m of false positives that grow by the same number m times.
    steps = (1 + 1 / blocks.num_heights)[:, None] / 2
    false_positive = false_at[:-1] + steps * np.diff(false_at, axis=0)
    # A positive of weight w sees w of its own; over the block, (G + sum of w^2 / G) / 2 are seen.
    squares = blocks.gained @ weights**2
    own = np.where(blocks.num_heights[:, None] == 1, gained, squares / np.maximum(gained, 1.0))
    true_positive = true_above + (gained + own) / 2
    # Where nothing is drawn at this height the gain is 0 too; the 1 only avoids 0 / 0.
    precision: Floats = true_positive / np.maximum(true_positive + false_positive, 1.0)
    return precision


def _blocks(groups: UnitFrames) -> Iterator[_Blocks]:
    """Yield all blocks of heights, up to `_BLOCK` of them at a time."""
    scores = groups.positive_scores  # descending
    first = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1]]))[: scores.size]
    heights = scores[first]
    starts = _block_starts(heights.size)  # [B]
    num_heights = np.diff(starts, append=heights.size)
    block_of = np.repeat(np.arange(starts.size), np.diff(first[starts], append=scores.size))  # [P]
    gained = csr_array(
        (np.ones(scores.size), (block_of, groups.positive_units)), shape=(starts.size, len(groups))
    )
    highest, lowest = heights[starts], heights[starts + num_heights - 1]
    for start in range(0, starts.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        yield _Blocks(
            num_heights=num_heights[part],
            gained=gained[part],
            above=_frames_from(groups, highest[part], side="right"),
            at_least=_frames_from(groups, lowest[part], side="left"),
        )


def _block_starts(num_heights: int) -> Counts:
    """Return the rank of the first height of each block, from 0."""
    starts = []
    start = 0
    while start < num_heights:
        starts.append(start)
        start += max(1, min(start, num_heights - start) // _RANKS_PER_HEIGHT)
    return np.array(starts, dtype=np.int64)


def _frames_from(groups: UnitFrames, heights: Floats, side: Literal["left", "right"]) -> Floats:
    """Return each unit's frames with at least ("left") or more than ("right") a height, [B, E]."""
    counts = np.empty((len(groups), heights.size))
    for unit, scores in enumerate(groups.scores):
        # Searches in ascending order go through memory once.
        counts[unit] = (scores.size - np.searchsorted(scores, heights[::-1], side=side))[::-1]
    return counts.T


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient, NaN where the denominator is 0."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient
