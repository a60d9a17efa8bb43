"""Extractions that are killed, stopped, or run out of disk: nothing lost, nothing half-written."""

import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import PROJECT
from tests.kedro_runs import (
    ONE_BY_ONE,
    assert_whole,
    command,
    features_of,
    folder_of,
    kedro_run,
    wait_for,
)

EXTRACTION = ("--pipelines", "feature_extraction")


def start(root: Path, params: str = ONE_BY_ONE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(root, *EXTRACTION, params=params),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def descendants(process: subprocess.Popen[str]) -> dict[str, psutil.Process]:
    """The processes of a run by their part in it, as far as they have been started."""
    found = {"kedro": psutil.Process(process.pid)}
    for child in found["kedro"].children(recursive=True):
        try:
            text = " ".join(child.cmdline())
        except psutil.Error:
            continue
        if "torch.distributed.run" in text:
            found["agent"] = child
        elif "workers.extract_features" in text:
            found["worker"] = child
    return found


def inputs_of(few_features: Path, root: Path) -> None:
    for layer in ("02_intermediate", "03_primary"):
        shutil.copytree(few_features / layer, root / layer)


def test_runs_killed_at_random_moments_lose_nothing_and_the_last_one_ends_the_same(
    few_features: Path, tmp_path: Path
) -> None:
    inputs_of(few_features, tmp_path)
    reference = features_of(few_features)
    seed = random.SystemRandom().randrange(10**6)
    moments = random.Random(seed)
    kept: dict[Path, int] = {}
    for victim in ("worker", "agent", "kedro"):
        run = start(tmp_path)
        wait_for(
            lambda run=run, victim=victim: victim in descendants(run) or run.poll() is not None
        )
        wait_for(lambda run=run: "worker" in descendants(run) or run.poll() is not None)
        time.sleep(moments.uniform(0, 8))
        processes = descendants(run)
        if victim in processes and run.poll() is None:
            processes[victim].kill()
        output, _ = run.communicate(timeout=120)
        _, alive = psutil.wait_procs(list(processes.values()), timeout=40)
        assert not alive, seed
        sealed = (folder_of(tmp_path) / "_sealed.json").exists()
        assert (run.returncode == 0) == sealed, (seed, output)
        if victim != "kedro" and not sealed:
            assert "left no message" in output, (seed, output)
        assert_whole(tmp_path, reference)
        now = {p: p.stat().st_mtime_ns for p in folder_of(tmp_path).rglob("*.safetensors")}
        assert kept.items() <= now.items(), seed  # what was finished is neither lost nor redone
        kept = now

    output = kedro_run(tmp_path, *EXTRACTION, params=ONE_BY_ONE)
    assert f"{len(kept)} partitions kept" in output
    assert features_of(tmp_path).keys() == reference.keys()
    assert_whole(tmp_path, reference)
    assert not list(folder_of(tmp_path).rglob("*.part"))


def test_a_worker_that_hangs_is_given_up_with_all_the_others(
    few_features: Path, tmp_path: Path
) -> None:
    inputs_of(few_features, tmp_path)
    run = start(tmp_path, params=f"{ONE_BY_ONE},launcher.timeout_seconds=20")
    wait_for(lambda: any(folder_of(tmp_path).rglob("*.safetensors")))
    processes = descendants(run)
    processes["worker"].send_signal(signal.SIGSTOP)
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 1
    assert "no worker reported anything for launcher.timeout_seconds=20" in output
    _, alive = psutil.wait_procs(list(processes.values()), timeout=40)
    assert not alive
    assert_whole(tmp_path, features_of(few_features))


def can_mount() -> bool:
    """True where an own mount namespace is allowed: Linux, and not in every container."""
    if shutil.which("unshare") is None:
        return False
    attempt = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(attempt, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(
    not can_mount(),
    reason="a small file system needs a mount namespace, which this machine does not allow "
    "(test_extraction.py has the same error without a mount)",
)
def test_a_full_disk_is_named_and_what_was_finished_is_kept(
    few_features: Path, tmp_path: Path
) -> None:
    inputs_of(few_features, tmp_path)
    (tmp_path / "04_feature").mkdir()
    # In a mount namespace of its own: a small file system, filled once a partition is on it.
    script = f"""
        mount -t tmpfs -o size=3m tmpfs {tmp_path}/04_feature
        "$@" > {tmp_path}/output 2>&1 & run=$!
        while ! find {tmp_path}/04_feature -name '*.safetensors' | grep -q . ; do sleep 0.05; done
        dd if=/dev/zero of={tmp_path}/04_feature/filler bs=64k 2> /dev/null
        wait $run; echo $? > {tmp_path}/status
        cp -r {tmp_path}/04_feature {tmp_path}/kept
    """
    arguments = command(tmp_path, *EXTRACTION, params=ONE_BY_ONE)
    subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", *arguments],
        cwd=PROJECT,
        check=True,
        timeout=300,
    )
    output = (tmp_path / "output").read_text()
    assert (tmp_path / "status").read_text() == "1\n", output
    assert "No space left on device" in output
    assert "Traceback" not in output
    (tmp_path / "kept" / "filler").unlink()
    shutil.rmtree(tmp_path / "04_feature")
    (tmp_path / "kept").rename(tmp_path / "04_feature")
    kept = features_of(tmp_path)
    assert 0 < len(kept) < len(features_of(few_features))
    assert_whole(tmp_path, features_of(few_features))
    assert not (folder_of(tmp_path) / "_sealed.json").exists()

    output = kedro_run(tmp_path, *EXTRACTION, params=ONE_BY_ONE)
    assert f"{len(kept)} partitions kept" in output
    seal = json.loads((folder_of(tmp_path) / "_sealed.json").read_text())
    assert len(seal["partitions"]) == len(features_of(few_features))
