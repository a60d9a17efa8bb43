"""Which stored features are still those that are wanted."""

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from acoustic_event_prediction.comparison import differences
from acoustic_event_prediction.corpus.records import Assignment
from acoustic_event_prediction.errors import StoreError

logger = logging.getLogger(__name__)

Provenance = dict[str, Any]
Wanted = tuple[Assignment, Provenance]


class Layout(NamedTuple):
    """Width and type of the features of a store.

    Attributes:
        dim: D.
        dtype: of the stored numbers.
    """

    dim: int
    dtype: np.dtype[Any]


def find_outdated(wanted: Mapping[str, Wanted], store: Any, layout: Layout) -> dict[str, str]:
    """Return the ids whose stored features can't be used, and why.

    Args:
        wanted: assignments, and what their features are to be made from, by id.
        store: the data set.
        layout: of its features.
    """
    outdated = {}
    for name, (assignment, provenance) in wanted.items():
        partition = store.partition(name)
        if not partition.exists():
            outdated[name] = "not there yet"
            continue
        try:
            header = partition.header()
        except StoreError as error:
            logger.warning("%s", error)
            outdated[name] = "damaged"
            continue
        changed = differences(header.provenance, provenance)
        if changed:
            outdated[name] = f"changed: {', '.join(changed)}"
        elif (header.shape, header.dtype) != ((assignment.num_frames, layout.dim), layout.dtype):
            outdated[name] = "damaged"
    return outdated


def log_outdated(name: str, outdated: Mapping[str, str], num_wanted: int) -> None:
    """Log how many stored features of the data set `name` are kept, and why others are not."""
    reasons = Counter(outdated.values()).most_common()
    logger.info(
        "%s: %d partitions kept, %d to encode%s",
        name,
        num_wanted - len(outdated),
        len(outdated),
        f" ({'; '.join(f'{number} {reason}' for reason, number in reasons)})" if reasons else "",
    )


def require_written(outdated: Mapping[str, str], store: Any) -> None:
    """Check the workers' work before the set is sealed.

    Raises:
        StoreError: something is still outdated.
    """
    if outdated:
        name, reason = next(iter(outdated.items()))
        raise StoreError(
            f"the workers have ended, but {len(outdated)} partitions of {store.path} are not what "
            f"they should have become, the first: {name!r} ({reason}); look at that file, remove "
            "it, and run again: the others are kept"
        )
