"""The catalog type of events in RTTM."""

import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from acoustic_event_prediction.corpus.rttm import read_rttm
from acoustic_event_prediction.datasets.rttm import RttmDataset, rttm_cell

CELLS = ["type", "file", "channel", "onset", "duration", "text", "subtype", "name", "score", "late"]
FRAME_RATE_HZ = 12.5


def events(*rows: tuple[float, float, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["onset", "offset", "name"])


def rows(table: pd.DataFrame) -> list[list[object]]:
    return table.to_numpy().tolist()


def read_as_table(path: Path) -> pd.DataFrame:
    """As readers built on pandas do, `pyannote.database.util.load_rttm` among them."""
    return pd.read_csv(path, names=CELLS, sep=r"\s+", dtype={"file": str, "name": str})


@pytest.fixture
def dataset(tmp_path: Path) -> RttmDataset:
    return RttmDataset(filepath=str(tmp_path / "episode 1" / "events.rttm"))


def path_of(dataset: RttmDataset) -> Path:
    return Path(dataset._describe()["filepath"])


def test_lines_are_those_of_the_format_with_the_folder_as_recording(dataset: RttmDataset) -> None:
    assert not dataset.exists()

    dataset.save(events((1.2, 1.36, "Laughter"), (0.08, 0.5, "Breath")))

    assert path_of(dataset).read_text(encoding="utf-8") == (
        "SPEAKER episode_1 1 0.080 0.420 <NA> <NA> Breath <NA> <NA>\n"
        "SPEAKER episode_1 1 1.200 0.160 <NA> <NA> Laughter <NA> <NA>\n"
    )
    assert dataset.exists()


def test_recording_can_be_named(tmp_path: Path) -> None:
    dataset = RttmDataset(filepath=str(tmp_path / "a.rttm"), uri="Half past four")

    dataset.save(events((0.0, 1.0, "a")))

    assert [line.file for line in read_rttm(tmp_path / "a.rttm")] == ["Half_past_four"]


def test_folder_whose_name_is_no_text_does_not_break_the_file(tmp_path: Path) -> None:
    dataset = RttmDataset(filepath=str(tmp_path / "a.rttm"), uri="caf\udce9")

    dataset.save(events((0.0, 1.0, "a")))

    assert [line.file for line in read_rttm(tmp_path / "a.rttm")] == ["caf_"]


def test_relative_path_without_a_folder_names_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert RttmDataset(filepath="a.rttm")._describe()["uri"] == tmp_path.name


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**6), st.integers(1, 10**4), st.sampled_from(["Laughter", "Breath"])
        )
    )
)
def test_times_on_the_frame_grid_come_back_as_they_were(
    dataset: RttmDataset, spans: list[tuple[int, int, str]]
) -> None:
    table = events(
        *(
            (first / FRAME_RATE_HZ, (first + length) / FRAME_RATE_HZ, name)
            for first, length, name in spans
        )
    )

    dataset.save(table)

    ordered = table.sort_values(["onset", "offset"], kind="stable")
    assert rows(dataset.load()) == rows(ordered)


def test_times_off_the_grid_are_rounded_to_the_nearest_millisecond(dataset: RttmDataset) -> None:
    dataset.save(events((0.0004, 0.0016, "a"), (1.00049, 2.00151, "b")))

    assert rows(dataset.load()) == [[0.0, 0.002, "a"], [1.0, 2.002, "b"]]


def test_overlapping_and_equal_events_stay_apart(dataset: RttmDataset) -> None:
    table = events(
        *[(1.0, 2.0, name) for name in ("b", "a", "a")],
        (1.5, 2.5, "a"),
        *[(3.0, 4.0, f"{index}") for index in range(12)],
    )

    dataset.save(table)

    assert rows(dataset.load()) == rows(table)


def test_table_without_events_is_an_empty_file(dataset: RttmDataset) -> None:
    dataset.save(events())

    loaded = dataset.load()
    assert path_of(dataset).read_bytes() == b""
    assert loaded.empty
    assert loaded.dtypes.astype(str).to_dict() == {
        "onset": "float64",
        "offset": "float64",
        "name": "str",
    }


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "two words", "tab\tline\nreturn\r", "nul\0 unit\x1f", "no\u00a0break\u3000"),
        *("line\u2028paragraph\u2029", "\x85", '"', '"quoted', "<NA>", "NA", "nan", "None"),
        *("#N/A", ";; no comment", "Zoë 🙂", "it's", "名前"),
    ],
)
def test_any_name_and_recording_is_one_cell_for_every_reader(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.rttm"
    dataset = RttmDataset(filepath=str(path), uri=name)

    dataset.save(events((0.0, 1.0, name), (2.0, 3.0, "next")))

    cell = rttm_cell(name)
    assert [(line.file, line.name) for line in read_rttm(path)] == [(cell, cell), (cell, "next")]
    table = read_as_table(path)
    assert table[["file", "name"]].to_numpy().tolist() == [[cell, cell], [cell, "next"]]
    assert table["onset"].tolist() == [0.0, 2.0]
    with path.open(encoding="utf-8", newline="") as file:
        assert [len(line) for line in csv.reader(file, delimiter=" ")] == [10, 10]
    assert dataset.load()["name"].tolist() == [cell, "next"]


@pytest.mark.parametrize("name", ["Laughter", "SPEAKER_00", "Zoë", "Nancy", "n.a.", "-"])
def test_legal_name_is_kept(name: str) -> None:
    assert rttm_cell(name) == name


def test_missing_name_is_an_empty_one(dataset: RttmDataset) -> None:
    dataset.save(pd.DataFrame({"onset": [0.0], "offset": [1.0], "name": [None]}))

    assert dataset.load()["name"].tolist() == ["_"]


@pytest.mark.parametrize(
    ("onset", "offset"),
    [(-0.5, 1.0), (1.0, 1.0), (2.0, 1.0), (1.0, 1.0004), (float("nan"), 1.0), (0.0, float("inf"))],
)
def test_what_no_line_can_say_is_refused_and_the_old_file_stays(
    dataset: RttmDataset, onset: float, offset: float
) -> None:
    dataset.save(events((0.0, 1.0, "a")))

    with pytest.raises(DatasetError, match=r"row 1 goes from .* leave the row out"):
        dataset.save(events((0.0, 2.0, "b"), (onset, offset, "c")))

    assert rows(dataset.load()) == [[0.0, 1.0, "a"]]
    assert len(list(path_of(dataset).parent.iterdir())) == 1


def test_only_speaker_lines_are_loaded(dataset: RttmDataset) -> None:
    path_of(dataset).parent.mkdir()
    path_of(dataset).write_text(
        ";; by hand\n"
        "SPKR-INFO x 1 <NA> <NA> <NA> unknown A <NA>\n"
        "SPEAKER x 1 1.25 0.5 <NA> <NA> <NA> <NA>\n"
    )

    assert rows(dataset.load()) == [[1.25, 1.75, ""]]


@pytest.mark.parametrize("times", ["x 1.0", "1.0 x", "1.0 -0.5"])
def test_line_without_times_is_named(dataset: RttmDataset, times: str) -> None:
    path_of(dataset).parent.mkdir()
    path_of(dataset).write_text(f"SPEAKER x 1 {times} <NA> <NA> a <NA> <NA>\n")

    with pytest.raises(DatasetError, match="line 1: its onset or duration is no time"):
        dataset.load()
