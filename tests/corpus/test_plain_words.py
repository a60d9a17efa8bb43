import json
from pathlib import Path

import pytest

from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.formats import WORDS, read_file
from acoustic_event_prediction.corpus.tables import Interval

WORD = {"onset": 0.5, "offset": 0.75, "text": " null "}


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_words_of_a_csv_are_in_seconds(tmp_path: Path) -> None:
    path = write(tmp_path, "a.words.csv", "text,onset,offset\nnull,0.5,0.75\n,1,2\n")
    words, unit, speakers = read_file(path, WORDS)
    assert (words, unit, speakers) == ([Interval(0.5, 0.75, "null")], 1.0, [None])


def test_words_of_a_json_list_are_in_seconds(tmp_path: Path) -> None:
    path = write(tmp_path, "a.words.JSON", [WORD, WORD | {"text": ""}])
    words, unit, speakers = read_file(path, WORDS)
    assert (words, unit, speakers) == ([Interval(0.5, 0.75, "null")], 1.0, [None])


def test_a_column_names_the_speakers_of_a_csv(tmp_path: Path) -> None:
    lines = "speaker,onset,offset,text\n B ,0,1,yes\nA,1,2,\n,2,3,well\nnull,3,4,no\n"
    words = read_file(write(tmp_path, "a.words.csv", lines), WORDS)
    assert [word.name for word in words.words] == ["yes", "well", "no"]
    assert words.speakers == ["B", None, "null"]


def test_a_field_names_the_speakers_of_a_json_list(tmp_path: Path) -> None:
    given: list[object] = ["B ", 0, None, " "]
    entries = [WORD, *(WORD | {"speaker": speaker} for speaker in given)]
    words = read_file(write(tmp_path, "a.words.json", entries), WORDS)
    assert words.speakers == [None, "B", "0", None, None]


@pytest.mark.parametrize("name", ["a.json", "a.words.json"])
def test_a_transcript_of_the_corpus_is_in_ticks_whatever_its_name(
    tmp_path: Path, name: str
) -> None:
    word = {"text": "good", "offset": 5, "duration": 2}
    path = write(tmp_path, name, {"segments": [{"nbest": [{"words": [word]}]}]})
    assert read_file(path, WORDS) == ([Interval(5, 7, "good")], None, ())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.words.json", "[", "is no JSON"),
        ("a.words.json", "3", "is no list"),
        ("a.words.json", [WORD, {"onset": 1}], r"entry \[1\] has no offset, text"),
        ("a.words.json", [WORD | {"speaker": ["A"]}], r"entry \[0\] has the speaker \['A'\].*name"),
        ("a.words.json", [WORD | {"speaker": True}], r"entry \[0\] has the speaker True"),
        ("a.words.json", ["hello"], r"entry \[0\] has no onset, offset, text"),
        ("a.words.csv", "onset,offset\n1,2\n", "has no column text"),
        ("a.doc", "", r"no known format '.doc'"),
    ],
)
def test_what_holds_no_words_says_why(
    tmp_path: Path, name: str, content: object, message: str
) -> None:
    with pytest.raises(FileProblem, match=message):
        read_file(write(tmp_path, name, content), WORDS)
