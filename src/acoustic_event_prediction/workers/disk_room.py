"""What the features need on the disk, and what lies there already."""

import logging
import shutil
from collections.abc import Container, Sequence
from typing import Any

from acoustic_event_prediction.errors import StoreError
from acoustic_event_prediction.frame_arrays import as_dtype
from acoustic_event_prediction.speech_lm.batch_size import MOST_ASSIGNMENTS
from acoustic_event_prediction.workers.episode_tasks import EpisodeTask

logger = logging.getLogger(__name__)


def require_room(
    tasks: Sequence[EpisodeTask], store: Any, dim: int, dtype: str, num_ranks: int
) -> None:
    """Log how much will be written, and refuse to begin what the disk can't hold.

    Args:
        tasks: what will be encoded.
        store: the data set `features`.
        dim: D.
        dtype: of the stored features.
        num_ranks: processes; each has a batch of files open.

    Raises:
        StoreError: too little is free.
    """
    sizes = {
        assignment.assignment_id: assignment.num_frames * dim * as_dtype(dtype).itemsize
        for task in tasks
        for assignment in task.assignments
    }
    paths = [store.partition_path(name) for name in sizes]
    replaced = sum(path.stat().st_size for path in paths if path.is_file())
    # New files are complete before they take the place of old ones, a batch at a time.
    in_flight = sum(sorted(sizes.values())[-num_ranks * MOST_ASSIGNMENTS :])
    needed = sum(sizes.values()) - replaced + min(replaced, in_flight)
    folder = next(path for path in (store.path, *store.path.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    logger.info(
        "features: %s to write, for a time %s more than now; %s free at %s",
        *(_size(sum(sizes.values())), _size(needed), _size(free), store.path),
    )
    if needed > free:
        raise StoreError(
            f"{store.path} has {_size(free)} free, the features of {len(sizes)} assignments need "
            f"{_size(needed)}; make room, give another place with data_root, or encode fewer "
            "episodes at a time (ingestion.splits, ingestion.limit)"
        )


def report_unwanted(wanted: Container[str], store: Any) -> None:
    """Log what lies in the store and belongs to no assignment any more.

    Args:
        wanted: ids of all assignments.
        store: the data set `features`.
    """
    sizes = [size for name, size in store.stored_sizes().items() if name not in wanted]
    if sizes:
        logger.info(
            "features: %d partitions at %s, %s, are of no assignment any more; they are not "
            "loaded, and yours to delete",
            *(len(sizes), store.path, _size(sum(sizes))),
        )


def _size(num_bytes: float) -> str:
    """Return e.g. `1.5 GB`.

    >>> _size(1_499_000_000), _size(2_070_000), _size(10)
    ('1.5 GB', '2.07 MB', '10 bytes')
    """
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= size:
            return f"{num_bytes / size:.3g} {unit}"
    return f"{num_bytes:.0f} bytes"
