"""A folder of short recordings, with tables and label files as people have them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import soundfile as sf

from acoustic_event_prediction.corpus.layouts.table import find_corpus
from acoustic_event_prediction.corpus.raw import RawCorpus
from acoustic_event_prediction.corpus_params import TableParams
from tests.corpus.tiny import RATE_HZ, noise

HEADER = "episode,onset,offset,label"


def table_params(**changes: Any) -> TableParams:
    """Settings of the layout, as in conf/base."""
    values = {
        "events": None,
        "split_by": "auto",
        "fractions": {"train": 0.7, "validation": 0.15, "test": 0.15},
        "seed": 0,
        "rttm": "auto",
        "textgrid": "text",
    }
    return TableParams.model_validate(values | changes)


class Recordings:
    """Writes recordings of 4 s, and texts, below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, *names: str) -> "Recordings":
        for name in names:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            sf.write(path, noise(4.0), RATE_HZ)
        return self

    def write(self, name: str, *lines: str) -> "Recordings":
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return self

    def table(self, *rows: str, header: str = HEADER) -> "Recordings":
        return self.write("events.csv", header, *rows)

    def find(self, **params: Any) -> RawCorpus:
        if (self.root / "events.csv").is_file():
            params = {"events": "events.csv"} | params
        return find_corpus(self.root, table_params(**params))


def splits(corpus: RawCorpus) -> Mapping[str, str]:
    return {episode.name: episode.split for episode in corpus.episodes}


def problems(corpus: RawCorpus) -> Sequence[str]:
    found = [*corpus.problems]
    for episode in corpus.episodes:
        found += episode.problems
    return [str(finding) for finding in found]


def warnings(corpus: RawCorpus) -> Sequence[str]:
    found = [*corpus.warnings]
    for episode in corpus.episodes:
        found += episode.warnings
    return [str(finding) for finding in found]
