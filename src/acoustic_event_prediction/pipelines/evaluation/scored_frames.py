"""The frames of a split in one array, from the partitions that hold them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.event_frames import EventFrames
from acoustic_event_prediction.figures import SplitFrames
from acoustic_event_prediction.pipelines.evaluation.score_tables import (
    Partitions,
    ScoreColumns,
    read_partition,
)
from acoustic_event_prediction.pipelines.evaluation.units import UnitKind, Units
from acoustic_event_prediction.report.fingerprint import fingerprint
from acoustic_event_prediction.target_events import first_of_bout, merge_same_frame

EvaluatedSplit = Literal["validation", "test"]
SPLITS: tuple[EvaluatedSplit, ...] = ("validation", "test")


@dataclass(frozen=True)
class ScoredSplit:
    """Frames of one split at one horizon: N frames in P partitions, one after another.

    Attributes:
        partition_ids: P ids `<split>/<episode>/<user>`, sorted.
        labels: int8 [N].
        events: scores, ignored frames, partitions, units and events.
        unit_kind: what a unit is.
    """

    partition_ids: tuple[str, ...]
    labels: npt.NDArray[np.int8]
    events: EventFrames
    unit_kind: UnitKind

    def counted(self) -> SplitFrames:
        """Return the M frames that are not ignored."""
        ignored = self.events.ignored
        if not ignored.any():
            return SplitFrames(self.labels, self.events.scores)
        return SplitFrames(self.labels[~ignored], self.events.scores[~ignored])

    def units_of_counted(self) -> npt.NDArray[np.int64]:
        """Return the unit of each frame that is not ignored, int64 [M]."""
        events = self.events
        return np.repeat(events.units, np.diff(events.starts))[~events.ignored]

    def count_per_unit(self, flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Return how many frames of each unit are flagged and not ignored, float64 [U].

        Args:
            flags: bool [N].
        """
        before = np.concatenate([[0], np.cumsum(flags & ~self.events.ignored)])
        counts = np.diff(before[self.events.starts])  # [P]
        units = np.unique(self.events.units, return_inverse=True)[1]  # [P]
        return np.bincount(units, counts).astype(np.float64)


@dataclass(frozen=True)
class PooledScores:
    """Frames of validation and test at the main horizon, and a way to those at the others.

    Attributes:
        shift_frames: the main horizon.
        splits: without a split that has no partitions.
        horizons: all horizons, ascending.
        load_horizon: returns the splits at another horizon, as they are needed.
    """

    shift_frames: int
    splits: Mapping[EvaluatedSplit, ScoredSplit]
    horizons: tuple[int, ...]
    load_horizon: Callable[[int], Mapping[EvaluatedSplit, ScoredSplit]]

    def fingerprint(self) -> str:
        """Return the SHA-256 of labels and scores at the main horizon; see `report.fingerprint`."""
        return fingerprint(
            (name, loaded.labels[first:stop], loaded.events.scores[first:stop])
            for loaded in self.splits.values()
            for name, (first, stop) in zip(
                loaded.partition_ids, pairwise(loaded.events.starts.tolist()), strict=True
            )
        )

    def at(self, horizon: int) -> Mapping[EvaluatedSplit, ScoredSplit]:
        """Return the splits at a horizon."""
        return self.splits if horizon == self.shift_frames else self.load_horizon(horizon)


def find_horizons(scores: Partitions[pd.DataFrame], shift_frames: int) -> dict[int, ScoreColumns]:
    """Return the columns of each horizon in frames, ascending.

    Args:
        scores: tables by partition id, all of one predictor; one of them is loaded.
        shift_frames: the main horizon, the only one of tables that number none.
    """
    names = next(iter(scores.values()))().columns
    prefix = ScoreColumns().score + "_"
    horizons = sorted(int(name.removeprefix(prefix)) for name in names if name.startswith(prefix))
    numbered = {horizon: ScoreColumns.of(horizon) for horizon in horizons}
    return numbered or {shift_frames: ScoreColumns()}


def load_split(
    scores: Partitions[pd.DataFrame],
    target_events: Partitions[pd.DataFrame],
    split: EvaluatedSplit,
    units: Units,
    bout_gap_seconds: float,
    columns: ScoreColumns,
    horizon: int,
) -> ScoredSplit | None:
    """Return all frames and events of a split, or None when it has no partitions.

    Args:
        scores: tables by partition id, loaded one at a time.
        target_events: onset and offset in seconds of the events of each partition.
        split: whose.
        units: what is resampled.
        bout_gap_seconds: an event is the first of its bout if none has ended so shortly before.
        columns: of the horizon.
        horizon: in frames.

    Raises:
        ProjectError: see `read_partition`; or the partitions hold no frame at all, or all of them
            are ignored.
    """
    names = [name for name in sorted(scores) if name.startswith(f"{split}/")]
    if not names:
        return None
    labels, values, ignored, onsets, is_first = [], [], [], [], []
    for name in names:
        read = read_partition(name, scores, target_events, columns, horizon)
        labels.append(read.labels)
        values.append(read.scores)
        ignored.append(read.ignored)
        begun, ended = merge_same_frame(read.onsets, read.offsets)
        onsets.append(begun)
        is_first.append(first_of_bout(begun, ended, bout_gap_seconds))
    numbers = units.numbers([name.rpartition("/")[0] for name in names])
    joined = EventFrames.join(values, ignored, onsets, is_first, numbers.tolist())
    if joined.ignored.all():
        raise ProjectError(
            f"the {len(names)} partitions of scores of {split} hold no frame that counts: "
            f"{joined.ignored.size} frames, all ignored; run `kedro run --pipelines evaluation` "
            "again, with a shorter evaluation.ignore.tail_seconds if frames are ignored"
        )
    return ScoredSplit(tuple(names), np.concatenate(labels), joined, units.kind)
