"""Catalog types of the raw corpus: an index of its files, and its audio."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from acoustic_event_prediction.audio import MonoReader
from acoustic_event_prediction.audio_spans import Recording
from acoustic_event_prediction.corpus.podcastfillers import RawCorpus, find_corpus
from acoustic_event_prediction.errors import CorpusError


class RawCorpusDataset(AbstractDataset[None, RawCorpus]):
    """The raw corpus; loads as an index of its files, and is never written.

    Args:
        path: root of a corpus in the PodcastFillers layout.
        metadata: ignored by Kedro; used by its plug-ins.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    def load(self) -> RawCorpus:
        """Return which episodes there are and where their files lie; no file is opened."""
        return find_corpus(self._path)

    def save(self, data: None) -> NoReturn:
        """Refuse: the raw corpus is the user's."""
        raise DatasetError(f"{self._path} is the raw corpus, which is never written")

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}


class RecordingIndex(Mapping[str, Recording]):
    """The recordings of a corpus by id; its folders are listed when one is asked for.

    Args:
        path: root of a corpus in the PodcastFillers layout.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _found(self) -> dict[str, Recording]:
        found: dict[str, Recording] = {}
        for episode in find_corpus(self._path).episodes:
            found[episode.episode_id] = Recording(episode.audio)
            for speaker, track in episode.tracks.items():
                found[f"{episode.episode_id}/{speaker}"] = Recording(track)
        return found

    def __getitem__(self, name: str) -> Recording:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


class RawAudioDataset(AbstractDataset[None, Mapping[str, Recording]]):
    """The audio of the raw corpus; loads as `{id: recording}`, and is never written.

    The ids are `<split>/<episode>` for the mix and `<split>/<episode>/<speaker>` for a track.
    Records name files relative to the root; `resolve` and `open_mono` take such paths.

    Args:
        path: root of a corpus in the PodcastFillers layout.
        metadata: ignored by Kedro; used by its plug-ins.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    @property
    def root(self) -> Path:
        """Folder that the paths in the records are relative to."""
        return self._path

    def resolve(self, path: str) -> Path:
        """Return the file at a path relative to the root.

        Raises:
            CorpusError: the path is absolute or leaves the root.
        """
        pure = PurePosixPath(path)
        is_inside = pure.parts and not pure.is_absolute() and ".." not in pure.parts
        if not is_inside or "\\" in path or "\0" in path:
            raise CorpusError(
                f"{path!r} is no path inside the corpus at {self._path}; run the ingestion again"
            )
        return self._path / pure

    def open_mono(self, path: str, target_rate_hz: int) -> MonoReader:
        """Return a streaming reader of the file at a path relative to the root."""
        return MonoReader(self.resolve(path), target_rate_hz)

    def load(self) -> RecordingIndex:
        """Return `{id: recording}`; a file is decoded when its recording is asked for samples.

        A corpus that is missing is refused when the first recording is asked for: what was made of
        it can be evaluated where it is not.
        """
        return RecordingIndex(self._path)

    def save(self, data: None) -> NoReturn:
        """Refuse: the raw corpus is the user's."""
        raise DatasetError(f"{self._path} is the raw corpus, which is never written")

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
