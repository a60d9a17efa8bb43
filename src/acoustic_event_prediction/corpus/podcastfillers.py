"""Where the files of a corpus in the PodcastFillers layout are; only folders are listed."""

import unicodedata
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from acoustic_event_prediction.errors import CorpusError

SPLITS = ("train", "validation", "test")
ALL_ANNOTATIONS = PurePosixPath("metadata/PodcastFillers.csv")
# In order of preference: lossless first.
_MIX_FOLDERS = ("audio/episode_wav", "audio/episode_mp3")
_AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
_TRACK_FOLDER = "audio/episode_wav_dial"
# A name is also a folder name of our own, and `<user>.safetensors` or `<name>.parquet` a file's.
_MAX_NAME_BYTES = 240

_EXPECTED = """expected below it:
  audio/episode_wav/<split>/<episode>.wav  (or audio/episode_mp3/<split>/<episode>.mp3)
  metadata/episode_annotations/<split>/<episode>.csv  (or metadata/PodcastFillers.csv for all)
and, where there are any,
  audio/episode_wav_dial/<split>/<episode>/<speaker>.wav
  metadata/episode_{transcripts,diarizations,event_speaker_mapping}/<split>/<episode>.json
with the splits train, validation, test.
To get PodcastFillers: https://zenodo.org/record/7121457 (annotations for non-commercial research).
A corpus elsewhere: kedro run --params dataset_root=/path/to/corpus,corpus=a_name"""


@dataclass(frozen=True)
class RawEpisode:
    """The files of one episode; what is None or empty was not found.

    Attributes:
        split: train, validation or test.
        name: file name without extension, in Unicode NFC.
        audio: the mix.
        tracks: separated recordings by speaker.
        annotation: events, CSV.
        transcript: words, JSON.
        diarization: turns, JSON.
        mapping: speakers of the events, JSON.
    """

    split: str
    name: str
    audio: Path
    tracks: Mapping[str, Path]
    annotation: Path | None
    transcript: Path | None
    diarization: Path | None
    mapping: Path | None

    @property
    def episode_id(self) -> str:
        """Return `<split>/<name>`."""
        return f"{self.split}/{self.name}"

    @property
    def show(self) -> str | None:
        """Return the part of the name before its first underscore, or None without one."""
        show, underscore, _ = self.name.partition("_")
        return show if underscore and show else None


@dataclass(frozen=True)
class RawCorpus:
    """An index of the raw files, by split and name.

    Attributes:
        root: of the corpus.
        episodes: sorted by split, then name.
    """

    root: Path
    episodes: tuple[RawEpisode, ...]


def find_corpus(root: Path) -> RawCorpus:
    """Return the index of all episodes that have audio.

    Raises:
        CorpusError: `root` is missing or holds no episode; says what is expected and how to get it.
    """
    if not root.is_dir():
        raise CorpusError(f"no corpus at {root.absolute()}: there is no such folder; {_EXPECTED}")
    episodes = [episode for split in SPLITS for episode in _find_episodes(root, split)]
    if not episodes:
        raise CorpusError(f"no episode in the corpus at {root.absolute()}; {_EXPECTED}")
    return RawCorpus(root, tuple(episodes))


def name_problem(name: str) -> str | None:
    """Return why a name can't be a folder or file of ours, or None if it can.

    >>> name_problem("../../evil"), name_problem("Half past four, again")
    ('holds a slash, a backslash or a NUL', None)
    """
    if any(character in name for character in "/\\\0"):
        return "holds a slash, a backslash or a NUL"
    if not name or name.startswith("."):
        return "is empty or starts with a dot"
    if len(name.encode("utf-8", "surrogateescape")) > _MAX_NAME_BYTES:
        return f"is longer than {_MAX_NAME_BYTES} bytes"
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    return None


def normalise(name: str) -> str:
    """Return a name in Unicode NFC: archives made on a Mac hold NFD."""
    return unicodedata.normalize("NFC", name)


def loose_key(name: str) -> str:
    """Return the letters and digits of a name, caseless: copies of the corpus differ in the rest.

    >>> loose_key("Don't Ask, Ep. 3") == loose_key("dont_ask_ep 3")
    True
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in folded if character.isalnum())


def strip_audio_suffix(name: str) -> str:
    """Return a name without a trailing `.wav`, `.mp3`, ...; other dots are part of the name."""
    path = PurePosixPath(name)
    return name[: -len(path.suffix)] if path.suffix.lower() in _AUDIO_SUFFIXES else name


def _find_episodes(root: Path, split: str) -> list[RawEpisode]:
    mixes: dict[str, Path] = {}
    for folder in reversed(_MIX_FOLDERS):
        mixes |= _audio_files(root / folder / split)
    annotations = _Listing(root / "metadata/episode_annotations" / split, ".csv", mixes)
    transcripts = _Listing(root / "metadata/episode_transcripts" / split, ".json", mixes)
    diarizations = _Listing(root / "metadata/episode_diarizations" / split, ".json", mixes)
    mappings = _Listing(root / "metadata/episode_event_speaker_mapping" / split, ".json", mixes)
    track_folders = _Listing(root / _TRACK_FOLDER / split, "", mixes)
    episodes = []
    for name, audio in sorted(mixes.items()):
        tracks = track_folders.find(name)
        episodes.append(
            RawEpisode(
                split=split,
                name=name,
                audio=audio,
                tracks=_audio_files(tracks) if tracks else {},
                annotation=annotations.find(name),
                transcript=transcripts.find(name),
                diarization=diarizations.find(name),
                mapping=mappings.find(name),
            )
        )
    return episodes


def _audio_files(folder: Path) -> dict[str, Path]:
    """Return the audio files of a folder by name, the preferred format of each."""
    files: dict[str, Path] = {}
    for suffix in reversed(_AUDIO_SUFFIXES):
        for path in _list(folder):
            if path.suffix.lower() == suffix and path.is_file():
                files[normalise(path.stem)] = path
    return dict(sorted(files.items()))


def _list(folder: Path) -> list[Path]:
    """Return the entries of a folder, sorted; without AppleDouble files, which hold no audio."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("._"))


class _Listing:
    """Finds the file of an episode in a folder: by its name, else by its letters and digits.

    Args:
        folder: where the files are.
        suffix: of the files; empty for folders.
        episodes: names of all episodes; a file that bears one exactly is that episode's alone.
    """

    def __init__(self, folder: Path, suffix: str, episodes: Container[str]) -> None:
        self._exact: dict[str, Path] = {}
        self._loose: dict[str, list[Path]] = {}
        for path in _list(folder):
            if suffix and path.suffix.lower() != suffix:
                continue
            name = normalise(path.name.removesuffix(path.suffix) if suffix else path.name)
            self._exact[name] = path
            if name not in episodes:
                self._loose.setdefault(loose_key(name), []).append(path)

    def find(self, name: str) -> Path | None:
        if name in self._exact:
            return self._exact[name]
        alike = self._loose.get(loose_key(name), []) if loose_key(name) else []
        return alike[0] if len(alike) == 1 else None
