"""Catalog type of a JSON file that need not be there."""

from pathlib import Path
from typing import Any

from kedro_datasets.json import JSONDataset


class OptionalJSONDataset(JSONDataset):  # type: ignore[misc]  # kedro-datasets has no types
    """A JSON file; loads as None as long as nothing has written it.

    A node can take the result of a pipeline that is run by name only, and do without.
    """

    def load(self) -> Any:
        """Return the content, or None without a file."""
        return super().load() if Path(str(self._filepath)).is_file() else None
