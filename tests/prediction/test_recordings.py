import os
from pathlib import Path

import pytest

from acoustic_event_prediction.corpus.raw import RawEpisode
from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.prediction.recordings import find_recordings
from tests.made import prediction_params


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


def by_name(**params: object) -> dict[str, RawEpisode]:
    return {raw.name: raw for raw in find_recordings(prediction_params(**params)).episodes}


def test_one_file_of_any_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "a talk, 3.weird", "other.wav")
    corpus = find_recordings(prediction_params(recording=str(tmp_path / "a talk, 3.weird")))
    assert [raw.episode_id for raw in corpus.episodes] == ["recordings/a talk, 3"]
    assert corpus.root == tmp_path


def test_a_folder_gives_its_audio_files_and_no_others(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.MP3", "c.m4a", "notes.txt", "._a.wav")
    touch(tmp_path / "deeper", "d.wav")
    assert list(by_name(recording=str(tmp_path))) == ["a", "b", "c"]


def test_recordings_of_one_name_keep_their_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "a.mp3", "b.wav")
    assert sorted(by_name(recording=str(tmp_path))) == ["a.mp3", "a.wav", "b"]


def test_a_file_belongs_to_the_one_recording(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "who.rttm", "said.csv", "laughs.txt")
    (raw,) = by_name(
        recording=str(tmp_path / "a.wav"),
        turns=str(tmp_path / "who.rttm"),
        words=str(tmp_path / "said.csv"),
        laughs=str(tmp_path / "laughs.txt"),
    ).values()
    assert (raw.diarization, raw.transcript, raw.annotation) == tuple(
        tmp_path / name for name in ("who.rttm", "said.csv", "laughs.txt")
    )


def test_files_of_a_folder_are_found_by_name_or_letters(tmp_path: Path) -> None:
    touch(tmp_path, "Ep. 1.wav", "Ep. 2.wav", "Ep. 3.wav")
    touch(tmp_path / "words", "Ep. 1.words.json", "ep_2.csv")
    found = by_name(recording=str(tmp_path), words=str(tmp_path / "words"))
    assert found["Ep. 1"].transcript == tmp_path / "words" / "Ep. 1.words.json"
    assert found["Ep. 2"].transcript == tmp_path / "words" / "ep_2.csv"
    assert found["Ep. 3"].transcript is None
    assert not any(raw.problems for raw in found.values())


def test_one_rttm_file_is_of_the_recordings_that_its_lines_name(tmp_path: Path) -> None:
    touch(tmp_path, "Ep. 1.wav", "b.wav", "c.wav")
    path = tmp_path / "all.rttm"
    path.write_text("".join(f"SPEAKER {n} 1 0 1 <NA> <NA> A\n" for n in ("ep_1", "b.wav", "z")))
    found = by_name(recording=str(tmp_path), turns=str(path), laughs=str(path))
    assert [found[name].diarization for name in ("Ep. 1", "b", "c")] == [path, path, None]
    assert [found[name].annotation for name in ("Ep. 1", "b", "c")] == [path, path, None]
    assert [str(warning) for warning in found["c"].warnings] == [
        f"recordings/c: all.rttm: has no line about this recording: its {kind} are missing"
        for kind in ("turns", "laughs")
    ]


def test_two_files_of_one_kind_are_that_recordings_problem(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    touch(tmp_path / "words", "a.csv", "a.json", "b.csv")
    found = by_name(recording=str(tmp_path), words=str(tmp_path / "words"))
    assert "not the only file of words" in str(found["a"].problems[0])
    assert not found["b"].problems


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "which recording.*prediction.recording="),
        ({"recording": "{}/gone.wav"}, "no such file or folder"),
        ({"recording": "{}/" + "x" * 5000}, "no such file or folder"),
        ({"recording": "{}/empty"}, "folder without recordings.*0 sub-folders"),
        ({"recording": "{}", "turns": "{}/gone"}, "prediction.turns=.*no such"),
        ({"recording": "{}", "words": "{}/said.csv"}, r"one file, .*for each, named.*are$"),
        ({"recording": "{}", "laughs": "{}/l.txt"}, r"one file, .* 2 recordings.*or one RTTM"),
        ({"recording": "{}", "turns": "{}/who.rttm"}, "lines about 'x', .*none of the 2.*'a', 'b'"),
        ({"recording": "{}", "turns": "{}/bad.rttm"}, "bad.rttm: line 1 has 1 cells"),
        ({"recording": "{}", "words": "{}/empty"}, r"no file of any of the 2.*\.csv"),
    ],
)
def test_what_cannot_be_found_is_named(
    tmp_path: Path, params: dict[str, str], message: str
) -> None:
    touch(tmp_path, "a.wav", "b.wav", "said.csv", "l.txt")
    (tmp_path / "who.rttm").write_text("SPEAKER x 1 0 1 <NA> <NA> Ann <NA> <NA>\n")
    (tmp_path / "bad.rttm").write_text("SPEAKER\n")
    (tmp_path / "empty").mkdir()
    values = {name: text.replace("{}", str(tmp_path)) for name, text in params.items()}
    with pytest.raises(CorpusError, match=message):
        find_recordings(prediction_params(**values))


def test_a_pipe_is_found_and_left_to_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert list(by_name(recording=str(tmp_path))) == ["pipe"]


def test_names_that_differ_in_how_letters_are_composed_are_both_there(tmp_path: Path) -> None:
    composed, decomposed = "M\u00fcller.wav", "Mu\u0308ller.wav"
    touch(tmp_path, composed, decomposed)
    found = by_name(recording=str(tmp_path))
    assert {raw.audio for raw in found.values()} == {tmp_path / composed, tmp_path / decomposed}
