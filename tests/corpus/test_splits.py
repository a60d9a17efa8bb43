from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acoustic_event_prediction.corpus.splits import draw_splits
from acoustic_event_prediction.errors import CorpusError

FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}


def singles(count: int) -> dict[str, list[str]]:
    return {str(number): [str(number)] for number in range(count)}


def shows(*sizes: int) -> dict[str, list[str]]:
    return {f"s{i}": [f"s{i}_{j}" for j in range(size)] for i, size in enumerate(sizes)}


def test_twenty_episodes_are_14_3_3() -> None:
    drawn = draw_splits(singles(20), FRACTIONS, seed=0)
    assert Counter(drawn.values()) == {"train": 14, "validation": 3, "test": 3}


def test_the_order_of_the_files_does_not_matter_and_the_seed_does() -> None:
    drawn = draw_splits(singles(20), FRACTIONS, seed=0)
    backwards = dict(reversed(singles(20).items()))
    assert draw_splits(backwards, FRACTIONS, seed=0) == drawn
    assert draw_splits(singles(20), FRACTIONS, seed=1) != drawn


def test_fractions_count_episodes_not_shows() -> None:
    # Of 20 episodes train lacks 14, the others 3 each: 10 and 4 to train, 3 and 2 + 1 beside.
    drawn = draw_splits(shows(10, 4, 3, 2, 1), FRACTIONS, seed=0)
    assert Counter(drawn.values()) == {"train": 14, "validation": 3, "test": 3}


def test_a_large_show_leaves_one_for_every_split() -> None:
    drawn = draw_splits(shows(100, 1, 1), FRACTIONS, seed=0)
    assert Counter(drawn.values()) == {"train": 100, "validation": 1, "test": 1}


def test_a_split_without_fraction_gets_nothing() -> None:
    drawn = draw_splits(singles(4), {"train": 1, "validation": 0, "test": 1}, seed=0)
    assert Counter(drawn.values()) == {"train": 2, "test": 2}


def test_fewer_units_than_splits_are_refused() -> None:
    with pytest.raises(CorpusError, match="2 can't be divided among train, validation, test"):
        draw_splits(singles(2), FRACTIONS, seed=0)


@given(st.lists(st.integers(1, 30), min_size=3, max_size=20), st.integers(0, 100))
def test_shows_stay_whole_and_no_split_is_empty(sizes: list[int], seed: int) -> None:
    units = shows(*sizes)
    drawn = draw_splits(units, FRACTIONS, seed=seed)
    assert len(drawn) == sum(sizes)
    assert all(len({drawn[name] for name in names}) == 1 for names in units.values())
    assert set(drawn.values()) == set(FRACTIONS)
