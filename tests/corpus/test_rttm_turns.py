from pathlib import Path

import pytest

from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.corpus.rttm_turns import ImportedTurns, import_turns
from acoustic_event_prediction.errors import CorpusError
from tests.made import audio_file


def episode(name: str) -> Episode:
    return Episode(
        episode_id=f"train/{name}",
        split="train",
        name=name,
        duration_seconds=4.0,
        num_frames=50,
        audio=audio_file(),
        tracks={},
        sources=("mono",),
        transcript_unit_seconds=None,
    )


def speaker(file: str, onset: str, duration: str, name: str) -> str:
    return f"SPEAKER {file} 1 {onset} {duration} <NA> <NA> {name} <NA> <NA>\n"


def rows(imported: ImportedTurns, episode_id: str) -> list[tuple[object, ...]]:
    return list(imported.turns[episode_id].itertuples(index=False, name=None))


def warnings(imported: ImportedTurns) -> list[str]:
    return [str(finding) for finding in imported.warnings]


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_a_file_named_after_the_episode_holds_its_turns(tmp_path: Path) -> None:
    write(
        tmp_path / "show_1.rttm",
        speaker("show_1", "2.2", "1.0", "B"),
        "NON-LEX show_1 1 2.5 0.2 <NA> laugh B <NA> <NA>\n",
        speaker("show_1", "0.0", "2.0", "A"),
    )
    imported = import_turns(tmp_path, [episode("show_1")])
    assert rows(imported, "train/show_1") == [(0.0, 2.0, "A"), (2.2, 3.2, "B")]
    assert imported.warnings == []


def test_one_file_holds_the_turns_of_all_names_without_blanks(tmp_path: Path) -> None:
    path = write(
        tmp_path / "all.rttm",
        speaker("Tea_at_Nine_Ep._1", "0", "1", "A"),
        speaker("show_2.wav", "1", "1", "B"),
    )
    imported = import_turns(path, [episode("Tea at Nine_Ep. 1"), episode("show_2")])
    assert rows(imported, "train/Tea at Nine_Ep. 1") == [(0.0, 1.0, "A")]
    assert rows(imported, "train/show_2") == [(1.0, 2.0, "B")]


def test_an_episode_without_a_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "show_1.rttm", speaker("show_1", "0", "1", "A"))
    imported = import_turns(tmp_path, [episode("show_1"), episode("show_2")])
    assert list(imported.turns) == ["train/show_1"]
    (warning,) = warnings(imported)
    assert warning.startswith("train/show_2: ")
    assert "has no turns of this episode" in warning


def test_no_match_at_all_is_an_error_that_shows_both_sides(tmp_path: Path) -> None:
    write(tmp_path / "other.rttm", speaker("other", "0", "1", "A"))
    with pytest.raises(CorpusError, match=r"turns of 'other', and of none.*such as 'show_1'"):
        import_turns(tmp_path, [episode("show_1")])
    with pytest.raises(CorpusError, match="turns of nobody"):
        import_turns(write(tmp_path / "empty" / "x.rttm"), [episode("show_1")])


def test_a_file_that_is_about_another_episode_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path / "show_1.rttm", speaker("tape_7", "0", "1", "A"))
    imported = import_turns(tmp_path, [episode("show_1")])
    assert rows(imported, "train/show_1") == [(0.0, 1.0, "A")]
    assert "by its lines it is about 'tape_7'" in warnings(imported)[0]


def test_lines_about_others_are_left_out_of_an_episodes_file(tmp_path: Path) -> None:
    write(
        tmp_path / "show_1.rttm",
        speaker("show_1", "0", "1", "A"),
        speaker("show_2", "1", "1", "B"),
    )
    imported = import_turns(tmp_path, [episode("show_1")])
    assert rows(imported, "train/show_1") == [(0.0, 1.0, "A")]
    assert "1 lines are about 'show_2', and were left out" in warnings(imported)[0]


def test_a_file_without_speakers_leaves_the_episode_without_turns(tmp_path: Path) -> None:
    write(tmp_path / "show_1.rttm", ";; nobody\n")
    imported = import_turns(tmp_path, [episode("show_1")])
    assert imported.turns == {}
    assert "has no SPEAKER line" in warnings(imported)[0]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([speaker("show_1", "soon", "1", "A")], "no finite number"),
        ([speaker("show_1", "-1", "1", "A")], "negative time"),
        ([speaker("show_1", "1", "-0.5", "A")], "end before its start"),
        ([speaker("show_1", "9", "1", "A")], "past the audio's end"),
        ([speaker("show_1", "0", "1", "../A")], "'../A' holds a slash"),
        ([speaker("show_1", "0", "1", "<NA>")], "line 1 names no speaker"),
        ([speaker("x", "0", "1", "A"), speaker("y", "0", "1", "A")], "about 'x', 'y', none of"),
        (["SPEAKER show_1 1 0\n"], "line 1 has 4 cells"),
    ],
)
def test_lines_that_cant_be_used_are_named_with_their_file(
    tmp_path: Path, lines: list[str], problem: str
) -> None:
    write(tmp_path / "rttm" / "show_1.rttm", *lines)
    with pytest.raises(CorpusError, match=f"train/show_1: rttm/show_1.rttm: .*{problem}"):
        import_turns(tmp_path / "rttm", [episode("show_1")])


def test_problems_of_all_files_are_in_one_error(tmp_path: Path) -> None:
    write(tmp_path / "show_1.rttm", "SPEAKER\n")
    (tmp_path / "show_2.rttm").write_bytes(b"\xff\xfe")
    with pytest.raises(CorpusError, match=r"(?s)show_1\.rttm.*show_2\.rttm: is no RTTM file"):
        import_turns(tmp_path, [episode("show_1"), episode("show_2")])


def test_a_place_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="neither a folder nor a file"):
        import_turns(tmp_path / "nowhere", [episode("show_1")])
    (tmp_path / "x.rttm").write_bytes(b"\xff\xfe")
    with pytest.raises(CorpusError, match=r"x\.rttm: is no RTTM file in UTF-8"):
        import_turns(tmp_path / "x.rttm", [episode("show_1")])
