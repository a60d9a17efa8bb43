from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from acoustic_event_prediction.corpus.episode_reading import EpisodeReading
from acoustic_event_prediction.corpus.layouts.podcastfillers import find_corpus
from acoustic_event_prediction.corpus.overview import (
    episodes_table,
    events_table,
    speech_time,
    splits_table,
)
from acoustic_event_prediction.corpus.survey import read_episodes
from tests.corpus.tiny import TinyCorpus


def read(corpus: TinyCorpus) -> list[EpisodeReading]:
    index = find_corpus(corpus.root)
    return read_episodes(index, index.episodes)


def turns(*rows: tuple[float, float, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["onset", "offset", "speaker"])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], (0, 0)),
        ([(0, 1, "a"), (1, 2, "b")], (2, 0)),
        ([(0, 2, "a"), (1, 3, "b")], (3, 1)),
        ([(5, 6, "a"), (0, 2, "a"), (1, 3, "a")], (4, 0)),
        ([(0, 9, "a"), (1, 3, "b"), (2, 4, "c"), (3, 3, "d")], (9, 3)),
    ],
)
def test_speech_and_overlap_on_paper(
    rows: list[tuple[float, float, str]], expected: tuple[float, float]
) -> None:
    assert speech_time(turns(*rows)) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_speech_and_overlap_agree_with_a_count_at_many_moments(seed: int) -> None:
    rng = np.random.default_rng(seed)
    onsets = rng.integers(0, 80, 30) / 10
    table = pd.DataFrame(
        {
            "onset": onsets,
            "offset": onsets + rng.integers(0, 20, 30) / 10,
            "speaker": rng.choice(["a", "b", "c"], 30),
        }
    )
    moments = np.arange(0, 12, 0.1) + 0.05
    speaking = sum(
        np.any(
            [(moments > on) & (moments < off) for on, off in zip(r.onset, r.offset, strict=True)],
            axis=0,
        ).astype(int)
        for _, r in table.groupby("speaker")
    )

    found = speech_time(table)

    assert found.speech == pytest.approx(0.1 * np.sum(speaking > 0))
    assert found.overlap == pytest.approx(0.1 * np.sum(speaking > 1))


def test_a_corpus_on_paper(tmp_path: Path) -> None:
    corpus = TinyCorpus(tmp_path)
    corpus.add("train", "show_1").add("train", "show_2", turns=None).add("test", "other_1")
    readings = read(corpus)

    table = splits_table(("train", "validation", "test"), readings).set_index("split")
    events = events_table(("train", "validation", "test"), readings).set_index(["split", "label"])

    assert table["episodes"].to_dict() == {"train": 2, "validation": 0, "test": 1}
    assert table["shows"].to_dict() == {"train": 1, "validation": 0, "test": 1}
    # 4 s each; A and B speak for 3 s of them, never at once.
    assert table.loc["train", "hours"] == pytest.approx(8 / 3600, abs=1e-6)
    assert table.loc["train", ["speech_share", "overlap_share"]].tolist() == [0.75, 0.0]
    assert np.isnan(table.loc["validation", "speech_share"])
    # The laugh begins 2.32 s in, frame 29 of 50.
    laughs = events.loc[("train", "Laughter")]
    assert (laughs["events"], laughs["with_speaker"]) == (2, 1)
    assert laughs["per_hour"] == pytest.approx(2 / 8 * 3600)
    shares = [laughs[f"positive_share_{n}"] for n in (1, 5, 10, 25)]
    assert shares == pytest.approx([1 / 50, 5 / 50, 10 / 50, 25 / 50])
    assert ("validation", "Laughter") not in events.index


def test_a_corpus_without_events_has_the_columns_all_the_same(tmp_path: Path) -> None:
    readings = read(TinyCorpus(tmp_path).add(events=[]))

    table = events_table(("train",), readings)

    assert table.empty
    assert table.columns[-1] == "positive_share_25"


def test_each_episode_has_its_row(tmp_path: Path) -> None:
    corpus = TinyCorpus(tmp_path).add("train", "show_1").add("test", "other", turns=None, events=[])

    table = episodes_table(read(corpus)).set_index("episode")

    assert table["split"].to_dict() == {"show_1": "train", "other": "test"}
    assert table["show"].fillna("").to_dict() == {"show_1": "show", "other": ""}
    assert table["source"].to_dict() == {"show_1": "diarization", "other": "mono"}
    assert table[["seconds", "speakers", "events", "laughs", "words"]].to_numpy().tolist() == [
        [4.0, 2, 2, 1, 2],
        [4.0, 0, 0, 0, 2],
    ]
