import os
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from acoustic_event_prediction.errors import CorpusError
from tests.corpus.recordings import HEADER, Recordings, problems, splits, warnings

NAMES = ("a_1", "b_1", "c_1")
ROWS = tuple(f"{name},1.0,1.5,Laughter" for name in NAMES)
WITH_SPLIT = f"{HEADER},split"


@pytest.fixture
def corpus(tmp_path: Path) -> Recordings:
    return Recordings(tmp_path).add(*(f"{name}.wav" for name in NAMES))


def test_recordings_lie_anywhere_and_are_named_after_their_files(tmp_path: Path) -> None:
    corpus = Recordings(tmp_path).add("a_1.wav", "x/b_1.flac", "x/y z/Ep. 3_#1.ogg")
    found = corpus.table("a_1,1,2,L").find()
    assert sorted(splits(found)) == ["Ep. 3_#1", "a_1", "b_1"]
    assert problems(found) == []


def test_hidden_files_and_resource_forks_are_no_recordings(corpus: Recordings) -> None:
    corpus.write("._a_2.wav", "").write(".trash/d_1.wav", "").write(".e_1.wav", "")
    assert sorted(splits(corpus.table(*ROWS).find())) == [*NAMES]


def test_a_link_back_to_a_folder_above_is_no_loop(corpus: Recordings) -> None:
    (corpus.root / "again").symlink_to(corpus.root)
    (corpus.root / "sub").mkdir()
    (corpus.root / "sub/up").symlink_to(corpus.root / "sub")
    found = corpus.table(*ROWS).find()
    assert sorted(splits(found)) == [*NAMES]
    assert problems(found) == []


def test_a_linked_folder_from_elsewhere_is_followed(corpus: Recordings, tmp_path: Path) -> None:
    root = tmp_path / "linked"
    root.mkdir()
    (root / "disc").symlink_to(Recordings(tmp_path / "elsewhere").add("a.wav").root)
    found = Recordings(root).table("a,1,2,L").find(fractions=dict(train=1, validation=0, test=0))
    assert splits(found) == {"a": "train"}


def test_two_formats_in_one_folder_are_one_recording(corpus: Recordings) -> None:
    corpus.add("a_1.ogg", "b_1.flac").table(*ROWS)
    (audio,) = [e.audio for e in corpus.find().episodes if e.name == "a_1"]
    assert audio == corpus.root / "a_1.wav"


def test_two_recordings_of_one_name_are_a_problem_and_neither_is_used(corpus: Recordings) -> None:
    corpus.add("disc 2/a_1.wav", "d_1.wav").table(*ROWS[1:], "d_1,1,2,L")
    found = corpus.find()
    (problem,) = problems(found)
    assert problem.startswith("a_1: a_1.wav: bears the same name as disc 2/a_1.wav: rename")
    assert "a_1" not in splits(found)


def test_a_copy_that_is_a_link_is_the_same_recording(corpus: Recordings) -> None:
    (corpus.root / "best").mkdir()
    (corpus.root / "best/a_1.wav").symlink_to(corpus.root / "a_1.wav")
    assert problems(corpus.table(*ROWS).find()) == []


def test_a_folder_that_can_not_be_read_is_a_problem(
    corpus: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (corpus.root / "locked").mkdir()
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    (problem,) = problems(corpus.table(*ROWS).find())
    assert problem == "locked: can't be read (Permission denied): check the folder's permissions"


@pytest.mark.parametrize("below", ["nowhere", "."])
def test_no_recording_is_an_error_that_shows_what_is_expected(tmp_path: Path, below: str) -> None:
    with pytest.raises(CorpusError, match=r"harbour_01,12\.34(?s:.*)ingestion\.layout=table"):
        Recordings(tmp_path / below).find()


def test_recordings_without_any_events_are_an_error_that_names_the_table(
    corpus: Recordings,
) -> None:
    corpus.write("my events.csv", HEADER, *ROWS)
    with pytest.raises(CorpusError, match=r"events=my events\.csv; expected(?s:.*)TextGrid"):
        corpus.find()


def test_a_composed_name_finds_its_decomposed_recording(tmp_path: Path) -> None:
    composed = "Caf\u00e9_1"
    corpus = Recordings(tmp_path).add(f"{unicodedata.normalize('NFD', composed)}.wav", "b_1.wav")
    corpus.table(f"{composed},1,2,L", "b_1,1,2,L")
    found = corpus.find(fractions={"train": 1, "validation": 1, "test": 0})
    assert set(splits(found)) == {composed, "b_1"}
    assert problems(found) == []
    assert not any("not there" in text for text in warnings(found))


@pytest.mark.parametrize("written", ["a_1", "a_1.wav", "A 1", "a-1.mp3", " a_1 ", '"a_1"'])
def test_a_row_names_its_recording_with_or_without_suffix(corpus: Recordings, written: str) -> None:
    found = corpus.table(f"{written},1,2,L", *ROWS[1:]).find()
    assert problems(found) == []
    assert not any("not there" in text for text in warnings(found))


def test_rows_without_recording_are_one_warning_with_number_and_first(corpus: Recordings) -> None:
    found = corpus.table(*ROWS, "d_1,1,2,L", "d_1,2,3,L", "../../evil,1,2,L").find()
    assert problems(found) == []
    assert warnings(found)[0].startswith(
        "events.csv: 3 of 6 rows name 2 recordings that are not there, the first: 'd_1' (line 5)"
    )


def test_names_that_do_not_fit_on_either_side_are_a_problem_with_the_nearest(
    corpus: Recordings,
) -> None:
    found = corpus.table(*ROWS[:2], "c_one,1,2,L").find()
    (problem,) = problems(found)
    assert "c_1" not in splits(found)
    assert "'c_one' (line 4), and 1 recordings have no row, the first: 'c_1'" in problem
    assert "nearest to 'c_one' are 'c_1'" in problem


def test_a_table_of_other_recordings_is_an_error(corpus: Recordings) -> None:
    with pytest.raises(CorpusError, match=r"2 of 2 rows name 2 .* and 3 recordings have no row"):
        corpus.table("x,1,2,L", "y,1,2,L").find()


def test_of_two_alike_recordings_none_is_guessed(corpus: Recordings) -> None:
    found = corpus.add("a-1.wav").table("A 1,1,2,L", *ROWS[1:]).find()
    assert "'A 1' (line 2), and 2 recordings have no row" in problems(found)[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"has no column .*episode, .*onset, .*offset.* \(it has: none\)"),
        (f"{HEADER}\n", "has no row"),
        ("episode,onset,label\na_1,1,L\n", r"has no column .*offset \(it has: episode, onset"),
        ("onset,offset,label\n1,2,L\n", "has no column podcast_filename or episode"),
        ("episode;onset;offset;label\na_1;1;2;L\n", "divide the cells by commas"),
        (f"{HEADER}\na_1,1,2\n", "line 2 has 3 cells, the header 4"),
        (b"\xff\xfe\x00", "is no CSV file in UTF-8"),
        (f"{HEADER}\na_1,1,2,{'x' * 140_000}\n", "is no CSV file in UTF-8 .*field larger"),
    ],
)
def test_a_table_that_can_not_be_used_says_why(
    corpus: Recordings, content: str | bytes, message: str
) -> None:
    encoded = content if isinstance(content, bytes) else content.encode()
    (corpus.root / "events.csv").write_bytes(encoded)
    with pytest.raises(CorpusError, match=message):
        corpus.find()


def test_a_table_that_is_not_there_says_where_it_was_sought(corpus: Recordings) -> None:
    with pytest.raises(CorpusError, match=r"/laughs\.csv can't be read \(No such file"):
        corpus.find(events="laughs.csv")


def test_a_table_of_an_unknown_format_is_refused(corpus: Recordings) -> None:
    corpus.write("events.xlsx", "")
    with pytest.raises(CorpusError, match=r"'\.xlsx'; known are \.csv, \.parquet, \.rttm"):
        corpus.find(events="events.xlsx")


def test_bom_crlf_quotes_and_commas_are_read(tmp_path: Path) -> None:
    corpus = Recordings(tmp_path).add('Half past, again "live".wav', "b.wav", "c.wav")
    (tmp_path / "events.csv").write_bytes(
        b'\xef\xbb\xbflabel,"episode",onset,offset\r\n"A, b","Half past, again ""live""",1,2\r\n'
        b"L,b,1,2\r\n\r\nL,c,1,2\r\n"
    )
    found = corpus.find()
    assert problems(found) == []
    assert len(warnings(found)) == 1


def test_a_parquet_table_is_read_with_numbers_as_names(tmp_path: Path) -> None:
    Recordings(tmp_path).add("1.wav", "2.wav", "3.wav")
    table = pd.DataFrame(
        {
            "episode": [1, 2, 3],
            "onset": [1, 2, 3],
            "offset": [1.5, 2.5, 3.5],
            "label": ["L"] * 3,
            "split": ["train", "test", "validation"],
            "more": [{"a": 1}] * 3,
        }
    )
    table.to_parquet(tmp_path / "events.parquet")
    found = Recordings(tmp_path).find(events="events.parquet")
    assert splits(found) == {"1": "train", "2": "test", "3": "validation"}


def test_a_broken_parquet_table_says_so(corpus: Recordings) -> None:
    corpus.write("events.parquet", "PAR1 no more")
    with pytest.raises(CorpusError, match="is no parquet file that can be read"):
        corpus.find(events="events.parquet")
    pd.DataFrame({"episode": ["a_1"], "onset": [1.0]}).to_parquet(corpus.root / "events.parquet")
    with pytest.raises(CorpusError, match=r"has no column .*label, .*offset \(it has: episode, on"):
        corpus.find(events="events.parquet")


def test_a_table_may_lie_elsewhere(
    corpus: Recordings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = tmp_path_factory.mktemp("elsewhere") / "laughs.csv"
    table.write_text("\n".join([HEADER, *ROWS]))
    assert problems(corpus.find(events=str(table))) == []
