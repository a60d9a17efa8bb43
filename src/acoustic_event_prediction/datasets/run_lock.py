"""A folder that one run at a time may write."""

import fcntl
from pathlib import Path
from typing import TextIO

from acoustic_event_prediction.errors import StoreError


class RunLock:
    """Held by the run that writes a folder; a run that ends, however it ends, lets go of it.

    Args:
        folder: what is locked; created if need be.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: TextIO | None = None

    def acquire(self) -> bool:
        """Take the lock; return False if this object holds it already.

        Raises:
            StoreError: another run holds it, or the folder can't be made.
        """
        if self._file is not None:
            return False
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = (self._folder / ".lock").open("w", encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"{self._folder} can't be written ({error}); give another place with data_root"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise StoreError(
                f"another run is writing {self._folder}; wait for it or end it, then run again"
            ) from None
        self._file = file
        return True

    def release(self) -> None:
        """Let other runs write the folder."""
        if self._file is not None:
            self._file.close()
            self._file = None
