"""The node with real workers and files; only the package pyannote.audio is a stand-in."""

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from acoustic_event_prediction.corpus_params import DiarizationParams
from acoustic_event_prediction.datasets.partition_files import OptionalPartitionFiles
from acoustic_event_prediction.datasets.raw_corpus import RawAudioDataset
from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.errors import (
    AudioError,
    CorpusError,
    DeviceError,
    DiarizationError,
    WorkerError,
)
from acoustic_event_prediction.params import LauncherParams
from acoustic_event_prediction.pipeline_registry import register_pipelines
from acoustic_event_prediction.pipelines import diarization, ingestion
from acoustic_event_prediction.pipelines.diarization import nodes
from acoustic_event_prediction.pipelines.diarization.nodes import find_turns
from acoustic_event_prediction.pipelines.ingestion.nodes import IngestedCorpus, read_corpus
from tests.conftest import PROJECT
from tests.corpus.tiny import TURNS, TinyCorpus, noise
from tests.made import ingestion_params

# One speaker in the first half, the other in the second; what it hears is noted, in seconds.
PACKAGE = """
import os
from types import SimpleNamespace

class Pipeline:
    @classmethod
    def from_pretrained(cls, model, token=None):
        return None if model == "gated/model" else cls()

    def to(self, device):
        return self

    def __call__(self, file, min_speakers=None, max_speakers=None, hook=None):
        hook("segmentation", None, file=file, total=1, completed=1)
        self.seconds = file["waveform"].shape[1] / file["sample_rate"]
        with open(os.environ["HEARD"], "a") as heard:
            heard.write(f"{self.seconds:g}\\n")
        if os.environ.get("FAILS") == f"{self.seconds:g}":
            raise RuntimeError("too little\\nmemory")
        if os.environ.get("DIES") == f"{self.seconds:g}":
            os.kill(os.getpid(), 9)
        return self

    def itertracks(self, yield_label):
        half = self.seconds / 2
        yield SimpleNamespace(start=0.0, end=half), "a", "SPEAKER_00"
        yield SimpleNamespace(start=half, end=self.seconds), "b", "SPEAKER_01"
"""


class Project:
    """A corpus without turns, and the data sets of a run on it."""

    def __init__(self, root: Path) -> None:
        self.corpus = TinyCorpus(root / "corpus")
        self.heard = root / "heard.txt"
        stores = root / "data" / "02_intermediate"
        kind = "acoustic_event_prediction.datasets"
        self.catalog: dict[str, dict[str, Any]] = {
            "audio": {
                "type": f"{kind}.raw_corpus.RawAudioDataset",
                "path": str(self.corpus.root),
                "episodes": str(stores / "episodes"),
            },
            "diarization": {
                "type": f"{kind}.sealed.SealedPartitions",
                "path": str(stores / "diarization"),
                "dataset": "pandas.ParquetDataset",
                "filename_suffix": ".parquet",
            },
        }
        self.episodes = SealedPartitions(
            path=str(stores / "episodes"), dataset="json.JSONDataset", filename_suffix=".json"
        )

    @property
    def store(self) -> SealedPartitions:
        return SealedPartitions(**without_type(self.catalog["diarization"]))

    def ingest(self) -> IngestedCorpus:
        earlier = OptionalPartitionFiles(**without_type(self.catalog["diarization"]))
        ingested = read_corpus(
            self.corpus.root, ingestion_params(splits=("train",)), earlier.load()
        )
        self.episodes.save(ingested.episodes)
        return ingested

    def diarize(self, num_processes: int = 1, **changes: Any) -> list[str]:
        values = {
            "source": "pyannote",
            "model": "some/model",
            "rttm": None,
            "min_speakers": None,
            "max_speakers": None,
            "device": "cpu",
        }
        found = find_turns(
            audio=RawAudioDataset(**without_type(self.catalog["audio"])).load(),
            episodes=self.episodes.load(),
            diarization=DiarizationParams.model_validate(values | changes),
            launcher=LauncherParams(
                nproc_per_node=num_processes,
                nnodes=1,
                node_rank=0,
                rdzv_endpoint=None,
                timeout_seconds=60,
            ),
            worker_catalog=self.catalog,
        )
        self.store.save(found)
        return sorted(found)

    def seconds_heard(self) -> list[str]:
        """Lengths of the recordings that the model has heard since the last call."""
        heard = sorted(self.heard.read_text().split()) if self.heard.exists() else []
        self.heard.unlink(missing_ok=True)
        return heard


def without_type(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "type"}


def rows(table: pd.DataFrame) -> list[tuple[object, ...]]:
    return list(table.itertuples(index=False, name=None))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    package = tmp_path / "site" / "pyannote" / "audio"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(PACKAGE)
    paths = [package.parents[1], PROJECT / "src", PROJECT]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(nodes, "require_pyannote", lambda: None)
    project = Project(tmp_path)
    monkeypatch.setenv("HEARD", str(project.heard))
    for seconds in (4, 5, 6):
        project.corpus.add(name=f"show_{seconds}", samples=noise(seconds), turns=None)
    project.corpus.add(name="own_7", samples=noise(7.0))
    project.ingest()
    return project


def test_only_episodes_without_turns_are_diarized_and_the_ingestion_takes_them(
    project: Project,
) -> None:
    found = project.diarize(num_processes=2)
    assert found == ["train/show_4", "train/show_5", "train/show_6"]
    assert project.seconds_heard() == ["4", "5", "6"]
    ingested = project.ingest()
    assert rows(ingested.turns["train/show_4"]) == [
        (0.0, 2.0, "SPEAKER_00"),
        (2.0, 4.0, "SPEAKER_01"),
    ]
    # The filler begins at 0.5 s, the laugh at 2.32 s.
    assert list(ingested.events["train/show_4"]["speaker"]) == ["SPEAKER_00", "SPEAKER_01"]
    assert rows(ingested.turns["train/own_7"]) == list(TURNS)
    assert ingested.report["turns_from"] == {"corpus": 1, "diarization": 3}
    assert ingested.report["sources"] == {"diarization": 4}


def test_what_is_found_is_kept_until_audio_or_settings_change(project: Project) -> None:
    project.diarize()
    project.ingest()
    project.seconds_heard()
    assert len(project.diarize()) == 3
    assert project.seconds_heard() == []
    project.diarize(max_speakers=2)
    assert project.seconds_heard() == ["4", "5", "6"]
    project.diarize(max_speakers=2, model="other/model")
    assert project.seconds_heard() == ["4", "5", "6"]
    project.corpus.add(name="show_4", samples=noise(4.5), turns=None)
    with pytest.raises(AudioError, match=r"show_4\.wav; run `kedro run --pipelines ingestion`"):
        project.diarize()
    assert "other audio" in " ".join(project.ingest().report["warnings"])
    project.diarize(max_speakers=2, model="other/model")
    assert project.seconds_heard() == ["4.5"]
    assert project.ingest().report["turns_from"] == {"corpus": 1, "diarization": 3}


def test_a_damaged_table_is_made_again(project: Project) -> None:
    project.diarize()
    project.seconds_heard()
    project.store.partition_path("train/show_5").write_bytes(b"")
    project.diarize()
    assert project.seconds_heard() == ["5"]


def test_episodes_that_fail_are_named_and_the_others_kept(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAILS", "5")
    with pytest.raises(WorkerError, match="train/show_5: RuntimeError: too little memory") as error:
        project.diarize()
    assert "Traceback" not in str(error.value)
    monkeypatch.delenv("FAILS")
    project.seconds_heard()
    project.diarize()
    assert project.seconds_heard() == ["5"]


def test_a_killed_run_keeps_what_it_has_found(
    project: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # The longest is first: 6 s, 5 s, then 4 s.
    monkeypatch.setenv("DIES", "4")
    with pytest.raises(WorkerError, match="killed from outside"):
        project.diarize()
    assert project.ingest().report["turns_from"] == {"corpus": 1, "diarization": 2, "nowhere": 1}
    assert "is not complete" in caplog.text
    monkeypatch.delenv("DIES")
    project.seconds_heard()
    project.diarize()
    assert project.seconds_heard() == ["4"]


def test_conditions_that_are_not_accepted_end_in_one_line(project: Project) -> None:
    with pytest.raises(WorkerError, match=r"accept the conditions at https://hf\.co/gated/model"):
        project.diarize(model="gated/model")


def test_a_gpu_that_is_not_there_is_told_before_workers_start(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"diarization\.device"):
        project.diarize(device="cuda")


def test_a_missing_package_is_told_before_workers_start(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise DiarizationError("uv sync --extra diarization")

    monkeypatch.setattr(nodes, "require_pyannote", refuse)
    with pytest.raises(DiarizationError, match="uv sync"):
        project.diarize()


def test_separated_tracks_are_not_given_a_models_speakers(project: Project) -> None:
    project.corpus.add(name="show_4", turns=None, tracks=["A", "B"])
    project.ingest()
    assert project.diarize() == ["train/show_5", "train/show_6"]


def test_rttm_files_become_turns_of_the_episodes_that_have_none(
    project: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [f"SPEAKER show_4 1 {on} {off - on:.3f} <NA> <NA> {who} <NA>" for on, off, who in TURNS]
    (tmp_path / "rttm").mkdir()
    (tmp_path / "rttm" / "show_4.rttm").write_text("\n".join(lines))
    (tmp_path / "rttm" / "own_7.rttm").write_text("SPEAKER own_7 1 0 1 <NA> <NA> Z <NA>")
    assert project.diarize(source="rttm", rttm=str(tmp_path / "rttm")) == ["train/show_4"]
    assert "train/show_5: rttm: has no turns of this episode" in caplog.text
    ingested = project.ingest()
    for column in ("onset", "offset"):
        expected = [turn[("onset", "offset").index(column)] for turn in TURNS]
        assert ingested.turns["train/show_4"][column].tolist() == pytest.approx(expected)
    assert list(ingested.events["train/show_4"]["speaker"]) == ["A", "B"]
    assert list(ingested.turns["train/own_7"]["speaker"]) == ["A", "B"]
    assert ingested.report["turns_from"] == {"corpus": 1, "diarization": 1, "nowhere": 2}


def test_rttm_files_of_nobody_here_are_an_error_and_change_nothing(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "x.rttm").write_text("SPEAKER other 1 0 1 <NA> <NA> Z <NA>")
    with pytest.raises(CorpusError, match="of none of the 3 episodes without turns"):
        project.diarize(source="rttm", rttm=str(tmp_path / "x.rttm"))
    assert project.ingest().report["turns_from"] == {"corpus": 1, "nowhere": 3}


def test_a_corpus_with_turns_needs_no_model(project: Project) -> None:
    for seconds in (4, 5, 6):
        project.corpus.add(name=f"show_{seconds}", samples=noise(seconds))
    project.ingest()
    assert project.diarize() == []
    assert project.seconds_heard() == []


def test_it_is_run_by_name_only_and_makes_no_circle_with_the_ingestion() -> None:
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(PROJECT)
    plain = register_pipelines()["__default__"]
    assert "find_turns" not in {node.name for node in plain.nodes}
    assert "earlier_diarization" in plain.inputs()
    both = ingestion.create_pipeline() + diarization.create_pipeline()
    assert next(node.name for node in both.nodes) == "read_corpus"
