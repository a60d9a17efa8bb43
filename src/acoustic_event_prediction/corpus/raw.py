"""The raw files of a corpus, whatever its layout: an index by split and name."""

import unicodedata
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from acoustic_event_prediction.audio_source import AudioSource
from acoustic_event_prediction.corpus.findings import Finding
from acoustic_event_prediction.corpus.formats import EVENTS, TURNS, EventReaders, TurnReaders
from acoustic_event_prediction.errors import CorpusError

SPLITS = ("train", "validation", "test")
# In order of preference: lossless first.
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
# A name is also a folder name of our own, and `<user>.safetensors` or `<name>.parquet` a file's.
_MAX_NAME_BYTES = 240


@dataclass(frozen=True)
class RawEpisode:
    """The files of one episode; what is None or empty was not found.

    Attributes:
        split: train, validation or test.
        name: file name without extension, in Unicode NFC.
        audio: the mix.
        tracks: separated recordings by speaker.
        annotation: events, in a format of `formats.EVENTS`.
        transcript: words, in a format of `formats.WORDS`.
        diarization: turns, in a format of `formats.TURNS`.
        mapping: speakers of the events, JSON.
        show_name: that the corpus gives; None: the name is asked.
        licence: of the audio; None where the corpus doesn't say.
        problems: that the index has found.
        warnings: that the index has found.
        found_turns: of the pipeline `diarization`; taken where there is no `diarization`.
    """

    split: str
    name: str
    audio: AudioSource
    tracks: Mapping[str, Path]
    annotation: Path | None
    transcript: Path | None
    diarization: Path | None
    mapping: Path | None
    show_name: str | None = None
    licence: str | None = None
    problems: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    found_turns: Path | None = None

    @property
    def episode_id(self) -> str:
        """Return `<split>/<name>`."""
        return f"{self.split}/{self.name}"

    @property
    def show(self) -> str | None:
        """Return the show: as the corpus names it, or what stands before the first underscore."""
        return self.show_name if self.show_name is not None else show_in(self.name)


@dataclass(frozen=True)
class RawCorpus:
    """An index of the raw files, by split and name.

    Attributes:
        root: of the corpus.
        episodes: sorted by split, then name.
        annotations: a table with the events of all episodes that have no annotation of their own;
            it need not be there; None: the layout has none.
        get_annotations: what to do for an episode without any annotation.
        needs_annotations: an episode without any is a problem; else its events are not known.
        needs_rows: an episode of which the table has no row is a problem; else it has no events.
        event_readers: of the annotations, by suffix.
        turn_readers: of the turns, by suffix.
        problems: of no single episode.
        warnings: of no single episode.
    """

    root: Path
    episodes: tuple[RawEpisode, ...]
    annotations: Path | None
    get_annotations: str
    needs_annotations: bool = True
    needs_rows: bool = True
    event_readers: EventReaders = field(default_factory=lambda: EVENTS)
    turn_readers: TurnReaders = field(default_factory=lambda: TURNS)
    problems: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()


def show_in(name: str) -> str | None:
    """Return the show that an episode's name says: what stands before the first underscore."""
    show, underscore, _ = name.partition("_")
    return show if underscore and show else None


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
    return name[: -len(path.suffix)] if path.suffix.lower() in AUDIO_SUFFIXES else name


def match_names(written: Iterable[str], episodes: Collection[str]) -> dict[str, str]:
    """Return the episode that each written name means; a name that means none is left out.

    A name with or without the audio file's suffix means the episode of that name, else the one
    whose letters and digits are the same. Of several that are alike, none is guessed.

    Args:
        written: names as they stand in a table.
        episodes: names of all episodes.

    >>> match_names(["b.wav", "A 1", "c"], {"b", "a_1"})
    {'b.wav': 'b', 'A 1': 'a_1'}
    """
    exact: dict[str, str] = {}
    keys: dict[str, str] = {}
    spellings: dict[str, set[str]] = {}
    for name in dict.fromkeys(written):
        whole = normalise(name)
        plain = strip_audio_suffix(whole)
        if whole in episodes or plain in episodes:
            exact[name] = whole if whole in episodes else plain
        elif key := loose_key(plain):
            keys[name] = key
            spellings.setdefault(key, set()).add(plain)
    free = set(episodes) - set(exact.values())
    num_alike = Counter(map(loose_key, episodes))
    by_key = {key: name for name in free if num_alike[key := loose_key(name)] == 1}
    return exact | {
        name: by_key[key]
        for name, key in keys.items()
        if key in by_key and len(spellings[key]) == 1
    }


def audio_files(folder: Path) -> dict[str, Path]:
    """Return the audio files of a folder by name, the preferred format of each."""
    files: dict[str, Path] = {}
    for suffix in reversed(AUDIO_SUFFIXES):
        for path in list_folder(folder):
            if path.suffix.lower() != suffix:
                continue
            # A dangling link or a folder of that name is kept where there is nothing better: it is
            # named when it is to be read, and its episode does not just disappear.
            if path.is_file() or normalise(path.stem) not in files:
                files[normalise(path.stem)] = path
    return dict(sorted(files.items()))


def list_folder(folder: Path) -> list[Path]:
    """Return the entries of a folder, sorted; without AppleDouble files, which hold no audio."""
    if not folder.is_dir():
        return []
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("._"))
    except OSError as error:
        raise CorpusError(
            f"the folder {folder} can't be read ({error.strerror}); check its permissions"
        ) from error


class Listing:
    """Finds the file of an episode in a folder: by its name, else by its letters and digits.

    Args:
        folder: where the files are.
        suffix: of the files; empty for folders.
        episodes: names of all episodes; a file that bears one exactly is that episode's alone.
    """

    def __init__(self, folder: Path, suffix: str, episodes: Container[str]) -> None:
        self._exact: dict[str, Path] = {}
        self._loose: dict[str, list[Path]] = {}
        for path in list_folder(folder):
            if suffix and path.suffix.lower() != suffix:
                continue
            name = normalise(path.name.removesuffix(path.suffix) if suffix else path.name)
            self._exact[name] = path
            if name not in episodes:
                self._loose.setdefault(loose_key(name), []).append(path)

    def find(self, name: str) -> Path | None:
        """Return the episode's file, or None if there is none, or more than one that is alike."""
        if name in self._exact:
            return self._exact[name]
        alike = self._loose.get(loose_key(name), []) if loose_key(name) else []
        return alike[0] if len(alike) == 1 else None
