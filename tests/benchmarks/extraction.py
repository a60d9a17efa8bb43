"""How fast features are extracted, beside the reference design, in one run on the same episodes.

    uv run python tests/benchmarks/extraction.py [--episodes N] [--repeats N]
    uv run python tests/benchmarks/extraction.py --true-shape        (a GPU; see true_shape.py)

The reference design, written compactly: for each assignment anew, both streams are decoded and
encoded whole, in pieces of 210 s that know nothing of each other; the complete language model runs
with its text logits; features are stored as float32. Ours runs in the same mode (same order, same
resets), so that both make the same features; the benchmark compares them.

Each design runs in processes of its own, turn by turn, ours with the environment that the launcher
gives to its workers. The third row is the reference design in that environment as well: it tells
what the environment does from what the design does.
"""

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
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
from acoustic_event_prediction.corpus_params import IngestionParams, StreamParams
from acoustic_event_prediction.datasets.raw_corpus import RawCorpusDataset
from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.frame_arrays import FrameArrayWriter, read_frame_array
from acoustic_event_prediction.frames import (
    FRAME_RATE_HZ,
    MODEL_SAMPLE_RATE_HZ,
    SAMPLES_PER_FRAME,
)
from acoustic_event_prediction.params import (
    CheckpointParams,
    FeatureExtractionParams,
    LauncherParams,
)
from acoustic_event_prediction.pipelines.ingestion.nodes import assign_users, read_corpus
from acoustic_event_prediction.speech_lm import sources
from acoustic_event_prediction.speech_lm.checkpoint import load_speech_lm
from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint, locate_checkpoint
from acoustic_event_prediction.speech_lm.episode_input import EpisodeInput, Listeners
from acoustic_event_prediction.speech_lm.extraction import extract_batch
from acoustic_event_prediction.speech_lm.words import TextRow
from acoustic_event_prediction.workers.episode_tasks import EpisodeTask, prepare_episode
from acoustic_event_prediction.workers.launch import worker_environment

SAMPLE = Path(__file__).parents[2] / "data" / "01_raw" / "sample"
RESET_SECONDS = 210
ASSIGNMENTS_PER_BATCH = 8
SETTINGS = FeatureExtractionParams(
    text="words",
    stream_order="reference",
    reset_every_seconds=RESET_SECONDS,
    chunk_frames=256,
    dtype="float32",
    precision="float32",
    device="cpu",
)
STREAMS = StreamParams(
    source="diarization", min_speaker_share=0.2, max_users=None, mask_laughter="both"
)
LAUNCHER = LauncherParams(
    nproc_per_node=1, nnodes=1, node_rank=0, rdzv_endpoint=None, timeout_seconds=600
)
DESIGNS = ("reference design", "reference, our environment", "this project")
Seconds = dict[str, float]


def load_tasks(limit: int) -> list[tuple[EpisodeTask, dict[str, Any]]]:
    """Read the sample as the ingestion pipeline does; return its first training episodes."""
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
        (
            EpisodeTask(
                episode=Episode.model_validate(episodes[name]),
                assignments=assignments,
                provenances=[{} for _ in assignments],
            ),
            {table: _value(values[name]) for table, values in tables.items()},
        )
        for name, assignments in users.items()
    ]


def load_episodes(limit: int) -> list[EpisodeInput]:
    """Return what the extraction needs of the episodes."""
    return [prepare_episode(task, tables, SAMPLE, STREAMS) for task, tables in load_tasks(limit)]


def _value(item: Any) -> Any:
    return item() if callable(item) else item


class ReferenceDesign:
    """The reference design on the same inputs."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        info = checkpoint.info()
        self.mimi = info.get_mimi()
        self.lm = info.get_moshi(dtype=torch.float32)
        self.tokenizer = info.get_text_tokenizer()
        self.tokens = load_speech_lm(checkpoint, torch.device("cpu")).temporal.tokens

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
                row = TextRow(
                    self.tokenizer.encode,
                    placement="words",
                    tokens=self.tokens,
                    reset_frames=size // SAMPLES_PER_FRAME,
                )
                row.add(assignment.words)
                for start in range(0, num_samples, size):
                    piece = slice(start, start + size)
                    text = torch.from_numpy(row.read(len(user[piece]) // SAMPLES_PER_FRAME))
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
        extract_batch(batch, lm, SETTINGS, store, listeners)


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


def run_design(design: str, num_episodes: int, folder: Path) -> dict[str, Any]:
    """Run one design in this process, after a warm-up; return seconds, parts, peak memory."""
    checkpoint = locate_checkpoint(
        CheckpointParams(hf_repo=None, revision=None, directory=str(SAMPLE / "checkpoint"))
    )
    episodes = load_episodes(num_episodes)
    run: Callable[[list[EpisodeInput], Path, Seconds], None]
    if design == "this project":
        lm = load_speech_lm(checkpoint, torch.device("cpu"))
        run = lambda chosen, place, seconds: run_ours(chosen, lm, place, seconds)  # noqa: E731
    else:
        run = ReferenceDesign(checkpoint).run
    with tempfile.TemporaryDirectory() as name:
        run(episodes[:1], Path(name), {})
    parts: Seconds = {}
    start = time.perf_counter()
    run(episodes, folder, parts)
    return {
        "seconds": time.perf_counter() - start,
        "parts": parts,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "audio_seconds": sum(e.num_frames * len(e.assignments) for e in episodes) / FRAME_RATE_HZ,
    }


def run_in_process(design: str, num_episodes: int, folder: Path) -> dict[str, Any]:
    """Run one design in a process of its own."""
    folder.mkdir()
    command = [sys.executable, __file__, "--episodes", str(num_episodes)]
    environment = worker_environment(LAUNCHER) if design != DESIGNS[0] else dict(os.environ)
    finished = subprocess.run(
        [*command, "--design", design, "--folder", str(folder)],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
    )
    result: dict[str, Any] = json.loads(finished.stdout)
    return result


def compare(folder: Path, episodes: list[EpisodeInput]) -> list[float]:
    """Return the relative difference between both designs' features, per assignment."""
    return [
        float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
        for episode in episodes
        for assignment in episode.assignments
        for name in [assignment.assignment_id]
        for theirs in [np.load(folder / f"{DESIGNS[0]} 0" / f"{name.replace('/', '_')}.npy")]
        for ours in [read_frame_array(folder / f"{DESIGNS[2]} 0" / f"{name}.safetensors")]
    ]


def report(results: dict[str, list[dict[str, Any]]], differences: list[float]) -> list[str]:
    """Return the comparison as lines of text."""
    audio_seconds = results[DESIGNS[0]][0]["audio_seconds"]
    medians = {
        design: statistics.median(run["seconds"] for run in runs)
        for design, runs in results.items()
    }
    lines = [
        f"{audio_seconds:.0f} s of audio over all assignments, {torch.get_num_threads()} cores"
    ]
    for design, runs in results.items():
        seconds = sorted(run["seconds"] for run in runs)
        parts = ", ".join(
            f"{part} {statistics.median(run['parts'][part] for run in runs):.2f} s"
            for part in runs[0]["parts"]
        )
        lines.append(
            f"{design:<27} {audio_seconds / medians[design]:6.1f} audio s/s, median of "
            f"{len(runs)} ({seconds[0]:.2f} to {seconds[-1]:.2f} s), peak "
            f"{max(run['peak_mib'] for run in runs):.0f} MiB; {parts}"
        )
    for design in DESIGNS[:2]:
        lines.append(f"ratio to the {design}: {medians[design] / medians[DESIGNS[2]]:.2f}")
    equal = sum(difference < 1e-4 for difference in differences)
    lines.append(
        f"features equal within 1e-4 (relative) in {equal} of {len(differences)} assignments, "
        f"within {max(differences):.1e} in all; more where two codes are equally near"
    )
    lines.append(
        f"the {DESIGNS[0]} does its parts in turn; {DESIGNS[2]} decodes and saves beside the rest"
    )
    return lines


def main() -> None:
    """Measure the designs turn by turn and print the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--episodes", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--design", choices=DESIGNS, help="run only this one, here, and print JSON")
    parser.add_argument("--folder", type=Path, help="with --design: where its features go")
    parser.add_argument(
        "--true-shape",
        action="store_true",
        help="on a GPU; see true_shape.py",
    )
    arguments, others = parser.parse_known_args()
    if arguments.true_shape:
        program = str(Path(__file__).with_name("true_shape.py"))
        environment = {k: v for k, v in os.environ.items() if k != "NO_TORCH_COMPILE"}
        os.execve(sys.executable, [sys.executable, program, *others], environment)
    if others:
        parser.error(f"unknown arguments: {' '.join(others)}")
    if arguments.design:
        result = run_design(arguments.design, arguments.episodes, arguments.folder)
        os.write(1, json.dumps(result).encode())
        return
    with tempfile.TemporaryDirectory() as name:
        results: dict[str, list[dict[str, Any]]] = {design: [] for design in DESIGNS}
        for repeat in range(arguments.repeats):
            for design in DESIGNS:
                folder = Path(name) / f"{design} {repeat}"
                results[design].append(run_in_process(design, arguments.episodes, folder))
        differences = compare(Path(name), load_episodes(arguments.episodes))
    os.write(1, ("\n".join(report(results, differences)) + "\n").encode())


if __name__ == "__main__":
    main()
