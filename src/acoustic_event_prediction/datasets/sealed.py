"""Partitions of a data set that is either complete or refused."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview

from acoustic_event_prediction.atomic import PART_SUFFIX, replacing
from acoustic_event_prediction.corpus.folder_files import SEAL
from acoustic_event_prediction.datasets.run_lock import RunLock
from acoustic_event_prediction.errors import StoreError, unwritable
from acoustic_event_prediction.progress import track

Partitions = Mapping[str, Callable[[], Any]]


class SealedPartitions(AbstractDataset[Mapping[str, Any] | Sequence[str], dict[str, Any]]):
    """One file per partition, and a seal that names them all once the set is complete.

    Saving a mapping `{id: value or callable}` writes each partition atomically, then the seal.
    Saving a list of ids writes only the seal, after a check that every one is there: workers have
    written them, through `writing` of the same catalog entry. Loading gives `{id: load}` for
    exactly the sealed ids, and is refused without a seal, so that half a result is never used.

    Args:
        path: folder of the set.
        dataset: type of one partition, a Kedro dataset configuration.
        filename_suffix: e.g. `.json`.
        remedy: what to do where there is no seal; by default, to run the pipeline that makes it.
        metadata: ignored by Kedro; used by its plug-ins.
    """

    def __init__(
        self,
        *,
        path: str,
        dataset: str | dict[str, Any],
        filename_suffix: str,
        remedy: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path = Path(path)
        self._dataset = {"type": dataset} if isinstance(dataset, str) else dict(dataset)
        self._suffix = filename_suffix
        self._lock = RunLock(self._path)
        self._remedy = remedy or (
            f"run the pipeline that makes `{self._path.name}` (see `kedro registry list`)"
        )
        self.metadata = metadata

    @property
    def path(self) -> Path:
        """Folder of the set."""
        return self._path

    @property
    def _seal(self) -> Path:
        return self._path / SEAL

    def partition_path(self, partition_id: str) -> Path:
        """Return the file of a partition.

        Raises:
            StoreError: the id would leave the folder, or is no file name.
        """
        parts = partition_id.split("/")
        if any(part in {"", ".", ".."} or "\0" in part or "\\" in part for part in parts):
            raise StoreError(
                f"{partition_id!r} is no partition id: it has an empty or relative part, a "
                "backslash or a NUL; rename the episode or speaker"
            )
        path = self._path.joinpath(*parts)
        return path.with_name(path.name + self._suffix)

    def partition(self, partition_id: str) -> Any:
        """Return the Kedro dataset of one partition."""
        return self._open(self.partition_path(partition_id))

    def _open(self, path: Path) -> Any:
        return AbstractDataset.from_config(
            self._path.name, {**self._dataset, "filepath": path.as_posix()}
        )

    @contextlib.contextmanager
    def writing(self, partition_id: str) -> Iterator[Path]:
        """Give a temporary file to write to; on success it takes the partition's place.

        A set that changes is no longer complete: the seal goes first.
        """
        path = self.partition_path(partition_id)
        try:
            with replacing(path) as part:
                yield part
                self.unseal()
        except OSError as error:
            raise unwritable(partition_id, error) from error

    def save_partition(self, partition_id: str, value: Any) -> None:
        """Write one partition, atomically."""
        with self.writing(partition_id) as part:
            self._open(part).save(value)

    def save(self, data: Mapping[str, Any] | Sequence[str]) -> None:
        """Write what is given (a mapping), check that all is there, and seal the set."""
        try:
            self._write_and_seal(data)
        finally:
            self.release()

    def _write_and_seal(self, data: Mapping[str, Any] | Sequence[str]) -> None:
        if isinstance(data, Mapping):
            self.lock()
            self.unseal()
            with track(f"saving {self._path.name}", len(data), "partitions") as advance:
                for partition_id, value in data.items():
                    self.save_partition(partition_id, value() if callable(value) else value)
                    advance(1)
        ids = sorted(data)
        missing = [name for name in ids if not self.partition_path(name).is_file()]
        if missing:
            raise DatasetError(
                f"{len(missing)} of {len(ids)} partitions of {self._path} are not on disk, "
                f"the first: {missing[0]!r}"
            )
        with replacing(self._seal) as part:
            part.write_text(json.dumps({"partitions": ids}, ensure_ascii=False), encoding="utf-8")

    def load(self) -> dict[str, Any]:
        """Return `{id: load}` for the sealed partitions, sorted by id.

        A partition that is gone or damaged is a StoreError when it is loaded.
        """
        return {name: partial(self._load_partition, name) for name in self.ids()}

    def _load_partition(self, partition_id: str) -> Any:
        try:
            return self.partition(partition_id).load()
        except StoreError:
            raise
        except (DatasetError, OSError) as error:
            path = self.partition_path(partition_id)
            state = "is damaged" if path.is_file() else "is gone"
            raise StoreError(
                f"partition {partition_id!r} {state} ({path}: {error.__cause__ or error}); "
                + self._remedy
            ) from error

    def ids(self) -> list[str]:
        """Return the sealed ids, sorted.

        Raises:
            StoreError: there is no seal.
        """
        if not self._seal.is_file():
            raise StoreError(
                f"{self._path} is not complete: what writes it has not run or has failed; "
                + self._remedy
            )
        try:
            ids = json.loads(self._seal.read_text(encoding="utf-8"))["partitions"]
            if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
                raise TypeError("`partitions` is no list of names")
            return ids
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{self._seal} is damaged ({error}); delete it and run the pipeline that makes "
                f"`{self._path.name}`, which keeps every partition that is still good"
            ) from error

    def stored_sizes(self) -> dict[str, int]:
        """Return the bytes of every partition that lies in the folder, sealed or not, by id."""
        return {
            path.relative_to(self._path).as_posix().removesuffix(self._suffix): path.stat().st_size
            for path in self._path.rglob(f"*{self._suffix}")
            if path.is_file() and path != self._seal
        }

    def lock(self) -> None:
        """Keep other runs from writing the set, and remove what a killed one left behind.

        Raises:
            StoreError: another run is writing it, or the folder can't be written.
        """
        if self._lock.acquire():
            for leftover in self._path.rglob(f".*{PART_SUFFIX}"):
                leftover.unlink(missing_ok=True)

    def unseal(self) -> None:
        """Declare the set unfinished, before the first partition changes."""
        self._seal.unlink(missing_ok=True)

    def release(self) -> None:
        """Let other runs write the set again."""
        self._lock.release()

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first partitions and what they hold, for kedro-viz."""
        ids = self.ids()
        rows = [[name, *_describe_value(self.partition(name).load())] for name in ids[:nrows]]
        return TablePreview(
            {
                "index": list(range(len(rows))),
                "columns": [f"partition ({len(ids)} in all)", "shape", "content"],
                "data": rows,
            }
        )

    def _exists(self) -> bool:
        return self._seal.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "dataset": self._dataset["type"]}


def _describe_value(value: Any) -> tuple[str, str]:
    """Return shape and content of an array, table or record."""
    if isinstance(value, pd.DataFrame):
        return f"{len(value)} rows", ", ".join(map(str, value.columns))
    if hasattr(value, "shape"):
        shape = " x ".join(str(size) for size in value.shape)
        positives = f", {int(value.sum())} positive" if value.dtype == "int8" else ""
        return shape, f"{value.dtype}{positives}"
    if isinstance(value, Mapping):
        return "", json.dumps(value, ensure_ascii=False)[:120]
    return "", type(value).__name__
