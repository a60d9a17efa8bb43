"""Catalog type of folders that hold the results of one recording each."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview

from acoustic_event_prediction.atomic_folder import replacing_folder, settle_leftovers
from acoustic_event_prediction.corpus.raw import name_problem
from acoustic_event_prediction.datasets.run_lock import RunLock
from acoustic_event_prediction.errors import StoreError, unwritable
from acoustic_event_prediction.progress import track

LoadFile = Callable[[], Any]


class RecordingFolders(
    AbstractDataset[Mapping[str, Any] | Sequence[str], dict[str, dict[str, LoadFile]]]
):
    """One folder per recording, with the same files in each; a folder is complete or not there.

    Saving a mapping `{name: {file: value or callable}}` writes each folder; saving a list of names
    only checks that the folder of each is complete: workers or the node have written them, through
    `save_recording` of the same catalog entry. Other recordings' folders stay. Loading gives
    `{name: {file: load}}` of all complete folders.

    A folder that is written anew takes the earlier one's place when it is complete. What somebody
    else has put into the earlier one stays; files that the entry no longer declares do, too.

    Args:
        path: folder of the folders.
        files: by file name, the Kedro dataset configuration of the file, without `filepath`. A data
            set may write more files beside it, as `FigureDataset` does.
        metadata: ignored by Kedro; used by its plug-ins.

    Raises:
        DatasetError: `files` is empty, or holds what is no file name or no configuration.
    """

    def __init__(
        self,
        *,
        path: str,
        files: Mapping[str, str | dict[str, Any]],
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path = Path(path)
        self._files = {
            file: {"type": dataset} if isinstance(dataset, str) else dict(dataset)
            for file, dataset in files.items()
        }
        self._lock = RunLock(self._path)
        self.metadata = metadata
        self._check_configuration()

    def _check_configuration(self) -> None:
        if not self._files:
            raise DatasetError(f"{self._path}: `files` declares no file; name at least one")
        for file, dataset in self._files.items():
            if problem := name_problem(file):
                raise DatasetError(f"{self._path}: {file!r} in `files` {problem}; rename it")
            if fixed := {"filepath", "versioned"} & set(dataset):
                raise DatasetError(
                    f"{self._path}: `{min(fixed)}` of {file!r} can't be set, because the "
                    "recording's folder says where the file is; remove it"
                )
            # A type that does not exist must not be found out after hours of work.
            self._dataset(self._path / file)

    @property
    def path(self) -> Path:
        """Folder of the folders."""
        return self._path

    def folder(self, name: str) -> Path:
        """Return the folder of a recording.

        Raises:
            StoreError: the name would leave the folder, or is no file name.
        """
        if problem := name_problem(name):
            raise StoreError(f"{name!r} is no name of a folder: it {problem}; rename the recording")
        return self._path / name

    def is_complete(self, name: str) -> bool:
        """Return whether the recording's folder is there with all files."""
        return len(self.file_sizes(name)) == len(self._files)

    def file_sizes(self, name: str) -> dict[str, int]:
        """Return the sizes in bytes of those files of a recording that are there, by name."""
        return self._sizes_in(self.folder(name))

    def _sizes_in(self, folder: Path) -> dict[str, int]:
        paths = {file: folder / file for file in self._files}
        return {file: path.stat().st_size for file, path in paths.items() if path.is_file()}

    def names(self) -> list[str]:
        """Return the recordings with a complete folder, sorted."""
        if not self._path.is_dir():
            return []
        names = (path.name for path in self._path.iterdir())
        return sorted(name for name in names if not name_problem(name) and self.is_complete(name))

    def save_recording(self, name: str, values: Mapping[str, Any]) -> None:
        """Write the folder of a recording, whole or not at all.

        Threads may write folders of different names at the same time.

        Args:
            name: of the recording.
            values: by file name, what the file's data set saves, or a callable that returns it: it
                is called when the files before it are written, with their sizes in bytes by name.

        Raises:
            ValueError: a declared file is missing, or one is not declared.
            StoreError: the name is refused, or the file system refuses, e.g. because it is full.
        """
        self._check_files(name, values)
        folder = self.folder(name)
        own_error: BaseException | None = None
        try:
            with replacing_folder(folder) as new:
                for file in self._files:
                    try:
                        value = values[file]
                        if callable(value):
                            value = value(self._sizes_in(new))
                    except BaseException as error:
                        own_error = error
                        raise
                    self._save_file(new / file, value)
        except (OSError, DatasetError) as error:
            cause = _os_error(error)
            # The caller's own failure to read something is no failure to write.
            if cause is None or error is own_error:
                raise
            raise unwritable(name, cause, kind="recording") from error

    def _check_files(self, name: str, values: Mapping[str, Any]) -> None:
        missing = [file for file in self._files if file not in values]
        unknown = [file for file in values if file not in self._files]
        if missing or unknown:
            raise ValueError(
                f"recording {name!r}: "
                + " and ".join(
                    f"{', '.join(map(repr, files))} {problem}"
                    for files, problem in ((missing, "missing"), (unknown, "not declared"))
                    if files
                )
                + f"; `files` of the catalog entry declares {', '.join(self._files)}"
            )

    def _save_file(self, path: Path, value: Any) -> None:
        self._dataset(path).save(value)
        if not path.is_file():
            raise DatasetError(
                f"{self._files[path.name]['type']} has not written {path.name!r}; `files` of "
                f"{self._path} takes data sets that write the file that they are given"
            )

    def _dataset(self, path: Path) -> Any:
        config = {**self._files[path.name], "filepath": path.as_posix()}
        return AbstractDataset.from_config(f"{self._path.name}/{path.name}", config)

    def load_file(self, name: str, file: str) -> Any:
        """Return one file of a recording.

        Raises:
            ValueError: the file is not declared.
            StoreError: the file is gone or damaged, or the name is refused.
        """
        if file not in self._files:
            raise ValueError(
                f"{file!r} is not declared; `files` of the catalog entry of {self._path} declares "
                + ", ".join(self._files)
            )
        path = self.folder(name) / file
        try:
            return self._dataset(path).load()
        except (DatasetError, OSError) as error:
            state = "is damaged" if path.is_file() else "is not there"
            raise StoreError(
                f"{file!r} of recording {name!r} {state} ({path}: {error.__cause__ or error}); "
                f"run the pipeline that makes `{self._path.name}` (see `kedro registry list`)"
            ) from error

    def load(self) -> dict[str, dict[str, LoadFile]]:
        """Return `{name: {file: load}}` of the complete folders, sorted by name; they may be none.

        A file that is gone or damaged is a StoreError when it is loaded.
        """
        return {
            name: {file: partial(self.load_file, name, file) for file in self._files}
            for name in self.names()
        }

    def save(self, data: Mapping[str, Any] | Sequence[str]) -> None:
        """Write what is given (a mapping), and check that the folder of each name is complete."""
        try:
            if isinstance(data, Mapping):
                self._save_recordings(data)
            missing = [name for name in data if not self.is_complete(name)]
            if missing:
                raise DatasetError(
                    f"{len(missing)} of {len(data)} recordings have no complete folder in "
                    f"{self._path}, the first: {missing[0]!r}"
                )
        finally:
            self.release()

    def _save_recordings(self, data: Mapping[str, Any]) -> None:
        self.lock()
        with track(f"saving {self._path.name}", len(data), "recordings") as advance:
            for name, values in data.items():
                self.save_recording(name, values() if callable(values) else values)
                advance(1)

    def lock(self) -> None:
        """Keep other runs from writing the folders, and settle what a killed one left behind.

        Raises:
            StoreError: another run is writing them, or the file system refuses.
        """
        if not self._lock.acquire():
            return
        try:
            settle_leftovers(self._path)
        except OSError as error:
            self.release()
            raise StoreError(
                f"what a killed run left in {self._path} can't be settled ({error}); make the "
                "folder writable and run again"
            ) from error

    def release(self) -> None:
        """Let other runs write the folders again."""
        self._lock.release()

    def preview(self, nrows: int = 20) -> TablePreview:
        """Return the first recordings and the files of each, for kedro-viz."""
        names = self.names()
        return TablePreview(
            {
                "index": list(range(len(names[:nrows]))),
                "columns": [f"recording ({len(names)} in all)", "files"],
                "data": [[name, ", ".join(self._files)] for name in names[:nrows]],
            }
        )

    def _exists(self) -> bool:
        return bool(self.names())

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "files": list(self._files)}


def _os_error(error: BaseException | None) -> OSError | None:
    """Return the OSError that an error is, or that Kedro has wrapped in it."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__
    return error
