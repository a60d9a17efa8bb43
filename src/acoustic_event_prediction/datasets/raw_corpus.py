"""Catalog types of the raw corpus: where it lies, and its audio."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from acoustic_event_prediction.audio import MonoReader
from acoustic_event_prediction.audio_spans import Recording
from acoustic_event_prediction.corpus.location import locate_corpus
from acoustic_event_prediction.corpus.records import AudioFile, Episode
from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.errors import CorpusError


class RawCorpusDataset(AbstractDataset[None, Path]):
    """The raw corpus; loads as the folder that it lies in, and is never written.

    Args:
        path: root of the corpus, or `hf://owner/name`: it is then fetched from the hub.
        metadata: ignored by Kedro; used by its plug-ins.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = path  # as it is written: a Path would make `hf:/` of `hf://`
        self.metadata = metadata

    def load(self) -> Path:
        """Return the folder; it need not be there: what reads it says what is expected there.

        Raises:
            CorpusError: the corpus is on the hub and can't be fetched.
        """
        return locate_corpus(self._path, download=True)

    def save(self, data: None) -> NoReturn:
        """Refuse: the raw corpus is the user's."""
        raise DatasetError(f"{self._path} is the raw corpus, which is never written")

    def _exists(self) -> bool:
        return _is_here(self._path)

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path}


class RecordingIndex(Mapping[str, Recording]):
    """The recordings that ingestion has found and that are still there, by id.

    Args:
        path: root of the corpus, or `hf://owner/name`.
        episodes: records by id; they are read when a recording is asked for.
    """

    def __init__(self, path: str, episodes: SealedPartitions) -> None:
        self._path = path
        self._episodes = episodes

    @cached_property
    def _found(self) -> dict[str, Recording]:
        root = locate_corpus(self._path, download=False)
        if not root.is_dir():
            raise CorpusError(
                f"no corpus at {root.absolute()}: there is no such folder; restore it, or "
                "give the place where it is now with dataset_root"
            )
        files: dict[str, AudioFile] = {}
        for name, load in self._episodes.load().items():
            episode = Episode.model_validate(load())
            files[name] = episode.audio
            files |= {f"{name}/{speaker}": file for speaker, file in episode.tracks.items()}
        return {
            name: Recording(file.locate(root))
            for name, file in files.items()
            if (root / file.path).is_file()
        }

    def __getitem__(self, name: str) -> Recording:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class RawAudioDataset(AbstractDataset[None, Mapping[str, Recording]]):
    """The audio that ingestion has found; loads as `{id: recording}`, and is never written.

    The ids are `<split>/<episode>` for the mix and `<split>/<episode>/<speaker>` for a track.

    Args:
        path: root of the corpus, or `hf://owner/name`, which the ingestion has fetched; records
            name files relative to it.
        episodes: folder of the catalog's `episodes`.
        metadata: ignored by Kedro; used by its plug-ins.
    """

    def __init__(self, *, path: str, episodes: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = path
        self._episodes = SealedPartitions(
            path=episodes, dataset="json.JSONDataset", filename_suffix=".json"
        )
        self.metadata = metadata

    @property
    def root(self) -> Path:
        """Folder that the paths in the records are relative to.

        Raises:
            CorpusError: the corpus is named by its repository and is not in the hub's cache.
        """
        return locate_corpus(self._path, download=False)

    def open_mono(self, file: AudioFile, target_rate_hz: int) -> MonoReader:
        """Return a streaming reader of a file of an episode's record."""
        return MonoReader(file.locate(self.root), target_rate_hz)

    def load(self) -> RecordingIndex:
        """Return `{id: recording}`; a file is decoded when its recording is asked for samples.

        A corpus that is missing is refused when the first recording is asked for: what was made of
        it can be evaluated where it is not.
        """
        return RecordingIndex(self._path, self._episodes)

    def save(self, data: None) -> NoReturn:
        """Refuse: the raw corpus is the user's."""
        raise DatasetError(f"{self._path} is the raw corpus, which is never written")

    def _exists(self) -> bool:
        return _is_here(self._path)

    def _describe(self) -> dict[str, Any]:
        return {"path": self._path}


def _is_here(path: str) -> bool:
    """Return whether the corpus is on this machine."""
    try:
        return locate_corpus(path, download=False).is_dir()
    except CorpusError:
        return False
