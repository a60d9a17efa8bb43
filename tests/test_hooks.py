"""Settings are checked before anything runs; what is checked here is the sample's own."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline

from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.errors import CorpusError, StoreError
from acoustic_event_prediction.hooks import ConciseErrors, LockedOutputs
from acoustic_event_prediction.params import LauncherParams
from acoustic_event_prediction.pipeline_registry import register_pipelines
from acoustic_event_prediction.pipelines import feature_extraction, labeling

PROJECT = Path(__file__).parents[1]


def context(runtime_params: dict[str, Any], *, env: str | None = None, conf: Path | None = None):
    bootstrap_project(PROJECT)
    with KedroSession.create(
        PROJECT, env=env, runtime_params=runtime_params, conf_source=str(conf) if conf else None
    ) as session:
        return session.load_context()


def test_a_horizon_reaches_parameters_and_paths_alike() -> None:
    loaded = context({"shift_frames": 7})
    assert loaded.params["labeling"].shift_frames == 7
    assert "shift_7" in str(loaded.catalog.get("labels").path)


def test_a_corpus_reaches_paths() -> None:
    loaded = context({"corpus": "mine", "dataset_root": "/corpora/mine", "data_root": "/out"})
    assert str(loaded.catalog.get("features").path) == "/out/04_feature/mine/features"
    assert str(loaded.catalog.get("raw_corpus")._describe()["path"]) == "/corpora/mine"


def test_one_key_of_a_group_keeps_the_others() -> None:
    training = context({"training": {"loss_type": "focal"}}).params["training"]
    assert (training.loss_type, training.batch_size, training.epochs) == ("focal", 512, 200)


def test_one_name_on_the_command_line_is_a_list_of_one() -> None:
    ingestion = context({"ingestion": {"splits": "train", "exclude_episodes": "train/a b"}}).params[
        "ingestion"
    ]
    assert (ingestion.splits, ingestion.exclude_episodes) == (("train",), ("train/a b",))


def test_the_launcher_can_be_set() -> None:
    loaded = context({"launcher": {"nproc_per_node": 8}})
    assert loaded.params["launcher"].nproc_per_node == 8


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"shift_frame": 5}, "unknown --params shift_frame; the valid names are: .*shift_frames"),
        ({"training": {"los_type": "bce"}}, r"unknown --params training\.los_type; .*loss_type"),
        ({"shift_frames": "abc"}, "shift_frames: .*valid integer"),
        ({"shift_frames": 5.5}, "shift_frames: .*valid integer"),
        ({"shift_frames": None}, "shift_frames: .*valid integer"),
        ({"shift_frames": True}, "shift_frames: .*valid integer"),
        ({"shift_frames": 5.0}, "shift_frames: .*valid integer"),
        ({"shift_frames": "../../evil"}, "shift_frames: .*valid integer"),
        ({"shift_frames": 0}, "shift_frames: .*greater than or equal to 1"),
        ({"corpus": "../evil"}, "corpus: .*match pattern"),
        ({"corpus": ".."}, "corpus: .*match pattern"),
        ({"training": {"loss_type": "hinge"}}, "loss_type: .*'bce', 'focal' or 'adaptive_focal'"),
        ({"training": {"learning_rate": "fast"}}, r"training\.learning_rate: .*valid number"),
        ({"training": {"learning_rate": float("nan")}}, r"training\.learning_rate"),
        ({"feature_extraction": {"reset_every_seconds": 1.0}}, r"multiple of a frame \(0\.08 s"),
        ({"labeling": {"shift_frames": 4}}, "use --params shift_frames=N"),
        ({"checkpoint": {"directory": None}}, "exactly one of checkpoint.directory"),
        ({"launcher": {"nnodes": 2}}, "rdzv_endpoint=host:port"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name(params: dict[str, Any], message: str) -> None:
    with pytest.raises(click.ClickException, match=f"(?s){message}"):
        context(params)


def test_a_checkpoint_on_the_command_line_replaces_the_configured_one() -> None:
    hub = context({"checkpoint": {"hf_repo": "kyutai/moshiko-pytorch-bf16"}}).params["checkpoint"]
    assert (hub.hf_repo, hub.directory) == ("kyutai/moshiko-pytorch-bf16", None)
    local = context({"checkpoint": {"directory": "/m"}}, env="podcastfillers").params["checkpoint"]
    assert (local.hf_repo, local.directory) == (None, "/m")


def test_the_podcastfillers_environment_uses_the_real_model_and_its_own_folders() -> None:
    loaded = context({}, env="podcastfillers")
    assert loaded.params["checkpoint"].hf_repo == "kyutai/moshiko-pytorch-bf16"
    assert "04_feature/podcastfillers" in str(loaded.catalog.get("features").path)


def test_a_horizon_set_beside_the_globals_is_refused(tmp_path: Path) -> None:
    # Parameters would say 8 and every path shift_1.
    conf = tmp_path / "conf"
    (conf / "local").mkdir(parents=True)
    (conf / "base").symlink_to(PROJECT / "conf" / "base")
    (conf / "local" / "parameters.yml").write_text("shift_frames: 8\n")
    with pytest.raises(click.ClickException, match=r"8 .* but 1 in the paths; set .* globals\.yml"):
        context({}, conf=conf)


def test_local_globals_override_one_key(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    (conf / "local").mkdir(parents=True)
    (conf / "base").symlink_to(PROJECT / "conf" / "base")
    (conf / "local" / "globals.yml").write_text("shift_frames: 8\nlauncher: {nproc_per_node: 2}\n")
    loaded = context({}, conf=conf)
    assert loaded.params["labeling"].shift_frames == 8
    assert loaded.params["launcher"].nproc_per_node == 2
    assert loaded.params["launcher"].timeout_seconds == 600
    assert "shift_8" in str(loaded.catalog.get("labels").path)


def test_the_workers_catalog_is_resolved_and_absolute() -> None:
    entries = context({"shift_frames": 3}).catalog.load("worker_catalog")
    assert entries["labels"]["path"].startswith("/")
    assert entries["labels"]["path"].endswith("sample/shift_3/labels")


def test_a_users_error_is_shown_without_a_traceback() -> None:
    with pytest.raises(click.ClickException, match="no laughs"):
        ConciseErrors().on_pipeline_error(CorpusError("no laughs"))
    # Anything else is a defect of ours: its traceback stays.
    ConciseErrors().on_pipeline_error(KeyError("x"))


def nodes_of(pipeline: Pipeline, launcher: dict[str, Any]) -> tuple[Pipeline, DataCatalog]:
    values = {"nproc_per_node": 1, "rdzv_endpoint": "host:1", "timeout_seconds": 1, **launcher}
    params = LauncherParams.model_validate(values)
    return pipeline, DataCatalog({"params:launcher": MemoryDataset(params)})


def test_a_node_that_only_helps_is_refused_what_would_be_done_twice() -> None:
    helping = {"nnodes": 2, "node_rank": 1}
    hook = LockedOutputs()
    hook.before_pipeline_run(*nodes_of(feature_extraction.create_pipeline(), helping))
    whole = feature_extraction.create_pipeline() + labeling.create_pipeline()
    hook.before_pipeline_run(*nodes_of(whole, {"nnodes": 2, "node_rank": 0}))
    with pytest.raises(click.ClickException, match="label_episodes would be done twice"):
        hook.before_pipeline_run(*nodes_of(whole, helping))


@pytest.mark.parametrize(("rank", "is_locked"), [(0, True), (1, False)])
def test_only_node_0_locks_what_all_write(tmp_path: Path, rank: int, is_locked: bool) -> None:
    first, other = (
        SealedPartitions(path=str(tmp_path), dataset="json.JSONDataset", filename_suffix=".json")
        for _ in range(2)
    )
    (node,) = feature_extraction.create_pipeline().nodes
    _, catalog = nodes_of(Pipeline([node]), {"nnodes": 2, "node_rank": rank})
    catalog["features"] = first
    inputs = {"params:launcher": catalog.load("params:launcher")}
    LockedOutputs().before_node_run(node, catalog, inputs)
    with pytest.raises(StoreError) if is_locked else nullcontext():
        other.lock()
    first.release()
    other.release()


def test_no_node_leads_back_to_an_earlier_layer() -> None:
    # One that did would make kedro-viz show no layers at all.
    layers = "raw intermediate primary feature model_input models model_output reporting".split()
    entries = context({}).config_loader["catalog"]
    place = {
        name: layers.index(entry["metadata"]["kedro-viz"]["layer"])
        for name, entry in entries.items()
        if "metadata" in entry
    }
    for pipeline in register_pipelines().values():
        for node in pipeline.nodes:
            before = [place[name] for name in node.inputs if name in place]
            after = [place[name] for name in node.outputs if name in place]
            assert not after or max(before, default=0) <= min(after), node.name
