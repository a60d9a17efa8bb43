"""How much of a GPU's arithmetic an extraction with the 7B shape uses, end to end.

    uv run python tests/benchmarks/extraction.py --true-shape
    uv run python tests/benchmarks/true_shape.py --small --device cpu   (tries it out)

Mimi and Moshi have their true shapes and random weights; the episodes are noise in 16 kHz WAV files
with two speakers who take turns. Each line of the table is one extraction from files to files. The
bf16 matrix rate of the card is measured in the same run, and the arithmetic that was done (that of
the weights and of the attention; Mimi's apart) is set against it.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import torch
from moshi.models import loaders
from torch.utils.flop_counter import FlopCounterMode

from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.frames import FRAME_RATE_HZ, SAMPLES_PER_FRAME
from acoustic_event_prediction.params import FeatureExtractionParams
from acoustic_event_prediction.speech_lm.batch_size import free_memory, memory_need
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM, _token_ids
from acoustic_event_prediction.speech_lm.episode_input import (
    AssignmentInput,
    EpisodeInput,
    Listeners,
)
from acoustic_event_prediction.speech_lm.extraction import extract_batch
from acoustic_event_prediction.speech_lm.features import BlockPlan
from acoustic_event_prediction.speech_lm.sources import EpisodeAudio
from acoustic_event_prediction.speech_lm.streams import pair_streams
from acoustic_event_prediction.speech_lm.temporal import TemporalTransformer

FILE_RATE_HZ = 16_000
TURN_SECONDS = 5.0
SMALL = {"dim": 256, "num_layers": 2, "num_heads": 4}
CORPUS_HOURS = 145


def build(device: torch.device, *, small: bool) -> SpeechLM:
    """Return models of the true shape with random weights; `small`: a narrow language model."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    changes = {"dep_q": 0, **(SMALL if small else {})}
    lm = loaders.get_moshi_lm(None, device="meta", dtype=dtype, lm_kwargs_overrides=changes)
    temporal = TemporalTransformer(lm, _token_ids(loaders._lm_kwargs, lm))
    temporal = temporal.to_empty(device=device).eval().requires_grad_(requires_grad=False)
    for parameter in temporal.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    mimi = loaders.get_mimi(None, device=device, num_codebooks=temporal.tokens.num_codebooks)
    return SpeechLM(mimi.requires_grad_(requires_grad=False), temporal, tokenizer=None)


def write_episodes(folder: Path, num_episodes: int, minutes: float) -> list[EpisodeInput]:
    """Write noise for a start; each episode has two speakers and two assignments."""
    num_samples = round(minutes * 60 * FILE_RATE_HZ)
    turns: dict[str, list[tuple[float, float]]] = {"A": [], "B": []}
    for index, start in enumerate(np.arange(0, minutes * 60, TURN_SECONDS)):
        turns["AB"[index % 2]].append((float(start), float(start + TURN_SECONDS)))
    episodes = []
    for index in range(num_episodes):
        path = folder / f"{index}.wav"
        rng = np.random.default_rng(index)
        sf.write(path, rng.normal(0, 0.05, num_samples).astype(np.float32), FILE_RATE_HZ)
        episodes.append(
            EpisodeInput(
                episode_id=f"train/{index}",
                num_frames=-(-num_samples * 3 // 2 // SAMPLES_PER_FRAME),
                audio=EpisodeAudio(mix=path, tracks={}, turns=turns, laughs=[]),
                assignments=[
                    AssignmentInput(
                        f"train/{index}/{user}", pair_streams(user, [system], "none"), [], {}
                    )
                    for user, system in (("A", "B"), ("B", "A"))
                ],
            )
        )
    return episodes


def synchronize(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matrix_rate(device: torch.device, size: int) -> float:
    """Return the best rate of a square matrix product in FLOP/s (bf16 on a GPU)."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        synchronize(device)
        start = time.perf_counter()
        for _ in range(5):
            left @ right
        synchronize(device)
        best = min(best, (time.perf_counter() - start) / 5)
    return 2 * size**3 / best


def transformer_flops(lm: SpeechLM, num_frames: int) -> float:
    """Return the FLOP of one assignment: two per weight and frame, and the visible attention."""
    layers = lm.temporal.transformer.layers
    weights = sum(p.numel() for p in layers.parameters() if p.dim() == 2)
    context = layers[0].self_attn.context
    visible = sum(min(frame + 1, context) for frame in range(num_frames))
    return 2.0 * weights * num_frames + 4.0 * len(layers) * lm.temporal.dim * visible


def codec_flops_per_second(lm: SpeechLM) -> float:
    """Return Mimi's FLOP for a second of one stream."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        lm.mimi.encode(torch.zeros(1, 1, 25 * SAMPLES_PER_FRAME, device=lm.device))
    return counter.get_total_flops() / (25 / FRAME_RATE_HZ)


def extract(
    episodes: list[EpisodeInput], lm: SpeechLM, chunk_frames: int, folder: Path
) -> tuple[float, float]:
    """Run one batch from files to files; return seconds and peak device memory in GB."""
    settings = FeatureExtractionParams(
        text="none",
        stream_order="moshi",
        reset_every_seconds=None,
        chunk_frames=chunk_frames,
        dtype="float16",
        precision="bfloat16" if lm.device.type == "cuda" else "float32",
        device="auto",
    )
    store = SealedPartitions(
        path=str(folder),
        dataset="acoustic_event_prediction.datasets.frame_array.FrameArrayDataset",
        filename_suffix=".safetensors",
    )
    failures: list[Any] = []
    listeners = Listeners(lambda *failure: failures.append(failure), lambda *_: None)
    if lm.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    synchronize(lm.device)
    start = time.perf_counter()
    extract_batch(episodes, lm, settings, store, listeners)
    seconds = time.perf_counter() - start
    if failures:
        raise RuntimeError(failures)
    peak = torch.cuda.max_memory_allocated() if lm.device.type == "cuda" else 0
    return seconds, peak / 1e9


def say(text: str) -> None:
    """Print a line at once."""
    os.write(1, f"{text}\n".encode())


def main() -> None:
    """Build the models, measure the card, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="a narrow language model")
    parser.add_argument("--minutes", type=float, default=8.0, help="of an episode")
    parser.add_argument("--assignments", type=int, nargs="+", default=[4, 8, 16, 24])
    parser.add_argument("--chunks", type=int, nargs="+", default=[128, 256, 512])
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("--true-shape needs a GPU; torch sees none (see --small --device cpu)")
    if device.type == "cpu":
        os.environ["NO_TORCH_COMPILE"] = "1"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    rate = matrix_rate(device, 8192 if device.type == "cuda" else 1024)
    lm = build(device, small=arguments.small)
    say(
        f"{name}: matrix rate {rate / 1e12:.3g} TFLOP/s, {free_memory(device, 1) / 1e9:.1f} GB free"
    )
    with tempfile.TemporaryDirectory() as folder:
        most = max(arguments.assignments)
        episodes = write_episodes(Path(folder), -(-most // 2), arguments.minutes)
        num_frames = episodes[0].num_frames
        flops, codec = transformer_flops(lm, num_frames), codec_flops_per_second(lm)
        say(f"{flops / num_frames / 1e9:.3g} GFLOP a frame, Mimi {codec / 1e9:.3g} GFLOP a second")
        say("assignments  block  seconds  audio s/s  TFLOP/s  of rate  peak GB  145 h x 2 in")
        extract(episodes[:1], lm, 128, Path(folder) / "warm-up")
        for chunk in arguments.chunks:
            for size in arguments.assignments:
                line(episodes[: size // 2], lm, chunk, Path(folder) / f"{size}_{chunk}", rate)


def line(episodes: list[EpisodeInput], lm: SpeechLM, chunk: int, folder: Path, rate: float) -> None:
    """Measure one row of the table and print it."""
    size, num_frames = 2 * len(episodes), episodes[0].num_frames
    need = memory_need(lm, BlockPlan(num_frames, chunk, None))
    try:
        seconds, peak = extract(episodes, lm, chunk, folder)
    except torch.OutOfMemoryError:
        say(
            f"{size:11d}  {chunk:5d}  out of memory, estimated were "
            f"{size * need.per_assignment / 1e9:.1f} GB"
        )
        torch.cuda.empty_cache()
        return
    audio = size * num_frames / FRAME_RATE_HZ
    done = size * transformer_flops(lm, num_frames) / seconds
    minutes = 2 * CORPUS_HOURS * 3600 / (audio / seconds) / 60
    say(
        f"{size:11d}  {chunk:5d}  {seconds:7.1f}  {audio / seconds:9.0f}  {done / 1e12:7.3g}  "
        f"{done / rate:6.1%}  {peak:7.1f}  {minutes:.1f} min"
    )


if __name__ == "__main__":
    main()
