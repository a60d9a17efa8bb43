from pathlib import Path

import pytest

from acoustic_event_prediction.errors import CorpusError
from tests.corpus.recordings import HEADER, Recordings, problems, splits, warnings

NAMES = ("a_1", "b_1", "c_1")
ROWS = tuple(f"{name},1.0,1.5,Laughter" for name in NAMES)
WITH_SPLIT = f"{HEADER},split"


@pytest.fixture
def corpus(tmp_path: Path) -> Recordings:
    return Recordings(tmp_path).add(*(f"{name}.wav" for name in NAMES))


def test_an_error_of_the_splits_hides_no_problem(tmp_path: Path) -> None:
    corpus = Recordings(tmp_path).add("a.wav", "x/b.wav", "y/b.wav").table("a,1,2,L")
    with pytest.raises(CorpusError, match=r"1 can't be divided(?s:.*)bears the same name as y/b"):
        corpus.find()


def test_the_column_of_splits_is_taken_first(corpus: Recordings) -> None:
    corpus.add("test/d_1.wav")
    rows = [
        f"{row},{split}" for row, split in zip(ROWS, ("test", "train", "validation"), strict=True)
    ]
    found = corpus.table(*rows, "a_1,2,3,Um,", "d_1,1,2,L,train", header=WITH_SPLIT).find()
    assert splits(found) == {"a_1": "test", "b_1": "train", "c_1": "validation", "d_1": "train"}


def test_an_unknown_split_is_named_with_its_row(corpus: Recordings) -> None:
    found = corpus.table(
        *(f"{row},val" for row in ROWS[:1]), *(f"{r},train" for r in ROWS[1:]), header=WITH_SPLIT
    ).find()
    assert problems(found) == [
        "a_1: events.csv: line 2: the split 'val' is none of train, validation, test: "
        "write one of them"
    ]
    assert "a_1" not in splits(found)


def test_a_recording_with_two_splits_is_named_with_both_rows(corpus: Recordings) -> None:
    rows = [*(f"{row},train" for row in ROWS), "a_1,2,3,L,test"]
    (problem,) = problems(corpus.table(*rows, header=WITH_SPLIT).find())
    assert problem.startswith(
        "a_1: events.csv: line 2: the split is 'train', in line 5 it is 'test'"
    )


def test_a_recording_with_two_shows_is_named_with_both_rows(corpus: Recordings) -> None:
    rows = [*(f"{row},s" for row in ROWS), "a_1,2,3,L,t"]
    (problem,) = problems(corpus.table(*rows, header=f"{HEADER},show").find())
    assert "line 2: the show is 's', in line 5 it is 't'" in problem


def test_a_recording_without_split_is_named(corpus: Recordings) -> None:
    rows = [f"{ROWS[0]},train", f"{ROWS[1]},"]
    found = corpus.table(*rows, header=WITH_SPLIT).find()
    assert [text.split(": add")[0] for text in problems(found)] == [
        "b_1: b_1.wav: has no split: no row of it has one",
        "c_1: c_1.wav: has no split: the table has no row of it",
    ]


def test_no_recording_with_a_split_is_an_error(corpus: Recordings) -> None:
    rows = [f"{row},dev" for row in ROWS]
    with pytest.raises(CorpusError, match=r"has a split(?s:.*)line 3: the split 'dev'"):
        corpus.table(*rows, header=WITH_SPLIT).find()


def test_a_column_that_is_not_there_can_not_split(corpus: Recordings) -> None:
    with pytest.raises(CorpusError, match=r"events\.csv has no column `split`"):
        corpus.table(*ROWS).find(split_by="column")


def test_folders_named_after_splits_are_taken_second(tmp_path: Path) -> None:
    corpus = Recordings(tmp_path).add("train/x/a_1.wav", "y/test/b_1.wav", "c_1.wav")
    corpus.add("train/test/d_1.wav").table(*ROWS, "d_1,1,2,L")
    found = corpus.find()
    assert splits(found) == {"a_1": "train", "b_1": "test"}
    assert [text.split(":")[2:4] for text in problems(found)] == [
        [" has no split", " it lies in none of train, validation, test"],
        [" has no split", " it lies in test and train"],
    ]


def test_folders_with_other_names_of_splits_are_a_warning(tmp_path: Path) -> None:
    corpus = Recordings(tmp_path).add("Train/a_1.wav", "val/b_1.wav", "val/c_1.wav").table(*ROWS)
    assert any(
        "the folders Train, val are not taken as splits" in w for w in warnings(corpus.find())
    )


def test_shows_in_the_names_are_kept_whole(tmp_path: Path) -> None:
    names = [f"{show}_{number}" for show in "abcdef" for number in range(3)]
    corpus = Recordings(tmp_path).add(*(f"{name}.wav" for name in names))
    found = corpus.table(*(f"{name},1,2,L" for name in names)).find()
    of_show = {name[0]: set() for name in names}
    for name, split in splits(found).items():
        of_show[name[0]].add(split)
    assert all(len(its) == 1 for its in of_show.values())
    assert set.union(*of_show.values()) == {"train", "validation", "test"}
    assert not any("more than one split" in text for text in warnings(found))


def test_shows_of_the_column_are_kept_whole_and_known(tmp_path: Path) -> None:
    shows = {"1": "x", "2": "x", "3": "y", "4": "z"}
    corpus = Recordings(tmp_path).add(*(f"{name}.wav" for name in shows))
    rows = [f"{name},1,2,L,{show}" for name, show in shows.items()]
    found = corpus.table(*rows, header=f"{HEADER},show").find()
    assert {episode.name: episode.show for episode in found.episodes} == shows
    assert splits(found)["1"] == splits(found)["2"] == "train"


def test_fewer_than_three_shows_are_drawn_by_episode_with_a_warning(tmp_path: Path) -> None:
    names = [f"a_{number}" for number in range(10)]
    corpus = Recordings(tmp_path).add(*(f"{name}.wav" for name in names))
    found = corpus.table(*(f"{name},1,2,L" for name in names)).find()
    assert warnings(found)[0] == (
        "splits are drawn by episode with seed 0: 7 in train, 2 in validation, 1 in test"
    )
    assert "1 shows are in more than one split, the first: 'a' in train and" in warnings(found)[1]


def test_too_few_recordings_for_the_splits_are_an_error(tmp_path: Path) -> None:
    corpus = Recordings(tmp_path).add("a.wav", "b.wav").table("a,1,2,L", "b,1,2,L")
    with pytest.raises(CorpusError, match=r"of recordings, 2 can't be.*at least 3; set fractions"):
        corpus.find()
