import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acoustic_event_prediction.alarms import AlarmRule
from acoustic_event_prediction.corpus.content import sha256_of
from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.errors import DeviceError, StoreError, WorkerError
from acoustic_event_prediction.models.predictor import PredictorError
from acoustic_event_prediction.params import (
    CheckpointParams,
    LauncherParams,
    PredictionReportParams,
)
from acoustic_event_prediction.pipelines.prediction.nodes import (
    PredictionSetup,
    RecordingNotes,
    prepare_prediction,
    read_recordings,
)
from acoustic_event_prediction.pipelines.prediction.outcomes import Outcome, summarise
from acoustic_event_prediction.pipelines.prediction.outputs import HeardRecording, OutputWriter
from acoustic_event_prediction.pipelines.prediction.predicting import predict
from tests.conftest import SAMPLE
from tests.made import audio_file, extraction_params, prediction_params
from tests.prediction.made import sample_predictor, saved
from tests.prediction.test_streams import FIRST, write

CHECKPOINT = CheckpointParams(hf_repo=None, revision=None, directory=str(SAMPLE / "checkpoint"))


def prepare(trained: Any = None, device: str = "cpu", **params: object) -> PredictionSetup:
    settings = extraction_params(device=device, text="none")
    return prepare_prediction(trained, prediction_params(**params), CHECKPOINT, settings)


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> PredictionSetup:
    path = saved(sample_predictor(), tmp_path_factory.mktemp("predictor"))
    return prepare(predictor=str(path))


def test_the_predictor_is_the_trained_one_or_the_given_one(tmp_path: Path) -> None:
    path = saved(sample_predictor(), tmp_path)
    given = prepare(predictor=str(path))
    assert given.predictor.path == path
    trained = given.predictor
    assert prepare(trained).predictor is trained
    with pytest.raises(PredictorError, match=r"trained no predictor.*kedro run.*prediction\.pred"):
        prepare(None)
    with pytest.raises(PredictorError, match="gone"):
        prepare(trained, predictor=str(tmp_path / "gone.safetensors"))


def test_the_header_decides_but_for_speed(setup: PredictionSetup) -> None:
    assert setup.requirements.settings.text == "words"
    assert setup.requirements.settings.device == "cpu"
    assert setup.rule == AlarmRule(0.5, 0.0, 0.08, 1.0)
    assert setup.checkpoint.moshi_weights.parent == SAMPLE / "checkpoint"


def test_a_missing_gpu_is_told_before_anything_is_read(
    setup: PredictionSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(DeviceError, match="is to be cuda"):
        prepare(setup.predictor, device="cuda")


def test_if_none_can_be_used_the_notes_have_every_reason(
    setup: PredictionSetup, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    (tmp_path / "b.mp3").write_text("text")
    found = read_recordings(setup, prediction_params(recording=str(tmp_path)))
    assert not any((found.episodes, found.events, found.turns, found.words, found.assignments))
    assert "a.wav: the file is empty" in found.notes.problems["recordings/a"]
    assert "b.mp3: can't be decoded" in found.notes.problems["recordings/b"]


def test_tables_are_those_of_the_recordings_that_can_be_heard(
    setup: PredictionSetup, tmp_path: Path
) -> None:
    write(tmp_path / "talk.wav", FIRST)
    (tmp_path / "empty.wav").write_bytes(b"")
    found = read_recordings(setup, prediction_params(recording=str(tmp_path)))
    ids = {"recordings/talk"}
    for tables in (found.episodes, found.events, found.turns, found.words, found.notes.missing):
        assert set(tables) == ids
    assert set(found.assignments) == {"recordings/talk/mix"}
    assert "is empty" in found.notes.problems["recordings/empty"]
    assert found.notes.root == tmp_path


def test_audio_that_has_not_changed_is_not_decoded_again(
    setup: PredictionSetup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "talk.wav", FIRST)
    params = prediction_params(recording=str(tmp_path))
    first = read_recordings(setup, params)
    earlier = {name: (lambda record=record: record) for name, record in first.episodes.items()}

    def refuse(source: object) -> None:
        raise AssertionError(source)

    monkeypatch.setattr("acoustic_event_prediction.corpus.recordings.check_audio", refuse)
    assert read_recordings(setup, params, earlier).episodes == first.episodes


def test_several_machines_are_refused(setup: PredictionSetup) -> None:
    launcher = LauncherParams(
        nproc_per_node=1, nnodes=2, node_rank=0, rdzv_endpoint="host:1", timeout_seconds=60
    )
    notes = RecordingNotes(Path(), {}, {}, {})
    with pytest.raises(WorkerError, match="one machine"):
        predict(setup, notes, {}, {}, {}, {}, {}, prediction_params(), launcher, {})


class Scores:
    """Stored scores of any recording: a ramp."""

    def partition(self, _name: str) -> "Scores":
        return self

    def load(self) -> np.ndarray:
        return np.linspace(0, 1, 75, dtype=np.float32).repeat(2).reshape(75, 2)


class Folders:
    """Takes folders, but not those of recordings that are called bad."""

    def __init__(self) -> None:
        self.saved: dict[str, dict[str, Any]] = {}

    def file_sizes(self, _name: str) -> dict[str, int]:
        return {}

    def save_recording(self, name: str, values: dict[str, Any]) -> None:
        if name == "full":
            raise StoreError("no space left")
        if name == "odd":
            raise ValueError("unforeseen")
        self.saved[name] = values


def heard(name: str, audio: str, **facts: object) -> HeardRecording:
    episode = Episode(
        episode_id=f"recordings/{name}",
        split="recordings",
        name=name,
        duration_seconds=6.0,
        num_frames=75,
        audio=audio_file(path=audio, num_samples=48_000, sample_rate_hz=8000, **facts),
        tracks={},
        sources=("mono",),
        transcript_unit_seconds=None,
    )
    assignment = Assignment(
        assignment_id=f"recordings/{name}/mix",
        episode_id=episode.episode_id,
        user="mix",
        systems=(),
        source="mono",
        user_share=None,
        num_frames=75,
    )
    return HeardRecording(episode, [assignment], [{"episode": {"audio": "0"}}])


def test_one_that_cannot_be_written_does_not_stop_the_others(
    setup: PredictionSetup, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.wav", FIRST)
    facts = {"num_bytes": path.stat().st_size, "sha256": sha256_of(path)}
    names = ("good", "full", "odd", "gone")
    notes = RecordingNotes(tmp_path, {}, {f"recordings/{name}": () for name in names}, {})
    folders = Folders()
    report = PredictionReportParams(max_megabytes=1.0)
    with OutputWriter(setup, notes, report, Scores(), folders) as writer:
        for name in names:
            writer.submit(heard(name, "gone.wav" if name == "gone" else "a.wav", **facts))
        outcomes = writer.outcomes()
    assert outcomes["recordings/good"] == Outcome("predicted", num_alarms=1)
    assert set(folders.saved) == {"good"}
    problems = {name: outcomes[f"recordings/{name}"].problem or "" for name in names}
    assert "no space left" in problems["full"]
    assert "ValueError: unforeseen" in problems["odd"]
    assert "gone.wav" in problems["gone"]
    assert writer.num_finished == 1


def test_ctrl_c_gives_up_the_sound_that_is_being_encoded(
    setup: PredictionSetup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.wav", FIRST)
    has_begun = threading.Event()
    blocks = iter(range(1000))  # longer than the test may last

    def hear_hours(
        _source: object, _frames: int, _most: float, on_block: Callable[[], None]
    ) -> None:
        for _ in blocks:
            has_begun.set()
            time.sleep(0.01)
            on_block()

    monkeypatch.setattr(f"{OutputWriter.__module__}.hear", hear_hours)
    notes = RecordingNotes(tmp_path, {}, {"recordings/long": ()}, {})
    folders, report = Folders(), PredictionReportParams(max_megabytes=1.0)
    writer = OutputWriter(setup, notes, report, Scores(), folders)

    def interrupt() -> None:
        with writer:
            writer.submit(heard("long", "a.wav"))
            assert has_begun.wait(10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert next(blocks) < 500
    assert not folders.saved
    assert writer.num_finished == 0


def test_audio_that_changes_after_scoring_gives_no_results(
    setup: PredictionSetup, tmp_path: Path
) -> None:
    write(tmp_path / "a.wav", FIRST)
    found = read_recordings(setup, prediction_params(recording=str(tmp_path / "a.wav")))
    (episode,) = map(Episode.model_validate, found.episodes.values())
    (assignment,) = map(Assignment.model_validate, found.assignments.values())
    recording = HeardRecording(episode, [assignment], [{"episode": {}}])
    report = PredictionReportParams(max_megabytes=1.0)
    write(tmp_path / "a.wav", FIRST[::-1])
    folders = Folders()
    with OutputWriter(setup, found.notes, report, Scores(), folders) as writer:
        writer.submit(recording)
        (outcome,) = writer.outcomes().values()
    assert "has changed while the run was going on" in (outcome.problem or "")
    assert not folders.saved


def test_a_name_that_is_no_utf8_can_be_written(tmp_path: Path) -> None:
    notes = RecordingNotes(tmp_path, {}, {}, {"recordings/bad\udcff": "bad\udcff: no UTF-8"})
    table = summarise(notes, {}, {}, {})
    table.to_csv(tmp_path / "summary.csv", index=False)
    assert table["recording"].tolist() == ["bad\\udcff"]


def test_the_summary_has_a_row_for_each(tmp_path: Path) -> None:
    notes = RecordingNotes(
        tmp_path, {}, {"recordings/b": ("words",)}, {"recordings/a": "a.wav: the file is empty"}
    )
    table = summarise(
        notes,
        {"recordings/b": heard("b", "b.wav").episode},
        {"recordings/b": "mono"},
        {"recordings/b": Outcome("predicted", num_alarms=3)},
    )
    assert table["recording"].tolist() == ["a", "b"]
    assert table["status"].tolist() == ["failed", "predicted"]
    assert table["alarms"].isna().tolist() == [True, False]
    assert table.loc[1, "missing"] == "words"
