"""`kedro run` on two nodes, here both on this machine, as a user types it on each of them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import PROJECT
from tests.kedro_runs import (
    ONE_BY_ONE,
    command,
    features_of,
    kedro_run,
)
from tests.workers.test_multinode import free_port

# An episode of its own for every pass: how the episodes are divided doesn't change their features.
EXTRACTION = f"{ONE_BY_ONE},launcher.nproc_per_node=1"


def start_nodes(root: Path, pipeline: str, params: str) -> list[subprocess.Popen[str]]:
    """Start `kedro run` on node 0 and node 1."""
    port = free_port()
    nodes = []
    for rank in (0, 1):
        rendezvous = f"launcher.nnodes=2,launcher.rdzv_endpoint=127.0.0.1:{port}"
        arguments = command(
            root,
            *["--pipelines", pipeline],
            params=f"{params},{rendezvous},launcher.node_rank={rank}",
        )
        nodes.append(
            subprocess.Popen(
                arguments,
                cwd=PROJECT,
                env={**os.environ, "COLUMNS": "400"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    return nodes


def outputs(nodes: list[subprocess.Popen[str]]) -> list[str]:
    """Wait for both nodes and return what they printed."""
    try:
        return [node.communicate(timeout=240)[0] for node in nodes]
    finally:
        for node in nodes:
            node.kill()


@pytest.fixture(scope="module")
def one_node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features that one process has made, and labels."""
    root = tmp_path_factory.mktemp("one")
    kedro_run(root, "--pipelines", "ingestion", params="ingestion.limit=1")
    kedro_run(root, "--pipelines", "feature_extraction,labeling", params=EXTRACTION)
    return root


def copy_assignments(source: Path, target: Path) -> Path:
    for layer in ("02_intermediate", "03_primary"):
        shutil.copytree(source / layer, target / layer)
    return target


def test_two_nodes_make_what_one_makes(one_node: Path, tmp_path: Path) -> None:
    root = copy_assignments(one_node, tmp_path)
    nodes = start_nodes(root, "feature_extraction", EXTRACTION)
    said = outputs(nodes)
    assert [node.returncode for node in nodes] == [0, 0], "\n".join(said)
    assert features_of(root) == features_of(one_node)
    for output in said:
        # Each hears both, and the sum is exceeded if a partition is encoded twice.
        assert {"rank 0: loading", "rank 1: loading"} <= set(re.findall(r"rank .: loading", output))
        ((done, total),) = re.findall(r"features: (\d+) of (\d+) s of audio encoded", output)
        assert done == total
    store = root / "04_feature" / "sample"
    assert (store / "features" / "_sealed.json").read_text() == (
        one_node / "04_feature" / "sample" / "features" / "_sealed.json"
    ).read_text()
    assert sorted(path.name for path in store.iterdir()) == ["feature_summary.json", "features"]
    # A node that is started when nothing is left to do waits for nobody.
    kedro_run(
        root,
        *["--pipelines", "feature_extraction"],
        params=f"{EXTRACTION},launcher.nnodes=2,launcher.node_rank=1,"
        f"launcher.rdzv_endpoint=127.0.0.1:{free_port()}",
    )


def test_two_nodes_train_as_two_processes_of_one_do(one_node: Path, tmp_path: Path) -> None:
    histories = []
    params = "training.epochs=2,feature_extraction.device=cpu"
    for name in ("one", "two"):
        root = tmp_path / name
        shutil.copytree(one_node, root)
        if name == "one":
            kedro_run(root, "--pipelines", "training", params=f"{params},launcher.nproc_per_node=2")
        else:
            nodes = start_nodes(root, "training", f"{params},launcher.nproc_per_node=1")
            said = outputs(nodes)
            assert [node.returncode for node in nodes] == [0, 0], "\n".join(said)
            assert all("epoch 2 of 2" in output for output in said)
        history = root / "08_reporting" / "sample" / "shift_5" / "training_history.csv"
        histories.append(pd.read_csv(history).drop(columns="seconds"))
    # The sums over the ranks are added in another order at most.
    assert np.allclose(histories[0], histories[1], rtol=1e-5)
