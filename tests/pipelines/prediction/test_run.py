"""`kedro run --pipelines prediction` as a user types it, with a predictor that need not be good."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from praatio import textgrid

from acoustic_event_prediction.corpus.label_files import read_audacity, read_rttm_turns
from tests.conftest import PROJECT
from tests.kedro_runs import command, kedro_run, try_kedro_run, wait_for
from tests.prediction.made import sample_predictor, saved

RATE = 16_000
FILES = {
    *("scores.csv", "scores.parquet", "events.csv", "events.json", "events.TextGrid"),
    *("events.rttm", "events.audacity.txt", "score_track.png"),
    *("report.html", "prediction.json"),
}


def noise(seconds: float, num_channels: int, seed: int) -> np.ndarray:
    """Channels that are loud and quiet in turns, [N, C]."""
    generator = np.random.default_rng(seed)
    num_samples = round(seconds * RATE)
    gate = np.where((np.arange(num_samples) // (RATE // 2)) % 2, 0.01, 1.0)
    gates = np.stack([gate, 1.01 - gate][:num_channels], axis=1)
    return (generator.normal(0, 0.1, (num_samples, num_channels)) * gates).astype(np.float32)


class Setting:
    """A predictor, a folder of recordings, and what a run of both writes."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "data"
        self.recordings = folder / "recordings"
        self.recordings.mkdir()
        self.predictor = saved(sample_predictor(), folder)
        self.output = self.root / "07_model_output" / "sample" / "prediction"

    def params(self, extra: str = "") -> str:
        given = f"prediction.recording={self.recordings},prediction.predictor={self.predictor}"
        return ",".join(filter(None, [given, extra]))

    def fail(self) -> str:
        status, output = try_kedro_run(self.root, "--pipelines", "prediction", params=self.params())
        assert status == 1, output
        return output

    def run(self, extra: str = "") -> str:
        return kedro_run(self.root, "--pipelines", "prediction", params=self.params(extra))

    def summary(self) -> pd.DataFrame:
        path = self.root / "08_reporting" / "sample" / "prediction" / "summary.csv"
        return pd.read_csv(path).set_index("recording")


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> tuple[Setting, str]:
    setting = Setting(tmp_path_factory.mktemp("batch"))
    folder = setting.recordings
    sf.write(folder / "Café, übermut.wav", noise(3.05, 1, seed=0), RATE)
    sf.write(folder / "dialogue.flac", noise(4.0, 2, seed=1), RATE)
    sf.write(folder / "talk.mp3", noise(2.0, 1, seed=2), RATE)
    sf.write(folder / "short.ogg", noise(0.05, 1, seed=3), RATE)
    (folder / "broken.wav").write_bytes(b"RIFF" + bytes(40))
    (folder / "film.m4a").write_bytes(b"\0\0\0\x18ftypM4A \0\0\0\0" + bytes(100))
    return setting, setting.run()


def test_each_recording_has_its_folder_and_the_broken_ones_a_reason(
    batch: tuple[Setting, str],
) -> None:
    setting, output = batch
    good = {"Café, übermut", "dialogue", "talk", "short"}
    assert {path.name for path in setting.output.iterdir() if path.is_dir()} == good
    for name in good:
        assert {path.name for path in (setting.output / name).iterdir()} == FILES
    summary = setting.summary()
    assert dict(summary["status"]) == {
        **dict.fromkeys(good, "predicted"),
        "broken": "failed",
        "film": "failed",
    }
    assert "ffmpeg" in summary.loc["film", "problem"]
    assert summary.loc["dialogue", "heard_as"] == "separated"
    for name in (*good, "broken", "film"):
        assert name in output
    assert output.index("without turns") < len(output)
    assert output.index("the predictor was trained with a stream") < output.index("loading the mod")


def test_scores_are_per_user_and_frame(batch: tuple[Setting, str]) -> None:
    folder = batch[0].output
    expected = {"Café, übermut": (39, ["mix"]), "talk": (25, ["mix"]), "short": (1, ["mix"])}
    expected["dialogue"] = (50, ["channel_1", "channel_2"])
    for name, (num_frames, users) in expected.items():
        table = pd.read_parquet(folder / name / "scores.parquet")
        assert table["user"].tolist() == [user for user in users for _ in range(num_frames)]
        assert table["frame"].tolist() == list(range(num_frames)) * len(users)
        values = table[["score", "score_5", "score_10"]].to_numpy()
        assert ((values > 0) & (values < 1)).all()
        as_text = pd.read_csv(folder / name / "scores.csv")
        pd.testing.assert_frame_equal(as_text, table, check_dtype=False, rtol=0, atol=0)


def test_events_are_the_same_in_every_format(batch: tuple[Setting, str]) -> None:
    num_alarms = 0
    for folder in filter(Path.is_dir, batch[0].output.iterdir()):
        events = pd.read_csv(folder / "events.csv")
        num_alarms += len(events)
        assert json.loads((folder / "events.json").read_text()) == events.to_dict(orient="records")
        spans = sorted(zip(events["onset"], events["offset"], strict=True))
        turns = read_rttm_turns(folder / "events.rttm") if len(events) else []
        assert sorted((round(t.onset, 3), round(t.offset, 3)) for t in turns) == spans
        assert sorted(turn.name for turn in turns) == sorted(events["user"])
        assert len(read_audacity(folder / "events.audacity.txt")) <= len(events)
        grid = textgrid.openTextgrid(str(folder / "events.TextGrid"), False)
        users = json.loads((folder / "prediction.json").read_text())["heard"]["users"]
        assert list(grid.tierNames) == [f"alarm {user}" for user in users]
        assert sum(len(grid.getTier(name).entries) for name in grid.tierNames) <= len(events)
    assert num_alarms > 0


def test_the_page_stands_alone(batch: tuple[Setting, str]) -> None:
    page = (batch[0].output / "dialogue" / "report.html").read_text()
    assert "channel_1" in page
    assert "data:audio/mpeg;base64," in page
    assert "laughs are heard" not in page  # this predictor was trained with laughs
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def test_what_is_there_is_kept_and_another_rule_needs_no_model(batch: tuple[Setting, str]) -> None:
    setting, _ = batch
    note = setting.output / "talk" / "my notes.txt"
    note.write_text("mine")
    files = [path for path in setting.output.glob("*/*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in files}
    setting.run()
    assert set(setting.summary()["status"]) == {"kept", "failed"}
    after = {path: path.stat().st_mtime_ns for path in before}
    assert after == before
    output = setting.run("prediction.threshold=0.0,prediction.refractory_seconds=0.0")
    assert "loading the models" not in output
    assert setting.summary().loc["talk", "alarms"] == 1  # one run from start to end
    events = pd.read_csv(setting.output / "talk" / "events.csv")
    assert events[["onset", "offset"]].to_numpy().tolist() == [[0.0, 2.0]]
    assert note.read_text() == "mine"


def test_a_folder_whose_files_are_not_as_written_is_made_again(batch: tuple[Setting, str]) -> None:
    setting, _ = batch
    setting.run()
    cut, gone = setting.output / "talk" / "scores.csv", setting.output / "short" / "report.html"
    whole = cut.read_bytes()
    assert json.loads((cut.parent / "prediction.json").read_text())["files"] == {
        path.name: path.stat().st_size
        for path in cut.parent.iterdir()
        if path.name in FILES - {"prediction.json"}
    }
    cut.write_bytes(whole[:-1])
    gone.unlink()
    output = setting.run()
    assert "talk: written anew, because not there, or of another size" in output
    assert re.search(r"short: written anew, .*: report.html\s", output)
    status = setting.summary()["status"]
    assert status[["talk", "short", "dialogue"]].tolist() == ["predicted", "predicted", "kept"]
    assert cut.read_bytes() == whole
    assert gone.is_file()


def test_where_none_can_be_read_the_summary_says_why_and_the_run_fails(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    path = setting.root / "08_reporting" / "sample" / "prediction" / "summary.csv"
    path.parent.mkdir(parents=True)
    path.write_text("recording,status\nearlier,predicted\n")
    (setting.recordings / "a.wav").write_bytes(b"")
    (setting.recordings / "b.mp3").write_text("text")
    output = setting.fail()
    summary = setting.summary()
    assert dict(summary["status"]) == {"a": "failed", "b": "failed"}
    assert "a.wav: the file is empty" in summary.loc["a", "problem"]
    assert "b.mp3: can't be decoded" in summary.loc["b", "problem"]
    assert output.index("a.wav: the file is empty") < output.index("Error: none of the recordings")
    assert "Traceback" not in output
    assert "loading the models" not in output


def test_ctrl_c_keeps_what_is_finished_and_says_so(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    for number in range(6):
        sf.write(setting.recordings / f"{number}.wav", noise(150.0, 1, seed=number), RATE)
    with (tmp_path / "output.txt").open("w") as log:
        run = subprocess.Popen(
            command(
                setting.root,
                *("--pipelines", "prediction"),
                params=setting.params("feature_extraction.chunk_frames=2048"),  # one by one
            ),
            cwd=PROJECT,
            env={**os.environ, "COLUMNS": "400"},
            stdout=log,
            stderr=subprocess.STDOUT,
            # A shell that runs tests in the background has them ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )
        try:
            wait_for(lambda: list(setting.output.glob("*/report.html")) or run.poll() is not None)
        finally:
            run.send_signal(signal.SIGINT)
        assert run.wait(60) != 0
    output = (tmp_path / "output.txt").read_text()
    told = re.search(r"interrupted: (\d) of 6 recordings are finished, and kept in", output)
    assert told, output
    folders = [path for path in setting.output.iterdir() if not path.name.startswith(".")]
    assert 1 <= int(told.group(1)) == len(folders) < 6
    for folder in folders:
        assert {path.name for path in folder.iterdir()} == FILES
    assert "Traceback" not in output
