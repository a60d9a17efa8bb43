"""Small corpora in the PodcastFillers layout, one second being 8000 samples."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

RATE_HZ = 8000
COLUMNS = (
    "label_full_vocab",
    "label_consolidated_vocab",
    "podcast_filename",
    "event_start_inepisode",
    "event_end_inepisode",
)
EVENTS = (("Laughter", 2.32, 3.0), ("Um", 0.5, 0.7))
# A speaks 2 s, B 1 s: shares of 2/3 and 1/3.
TURNS = ((0.0, 2.0, "A"), (2.2, 3.2, "B"))
WORDS = (("null", 0.1, 0.4), ("yes", 2.3, 2.5))


def noise(seconds: float, num_channels: int = 1) -> np.ndarray:
    shape = (round(seconds * RATE_HZ), num_channels)
    return (0.1 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


class TinyCorpus:
    """Writes episodes of 4 s below `root`; what is given as None is not written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(
        self,
        split: str = "train",
        name: str = "show_1",
        *,
        samples: np.ndarray | None = None,
        events: Sequence[tuple[str, float, float]] | None = EVENTS,
        turns: Sequence[tuple[float, float, str]] | None = TURNS,
        words: Sequence[tuple[str, float, float]] | None = WORDS,
        mapping: Sequence[tuple[str, float, float, str]] | None = None,
        tracks: Sequence[str] = (),
        ticks_per_second: int = 10_000_000,
    ) -> "TinyCorpus":
        sound = noise(4.0) if samples is None else samples
        self.write_audio(self.audio(split, name), sound)
        for speaker in tracks:
            folder = self.root / "audio/episode_wav_dial" / split / name
            self.write_audio(folder / f"{speaker}.wav", sound)
        if events is not None:
            self.write_csv(
                self.annotation(split, name), [(label, label, name, *t) for label, *t in events]
            )
        if turns is not None:
            segments = [{"start": on, "end": off, "speaker_id": who} for on, off, who in turns]
            self.write_json("diarizations", split, name, {"segments": segments})
        if words is not None:
            entries = [
                {
                    "text": text,
                    "offset": round(onset * ticks_per_second),
                    "duration": round((offset - onset) * ticks_per_second),
                }
                for text, onset, offset in words
            ]
            document = {"segments": [{"nbest": [{"words": [entry]}]} for entry in entries]}
            self.write_json("transcripts", split, name, document)
        if mapping is not None:
            keys = (*COLUMNS[1:2], *COLUMNS[3:], "speaker_id")
            mapped = [dict(zip(keys, entry, strict=True)) for entry in mapping]
            self.write_json("event_speaker_mapping", split, name, {"events": mapped})
        return self

    def audio(self, split: str = "train", name: str = "show_1") -> Path:
        return self.root / "audio/episode_wav" / split / f"{name}.wav"

    def annotation(self, split: str = "train", name: str = "show_1") -> Path:
        return self.root / "metadata/episode_annotations" / split / f"{name}.csv"

    def write_audio(self, path: Path, samples: np.ndarray, **options: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, samples, RATE_HZ, **options)

    def write_csv(
        self, path: Path, rows: Sequence[Sequence[Any]], columns: Sequence[str] = COLUMNS
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([columns, *rows])

    def write_json(self, kind: str, split: str, name: str, document: Any) -> Path:
        path = self.root / "metadata" / f"episode_{kind}" / split / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document), encoding="utf-8")
        return path
