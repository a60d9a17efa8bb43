"""How long a score takes when sound comes frame by frame, beside the same sound as a whole.

    uv run python tests/benchmarks/live.py [--predictor FILE] [--recording FILE] [--seconds N]

The recording is heard as two channels with a speaker each, at the models' rate, a frame of 80 ms
per push, as fast as it goes: a push that took longer than 80 ms would be late. `predict` scores the
same sound in blocks of 256 frames. Both scores are compared. Memory is that of the process after
the first tenth of the sound and at its end.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt

from acoustic_event_prediction import Predictor
from acoustic_event_prediction.audio import read_mono
from acoustic_event_prediction.frames import (
    FRAME_MILLISECONDS,
    MODEL_SAMPLE_RATE_HZ,
    SAMPLES_PER_FRAME,
)

PROJECT = Path(__file__).parents[2]
PREDICTOR = PROJECT / "data" / "06_models" / "sample" / "shift_1" / "predictor.safetensors"
AUDIO = PROJECT / "data" / "01_raw" / "sample" / "audio" / "episode_mp3" / "test"


def load_sound(path: Path, seconds: int) -> npt.NDArray[np.float32]:
    """Return the recording, repeated to the wished length, and beside it its own middle, [2, N]."""
    mono = np.resize(read_mono(path, MODEL_SAMPLE_RATE_HZ), seconds * MODEL_SAMPLE_RATE_HZ)
    return np.stack([mono, np.roll(mono, len(mono) // 2)])


def measure(predictor: Predictor, sound: npt.NDArray[np.float32]) -> None:
    """Print what both ways took."""
    predictor.predict(sound[:, :MODEL_SAMPLE_RATE_HZ], MODEL_SAMPLE_RATE_HZ)  # loads the models
    started = time.perf_counter()
    whole = predictor.predict(sound, MODEL_SAMPLE_RATE_HZ)
    whole_seconds = time.perf_counter() - started
    started = time.perf_counter()
    milliseconds, scores, memory = [], [], [0.0, 0.0]
    with predictor.listen(MODEL_SAMPLE_RATE_HZ, 2) as listener:
        open_milliseconds = 1000 * (time.perf_counter() - started)
        scores.append(listener.push(sound[:, :0]).horizon_scores)
        pieces = np.split(
            sound, range(SAMPLES_PER_FRAME, sound.shape[1], SAMPLES_PER_FRAME), axis=1
        )
        for index, piece in enumerate(pieces):
            started = time.perf_counter()
            scores.append(listener.push(piece).horizon_scores)
            milliseconds.append(1000 * (time.perf_counter() - started))
            if index == len(pieces) // 10:
                memory[0] = resident_mebibytes()
        memory[1] = resident_mebibytes()
    heard = np.concatenate(scores, axis=1)[:, : len(whole.time_seconds)]
    seconds = sound.shape[1] / MODEL_SAMPLE_RATE_HZ
    p50, p95, p99 = np.percentile(milliseconds, [50, 95, 99])
    late = np.mean(np.array(milliseconds) > FRAME_MILLISECONDS)
    shown(f"{seconds:.0f} s of sound, {len(milliseconds)} frames, 2 users")
    shown(f"opened in {open_milliseconds:.0f} ms")
    shown(f"a frame: p50 {p50:.1f} ms, p95 {p95:.1f}, p99 {p99:.1f}, max {max(milliseconds):.1f}")
    shown(f"later than {FRAME_MILLISECONDS} ms: {late:.2%} of the frames")
    shown(f"live: {1000 * seconds / sum(milliseconds):.1f} s of sound per second")
    shown(f"as a whole: {seconds / whole_seconds:.1f} s of sound per second")
    shown(f"largest difference of a score: {np.abs(heard - whole.horizon_scores).max():.1e}")
    shown(f"memory: {memory[0]:.0f} MiB after a tenth, {memory[1]:.0f} MiB at the end")


def resident_mebibytes() -> float:
    """Return the memory of this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def shown(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--predictor", type=Path, default=PREDICTOR)
    parser.add_argument("--recording", type=Path, default=sorted(AUDIO.glob("*.mp3"))[0])
    parser.add_argument("--seconds", type=int, default=300)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # words and laughs are not there; the arithmetic is the same
    measure(Predictor.load(arguments.predictor), load_sound(arguments.recording, arguments.seconds))
