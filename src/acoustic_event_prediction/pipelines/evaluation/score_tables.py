"""Tables of scores by partition, checked against the events that they are measured with."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.labels import label_within, onset_distances
from acoustic_event_prediction.target_events import check_events

T = TypeVar("T")
Partitions = Mapping[str, Callable[[], T]]
_AGAIN = "; run `kedro run --pipelines labeling,evaluation`"


class ScoreColumns(NamedTuple):
    """Names of one horizon's columns in a table of scores; by default, the main horizon's."""

    score: str = "score"
    label: str = "label"

    @classmethod
    def of(cls, horizon: int) -> Self:
        """Return the names of a horizon, in frames, in the tables of several horizons."""
        return cls(f"score_{horizon}", f"label_{horizon}")


class ScoredPartition(NamedTuple):
    """One partition at one horizon; T frames, E events.

    Attributes:
        scores: float64 [T], 0 to 1.
        labels: int8 [T].
        ignored: bool [T].
        onsets: float64 [E], in seconds.
        offsets: float64 [E], in seconds.
    """

    scores: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int8]
    ignored: npt.NDArray[np.bool_]
    onsets: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.float64]


def read_partition(
    name: str,
    scores: Partitions[pd.DataFrame],
    target_events: Partitions[pd.DataFrame],
    columns: ScoreColumns,
    horizon: int,
) -> ScoredPartition:
    """Return scores and events of a partition, which belong together.

    Args:
        name: id of the partition.
        scores: tables by partition id.
        target_events: onset and offset in seconds of the events of each partition.
        columns: of the horizon.
        horizon: in frames.

    Raises:
        ProjectError: the events are missing; a table is damaged; or the labels of the scores are
            not those of the events: one of both has been made anew.
    """
    if name not in target_events:
        raise ProjectError(f"partition {name!r} has scores, but no target events{_AGAIN}")
    table, events = scores[name](), target_events[name]()
    try:
        found = ScoredPartition(
            table[columns.score].to_numpy(np.float64),
            table[columns.label].to_numpy(np.int8),
            table["ignore"].to_numpy(np.bool_),
            events["onset"].to_numpy(np.float64),
            events["offset"].to_numpy(np.float64),
        )
        check_events(found.onsets, found.offsets)
        distances = onset_distances(found.onsets, found.labels.size)
        # A comparison with NaN is false.
        if not ((found.scores >= 0) & (found.scores <= 1)).all():
            raise ValueError("a score is not between 0 and 1")
    except (KeyError, TypeError, ValueError) as error:
        raise ProjectError(
            f"scores or target events of {name!r} are damaged ({error}){_AGAIN}"
        ) from error
    if not np.array_equal(label_within(distances, horizon), found.labels):
        raise ProjectError(
            f"the scores of {name!r} have other labels than its target events give at a horizon "
            f"of {horizon} frames: one of both was made with other settings{_AGAIN}"
        )
    return found
