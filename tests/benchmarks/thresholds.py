"""How fast the best threshold is found, beside a grid of scikit-learn calls, on the same scores.

    uv run python tests/benchmarks/thresholds.py [--frames N] [--grid-steps N] [--repeats N]

The reference design: `sklearn.metrics.f1_score` at each threshold of `np.linspace(0, 1, 100)`. Ours
tries every distinct score, the sort included. The scores are float32 numbers in a float64 array, as
the evaluation holds them; 0.5 % of the frames are positive.

The grid is called for every step that is asked for: nothing is extrapolated, and fewer steps than
100 are said to be fewer. Peak memory is what a process needs beside the scores and labels while it
chooses; it is measured in a process of its own. Our time is the best of the repeats, since what
others do on the machine only adds to it; the grid, at minutes, is run once.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.metrics import f1_score

from acoustic_event_prediction.thresholds import Objective, choose_threshold, objective_value

PREVALENCE = 0.005
ALL_STEPS = 100
F1 = Objective("f1")
OBJECTIVES = (
    F1,
    Objective("f_beta", beta=2),
    Objective("youden_j"),
    Objective("mcc"),
    Objective("precision_at_recall", min_recall=0.3),
    Objective("recall_at_precision", min_precision=0.1),
    Objective("false_alarms_per_hour", max_false_alarms_per_hour=60),
)
Labels = npt.NDArray[np.int8]
Scores = npt.NDArray[np.float64]


def make_frames(num_frames: int) -> tuple[Labels, Scores]:
    """Return labels and the scores of a classifier of middling quality."""
    generator = np.random.default_rng(0)
    labels = (generator.random(num_frames) < PREVALENCE).astype(np.int8)
    logits = generator.normal(-5, 1.5, num_frames) + 2 * labels
    return labels, (1 / (1 + np.exp(-logits))).astype(np.float32).astype(np.float64)


def choose_by_grid(labels: Labels, scores: Scores, num_steps: int) -> float:
    """Return the threshold that the first steps of the grid find, spread over all of it."""
    grid = np.linspace(0, 1, ALL_STEPS)
    steps = grid[np.linspace(0, ALL_STEPS - 1, num_steps).round().astype(int)]
    values = [f1_score(labels, scores >= threshold, zero_division=0) for threshold in steps]
    return float(steps[np.argmax(values)])


def compare(num_frames: int, num_steps: int, repeats: int) -> None:
    """Print the table of times."""
    labels, scores = make_frames(num_frames)
    shown(f"{num_frames:,} frames, {labels.sum():,} positive, {np.unique(scores).size:,} scores")
    shown("| design | candidates | seconds | ratio | threshold | F1 |")
    shown("| --- | --- | --- | --- | --- | --- |")
    started = time.perf_counter()
    by_grid = choose_by_grid(labels, scores, num_steps)
    grid_seconds = time.perf_counter() - started
    name = f"grid of f1_score, {num_steps} of {ALL_STEPS} steps"
    shown(row(name, num_steps, grid_seconds, None, by_grid, value_of(labels, scores, by_grid, F1)))
    for objective in OBJECTIVES:
        seconds, threshold = best_of(repeats, labels, scores, objective)
        # Only the choice by F1 is what the grid does too.
        ratio = grid_seconds / seconds if objective is F1 else None
        f1 = value_of(labels, scores, threshold, F1)
        shown(row(f"ours, {objective.metric}", "all scores", seconds, ratio, threshold, f1))
    peak_of(labels, scores)


def best_of(
    repeats: int, labels: Labels, scores: Scores, objective: Objective
) -> tuple[float, float]:
    """Return the least seconds of our choice, and the threshold."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        threshold = choose_threshold(labels, scores, objective)
        seconds.append(time.perf_counter() - started)
    assert threshold is not None
    return min(seconds), threshold


def value_of(labels: Labels, scores: Scores, threshold: float, objective: Objective) -> float:
    """Return the objective's value; the made-up frames always define one."""
    value = objective_value(labels, scores, threshold, objective)
    assert value is not None
    return value


def row(
    design: str, tried: object, seconds: float, ratio: float | None, threshold: float, f1: float
) -> str:
    """Return a line of the table."""
    shown_ratio = "" if ratio is None else f"{ratio:.0f}"
    return f"| {design} | {tried} | {seconds:.2f} | {shown_ratio} | {threshold:.6f} | {f1:.5f} |"


def peak_of(labels: Labels, scores: Scores) -> None:
    """Print the peak memory of our choice beside its input, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder) / "labels.npy", labels)
        np.save(Path(folder) / "scores.npy", scores)
        command = [sys.executable, __file__, "--peak-over", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    size = (labels.nbytes + scores.nbytes) / 2**20
    peak = float(done.stdout)
    shown(f"peak memory of ours, f1: {peak:.0f} MiB beside {size:.0f} MiB of labels and scores")


def choose_and_show_peak(folder: Path) -> None:
    """Print by how many MiB the choice of a threshold raises the peak memory of this process."""
    labels, scores = np.load(folder / "labels.npy"), np.load(folder / "scores.npy")
    choose_threshold(labels[:1000], scores[:1000], F1)
    before = status_mebibytes("VmRSS:")
    choose_threshold(labels, scores, F1)
    shown(f"{status_mebibytes('VmHWM:') - before:.1f}")


def status_mebibytes(name: str) -> float:
    """Return a size of this process; ru_maxrss would count what the parent process had before."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(name)[2].split()[0]) / 1024


def shown(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=13_000_000)
    parser.add_argument("--grid-steps", type=int, default=ALL_STEPS, help="fewer are no full grid")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peak-over", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_over:
        choose_and_show_peak(arguments.peak_over)
    else:
        compare(arguments.frames, arguments.grid_steps, arguments.repeats)
