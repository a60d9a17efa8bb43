from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from acoustic_event_prediction.corpus.findings import Findings
from acoustic_event_prediction.corpus.intervals import (
    check_times,
    covered_share,
    make_table,
    speakers_by_mapping,
    speakers_by_overlap,
)
from acoustic_event_prediction.corpus.tables import MappedEvent

PATH = Path("turns.json")


def table(*times: tuple[float, float]) -> pd.DataFrame:
    return make_table(times, ("onset", "offset"))


def turns(*rows: tuple[float, float, str]) -> pd.DataFrame:
    return make_table(rows, ("onset", "offset", "speaker"))


def speakers(found: pd.DataFrame) -> list[str | None]:
    return [None if pd.isna(speaker) else speaker for speaker in found["speaker"]]


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    return Findings(tmp_path, "train/show")


def test_the_turn_with_the_largest_overlap_names_the_speaker() -> None:
    who = turns((0, 2, "A"), (1.5, 5, "B"))
    found = speakers_by_overlap(table((1.0, 2.0), (1.0, 3.0)), who, or_nearest=True)
    assert speakers(found) == ["A", "B"]  # 1.0 against 0.5 s; 1.0 against 1.5 s


def test_the_nearest_turn_names_the_speaker_only_if_it_may() -> None:
    who = turns((0, 1, "A"), (4, 5, "B"))
    between = table((1.5, 2.0), (3.0, 3.9))
    assert speakers(speakers_by_overlap(between, who, or_nearest=True)) == ["A", "B"]
    assert speakers(speakers_by_overlap(between, who, or_nearest=False)) == [None, None]


def test_nobody_speaks_without_turns() -> None:
    found = speakers_by_overlap(table((0, 1)), turns(), or_nearest=True)
    assert speakers(found) == [None]
    assert found["speaker"].dtype == "str"


def test_many_rows_get_the_speakers_that_few_would() -> None:
    who = turns(*((float(i), i + 1.0, f"S{i % 3}") for i in range(100)))
    rows = table(*((i % 100 + 0.2, i % 100 + 0.4) for i in range(3000)))
    found = speakers_by_overlap(rows, who, or_nearest=True)
    assert speakers(found) == [f"S{i % 100 % 3}" for i in range(3000)]


def test_covered_share_is_a_mean_over_rows() -> None:
    assert covered_share(table((0, 1), (1, 3)), turns((0, 2, "A"))) == pytest.approx(0.75)


def test_mapping_matches_by_label_and_times_within_a_millisecond() -> None:
    columns = ("onset", "offset", "label", "label_full", "speaker")
    rows = [(1.0, 2.0, "Laughter", "Laughter", "A"), (1.0, 2.0, "Um", "Um", "A")]
    mapping = [
        MappedEvent("Laughter", 1.001, 1.999, "B"),
        MappedEvent("Um", 1.002, 2.0, "B"),  # 2 ms: another event
    ]
    mapped, num_unmatched = speakers_by_mapping(make_table(rows, columns), mapping)
    assert speakers(mapped) == ["B", "A"]
    assert num_unmatched == 1


def test_mapping_without_a_speaker_leaves_the_turns_answer() -> None:
    columns = ("onset", "offset", "label", "label_full", "speaker")
    events = make_table([(1.0, 2.0, "Um", "Um", "A")], columns)
    mapped, _ = speakers_by_mapping(events, [MappedEvent("Um", 1.0, 2.0, None)])
    assert speakers(mapped) == ["A"]


def test_rows_are_sorted_and_offsets_clipped_to_the_audio(findings: Findings) -> None:
    checked = check_times(table((3.0, 9.0), (1.0, 2.0)), 4.0, findings, PATH, is_exact=True)
    assert checked.to_numpy().tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert findings.problems == []


@pytest.mark.parametrize(
    ("onset", "offset", "problem"),
    [
        (float("nan"), 1.0, "no finite number"),
        (1.0, float("inf"), "no finite number"),
        (-0.5, 1.0, "negative time"),
        (2.0, 1.0, "end before its start"),
        (4.1, 4.2, "past the audio's end"),
    ],
)
def test_impossible_times_are_problems(
    findings: Findings, onset: float, offset: float, problem: str
) -> None:
    events = make_table([(onset, offset, "Um"), (0.0, 1.0, "Um")], ("onset", "offset", "label"))
    check_times(events, 4.0, findings, PATH, is_exact=True)
    (finding,) = findings.problems
    assert problem in finding.problem
    assert "'Um'" in finding.problem


def test_turns_that_begin_just_past_the_end_are_dropped(findings: Findings) -> None:
    late = turns((3.0, 4.0, "A"), (4.5, 5.0, "A"))
    assert len(check_times(late, 4.0, findings, PATH, is_exact=False)) == 1
    assert findings.problems == []
    check_times(turns((5.5, 6.0, "A")), 4.0, findings, PATH, is_exact=False)
    assert len(findings.problems) == 1


@pytest.mark.parametrize("seed", range(8))
def test_the_best_turn_is_that_of_a_search_over_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # On a coarse grid, so that there are ties; some rows lie far from all turns.
    onsets = np.sort(rng.integers(0, 4000, 700) / 2)
    rows = pd.DataFrame({"onset": onsets, "offset": onsets + rng.integers(0, 5, 700) / 2})
    begins = np.sort(rng.integers(100, 1500, 60) / 1)
    turns = pd.DataFrame(
        {
            "onset": begins,
            "offset": begins + rng.integers(1, 40, 60),
            "speaker": [f"s{number}" for number in range(60)],
        }
    )
    overlap = np.minimum(rows["offset"].to_numpy()[:, None], turns["offset"].to_numpy())
    overlap = overlap - np.maximum(rows["onset"].to_numpy()[:, None], turns["onset"].to_numpy())

    found = speakers_by_overlap(rows, turns, or_nearest=True)["speaker"]

    assert found.tolist() == [f"s{number}" for number in overlap.argmax(axis=1)]
