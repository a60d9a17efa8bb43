"""Recordings of every kind through the nodes: read, assigned, labelled."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from praatio import textgrid
from tests.corpus.recordings import HEADER, Recordings, table_params
from tests.made import ingestion_params

from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.params import LabelingParams
from acoustic_event_prediction.pipelines.ingestion.nodes import (
    IngestedCorpus,
    assign_users,
    read_corpus,
)
from acoustic_event_prediction.pipelines.labeling.nodes import LabelingResult, label_episodes

NAMES = ("a_1", "b_1", "c_1")
EVENTS = ((0.5, 0.75, "Breath"), (2.0, 2.5, "Laughter"))
ROWS = [f"{name},{on},{off},{label}" for name in NAMES for on, off, label in EVENTS]
STREAMS = StreamParams(source="auto", min_speaker_share=0.2, max_users=None, mask_laughter="none")


@pytest.fixture
def corpus(tmp_path: Path) -> Recordings:
    return Recordings(tmp_path).add(*(f"{name}.wav" for name in NAMES))


def ingest(corpus: Recordings, *, on_invalid: str = "raise", **changes: Any) -> IngestedCorpus:
    params = ingestion_params(layout="table", table=table_params(**changes), on_invalid=on_invalid)
    return read_corpus(corpus.root, params)


def lazily(values: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    return {key: partial(lambda value: value, value) for key, value in values.items()}


def label(ingested: IngestedCorpus, event: str) -> LabelingResult:
    assignments = assign_users(lazily(ingested.episodes), lazily(ingested.turns), STREAMS)
    params = LabelingParams(event=event, target="any", shift_frames=2)
    return label_episodes(lazily(assignments), lazily(ingested.events), params)


def write_csv(corpus: Recordings) -> dict[str, str]:
    corpus.table(*ROWS)
    return {"events": "events.csv"}


def write_parquet(corpus: Recordings) -> dict[str, str]:
    rows = [(f"{name}.wav", *event) for name in NAMES for event in EVENTS]
    pd.DataFrame(rows, columns=HEADER.split(",")).to_parquet(corpus.root / "events.parquet")
    return {"events": "events.parquet"}


def write_audacity(corpus: Recordings) -> dict[str, str]:
    for name in NAMES:
        corpus.write(f"labels/{name}.txt", *(f"{on}\t{off}\t{what}" for on, off, what in EVENTS))
    return {}


def write_textgrids(corpus: Recordings) -> dict[str, str]:
    for name in NAMES:
        grid = textgrid.Textgrid(0, 4)
        grid.addTier(textgrid.IntervalTier("sounds", list(EVENTS), 0, 4))
        grid.save(str(corpus.root / f"{name}.TextGrid"), "long_textgrid", includeBlankSpaces=True)
    return {}


def write_rttm(corpus: Recordings) -> dict[str, str]:
    for name in NAMES:
        corpus.write(
            f"{name}.rttm",
            *(f"NON-LEX {name} 1 {on} {off - on} <NA> {what} Ann" for on, off, what in EVENTS),
        )
    return {}


def write_rttm_of_all(corpus: Recordings) -> dict[str, str]:
    lines = [
        f"SPEAKER {name} 1 {on} {off - on} <NA> <NA> {what} <NA> <NA>"
        for name in NAMES
        for on, off, what in EVENTS
    ]
    corpus.write("all.rttm", *lines)
    return {"events": "all.rttm"}


@pytest.mark.parametrize(
    "write",
    [write_csv, write_parquet, write_audacity, write_textgrids, write_rttm, write_rttm_of_all],
)
def test_every_kind_of_events_comes_through_to_the_labels(
    corpus: Recordings, write: Callable[[Recordings], dict[str, str]]
) -> None:
    ingested = ingest(corpus, **write(corpus))
    assert {name.split("/")[0] for name in ingested.episodes} == {"train", "validation", "test"}
    for table in ingested.events.values():
        assert [*zip(table["onset"], table["offset"], table["label"], strict=True)] == [*EVENTS]
    labels = label(ingested, "Breath").labels
    assert len(labels) == 3
    for make in labels.values():
        # 0.5 s lies in frame 6: the two before it are positive.
        assert make().nonzero()[0].tolist() == [4, 5]


def test_a_label_that_is_nowhere_is_an_error_that_lists_the_labels(corpus: Recordings) -> None:
    with pytest.raises(CorpusError, match="occurs nowhere in the corpus; its labels are Breath, L"):
        label(ingest(corpus, **write_audacity(corpus)), "Cough")


def test_of_thousands_of_labels_only_some_are_listed(corpus: Recordings) -> None:
    corpus.table(*ROWS, *(f"a_1,1,2,sentence {number:03}" for number in range(60)))
    with pytest.raises(CorpusError, match=r"Laughter, sentence 000.* 047 and 12 more$"):
        label(ingest(corpus, events="events.csv"), "Cough")


def test_turns_and_words_beside_a_recording_make_users(corpus: Recordings) -> None:
    corpus.table(*ROWS)
    for name in NAMES:
        corpus.write(
            f"{name}.rttm",
            f"SPEAKER {name} 1 0.0 1.5 <NA> <NA> Ann <NA> <NA>",
            f"SPEAKER {name} 1 1.8 1.5 <NA> <NA> Ben <NA> <NA>",
        )
        corpus.write(f"{name}.words.csv", "onset,offset,text", "2.0,2.2,yes")
    ingested = ingest(corpus, events="events.csv")
    assert len(assign_users(lazily(ingested.episodes), lazily(ingested.turns), STREAMS)) == 6
    words = next(iter(ingested.words.values()))
    assert words.to_dict("records") == [
        {"onset": 2.0, "offset": 2.2, "text": "yes", "speaker": "Ben"}
    ]
    assert ingested.report["transcript_unit_seconds"] == {"1e+00 s": 3}
    assert not any("transcripts count in" in text for text in ingested.report["warnings"])
    assert list(next(iter(ingested.events.values()))["speaker"]) == ["Ann", "Ben"]


def test_a_recording_without_row_has_no_events_and_a_warning(corpus: Recordings) -> None:
    ingested = ingest(corpus.add("d_1.wav").table(*ROWS), events="events.csv")
    assert len(ingested.episodes) == 4
    (warning,) = [text for text in ingested.report["warnings"] if "has no row" in text]
    assert "/d_1: events.csv: has no row for this episode: taken as without events" in warning


def test_a_recording_without_label_file_is_a_problem(corpus: Recordings) -> None:
    write_audacity(corpus)
    with pytest.raises(CorpusError, match=r"/d_1: d_1\.wav: has no file of events: put a label"):
        ingest(corpus.add("d_1.wav"))


def test_problems_of_the_corpus_stop_it_or_stay_in_the_report(corpus: Recordings) -> None:
    values = ("train", "train", "test", "test", "val", "val")
    rows = [f"{row},{split}" for row, split in zip(ROWS, values, strict=True)]
    corpus.table(*rows, header=f"{HEADER},split")
    with pytest.raises(
        CorpusError, match=r"0 of 2 .*1 problems are of no episode:\n.*'val'(?s:.*)sk"
    ):
        ingest(corpus, events="events.csv")
    ingested = ingest(corpus, events="events.csv", on_invalid="skip")
    assert list(ingested.episodes) == ["train/a_1", "test/b_1"]
    assert "c_1: events.csv: line 6: the split 'val'" in ingested.report["problems"][0]


def test_an_episode_with_two_label_files_can_be_left_out_by_its_id(corpus: Recordings) -> None:
    write_audacity(corpus)
    corpus.add("d_1.wav").write("d_1.txt", "").write("d_1.csv", "onset,offset,label")
    table = table_params()
    with pytest.raises(
        CorpusError, match=r"1 of 4 episodes(?s:.*)d_1\.txt: is not the only file"
    ) as e:
        ingest(corpus)
    assert str(e.value).count("d_1") == 3
    episode_id = str(e.value).split("\n")[1].strip().split(": ")[0]
    params = ingestion_params(layout="table", table=table, exclude_episodes=(episode_id,))
    assert len(read_corpus(corpus.root, params).episodes) == 3
