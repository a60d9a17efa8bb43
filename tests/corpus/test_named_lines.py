from pathlib import Path

import pytest

from acoustic_event_prediction.corpus.findings import FileProblem, Findings
from acoustic_event_prediction.corpus.named_lines import take_own


def take(*names: str | None, of: str, file: str = "all.rttm") -> tuple[list[str | None], list[str]]:
    findings = Findings(Path(), of)
    own = take_own(names, lambda line: line, of, findings, Path(file))
    return own, [warning.problem for warning in findings.warnings]


@pytest.mark.parametrize("written", ["ep_1", "Ep 1.wav", "<NA>", None])
def test_lines_about_this_recording_or_none_are_taken(written: str | None) -> None:
    assert take(written, written, of="Ep. 1") == ([written, written], [])


def test_the_name_itself_goes_before_the_same_letters() -> None:
    assert take("a 1", "a_1", of="a_1") == (["a_1"], [])


def test_lines_about_others_are_told_where_the_file_bears_the_recordings_name() -> None:
    assert take("a", "b", "<NA>", of="a", file="A.rttm") == (
        ["a"],
        ["2 lines are about 'b', and were left out"],
    )


def test_lines_about_one_other_are_taken_with_a_warning() -> None:
    own, (warning,) = take("b", "b", of="a")
    assert own == ["b", "b"]
    assert "about 'b'; they are taken as those of 'a'" in warning


def test_lines_about_several_others_are_refused() -> None:
    with pytest.raises(FileProblem, match=r"about 'b', 'c', 'd' and 1 more, none of which is 'a'"):
        take("b", "c", "d", "e", of="a")
