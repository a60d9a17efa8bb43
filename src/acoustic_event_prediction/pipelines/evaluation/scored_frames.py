"""The frames of a split in one array, from the partitions that hold them."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.figures import SplitFrames

T = TypeVar("T")
Partitions = Mapping[str, Callable[[], T]]
EvaluatedSplit = Literal["validation", "test"]
SPLITS: tuple[EvaluatedSplit, ...] = ("validation", "test")


class ScoredFrames(NamedTuple):
    """Frames of one split, with the number of each frame's episode, int64 [N]."""

    frames: SplitFrames
    episodes: npt.NDArray[np.int64]


class ScoreColumns(NamedTuple):
    """Names of one horizon's columns in a table of scores; by default, the main horizon's."""

    score: str = "score"
    label: str = "label"

    @classmethod
    def of(cls, horizon: int) -> Self:
        """Return the names of a horizon, in frames, in the tables of several horizons."""
        return cls(f"score_{horizon}", f"label_{horizon}")


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
    split: EvaluatedSplit,
    columns: ScoreColumns = ScoreColumns(),  # noqa: B008  (immutable)
) -> ScoredFrames | None:
    """Return all frames of a split, or None when it has no partitions.

    Partitions `<split>/<episode>/<user>` of one episode get the same episode number.

    Args:
        scores: tables by partition id, loaded one at a time.
        split: whose.
        columns: of the horizon.

    Raises:
        ProjectError: the partitions hold no frame at all.
    """
    names = [name for name in sorted(scores) if name.startswith(f"{split}/")]
    if not names:
        return None
    numbers: dict[str, int] = {}
    labels, values, episodes = [], [], []
    for name in names:
        table = scores[name]()
        number = numbers.setdefault(name.rpartition("/")[0], len(numbers))
        labels.append(table[columns.label].to_numpy(np.int8))
        values.append(table[columns.score].to_numpy(np.float64))
        episodes.append(np.full(len(table), number, dtype=np.int64))
    frames = SplitFrames(labels=np.concatenate(labels), scores=np.concatenate(values))
    if frames.labels.size == 0:
        raise ProjectError(
            f"the {len(names)} partitions of scores of {split} hold no frame; "
            "run `kedro run --pipelines evaluation` again"
        )
    return ScoredFrames(frames, np.concatenate(episodes))


def load_frames(scores: Partitions[pd.DataFrame]) -> dict[str, SplitFrames]:
    """Return the frames of validation and test, without a split that has no partitions."""
    loaded = {split: load_split(scores, split) for split in SPLITS}
    return {split: found.frames for split, found in loaded.items() if found is not None}
