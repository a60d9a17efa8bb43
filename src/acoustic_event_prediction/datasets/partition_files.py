"""Catalog type of partitions that need not be there."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import DatasetError

from acoustic_event_prediction.datasets.sealed import SealedPartitions

logger = logging.getLogger(__name__)


class OptionalPartitionFiles(SealedPartitions):
    """The files of sealed partitions, `{id: path}`; none as long as nothing has written them.

    A node can take the result of a pipeline that is run by name only, and do without. What is there
    of a set that is not complete is given as well, with a warning: each file is whole.
    """

    def load(self) -> dict[str, Path]:
        """Return the files by id, sorted."""
        is_complete = self._exists()
        names = self.ids() if is_complete else sorted(self.stored_sizes())
        files = {name: path for name in names if (path := self.partition_path(name)).is_file()}
        if files and not is_complete:
            logger.warning(
                "%s is not complete, because the run that wrote it was ended or has failed for "
                "some episodes; the %d finished ones are used: %s",
                *(self.path, len(files), self._remedy),
            )
        return files

    def save(self, data: Mapping[str, Any] | Sequence[str]) -> NoReturn:
        """Refuse: the files are another entry's."""
        raise DatasetError(f"{self.path} is only read through this catalog entry")


class EarlierPartitions(SealedPartitions):
    """What an earlier run has written through another entry; none as long as it has not.

    A node can look at its own earlier result, which Kedro forbids through one entry.
    """

    def load(self) -> dict[str, Any]:
        """Return `{id: load}` for the sealed partitions, sorted by id; empty without a seal."""
        return super().load() if self._exists() else {}

    def save(self, data: Mapping[str, Any] | Sequence[str]) -> NoReturn:
        """Refuse: the partitions are another entry's."""
        raise DatasetError(f"{self.path} is only read through this catalog entry")
