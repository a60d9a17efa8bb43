"""How fast a classifier is trained, beside the reference design, in one run on the same features.

    uv run python tests/benchmarks/training.py [--frames N] [--repeats N]
    uv run python tests/benchmarks/training.py --memory            (peak memory by corpus size)
    uv run python tests/benchmarks/training.py --resident cuda     (all features on the device)

The reference design, written compactly: all features of the split in memory as one float32 array, a
map-style dataset that gives one frame, PyTorch's DataLoader in its default process, one horizon a
run. Ours: float16 partitions on disk, read in shuffled blocks, all horizons in one pass.

A rate is that of training epochs alone, without validation. The floor is measured in the same
run: all rows are read from the memory-mapped partitions, in order, and converted to float32, a
batch at a time, into memory that is used again. `matrix products` is the rate at which the machine
multiplies features in its cache with the weights, forward and backward, and does nothing else. Each
figure is the best of the repeats: what others do on the machine only adds to a time.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import yaml
from torch import nn
from torch.utils.data import DataLoader, Dataset

from acoustic_event_prediction.frame_arrays import FrameArrayWriter, map_frame_array, read_header
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.trainer import Trainer
from acoustic_event_prediction.models.training_set import TrainingSet
from acoustic_event_prediction.params import TrainingParams
from acoustic_event_prediction.shuffled_frames import FramePartition, to_tensor

ROOT = Path(__file__).parents[2]
NUM_FEATURES = 4096
EPISODE_FRAMES = 12_500  # 1000 s
HORIZONS = {1: (5,), 8: tuple(range(1, 9)), 32: tuple(range(1, 33))}
BATCH_SIZES = (512, 4096)
# A twentieth of the features, so that an epoch is mostly blocks after the first one, for which a
# training has to wait; of 145 hours, the default of 1 GB is a hundredth.
SHUFFLE_BLOCK_GB = 0.082
REFERENCE_FRAMES = 20_000
MEMORY_FRAMES = (50_000, 200_000, 800_000)
MEMORY_BLOCKS_GB = (0.1, 0.4)


class Frames(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """The reference design's dataset: everything in memory, one frame at a time."""

    def __init__(self, features: npt.NDArray[np.float32], labels: npt.NDArray[np.float32]) -> None:
        self.features, self.labels = features, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        features = torch.from_numpy(self.features[index]).float()
        return features, torch.tensor(self.labels[index], dtype=torch.float32)


def write_corpus(folder: Path, num_frames: int) -> list[FramePartition]:
    """Write float16 partitions of random features."""
    generator = np.random.default_rng(0)
    rows = generator.standard_normal((EPISODE_FRAMES, NUM_FEATURES), dtype=np.float32)
    partitions = []
    for index, start in enumerate(range(0, num_frames, EPISODE_FRAMES)):
        length = min(EPISODE_FRAMES, num_frames - start)
        path = folder / f"{index}.safetensors"
        with FrameArrayWriter(path, (length, NUM_FEATURES), np.float16, {"index": index}) as file:
            file.append(np.roll(rows[:length], index, axis=0))
        distances = made_up(length)
        partitions.append(
            FramePartition(
                f"train/{index}/u", partial(map_frame_array, path, read_header(path)), distances
            )
        )
    return partitions


def made_up(num_frames: int) -> npt.NDArray[np.int16]:
    """Return random distances to the next onset; one in 400 is any given one."""
    return np.random.default_rng(num_frames).integers(0, 400, num_frames).astype(np.int16)


def make_params(batch_size: int, **changes: object) -> TrainingParams:
    """Return the settings of conf/base with another batch size."""
    text = (ROOT / "conf" / "base" / "parameters_training.yml").read_text(encoding="utf-8")
    return TrainingParams.model_validate(
        yaml.safe_load(text)["training"] | {"batch_size": batch_size} | changes
    )


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def floor_rate(partitions: list[FramePartition], rows: int) -> float:
    """Return the rows per second that are read and converted, with all threads."""
    memory = torch.empty((rows, NUM_FEATURES))

    def read_all() -> None:
        for partition in partitions:
            features = partition.load_features()
            for start in range(0, len(features), rows):
                part = to_tensor(np.asarray(features[start : start + rows]))
                memory[: len(part)].copy_(part)

    return sum(len(part.distances) for part in partitions) / seconds_of(read_all)


def product_rate(num_horizons: int, rows: int = 512) -> float:
    """Return the rows per second of the two matrix products of a linear classifier, in cache."""
    features, weight = torch.randn(rows, NUM_FEATURES), torch.randn(num_horizons, NUM_FEATURES)
    slope = torch.randn(rows, num_horizons)

    def multiply() -> None:
        for _ in range(20):
            nn.functional.linear(features, weight)
            torch.mm(slope.T, features)

    return 20 * rows / seconds_of(multiply)


def reference_rate(partitions: list[FramePartition], batch_size: int, num_frames: int) -> float:
    """Return the frames per second of the reference design over the first `num_frames`."""
    first = partitions[: -(-num_frames // EPISODE_FRAMES)]
    features = np.concatenate([np.asarray(part.load_features(), np.float32) for part in first])
    labels = np.concatenate([part.distances == 1 for part in first]).astype(np.float32)
    classifier = nn.Linear(NUM_FEATURES, 1)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=1e-4, weight_decay=0.01)
    loss_of = nn.BCEWithLogitsLoss(pos_weight=torch.tensor((1 - labels).sum() / labels.sum()))
    loader = DataLoader(
        Frames(features[:num_frames], labels[:num_frames]), batch_size, shuffle=True, num_workers=0
    )

    def epoch() -> None:
        for rows, targets in loader:
            optimizer.zero_grad()
            loss = loss_of(classifier(rows).squeeze(1), targets)
            loss.backward()
            nn.utils.clip_grad_norm_(classifier.parameters(), 1.0)
            optimizer.step()

    return num_frames / seconds_of(epoch)


def our_rates(
    partitions: list[FramePartition],
    horizons: tuple[int, ...],
    batch_size: int,
    repeats: int,
    resident_on: torch.device | None = None,
) -> Iterator[float]:
    """Yield the frames per second of each epoch, without validation."""
    training_set = TrainingSet(partitions, partitions[:1], horizons)
    params = make_params(
        batch_size, resident=resident_on is not None, shuffle_block_gb=SHUFFLE_BLOCK_GB
    )
    trainer = Trainer(training_set, params, Ranks(), resident_on or torch.device("cpu"))
    trainer.learner.set_learning_rates([1e-4] * len(horizons))
    num_frames = trainer.counts.num_frames
    for epoch in range(1, repeats + 1):
        yield num_frames / seconds_of(lambda epoch=epoch: trainer._train(epoch))


def compare(num_frames: int, repeats: int, device_threads: int) -> None:
    """Print the table of rates."""
    all_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        partitions = write_corpus(Path(folder), num_frames)
        shown(f"{num_frames} frames of {NUM_FEATURES} float16 features, {all_threads} threads")
        shown("| batch | design | horizons | frames/s | frame·horizons/s | ratio | of the floor |")
        shown("| --- | --- | --- | --- | --- | --- | --- |")
        for batch_size in BATCH_SIZES:
            torch.set_num_threads(all_threads)
            floor = max(floor_rate(partitions, batch_size) for _ in range(repeats))
            reference = max(
                reference_rate(partitions, batch_size, min(num_frames, REFERENCE_FRAMES))
                for _ in range(repeats)
            )
            shown(f"| {batch_size} | read and convert | | {floor:,.0f} | | | 100 % |")
            shown(row(batch_size, "reference design", 1, reference, reference, floor))
            # As the worker does: one core is left to the thread that reads ahead.
            torch.set_num_threads(device_threads or max(1, all_threads - 1))
            for num_horizons, horizons in HORIZONS.items():
                rate = max(our_rates(partitions, horizons, batch_size, repeats))
                shown(row(batch_size, "this project", num_horizons, rate, reference, floor))
                products = max(product_rate(num_horizons) for _ in range(repeats))
                shown(row(batch_size, "matrix products", num_horizons, products, reference, floor))


def row(
    batch_size: int, design: str, num_horizons: int, rate: float, reference: float, floor: float
) -> str:
    """Return a line of the table."""
    return (
        f"| {batch_size} | {design} | {num_horizons} | {rate:,.0f} | {rate * num_horizons:,.0f} "
        f"| {rate * num_horizons / reference:.1f} | {rate / floor:.0%} |"
    )


def compare_resident(num_frames: int, repeats: int, device: torch.device) -> None:
    """Print how fast epochs are over features in the device's memory, beside copying them."""
    with tempfile.TemporaryDirectory() as folder:
        partitions = write_corpus(Path(folder), num_frames)
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
        bandwidth = max(copy_bandwidth(device) for _ in range(repeats))
        shown(
            f"{name}: {num_frames} frames of {NUM_FEATURES} float16; a copy moves (read and write)"
        )
        shown(f"{bandwidth / 1e9:,.0f} GB/s")
        shown("| batch | horizons | frames/s | features read, GB/s | of the copy |")
        shown("| --- | --- | --- | --- | --- |")
        for batch_size in (*BATCH_SIZES, 65_536):
            for num_horizons, horizons in HORIZONS.items():
                rates = our_rates(partitions, horizons, batch_size, repeats + 1, device)
                rate = max(rates)
                moved = rate * NUM_FEATURES * 2
                shown(
                    f"| {batch_size} | {num_horizons} | {rate:,.0f} | {moved / 1e9:,.0f} "
                    f"| {moved / bandwidth:.0%} |"
                )


def copy_bandwidth(device: torch.device) -> float:
    """Return the bytes per second, read and written, of copying float16 features."""
    source = torch.zeros((32_768, NUM_FEATURES), dtype=torch.float16, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        for _ in range(10):
            target.copy_(source)
        target[0, 0].item()  # waits for the device

    copy()
    return 10 * 2 * source.nbytes / seconds_of(copy)


def compare_memory() -> None:
    """Print the peak memory of a training by block and number of frames, each in a process."""
    shown("| shuffle block | frames | features on disk | peak memory |")
    shown("| --- | --- | --- | --- |")
    for num_frames in MEMORY_FRAMES:
        with tempfile.TemporaryDirectory() as folder:
            write_corpus(Path(folder), num_frames)
            for block_gb in MEMORY_BLOCKS_GB:
                command = [sys.executable, __file__, "--peak-over", folder, str(block_gb)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                size = num_frames * NUM_FEATURES * 2 / 1e9
                shown(f"| {block_gb} GB | {num_frames:,} | {size:.1f} GB | {done.stdout.strip()} |")


def train_and_show_peak(folder: Path, block_gb: float) -> None:
    """Train one epoch, validation included, and print the peak memory of this process."""
    partitions = [
        FramePartition(path.stem, partial(map_frame_array, path, header), made_up(header.shape[0]))
        for path in sorted(folder.glob("*.safetensors"))
        for header in (read_header(path),)
    ]
    params = make_params(4096, resident=False, shuffle_block_gb=block_gb)
    split = TrainingSet(partitions, partitions[:2], HORIZONS[8])
    Trainer(split, params, Ranks(), torch.device("cpu")).run_epoch()
    # ru_maxrss would count what the parent process had before.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    shown(f"{int(status.partition('VmHWM:')[2].split()[0]) / 1024:.0f} MiB")


def shown(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="ours; 0: all but one")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--resident", type=torch.device, help="cuda or cpu")
    parser.add_argument("--peak-over", nargs=2, metavar=("FOLDER", "GB"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_over:
        train_and_show_peak(Path(arguments.peak_over[0]), float(arguments.peak_over[1]))
    elif arguments.resident:
        compare_resident(arguments.frames, arguments.repeats, arguments.resident)
    elif arguments.memory:
        compare_memory()
    else:
        compare(arguments.frames, arguments.repeats, arguments.threads)
