"""Nodes that draw what the evaluation found; the figures themselves lie in `figures*.py`."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from acoustic_event_prediction.calibration import NUM_BINS, reliability
from acoustic_event_prediction.event_frames import match_alarms
from acoustic_event_prediction.figures import (
    SplitFrames,
    confusion_figure,
    pr_figure,
    roc_figure,
)
from acoustic_event_prediction.figures_lead_time import lead_time_figure
from acoustic_event_prediction.figures_scores import reliability_figure, score_histogram_figure
from acoustic_event_prediction.figures_track import ScoreTrack, score_track_figure
from acoustic_event_prediction.frames import start_of
from acoustic_event_prediction.metrics import threshold_metrics
from acoustic_event_prediction.pipelines.evaluation.measuring import (
    OperatingPoint,
    find_split_alarms,
)
from acoustic_event_prediction.pipelines.evaluation.score_tables import Partitions
from acoustic_event_prediction.pipelines.evaluation.scored_frames import (
    EvaluatedSplit,
    PooledScores,
    ScoredSplit,
)

_TRACK_FRAMES = 375  # 30 s, in which words are legible


def plot_roc_curve(pooled_scores: PooledScores, operating_point: OperatingPoint) -> Figure:
    """Draw the ROC curves of validation and test."""
    return roc_figure(_counted(pooled_scores), operating_point["threshold"])


def plot_pr_curve(pooled_scores: PooledScores, operating_point: OperatingPoint) -> Figure:
    """Draw the precision-recall curves of validation and test."""
    return pr_figure(_counted(pooled_scores), operating_point["threshold"])


def plot_confusion_matrix(pooled_scores: PooledScores, operating_point: OperatingPoint) -> Figure:
    """Draw the confusion matrices of validation and test."""
    threshold = operating_point["threshold"]
    return confusion_figure(
        {
            split: threshold_metrics(frames.labels, frames.scores, threshold)["confusion_matrix"]
            for split, frames in _counted(pooled_scores).items()
        },
        threshold,
    )


def plot_reliability(pooled_scores: PooledScores) -> Figure:
    """Draw how often frames with a score are positive, in bins of as many frames each."""
    return reliability_figure(
        {
            split: reliability(frames.labels, frames.scores, NUM_BINS, "quantile")
            for split, frames in _counted(pooled_scores).items()
        }
    )


def plot_score_histogram(pooled_scores: PooledScores, operating_point: OperatingPoint) -> Figure:
    """Draw the scores of positive and of negative frames."""
    return score_histogram_figure(_counted(pooled_scores), operating_point["threshold"])


def plot_lead_times(pooled_scores: PooledScores, operating_point: OperatingPoint) -> Figure:
    """Draw how long before the onset announced events were announced."""
    horizon = pooled_scores.shift_frames
    if operating_point["alarms"] is None:
        return lead_time_figure({}, horizon, {}, empty="no alarm rule, so no event metrics")
    leads: dict[str, npt.NDArray[np.float64]] = {}
    num_missed: dict[str, int] = {}
    for split, loaded in pooled_scores.splits.items():
        alarms = find_split_alarms(loaded, operating_point["alarms"])
        matches = match_alarms(loaded.events, alarms, horizon)
        leads[split] = start_of(matches.lead_frames[matches.is_hit])
        num_missed[split] = int(np.count_nonzero(matches.is_reachable & ~matches.is_hit))
    return lead_time_figure(leads, horizon, num_missed)


def plot_score_track(
    pooled_scores: PooledScores,
    operating_point: OperatingPoint,
    target_events: Partitions[pd.DataFrame],
    turns: Partitions[pd.DataFrame],
    words: Partitions[pd.DataFrame],
) -> Figure:
    """Draw 30 s of one episode: scores, truth, alarms, turns and words.

    It is the stretch of test (or of validation, without a test split) that holds most events, the
    first of equal ones; how good its scores are has no part in the choice.

    Args:
        pooled_scores: see `pool_scores`.
        operating_point: threshold and alarm rule.
        target_events: events by partition id.
        turns: tables by episode id.
        words: tables by episode id.
    """
    split: EvaluatedSplit = "test" if "test" in pooled_scores.splits else "validation"
    loaded = pooled_scores.splits[split]
    events = loaded.events
    partition, start = _busiest_stretch(loaded)
    first, stop = events.starts[partition], events.starts[partition + 1]
    frames = slice(first + start, min(first + start + _TRACK_FRAMES, stop))
    decided = find_split_alarms(loaded, operating_point["alarms"]).decided
    decided = decided[(decided >= frames.start) & (decided < frames.stop)]
    has_rule = operating_point["alarms"] is not None
    name = loaded.partition_ids[partition]
    point = operating_point["alarms"] or operating_point
    episode_id, _, user = name.rpartition("/")
    return score_track_figure(
        ScoreTrack(
            title=f"{episode_id}, user {user}",
            start_frame=start,
            scores=events.scores[frames],
            labels=loaded.labels[frames],
            threshold=point["threshold"],
            alarm_frames=decided - first if has_rule else None,
            events=target_events[name](),
            turns=turns[episode_id](),
            words=words[episode_id](),
        )
    )


def _counted(pooled_scores: PooledScores) -> dict[str, SplitFrames]:
    return {split: loaded.counted() for split, loaded in pooled_scores.splits.items()}


def _busiest_stretch(loaded: ScoredSplit) -> tuple[int, int]:
    """Return the partition, and in it the first frame, of the stretch with most onsets."""
    events = loaded.events
    onsets, partitions = events.onsets, events.event_partitions
    if onsets.size == 0:
        return 0, 0
    # A stretch begins a third before its first event.
    begins = np.maximum(onsets - _TRACK_FRAMES // 3, events.starts[partitions])
    ends = np.searchsorted(partitions, partitions, side="right")
    inside = np.minimum(np.searchsorted(onsets, begins + _TRACK_FRAMES), ends)
    best = int(np.argmax(inside - np.arange(onsets.size)))
    partition = int(partitions[best])
    return partition, int(begins[best] - events.starts[partition])
