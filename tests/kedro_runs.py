"""`kedro run` as a user types it, in a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from acoustic_event_prediction.frame_arrays import read_frame_array
from tests.conftest import PROJECT

FEW = "ingestion.limit=2"
# Passes so long that a batch is one episode: some partitions are done before others begin.
ONE_BY_ONE = "feature_extraction.chunk_frames=1024"


def command(data_root: Path, *arguments: str, params: str = "") -> list[str]:
    joined = ",".join(filter(None, [f"data_root={data_root}", "shift_frames=5", params]))
    return [sys.executable, "-m", "kedro", "run", "--params", joined, *arguments]


def kedro_run(data_root: Path, *arguments: str, params: str = "") -> str:
    """Run and return what was printed; an exit status other than 0 fails the test."""
    status, output = try_kedro_run(data_root, *arguments, params=params)
    assert status == 0, output
    return output


def try_kedro_run(data_root: Path, *arguments: str, params: str = "") -> tuple[int, str]:
    """Run and return the exit status and what was printed."""
    done = subprocess.run(
        command(data_root, *arguments, params=params),
        cwd=PROJECT,
        env={**os.environ, "COLUMNS": "400"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def folder_of(root: Path) -> Path:
    return root / "04_feature" / "sample" / "features"


def features_of(root: Path) -> dict[str, bytes]:
    folder = folder_of(root)
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.safetensors")
    }


def assert_whole(root: Path, reference: dict[str, bytes]) -> None:
    """Each partition that can be seen holds what an undisturbed run has made."""
    for name in features_of(root):
        got = read_frame_array(folder_of(root) / name).astype(np.float32)
        header = len(reference[name]) - got.size * 2
        expected = np.frombuffer(reference[name][header:], np.float16).astype(np.float32)
        # An assignment that is encoded without the other one of its episode is rounded otherwise.
        error = np.linalg.norm(got.ravel() - expected) / np.linalg.norm(expected)
        assert error < 3e-3, name


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
