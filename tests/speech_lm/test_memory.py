"""Peak memory of an extraction, measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile as sf

from acoustic_event_prediction.params import LauncherParams
from acoustic_event_prediction.workers.launch import worker_environment
from tests.conftest import PROJECT, SAMPLE

LAUNCHER = LauncherParams(
    nproc_per_node=1, nnodes=1, node_rank=0, rdzv_endpoint=None, timeout_seconds=60
)

# One assignment of a mix, as the worker does it; prints its peak in MiB.
EXTRACT = """
import resource, sys
from pathlib import Path
import torch
from acoustic_event_prediction.audio import read_header
from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.frames import count_frames
from acoustic_event_prediction.speech_lm.checkpoint import load_speech_lm
from acoustic_event_prediction.speech_lm.checkpoint_files import locate_checkpoint
from acoustic_event_prediction.speech_lm.extraction import extract_batch
from acoustic_event_prediction.speech_lm.episode_input import *
from acoustic_event_prediction.speech_lm.sources import EpisodeAudio
from acoustic_event_prediction.speech_lm.streams import pair_streams
from acoustic_event_prediction.params import CheckpointParams, FeatureExtractionParams

audio, checkpoint, store = sys.argv[1:]
lm = load_speech_lm(locate_checkpoint(CheckpointParams(
    hf_repo=None, revision=None, directory=checkpoint)), torch.device("cpu"))
settings = FeatureExtractionParams(text="none", stream_order="moshi", reset_every_seconds=None,
    chunk_frames=256, dtype="float16", precision="float32", device="cpu")
header = read_header(Path(audio))
episode = EpisodeInput(
    episode_id="train/x",
    num_frames=count_frames(header.num_samples, header.sample_rate_hz),
    audio=EpisodeAudio(mix=Path(audio), tracks={}, turns={}, laughs=[]),
    assignments=[AssignmentInput("train/x/mix", pair_streams("mix", [], "none"), [], {})],
)
failures = []
extract_batch([episode], lm, settings, SealedPartitions(path=store, filename_suffix=".safetensors",
    dataset="acoustic_event_prediction.datasets.frame_array.FrameArrayDataset"),
    Listeners(on_failure=lambda *failure: failures.append(failure), on_frames=lambda *_: None))
assert not failures, failures
sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
"""


def peak_mib(folder: Path, minutes: int) -> float:
    path = folder / f"{minutes}.wav"
    minute = np.random.default_rng(0).normal(0, 0.05, 60 * 8000).astype(np.float32)
    with sf.SoundFile(path, "w", samplerate=8000, channels=1, subtype="PCM_16") as file:
        for _ in range(minutes):
            file.write(minute)
    done = subprocess.run(
        [sys.executable, "-c", EXTRACT, str(path), str(SAMPLE / "checkpoint"), str(folder / "out")],
        env={**worker_environment(LAUNCHER), "PYTHONPATH": str(PROJECT / "src")},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(done.stdout)


def test_memory_does_not_grow_with_the_length_of_an_episode(tmp_path: Path) -> None:
    # Both fill the context of 3000 frames, 4 minutes. 15 more minutes of samples are 82 MiB.
    short, long = peak_mib(tmp_path, 5), peak_mib(tmp_path, 20)
    assert long < short + 20
    assert long < 1.2 * short
