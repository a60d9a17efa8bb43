"""How fast features are extracted, beside the reference design, in one run on the same episodes.

    uv run python tests/benchmarks/extraction.py [--episodes N] [--repeats N]

The reference design, written compactly: for each assignment anew, both streams are decoded and
encoded whole, in pieces of 210 s that know nothing of each other; the complete language model runs
with its text logits; features are stored as float32. Ours runs in the same mode (same order, same
resets), so that both make the same features; the benchmark checks that.
"""

import argparse
import contextlib
import os
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_TORCH_COMPILE", "1")

import numpy as np
import torch
from moshi.models.lm_utils import _delay_sequence

from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.datasets.raw_corpus import RawCorpusDataset
from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.frame_arrays import FrameArrayWriter, read_frame_array
from acoustic_event_prediction.frames import MODEL_SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from acoustic_event_prediction.params import (
    CheckpointParams,
    FeatureExtractionParams,
    IngestionParams,
    StreamParams,
)
from acoustic_event_prediction.pipelines.ingestion.nodes import assign_users, read_corpus
from acoustic_event_prediction.speech_lm import extraction, sources
from acoustic_event_prediction.speech_lm.checkpoint import (
    Checkpoint,
    load_speech_lm,
    locate_checkpoint,
)
from acoustic_event_prediction.speech_lm.extraction import EpisodeInput, Listeners, extract_batch
from acoustic_event_prediction.speech_lm.words import text_tokens
from acoustic_event_prediction.workers.extract_features import EpisodeTask, prepare_episode

SAMPLE = Path(__file__).parents[2] / "data" / "01_raw" / "sample"
RESET_SECONDS = 210
CHUNK_FRAMES = 256
ASSIGNMENTS_PER_BATCH = 8
SETTINGS = FeatureExtractionParams(
    text="words",
    stream_order="reference",
    reset_every_seconds=RESET_SECONDS,
    chunk_frames=CHUNK_FRAMES,
    dtype="float32",
    device="cpu",
)
STREAMS = StreamParams(
    source="diarization", min_speaker_share=0.2, max_users=None, mask_laughter="both"
)
Seconds = dict[str, float]


def load_episodes(limit: int) -> list[EpisodeInput]:
    """Read the sample as the ingestion pipeline does and return its first training episodes."""
    ingestion = IngestionParams(
        layout="podcastfillers",
        splits=("train",),
        limit=limit,
        exclude_episodes=(),
        on_invalid="raise",
    )
    corpus = read_corpus(RawCorpusDataset(path=str(SAMPLE)).load(), ingestion)
    episodes = {name: _value(item) for name, item in corpus.episodes.items()}
    tables = {"turns": corpus.turns, "words": corpus.words, "events": corpus.events}
    users: dict[str, list[Assignment]] = defaultdict(list)
    as_loads = {name: (lambda item=item: _value(item)) for name, item in corpus.episodes.items()}
    turns = {name: (lambda item=item: _value(item)) for name, item in corpus.turns.items()}
    for item in assign_users(as_loads, turns, STREAMS).values():
        assignment = Assignment.model_validate(_value(item))
        users[assignment.episode_id].append(assignment)
    return [
        prepare_episode(
            EpisodeTask(
                episode=Episode.model_validate(episodes[name]),
                assignments=assignments,
                provenances=[{} for _ in assignments],
            ),
            {table: _value(values[name]) for table, values in tables.items()},
            SAMPLE,
            STREAMS,
        )
        for name, assignments in users.items()
    ]


def _value(item: Any) -> Any:
    return item() if callable(item) else item


class ReferenceDesign:
    """The reference design on the same inputs."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        info = checkpoint.info()
        self.mimi = info.get_mimi()
        self.lm = info.get_moshi(dtype=torch.float32)
        self.tokenizer = info.get_text_tokenizer()

    @torch.no_grad()
    def run(self, episodes: list[EpisodeInput], folder: Path, seconds: Seconds) -> None:
        """Write one float32 .npy per assignment."""
        for episode in episodes:
            for assignment in episode.assignments:
                with timed(seconds, "decode"):
                    num_samples = episode.num_frames * SAMPLES_PER_FRAME
                    with sources.StreamReader(episode.audio, list(assignment.streams)) as reader:
                        system, user = torch.from_numpy(reader.read(num_samples))
                pieces = []
                size = RESET_SECONDS * MODEL_SAMPLE_RATE_HZ
                for start in range(0, num_samples, size):
                    piece = slice(start, start + size)
                    text = self._text(assignment.words, start, len(user[piece]))
                    with timed(seconds, "mimi"):
                        voices = [
                            self.mimi.encode(user[None, None, piece])[0],
                            self.mimi.encode(system[None, None, piece])[0],
                        ]
                    with timed(seconds, "language model"):
                        pieces.append(self._hidden(torch.cat([text[None], *voices])))
                with timed(seconds, "save"):
                    path = folder / f"{assignment.assignment_id.replace('/', '_')}.npy"
                    np.save(path, torch.cat(pieces).numpy())

    def _text(self, words: Any, start: int, num_samples: int) -> torch.Tensor:
        row = text_tokens(
            words,
            self.tokenizer.encode,
            start_frame=start // SAMPLES_PER_FRAME,
            num_frames=num_samples // SAMPLES_PER_FRAME,
            placement="words",
            tokens=self.tokens,
        )
        return torch.from_numpy(row)

    def _hidden(self, codes: torch.Tensor) -> torch.Tensor:
        initial = self.lm._get_initial_token()
        delayed = _delay_sequence(self.lm.delays, codes[None], initial)
        return self.lm.forward_text(torch.cat([initial, delayed], dim=2)[:, :, :-1])[0][0]


def run_ours(episodes: list[EpisodeInput], lm: Any, folder: Path, seconds: Seconds) -> None:
    """Write the same features through the project's own path."""
    store = SealedPartitions(
        path=str(folder),
        dataset="acoustic_event_prediction.datasets.frame_array.FrameArrayDataset",
        filename_suffix=".safetensors",
    )
    listeners = Listeners(on_failure=_fail, on_frames=lambda *_: None)
    with (
        measured(sources.StreamReader, "read", seconds, "decode"),
        measured(lm.mimi, "encode", seconds, "mimi"),
        measured(lm.temporal, "forward", seconds, "language model"),
        measured(FrameArrayWriter, "append", seconds, "save"),
    ):
        batch: list[EpisodeInput] = []
        for episode in sorted(episodes, key=lambda episode: -episode.num_frames):
            held = sum(len(other.assignments) for other in batch)
            if batch and held + len(episode.assignments) > ASSIGNMENTS_PER_BATCH:
                extract_batch(batch, lm, SETTINGS, store, listeners)
                batch = []
            batch.append(episode)
        extraction.extract_batch(batch, lm, SETTINGS, store, listeners)


def _fail(episode_id: str, error: Exception) -> None:
    raise RuntimeError(episode_id) from error


@contextlib.contextmanager
def timed(seconds: Seconds, name: str) -> Iterator[None]:
    """Add the time that a block takes."""
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start


@contextlib.contextmanager
def measured(owner: Any, method: str, seconds: Seconds, name: str) -> Iterator[None]:
    """Time every call of a method."""
    original = getattr(owner, method)

    def call(*args: Any, **kwargs: Any) -> Any:
        with timed(seconds, name):
            return original(*args, **kwargs)

    setattr(owner, method, call)
    try:
        yield
    finally:
        setattr(owner, method, original)


def main() -> None:
    """Measure both designs alternately and print the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    checkpoint = locate_checkpoint(
        CheckpointParams(hf_repo=None, revision=None, directory=str(SAMPLE / "checkpoint"))
    )
    episodes = load_episodes(arguments.episodes)
    lm = load_speech_lm(checkpoint, torch.device("cpu"))
    reference = ReferenceDesign(checkpoint)
    reference.tokens = lm.temporal.tokens
    audio_seconds = sum(e.num_frames * len(e.assignments) for e in episodes) / 12.5
    designs: dict[str, Callable[[Path, Seconds], None]] = {
        "reference design": lambda folder, seconds: reference.run(episodes, folder, seconds),
        "this project": lambda folder, seconds: run_ours(episodes, lm, folder, seconds),
    }
    totals: dict[str, list[float]] = {name: [] for name in designs}
    parts: dict[str, Seconds] = {name: {} for name in designs}
    with tempfile.TemporaryDirectory() as name:
        for repeat in range(arguments.repeats):
            for design, run in designs.items():
                folder = Path(name) / f"{design} {repeat}"
                folder.mkdir()
                start = time.perf_counter()
                run(folder, parts[design])
                totals[design].append(time.perf_counter() - start)
        worst = largest_difference(Path(name), episodes)
    report(totals, parts, audio_seconds, worst, arguments.repeats)


def largest_difference(folder: Path, episodes: list[EpisodeInput]) -> float:
    """Return the largest relative difference between the features of both designs."""
    worst = 0.0
    for episode in episodes:
        for assignment in episode.assignments:
            identity = assignment.assignment_id
            theirs = np.load(folder / "reference design 0" / f"{identity.replace('/', '_')}.npy")
            ours = read_frame_array(folder / "this project 0" / f"{identity}.safetensors")
            worst = max(worst, float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)))
    return worst


def report(
    totals: dict[str, list[float]],
    parts: dict[str, Seconds],
    audio_seconds: float,
    worst: float,
    repeats: int,
) -> None:
    """Print the comparison."""
    lines = [
        f"{audio_seconds:.0f} s of audio over all assignments, {torch.get_num_threads()} threads"
    ]
    for design, values in totals.items():
        median = statistics.median(values)
        shares = ", ".join(f"{k} {v / repeats:.1f} s" for k, v in parts[design].items())
        lines.append(
            f"{design:<17} {audio_seconds / median:6.1f} audio s/s "
            f"(median of {repeats}; {min(values):.1f} to {max(values):.1f} s; {shares})"
        )
    medians = [statistics.median(values) for values in totals.values()]
    lines.append(f"ratio {medians[0] / medians[1]:.2f}, features differ by {worst:.1e} (relative)")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines.append(f"peak memory of the process {peak:.0f} MiB")
    os.write(1, ("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    main()
