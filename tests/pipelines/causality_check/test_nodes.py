"""The node alone where it stops a mistake, and the whole pipeline as a user runs it."""

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.framework.project import configure_project

from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.errors import AudioError, CorpusError
from acoustic_event_prediction.params import (
    CausalityCheckParams,
    CheckpointParams,
    LauncherParams,
)
from acoustic_event_prediction.pipeline_registry import register_pipelines
from acoustic_event_prediction.pipelines.causality_check.nodes import check_causality
from tests.made import audio_file, extraction_params, stream_params
from tests.test_run import PROJECT, command, kedro_run

WORDS = pd.DataFrame({"text": ["yes"], "onset": [0.5], "offset": [0.9], "speaker": ["B"]})
FILE = audio_file(num_samples=192_000)


def check(
    sample_checkpoint_directory: Path,
    assignments: list[Assignment],
    *,
    audio: tuple[str, ...] = (),
    seconds: float = 60,
) -> Any:
    """Call the node with one episode of 100 frames."""
    episode = Episode(
        episode_id="train/x",
        split="train",
        name="x",
        duration_seconds=8,
        num_frames=100,
        audio=FILE,
        tracks={},
        sources=("diarization",),
        transcript_unit_seconds=1,
    )
    return check_causality(
        assignments={made.assignment_id: made.model_dump for made in assignments},
        audio={name: dict for name in audio},
        episodes={"train/x": episode.model_dump},
        events={},
        turns={},
        words={"train/x": lambda: WORDS},
        causality_check=CausalityCheckParams(episodes=1, points=1, seconds=seconds, seed=0),
        feature_extraction=extraction_params(chunk_frames=16),
        streams=stream_params(),
        shift_frames=1,
        checkpoint=CheckpointParams(
            hf_repo=None, revision=None, directory=str(sample_checkpoint_directory)
        ),
        launcher=LauncherParams(
            nproc_per_node=1, nnodes=1, node_rank=0, rdzv_endpoint=None, timeout_seconds=60
        ),
        worker_catalog={name: {} for name in ("audio", "turns", "words", "events")},
    )


ASSIGNMENT = Assignment(
    assignment_id="train/x/A",
    episode_id="train/x",
    user="A",
    systems=("B",),
    source="diarization",
    user_share=0.5,
    num_frames=100,
)


def test_a_corpus_without_assignments_is_refused(sample_checkpoint_directory: Path) -> None:
    with pytest.raises(CorpusError, match="no assignments to check; run `kedro run --pipelines"):
        check(sample_checkpoint_directory, [])


def test_an_excerpt_of_a_few_frames_is_refused(sample_checkpoint_directory: Path) -> None:
    with pytest.raises(CorpusError, match=r"has 6 frames.*causality_check\.seconds is 0\.5"):
        check(sample_checkpoint_directory, [ASSIGNMENT], audio=("train/x",), seconds=0.5)


def test_audio_that_is_gone_is_named(sample_checkpoint_directory: Path) -> None:
    with pytest.raises(AudioError, match="the first: 'train/x'; restore them"):
        check(sample_checkpoint_directory, [ASSIGNMENT])


def test_a_plain_run_has_all_stages_and_nothing_that_is_run_by_name() -> None:
    configure_project("acoustic_event_prediction")
    pipelines = register_pipelines()
    check_nodes = {node.name for node in pipelines["causality_check"].nodes}
    by_name = {
        "baselines",
        "causality_check",
        "comparison",
        "diarization",
        "horizon_sweep",
        "prediction",
    }
    stages = pipelines.keys() - by_name - {"__default__"}
    assert check_nodes == {"check_causality"}
    assert stages == {"ingestion", "feature_extraction", "labeling", "training", "evaluation"}
    assert {node.name for node in pipelines["__default__"].nodes} == {
        node.name for name in stages for node in pipelines[name].nodes
    }


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ingested")
    kedro_run(root, "--pipelines", "ingestion", params="ingestion.limit=1")
    return root


def test_a_run_measures_the_sample_and_says_so(ingested: Path) -> None:
    output = kedro_run(
        ingested,
        *["--pipelines", "causality_check"],
        params="causality_check.seconds=5,causality_check.points=2,causality_check.episodes=1",
    )
    folder = ingested / "08_reporting" / "sample"
    report = json.loads((folder / "causality.json").read_text())
    rows = {row["text"]: row for row in report["settings"]}
    assert report["tolerance"] == 0
    assert (report["shift_frames"], report["causality_check"]["points"]) == (5, 2)
    (assignment,) = report["assignments"]
    assert assignment["num_frames"] == 62
    assert len(assignment["points"]) == 2
    assert [row["audio_smallest_delay"] for row in rows.values()] == [1, 1, 1]
    assert rows["words"]["is_current"]
    # The longest word of the excerpt is among the points: it is known before its end.
    assert rows["words"]["words_smallest_delay"] < 0
    assert rows["words_at_end"]["words_smallest_delay"] >= 1
    assert rows["none"]["words_smallest_delay"] is None
    assert rows["none"]["lead_milliseconds_farthest"] == 400
    with (folder / "causality.csv").open() as file:
        assert [row["text"] for row in csv.DictReader(file)] == list(rows)
    for shown in (*(row["headline"] for row in rows.values()), str(folder / "causality.csv")):
        assert shown in output


def test_a_mistake_ends_in_one_message(ingested: Path) -> None:
    done = subprocess.run(
        command(ingested, "--pipelines", "causality_check", params="causality_check.point=3"),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "causality_check.points" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
