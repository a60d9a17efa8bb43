"""The catalog type of folders that hold the results of one recording each."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog, DatasetError
from kedro_datasets.json import JSONDataset
from matplotlib.figure import Figure

from acoustic_event_prediction.annotations import AnnotationTiers
from acoustic_event_prediction.datasets.recording_folders import RecordingFolders
from acoustic_event_prediction.datasets.rttm import RttmDataset
from acoustic_event_prediction.errors import StoreError

PACKAGE = "acoustic_event_prediction.datasets"
FILES: dict[str, Any] = {
    "first.json": "json.JSONDataset",
    "last.json": {"type": "json.JSONDataset", "save_args": {"indent": 2}},
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RecordingFolders]:
    store = RecordingFolders(path=str(tmp_path / "store"), files=FILES)
    yield store
    store.release()


def values(state: Any) -> dict[str, Any]:
    return {"first.json": state, "last.json": state}


def loaded(store: RecordingFolders) -> dict[str, dict[str, Any]]:
    return {
        name: {file: load() for file, load in files.items()} for name, files in store.load().items()
    }


def entries(store: RecordingFolders) -> list[str]:
    return sorted(path.name for path in store.path.iterdir() if path.name != ".lock")


def fail(error: BaseException) -> Callable[..., Any]:
    def load(_sizes: object = None) -> Any:
        raise error

    return load


def test_what_was_saved_is_loaded_lazily_and_sorted(store: RecordingFolders) -> None:
    assert not store.exists()
    assert store.load() == {}

    store.save({"b": values(1), "a": lambda: values(2)})

    assert store.exists()
    assert list(store.load()) == ["a", "b"]
    assert loaded(store) == {"a": values(2), "b": values(1)}
    assert entries(store) == ["a", "b"]


def test_a_value_is_made_when_its_turn_comes(store: RecordingFolders) -> None:
    written: list[dict[str, int]] = []

    def look(sizes: dict[str, int]) -> int:
        assert list(sizes) == [path.name for path in store.path.rglob("*.json")]
        written.append(sizes)
        return len(written)

    store.save_recording("a", {"last.json": look, "first.json": look})

    assert written == [{}, {"first.json": 1}]
    assert store.file_sizes("a") == {"first.json": 1, "last.json": 1}
    assert loaded(store) == {"a": {"first.json": 1, "last.json": 2}}


def test_names_that_were_written_before_are_only_checked(store: RecordingFolders) -> None:
    store.save_recording("a", values(1))
    store.save(["a"])
    (store.path / "b").mkdir()

    with pytest.raises(DatasetError, match=r"1 of 2 recordings have no complete .*first: 'b'"):
        store.save(["a", "b"])
    store.save([])
    assert list(store.load()) == ["a"]


def test_other_recordings_stay(store: RecordingFolders) -> None:
    store.save({"a": values(1)})
    store.save({"b": values(2)})

    assert list(store.load()) == ["a", "b"]


def test_what_is_no_complete_folder_is_not_loaded(store: RecordingFolders) -> None:
    store.save({"a": values(1), "half": values(1)})
    (store.path / "half" / "last.json").unlink()
    (store.path / "file").write_text("")
    (store.path / ".0123456789abcdef.part" / "x").mkdir(parents=True)
    (store.path / ".hidden").mkdir()
    for file in FILES:
        (store.path / ".hidden" / file).write_text("1")
    (store.path / "a" / "extra.pdf").write_text("more than declared is fine")

    assert list(store.load()) == ["a"]
    assert not store.is_complete("half")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        *(("..", "starts with a dot"), (".", "starts with a dot"), (".hidden", "with a dot")),
        *(("", "is empty"), ("a/b", "slash"), ("/etc", "slash"), ("a\\b", "slash")),
        *(("a\0b", "NUL"), ("x" * 256, "longer than 240"), ("é" * 121, "longer than 240")),
        ("caf\udce9", "not valid UTF-8"),
    ],
)
def test_a_name_that_is_no_folder_of_ours_is_refused(
    store: RecordingFolders, name: str, problem: str
) -> None:
    with pytest.raises(StoreError, match=rf"no name of a folder: it .*{problem}"):
        store.folder(name)
    with pytest.raises(StoreError, match="rename the recording"):
        store.save_recording(name, values(1))
    with pytest.raises(StoreError, match="rename the recording"):
        store.load_file(name, "first.json")
    with pytest.raises(DatasetError, match="rename the recording"):
        store.save([name])
    assert not store.path.exists() or entries(store) == []


@pytest.mark.parametrize(
    "name",
    [
        *("Bob's Show, Live!_Ep. #3 [it's back]?", "größer & mehr", "a.b", "x" * 240, "~", "a::b"),
        *("50%", "{name}", "*", "two\nlines", "_sealed.json", "-rf"),
    ],
)
def test_a_name_as_recordings_have_them_is_kept(tmp_path: Path, name: str) -> None:
    files = {"t.csv": "pandas.CSVDataset", "t.parquet": "pandas.ParquetDataset", "t.json": FILES}
    files["t.json"] = "json.JSONDataset"
    store = RecordingFolders(path=str(tmp_path / "store"), files=files)
    table = pd.DataFrame({"x": [1]})

    store.save({name: {"t.csv": table, "t.parquet": table, "t.json": 1}})

    assert entries(store) == [name]
    assert list(store.load()) == [name]
    assert store.load_file(name, "t.parquet")["x"].tolist() == [1]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"first.json": 1}, r"'last.json' missing; .* declares first.json, last.json"),
        (values(1) | {"x": 1, "y": 2}, r"'x', 'y' not declared"),
        ({"first.json": 1, "x": 1}, r"'last.json' missing and 'x' not declared"),
    ],
)
def test_files_are_exactly_the_declared_ones(
    store: RecordingFolders, given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=f"recording 'a': {problem}"):
        store.save_recording("a", given)
    with pytest.raises(ValueError, match="'x' is not declared"):
        store.load_file("a", "x")
    assert not store.path.exists()


def test_a_folder_is_replaced_as_a_whole_and_a_users_files_stay(store: RecordingFolders) -> None:
    store.save({"a": values("old")})
    (store.path / "a" / "notes.txt").write_text("mine")
    (store.path / "a" / "cuts").mkdir()

    def look(_sizes: object) -> str:
        assert loaded(store) == {"a": values("old")}
        return "new"

    store.save({"a": values(look)})

    assert loaded(store) == {"a": values("new")}
    assert (store.path / "a" / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in (store.path / "a").iterdir()) == [
        *("cuts", "first.json", "last.json", "notes.txt")
    ]
    assert entries(store) == ["a"]


@pytest.mark.parametrize("earlier", [{}, {"a": values("old")}])
@pytest.mark.parametrize("number", [28, 2, 20])  # ENOSPC; Kedro passes ENOENT and ENOTDIR on as is
def test_a_disk_that_is_full_leaves_the_earlier_folder_and_says_what_to_do(
    store: RecordingFolders,
    monkeypatch: pytest.MonkeyPatch,
    earlier: dict[str, Any],
    number: int,
) -> None:
    store.save(earlier)
    save = JSONDataset.save

    def save_until_full(self: JSONDataset, data: Any) -> None:
        save(self, data)
        if "last.json" in str(self._filepath):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(JSONDataset, "save", JSONDataset._save_wrapper(save_until_full))
    expected = rf"recording 'a' can't be written: .*{os.strerror(number)}.*make room"
    with pytest.raises(StoreError, match=expected):
        store.save_recording("a", values("new"))

    assert loaded(store) == earlier
    assert entries(store) == list(earlier)


def test_a_disk_that_is_full_in_the_end_leaves_the_earlier_folder(
    store: RecordingFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save({"a": values("old")})

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StoreError, match=r"'a' can't be written.*No space left"):
        store.save_recording("a", values("new"))

    assert loaded(store) == {"a": values("old")}
    assert entries(store) == ["a"]


@pytest.mark.parametrize(
    "error", [OSError(5, "audio is gone"), DatasetError("no table"), RuntimeError("no model")]
)
def test_a_value_that_can_not_be_made_is_no_failure_to_write(
    store: RecordingFolders, error: Exception
) -> None:
    store.save({"a": values("old")})

    with pytest.raises(type(error)) as caught:
        store.save_recording("a", {"first.json": 1, "last.json": fail(error)})

    assert caught.value is error
    assert loaded(store) == {"a": values("old")}
    assert entries(store) == ["a"]


def test_what_a_data_set_refuses_is_its_own_error(store: RecordingFolders) -> None:
    with pytest.raises(DatasetError, match="not JSON serializable"):
        store.save_recording("a", values(object()))
    assert entries(store) == []


def test_a_file_in_the_place_of_a_folder_is_kept_and_named(store: RecordingFolders) -> None:
    store.path.mkdir()
    (store.path / "a").write_text("mine")

    with pytest.raises(StoreError, match="is in the way of a folder; move it away"):
        store.save_recording("a", values(1))
    assert (store.path / "a").read_text() == "mine"


def test_leftovers_of_a_killed_run_are_settled_when_the_lock_is_taken(
    store: RecordingFolders,
) -> None:
    store.save({"a": values("old"), "b": values("new")})
    (store.path / "a" / "notes.txt").write_text("mine")
    token = store.path / ".0123456789abcdef"
    token.with_suffix(".old").mkdir()
    token.with_suffix(".part").mkdir()
    # Killed between the two renames of the exchange.
    (store.path / "a").rename(token.with_suffix(".old") / "a")
    (token.with_suffix(".part") / "a").mkdir()
    assert list(store.load()) == ["b"]

    store.lock()

    assert loaded(store) == {"a": values("old"), "b": values("new")}
    assert (store.path / "a" / "notes.txt").read_text() == "mine"
    assert entries(store) == ["a", "b"]


def test_what_this_run_is_writing_is_no_leftover(store: RecordingFolders) -> None:
    store.lock()

    def take_the_lock_again(_sizes: object) -> int:
        store.lock()
        return 1

    store.save_recording("a", values(take_the_lock_again))

    assert loaded(store) == {"a": values(1)}


def test_leftovers_that_can_not_be_settled_are_named(
    store: RecordingFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    (store.path / ".0123456789abcdef.part").mkdir(parents=True)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", refuse)
        with pytest.raises(StoreError, match=r"a killed run left .*make the folder writable"):
            store.lock()
    store.lock()  # not held by the attempt
    assert entries(store) == []


def test_two_runs_cannot_write_at_once_and_saving_lets_go(store: RecordingFolders) -> None:
    other = RecordingFolders(path=str(store.path), files=FILES)
    store.lock()
    with pytest.raises(StoreError, match="another run is writing"):
        other.lock()
    store.save([])
    other.lock()
    with pytest.raises(DatasetError, match="another run is writing"):
        store.save({"a": values(1)})
    other.release()


def test_threads_write_different_recordings_at_once(store: RecordingFolders) -> None:
    num_threads = 8
    barrier = threading.Barrier(num_threads, timeout=30)

    def write(index: int) -> None:
        def wait(_sizes: object) -> int:
            barrier.wait()  # all are in the middle of their folder
            return index

        for _ in range(3):
            store.save_recording(f"{index}", values(wait))

    with ThreadPoolExecutor(num_threads) as pool:
        list(pool.map(write, range(num_threads)))

    assert loaded(store) == {f"{index}": values(index) for index in range(num_threads)}
    assert entries(store) == [f"{index}" for index in range(num_threads)]


def test_the_last_of_two_threads_that_write_one_recording_wins(store: RecordingFolders) -> None:
    store.save_recording("a", values("old"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda state: store.save_recording("a", values(state)), range(40)))

    state = store.load_file("a", "first.json")
    assert loaded(store) == {"a": values(state)}
    assert state in range(40)
    assert entries(store) == ["a"]


def test_a_file_that_is_gone_or_damaged_is_named_with_the_remedy(store: RecordingFolders) -> None:
    store.save({"a": values(1)})
    load = store.load()["a"]
    (store.path / "a" / "first.json").unlink()
    (store.path / "a" / "last.json").write_text("{half")

    with pytest.raises(StoreError, match=r"'first.json' of recording 'a' is not there .*run the"):
        load["first.json"]()
    with pytest.raises(StoreError, match=r"'last.json' of recording 'a' is damaged .*run the"):
        load["last.json"]()


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "declares no file"),
        ({"../a.json": "json.JSONDataset"}, "holds a slash"),
        ({".a.json": "json.JSONDataset"}, "starts with a dot"),
        ({"a.json": "json.JSONDatset"}, "JSONDatset"),
        ({"a.jpg": {"type": f"{PACKAGE}.figure.FigureDataset", "dpi": 50}}, r"end it in \.png"),
        ({"a": {"type": "json.JSONDataset", "filepath": "b"}}, "`filepath` of 'a' can't be set"),
        ({"a": {"type": "json.JSONDataset", "versioned": True}}, "`versioned` of 'a' can't be set"),
    ],
)
def test_a_configuration_that_can_not_work_is_refused_at_once(
    tmp_path: Path, files: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DatasetError, match=problem):
        RecordingFolders(path=str(tmp_path), files=files)


CATALOG = """
recording_predictions:
  type: acoustic_event_prediction.datasets.recording_folders.RecordingFolders
  path: {root}/prediction
  files:
    scores.csv: {{type: pandas.CSVDataset, save_args: {{index: false}}}}
    scores.parquet: {{type: pandas.ParquetDataset, save_args: {{index: false}}}}
    prediction.json: {{type: json.JSONDataset, save_args: {{indent: 2}}}}
    events.TextGrid: {{type: acoustic_event_prediction.datasets.textgrid.TextGridDataset}}
    events.rttm: {{type: acoustic_event_prediction.datasets.rttm.RttmDataset}}
    score_track.png: {{type: acoustic_event_prediction.datasets.figure.FigureDataset, dpi: 50}}
    report.html: {{type: acoustic_event_prediction.datasets.text_file.TextFileDataset}}
  metadata: {{kedro-viz: {{layer: model_output}}}}
"""


def test_a_catalog_file_makes_folders_of_all_formats_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "conf" / "base").mkdir(parents=True)
    (tmp_path / "conf" / "base" / "catalog.yml").write_text(CATALOG.format(root=tmp_path))
    config = OmegaConfigLoader(str(tmp_path / "conf"), base_env="base", default_run_env="base")
    catalog = DataCatalog.from_config(config["catalog"])
    table = pd.DataFrame({"onset": [0.08], "offset": [0.16], "name": ["Laughter"]})
    tiers = AnnotationTiers(1.0, {"laughs": table.rename(columns={"name": "text"})})
    recording = {
        "scores.csv": table,
        "scores.parquet": table,
        "prediction.json": {"num_events": 1},
        "events.TextGrid": tiers,
        "events.rttm": table,
        "score_track.png": Figure(figsize=(1, 1)),
        "report.html": "<p>",
    }

    catalog.save("recording_predictions", {"Half past four": recording})

    folder = tmp_path / "prediction" / "Half past four"
    assert sorted(path.name for path in folder.iterdir()) == sorted([*recording, "score_track.pdf"])
    assert "SPEAKER Half_past_four 1 0.080 0.080" in (folder / "events.rttm").read_text()
    files = catalog.load("recording_predictions")["Half past four"]
    assert files["scores.parquet"]().equals(table)
    assert files["events.rttm"]().equals(RttmDataset(filepath=str(folder / "events.rttm")).load())
    assert files["report.html"]() == "<p>"
    assert files["score_track.png"]()[:4] == b"\x89PNG"


def test_the_preview_names_the_recordings(tmp_path: Path) -> None:
    folders = RecordingFolders(path=str(tmp_path), files={"a.json": "json.JSONDataset"})
    for name in ("talk", "call"):
        folders.save_recording(name, {"a.json": {}})
    shown = folders.preview(nrows=1)
    assert shown["columns"][0] == "recording (2 in all)"
    assert shown["data"] == [["call", "a.json"]]
