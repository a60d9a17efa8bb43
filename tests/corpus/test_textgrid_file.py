from pathlib import Path

import pytest
from praatio import textgrid

from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.textgrid_file import read_textgrid

SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
4
<exists>
1
"IntervalTier"
"Ann"
0
4
3
0
1
""
1
1.5
"say ""ha"" 3 !"
1.5
4
"Breath"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.TextGrid"


def rows(path: Path) -> list[tuple[float, float, str, str]]:
    return [
        (e.onset, e.offset, e.label, e.label_full) for e in read_textgrid(path, label_is="text")
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("layout", ["short_textgrid", "long_textgrid"])
def test_what_praatio_writes_is_read(path: Path, layout: str, encoding: str) -> None:
    grid = textgrid.Textgrid(0, 4)
    spans = [(0.5, 1.0, 'said "ha"'), (1.0, 2.25, "M\u00fcller = 3\n!"), (3.0, 3.5, "item [1]:")]
    grid.addTier(textgrid.IntervalTier('Ann "A"', spans, 0, 4))
    grid.addTier(textgrid.IntervalTier("empty", [], 0, 4))
    grid.addTier(textgrid.PointTier("clicks", [(2.0, "click"), (3.0, "click")], 0, 4))
    grid.save(str(path), format=layout, includeBlankSpaces=True)
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    assert rows(path) == [
        *((onset, offset, text, 'Ann "A"') for onset, offset, text in spans),
        (2.0, 2.0, "click", "clicks"),
        (3.0, 3.0, "click", "clicks"),
    ]


def test_the_label_may_be_the_name_of_the_tier(path: Path) -> None:
    path.write_text(SHORT)
    assert [e.label for e in read_textgrid(path, label_is="tier")] == ["Ann", "Ann"]


def test_windows_line_ends_signs_and_powers_of_ten_are_read(path: Path) -> None:
    text = SHORT.replace("\n1\n1.5\n", "\n-1e-05\n1.5\n").replace("\n", "\r\n")
    path.write_bytes(text.encode())
    assert rows(path)[0] == (-1e-05, 1.5, 'say "ha" 3 !', "Ann")


def test_a_file_that_is_cut_short_anywhere_is_never_read_as_a_shorter_one(path: Path) -> None:
    path.write_text(SHORT)
    assert len(rows(path)) == 2
    for length in range(len(SHORT) - 2):
        path.write_text(SHORT[:length])
        with pytest.raises(FileProblem, match=r"cut short|stands where"):
            rows(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no TextGrid, or cut short: it ends before the file type"),
        (b"ooBinaryFile\x08TextGrid", "binary TextGrid: save it again in Praat as a text file"),
        (b'File type = "ooTextFile"\nObject class = "Sound 2"\n', "holds 'Sound 2', no TextGrid"),
        (b"\x80abc", "no text in UTF-8 or UTF-16"),
        (SHORT.replace("\n3\n0\n", "\n2\n0\n").encode(), "line 19: holds more than its sizes say"),
        (SHORT.replace("\n3\n0\n", "\n2.5\n0\n").encode(), r"line 12: the size of .* is 2\.5"),
        (SHORT.replace("\n1.5\n", "\nlater\n").encode(), "line 18: .* stands where the end of"),
    ],
)
def test_what_is_no_textgrid_says_where_and_why(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(FileProblem, match=message):
        rows(path)


def test_a_textgrid_without_tiers_has_no_events(path: Path) -> None:
    path.write_text(SHORT[: SHORT.index("<exists>")] + "<absent>\n")
    assert rows(path) == []
