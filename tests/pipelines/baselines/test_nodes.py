"""The pipeline as a user runs it."""

import json
from pathlib import Path

import pytest

from acoustic_event_prediction.baselines.kinds import KINDS
from acoustic_event_prediction.frame_arrays import read_header
from tests.kedro_runs import FEW, kedro_run

FEATURES = ("--pipelines", "baselines", "--nodes", "extract_baseline_features")
DIMS = {"energy": 6, "log_mel_1": 160, "log_mel_8": 160, "mimi_latents": 2 * 64}


def folder_of(root: Path, kind: str) -> Path:
    return root / "04_feature" / "sample" / "baselines" / kind


def stored(root: Path, kind: str) -> dict[Path, int]:
    """Every partition, and when it was written."""
    paths = folder_of(root, kind).rglob("*.safetensors")
    return {path: path.stat().st_mtime_ns for path in paths}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("baselines")
    kedro_run(root, "--pipelines", "ingestion", params=FEW)
    kedro_run(root, *FEATURES, params="launcher.nproc_per_node=2")
    return root


def test_a_run_makes_and_seals_every_kind_of_every_assignment(root: Path) -> None:
    for kind in KINDS:
        folder = folder_of(root, kind)
        sealed = json.loads((folder / "features" / "_sealed.json").read_text())["partitions"]
        assert len(sealed) == len(stored(root, kind)) == 14
        summary = json.loads((folder / "feature_summary.json").read_text())
        assert summary["kind"] == kind
        assert ("checkpoint" in summary) == (kind == "mimi_latents")
        for path in stored(root, kind):
            header = read_header(path)
            assert header.shape[1] == DIMS[kind]
            assert summary.items() <= header.provenance.items()


def test_a_second_run_makes_only_what_is_missing_or_has_changed(root: Path) -> None:
    before = {kind: stored(root, kind) for kind in KINDS}
    output = kedro_run(root, *FEATURES)
    for kind in KINDS:
        assert f"{kind}: 14 partitions kept, 0 to encode" in output
        assert stored(root, kind) == before[kind]
    assert "audio encoded" not in output

    lost = sorted(before["log_mel_8"])[3]
    lost.unlink()
    output = kedro_run(root, *FEATURES)
    assert "log_mel_8: 13 partitions kept, 1 to encode (1 not there yet)" in output
    assert "making log_mel_8 on cpu" in output
    after = {kind: stored(root, kind) for kind in KINDS}
    assert after["log_mel_8"].pop(lost) > before["log_mel_8"].pop(lost)
    assert after == before
