"""What the bootstrap draws: episodes, or the shows that they belong to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction.corpus.records import Episode

UnitKind = Literal["episode", "show"]
# Percentile intervals over fewer units say little.
_MIN_SHOWS = 10


@dataclass(frozen=True)
class Units:
    """Which unit an episode belongs to.

    Attributes:
        kind: of the units.
        names: by episode id; an episode that is not named is a unit of its own.
    """

    kind: UnitKind
    names: Mapping[str, str]

    def numbers(self, episode_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the number of each episode's unit, int64, in the order in which they come up."""
        known: dict[str, int] = {}
        return np.array(
            [known.setdefault(self.names.get(name, name), len(known)) for name in episode_ids],
            dtype=np.int64,
        )


def choose_units(
    episodes: Mapping[str, Callable[[], dict[str, Any]]],
    splits: Sequence[str],
    wanted: Literal["auto", "episode", "show"],
) -> Units:
    """Return the units of the evaluated episodes.

    Episodes of one show share hosts, jokes and microphones, so that an interval over episodes is
    too narrow; but few shows give no interval worth the name.

    Args:
        episodes: records by id.
        splits: that are evaluated.
        wanted: `auto` takes shows where each of the splits that has episodes has 10 shows at least.
    """
    if wanted == "episode":
        return Units("episode", {})
    records = [Episode.model_validate(load()) for load in episodes.values()]
    shows = {record.episode_id: record.show for record in records if record.split in splits}
    named = {
        split: [show for name, show in shows.items() if name.startswith(f"{split}/")]
        for split in splits
    }
    has_enough = [len({*found} - {None}) >= _MIN_SHOWS for found in named.values() if found]
    if wanted == "auto" and not (has_enough and all(has_enough)):
        return Units("episode", {})
    # An episode id has a slash, a show's name has none: they can't be taken for one another.
    return Units("show", {name: show for name, show in shows.items() if show})
