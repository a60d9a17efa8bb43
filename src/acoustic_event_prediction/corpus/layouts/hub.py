"""PodcastFillers as a public copy on the Hugging Face hub holds it: audio in parquet shards.

One row is an episode. The copy has no annotations: these are in the corpus's own CSV, whose names
differ in case and punctuation.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from acoustic_event_prediction.audio_source import EmbeddedAudio
from acoustic_event_prediction.corpus.findings import FileProblem, Finding, Findings, describe
from acoustic_event_prediction.corpus.layouts.shards import ShardRow, find_shards, read_shard
from acoustic_event_prediction.corpus.raw import (
    SPLITS,
    RawCorpus,
    RawEpisode,
    loose_key,
    name_problem,
    normalise,
    strip_audio_suffix,
)
from acoustic_event_prediction.corpus.tables import read_annotations
from acoustic_event_prediction.errors import CorpusError

_SPLITS = {split: split for split in SPLITS} | {"valid": "validation", "val": "validation"}
_GET_AUDIO = (
    "To get the audio (8.3 GB): dataset_root=hf://ylacombe/podcast_fillers_by_license, or download "
    "https://huggingface.co/datasets/ylacombe/podcast_fillers_by_license elsewhere and give that "
    "folder. Each episode is under CC BY, CC BY-SA or CC BY-ND 3.0."
)
_GET_ANNOTATIONS = (
    "To get the annotations: PodcastFillers.csv of https://zenodo.org/record/7121457 (for "
    "non-commercial research only); say where it is with ingestion.hub.annotations."
)
_LEAVE_OUT = "correct the name in the CSV, or leave the episode out (ingestion.exclude_episodes)"


class _Named(NamedTuple):
    """A row whose split is known, under its name in the CSV, or its own where that has none."""

    row: ShardRow
    split: str
    name: str
    is_annotated: bool


def find_corpus(root: Path, annotations: Path) -> RawCorpus:
    """Return the index of all episodes in the shards; no audio is read.

    Args:
        root: folder with parquet files, at any depth.
        annotations: the CSV with the events of all episodes; a relative path that is no file is
            taken from the root.

    Raises:
        CorpusError: there are no shards or no CSV, or they have no episode in common; says what to
            get where, and under which licence.
    """
    if not root.is_dir():
        raise CorpusError(f"no corpus at {root.absolute()}: there is no such folder. {_GET_AUDIO}")
    if not _is_file(annotations):
        annotations = root / annotations
    annotated = _AnnotatedNames(_read_names(annotations))
    findings = Findings(root, "")
    rows = _read_rows(root, findings)
    named = [item for row in rows if (item := _name_row(row, annotated, findings)) is not None]
    if not named:
        raise CorpusError(
            f"no episode in the parquet files below {root.absolute()} can be used:\n"
            f"{describe(findings.problems)}\n{_GET_AUDIO}"
        )
    if not any(item.is_annotated for item in named):
        raise CorpusError(
            f"no episode of {root.absolute()} is in {annotations.absolute()}: the shards name "
            f"{_few(item.name for item in named)}, the CSV {_few(annotated.names)}. "
            f"{_GET_ANNOTATIONS}"
        )
    missing = sorted(set(annotated.names) - {item.name for item in named})
    if missing:
        findings.warn(
            annotations,
            f"{len(missing)} of its {len(annotated.names)} episodes are not in the shards, the "
            f"first: {missing[0]!r}",
        )
    return RawCorpus(
        root,
        tuple(_make_episodes(named, annotated, root, annotations)),
        annotations,
        _LEAVE_OUT,
        problems=tuple(findings.problems),
        warnings=tuple(findings.warnings),
    )


class _AnnotatedNames:
    """The episodes of the CSV, found by name, else by letters and digits.

    Args:
        names: without suffix, in Unicode NFC.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        num_alike = Counter(map(loose_key, names))
        self._by_key = {
            key: name for name in names if (key := loose_key(name)) and num_alike[key] == 1
        }

    def find(self, candidates: Sequence[str]) -> str | None:
        """Return the name in the CSV of a row, or None if it has none, or several are alike."""
        for name in candidates:
            if name in self.names:
                return name
            if (found := self._by_key.get(loose_key(name))) is not None:
                return found
        return None

    def nearest(self, name: str) -> list[str]:
        """Return up to three names that look like this one."""
        keys = get_close_matches(loose_key(name), self._by_key, n=3, cutoff=0.4)
        return [self._by_key[key] for key in keys]


def _read_names(annotations: Path) -> list[str]:
    if not _is_file(annotations):
        raise CorpusError(
            f"no annotations at {annotations.absolute()}: there is no such file. {_GET_ANNOTATIONS}"
        )
    try:
        rows = read_annotations(annotations)
    except FileProblem as error:
        raise CorpusError(f"{annotations.absolute()} {error}. {_GET_ANNOTATIONS}") from error
    except OSError as error:
        raise CorpusError(
            f"{annotations.absolute()} can't be read ({error.strerror}): check its permissions"
        ) from error
    written = {strip_audio_suffix(normalise(row.episode or "")) for row in rows}
    return sorted(written - {""})


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _read_rows(root: Path, findings: Findings) -> list[ShardRow]:
    """Return the rows of all shards; damaged ones become problems."""
    paths = find_shards(root)
    if not paths:
        raise CorpusError(f"no parquet file below {root.absolute()}. {_GET_AUDIO}")
    rows: list[ShardRow] = []
    num_shards = 0
    for path in paths:
        with findings.collecting(path):
            found = read_shard(path)
            num_shards += found is not None
            rows += found or []
    if not num_shards and not findings.problems:
        raise CorpusError(
            f"none of the {len(paths)} parquet files below {root.absolute()} has the columns "
            f"`audio` and `episode_name` (or `file_name`). {_GET_AUDIO}"
        )
    return rows


def _name_row(row: ShardRow, annotated: _AnnotatedNames, findings: Findings) -> _Named | None:
    """Return the row under its name; None, and a problem, if it has no name or no known split."""
    if not row.names:
        findings.problem(row.audio, "the episode has no name", "fetch the parquet file again")
        return None
    split = _SPLITS.get((row.split or "").casefold())
    if split is None:
        findings.problem(
            row.audio,
            f"{row.names[0]!r} has the original_split {row.split!r}, not train, validation or test",
            "fetch the parquet file again",
        )
        return None
    # A name that can't be a path is not joined: reading the episode names it as a problem.
    found = None if name_problem(row.names[0]) else annotated.find(row.names)
    return _Named(row, split, found or row.names[0], found is not None)


def _make_episodes(
    named: Sequence[_Named], annotated: _AnnotatedNames, root: Path, annotations: Path
) -> list[RawEpisode]:
    """Return one episode for each name, sorted by split, then name; doubtful ones with why."""
    by_name: dict[str, list[_Named]] = {}
    for item in named:
        by_name.setdefault(item.name, []).append(item)
    episodes = []
    for name, items in by_name.items():
        row, split = items[0].row, items[0].split
        findings = Findings(root, f"{split}/{name}")
        if len(items) > 1:
            places = ", ".join(_place(item.row.audio, root) for item in items)
            findings.problem(
                row.audio, f"{len(items)} rows are this episode: {places}", "keep one of them"
            )
        elif not items[0].is_annotated and name_problem(name) is None:
            near = annotated.nearest(name)
            findings.problem(
                row.audio,
                f"no single episode of {annotations} has this name"
                + (f"; the nearest are {_few(near)}" if near else ""),
                _LEAVE_OUT,
            )
        episodes.append(_episode(items[0], findings.problems))
    return sorted(episodes, key=lambda episode: (SPLITS.index(episode.split), episode.name))


def _episode(item: _Named, problems: Sequence[Finding]) -> RawEpisode:
    return RawEpisode(
        split=item.split,
        name=item.name,
        audio=item.row.audio,
        tracks={},
        annotation=None,
        transcript=None,
        diarization=None,
        mapping=None,
        licence=item.row.licence,
        problems=tuple(problems),
    )


def _place(audio: EmbeddedAudio, root: Path) -> str:
    return f"{audio.path.relative_to(root).as_posix()} row {audio.row}"


def _few(names: Iterable[str]) -> str:
    listed = [repr(name) for name in names]
    return ", ".join(listed[:3]) + (", ..." if len(listed) > 3 else "")  # noqa: PLR2004
