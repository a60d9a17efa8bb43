"""Catalog type of a JSON file that need not be there."""

from pathlib import Path
from typing import Any

from kedro.io import DatasetError
from kedro_datasets.json import JSONDataset

from acoustic_event_prediction.errors import StoreError


class OptionalJSONDataset(JSONDataset):  # type: ignore[misc]  # kedro-datasets has no types
    """A JSON file; loads as None as long as nothing has written it.

    A node can take the result of a pipeline that is run by name only, and do without.
    """

    def load(self) -> Any:
        """Return the content, or None without a file.

        Raises:
            StoreError: it is no JSON.
        """
        if not (path := Path(str(self._filepath))).is_file():
            return None
        try:
            return super().load()
        except DatasetError as error:
            reason = error.__cause__ or error
            raise StoreError(f"{path} is damaged ({reason}); delete it and run again") from error
