"""Confidence intervals by resampling whole episodes.

Frames of one episode resemble each other, and an episode's partitions (one per user) hold the same
conversation, so the episode is the unit that is drawn, with replacement. An episode drawn m times
weighs m: no frame is copied, and scores are sorted once per episode, never per resample.

Cost, with E episodes, N frames, U distinct scores of positive frames and R resamples: one sort of
the N scores, a search for U scores in each episode, and a [U, E] x [E, R] matrix product. Memory
beside the input is one sorted copy and a few [_BLOCK, R] arrays, whatever U and N are.
"""

from collections.abc import Iterator
from typing import Any, TypedDict, cast

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from acoustic_event_prediction.curves import EpisodeFrames, Floats, group_frames

CONFIDENCE = 0.95
# One for all reports: the same frames get the same interval in each of them.
SEED = 0
_BLOCK = 1024
_MIN_EPISODES = 2


class Interval(TypedDict):
    """Percentile interval; resamples in which the value is undefined are left out and counted."""

    low: float
    high: float
    num_undefined: int


class Intervals(TypedDict):
    """One interval, or None, for each statistic of the frame metrics."""

    prevalence: Interval | None
    auprc: Interval | None
    auprc_over_prevalence: Interval | None
    auroc: Interval | None
    precision: Interval | None
    recall: Interval | None
    f1: Interval | None


class BootstrapIntervals(Intervals):
    """Intervals over episodes and how they came about; `undefined` says why one is None."""

    confidence: float
    num_episodes: int
    num_resamples: int
    seed: int
    undefined: dict[str, str]


STATISTICS = tuple(Intervals.__annotations__)


def bootstrap_intervals(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    episodes: npt.ArrayLike,
    *,
    threshold: float,
    num_resamples: int,
    seed: int,
) -> BootstrapIntervals:
    """Return the 95 % percentile interval of each of `STATISTICS` over episodes, or None.

    Args:
        labels: [N], 0 or 1.
        scores: [N], finite.
        episodes: [N] integers, the same for all frames of an episode.
        threshold: a frame is predicted positive when its score is at least this.
        num_resamples: R; 0 gives no intervals.
        seed: the same seed gives the same intervals.

    Raises:
        ValueError: see `group_frames`.
    """
    groups = group_frames(labels, scores, episodes)
    intervals: dict[str, Interval | None] = dict.fromkeys(STATISTICS)
    undefined: dict[str, str] = {}
    if num_resamples == 0:
        undefined = dict.fromkeys(STATISTICS, "no resamples were asked for")
    elif len(groups) < _MIN_EPISODES:
        reason = f"needs at least {_MIN_EPISODES} episodes, got {len(groups)}"
        undefined = dict.fromkeys(STATISTICS, reason)
    else:
        weights = draw_weights(len(groups), num_resamples, seed)
        for name, values in weighted_statistics(groups, weights, threshold).items():
            intervals[name] = _percentile_interval(values)
            if intervals[name] is None:
                undefined[name] = f"undefined in all {num_resamples} resamples"
    head = {"num_episodes": len(groups), "num_resamples": num_resamples, "seed": seed}
    result: Any = {"confidence": CONFIDENCE, **head, **intervals, "undefined": undefined}
    return cast(BootstrapIntervals, result)


def draw_weights(num_episodes: int, num_resamples: int, seed: int) -> Floats:
    """Return how often each episode is drawn in each resample, float64 [E, R]; columns sum to E."""
    shares = np.full(num_episodes, 1 / num_episodes)
    drawn = np.random.default_rng(seed).multinomial(num_episodes, shares, size=num_resamples)
    return np.ascontiguousarray(drawn.T, dtype=np.float64)


def weighted_statistics(
    groups: EpisodeFrames, weights: Floats, threshold: float
) -> dict[str, Floats]:
    """Return each statistic in each resample, as if episode e were there `weights[e, r]` times.

    Args:
        groups: frames of E episodes.
        weights: float64 [E, R], whole numbers of at least 0.
        threshold: a frame is predicted positive when its score is at least this.

    Returns:
        float64 [R] for each of `STATISTICS`; NaN where the resample does not define it.
    """
    frames_per_episode = groups.num_frames()
    below = np.array([np.searchsorted(part, threshold, side="left") for part in groups.scores])
    frames = frames_per_episode @ weights  # [R]
    predicted = (frames_per_episode - below) @ weights  # [R]
    positive = groups.num_positive() @ weights  # [R]
    true_positive = groups.num_positive(threshold) @ weights  # [R]
    auprc, auroc = _areas(groups, weights)
    prevalence = _divide(positive, frames)
    return {
        "prevalence": prevalence,
        "auprc": auprc,
        "auprc_over_prevalence": _divide(auprc, prevalence),
        "auroc": auroc,
        "precision": _divide(true_positive, predicted),
        "recall": _divide(true_positive, positive),
        "f1": _divide(2 * true_positive, predicted + positive),
    }


def _areas(groups: EpisodeFrames, weights: Floats) -> tuple[Floats, Floats]:
    """Return AUPRC and AUROC, each [R].

    AUPRC sums gained positives times precision over the distinct scores of positives. AUROC is a
    quadratic form: `wins[a, b]` counts the pairs of a positive of episode a above a negative of b.
    """
    negative_per_episode = groups.num_frames() - groups.num_positive()
    positive, negative = groups.num_positive() @ weights, negative_per_episode @ weights
    summed_precision = np.zeros(weights.shape[1])
    wins = np.zeros((len(groups), len(groups)))
    true_positive = np.zeros(weights.shape[1])
    positive_above = np.zeros(len(groups))
    for gained, at_least, above in _blocks(groups):
        weighted_gain = gained @ weights  # [B, R]
        weighted_true = np.cumsum(weighted_gain, axis=0) + true_positive  # [B, R]
        true_positive = weighted_true[-1].copy()  # the next line changes weighted_true
        # Where nothing is drawn at this height the gain is 0 too; the 1 only avoids 0 / 0.
        weighted_true /= np.maximum(at_least @ weights, 1.0)
        summed_precision += np.einsum("br,br->r", weighted_gain, weighted_true)
        positive_at_least = np.cumsum(gained.toarray(), axis=0) + positive_above  # [B, E]
        # Negatives above, and half of those with the same score, are not beaten.
        half_lost = at_least + above - 2 * positive_at_least + gained.toarray()
        wins += gained.T @ (negative_per_episode - half_lost / 2)
        positive_above = positive_at_least[-1]
    pairs_won = np.einsum("ar,ab,br->r", weights, wins, weights, optimize=True)
    has_both = np.where((positive > 0) & (negative > 0), 1.0, np.nan)
    return has_both * _divide(summed_precision, positive), _divide(pairs_won, positive * negative)


def _blocks(groups: EpisodeFrames) -> Iterator[tuple[csr_array, Floats, Floats]]:
    """Yield, for the distinct scores of positives from high to low, B scores at a time.

    Yields:
        Counts of each episode, [B, E]: positives with exactly this score; frames with at least this
        score; frames above it.
    """
    heights, rows = np.unique(-groups.positive_scores, return_inverse=True)
    gained = csr_array(
        (np.ones(rows.size), (rows, groups.positive_episodes)), shape=(heights.size, len(groups))
    )
    for start in range(0, heights.size, _BLOCK):
        wanted = -heights[start : start + _BLOCK][::-1]  # [B], ascending
        at_least = np.empty((len(groups), wanted.size))
        above = np.empty_like(at_least)
        for episode, scores in enumerate(groups.scores):
            first = np.searchsorted(scores, wanted, side="left")
            last = first.copy()
            # Most scores occur in one episode only, so the second search is for a few of them.
            is_tied = scores[np.minimum(first, scores.size - 1)] == wanted
            last[is_tied] = np.searchsorted(scores, wanted[is_tied], side="right")
            at_least[episode] = (scores.size - first)[::-1]
            above[episode] = (scores.size - last)[::-1]
        yield gained[start : start + _BLOCK], at_least.T, above.T


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient, NaN where the denominator is 0."""
    quotient = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def _percentile_interval(values: Floats) -> Interval | None:
    defined = values[np.isfinite(values)]
    if defined.size == 0:
        return None
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(defined, [tail, 100 - tail])
    return Interval(low=float(low), high=float(high), num_undefined=values.size - defined.size)
