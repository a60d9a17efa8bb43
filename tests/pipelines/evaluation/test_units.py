from functools import partial
from typing import Any

import pytest

from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.pipelines.evaluation.units import choose_units
from tests.made import audio_file

SPLITS = ("validation", "test")


def episodes(**shows: list[str | None]) -> dict[str, Any]:
    """Records by id; one episode for each show that is listed under a split."""
    records = [
        Episode(
            episode_id=f"{split}/{number}",
            split=split,
            name=str(number),
            show=show,
            duration_seconds=1.0,
            num_frames=13,
            audio=audio_file(),
            tracks={},
            sources=("mono",),
            transcript_unit_seconds=None,
        )
        for split, names in shows.items()
        for number, show in enumerate(names)
    ]
    return {r.episode_id: partial(r.model_dump, mode="json") for r in records}


def test_shows_are_drawn_where_each_split_has_ten() -> None:
    ten = [f"show {number // 2}" for number in range(20)]
    units = choose_units(episodes(validation=ten, test=ten, train=["a"]), SPLITS, "auto")

    assert units.kind == "show"
    assert units.numbers(["test/0", "test/1", "test/2"]).tolist() == [0, 0, 1]


@pytest.mark.parametrize("test", [["a"] * 20, [f"show {n}" for n in range(9)], [None] * 20])
def test_episodes_are_drawn_where_shows_are_few_or_unknown(test: list[str | None]) -> None:
    ten = [f"show {number}" for number in range(10)]
    units = choose_units(episodes(validation=ten, test=test), SPLITS, "auto")

    assert units.kind == "episode"
    assert units.numbers(["test/0", "test/1", "test/0"]).tolist() == [0, 1, 0]


def test_shows_can_be_asked_for() -> None:
    units = choose_units(episodes(test=["a", "a", None]), SPLITS, "show")

    assert units.kind == "show"
    # An episode whose show is unknown is drawn alone.
    assert units.numbers(["test/0", "test/1", "test/2"]).tolist() == [0, 0, 1]


def test_episodes_can_be_asked_for_without_reading_a_record() -> None:
    never: dict[str, Any] = {"test/0": lambda: pytest.fail("read")}
    assert choose_units(never, SPLITS, "episode").kind == "episode"
