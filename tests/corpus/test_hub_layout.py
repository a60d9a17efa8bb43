import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acoustic_event_prediction.audio_source import EmbeddedAudio
from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.layouts.hub import find_corpus
from acoustic_event_prediction.corpus.layouts.shards import read_shard
from acoustic_event_prediction.corpus.raw import RawCorpus
from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.pipelines.ingestion.nodes import IngestedCorpus, read_corpus
from tests.corpus.shards import damage_audio, row, write_annotations, write_shard
from tests.made import ingestion_params

NAMES = ("The Show, Ep. 1", "Don't Ask: Zoë", "Other_2")
ROWS = (
    row("the_show-ep_1"),
    row("dont ask zoë", original_split="VALID", license="CC_BY_SA_3.0"),
    row("OTHER 2.mp3", original_split="test", license="CC_BY_SA_3.0"),
)


def index(root: Path, *rows: dict[str, Any], names: tuple[str, ...] = NAMES) -> RawCorpus:
    """Write a shard of the rows and index it."""
    write_shard(root / "shards/data/CC_BY_3.0-00000-of-00001.parquet", rows)
    return find_corpus(root / "shards", write_annotations(root / "PodcastFillers.csv", names))


def ingest(root: Path, *rows: dict[str, Any], **changes: Any) -> IngestedCorpus:
    write_shard(root / "shards/a.parquet", rows)
    csv = write_annotations(root / "PodcastFillers.csv", NAMES)
    params = ingestion_params(layout="podcastfillers_hub", hub={"annotations": str(csv)}, **changes)
    return read_corpus(root / "shards", params)


def problems(corpus: RawCorpus) -> list[str]:
    found = [problem for episode in corpus.episodes for problem in episode.problems]
    return [str(finding) for finding in (*corpus.problems, *found)]


def test_episodes_have_the_names_of_the_csv_and_their_licence(tmp_path: Path) -> None:
    corpus = index(tmp_path, *ROWS)
    assert not problems(corpus)
    assert [episode.episode_id for episode in corpus.episodes] == [
        "train/The Show, Ep. 1",
        "validation/Don't Ask: Zoë",
        "test/Other_2",
    ]
    assert [episode.licence for episode in corpus.episodes] == [
        "CC_BY_3.0",
        "CC_BY_SA_3.0",
        "CC_BY_SA_3.0",
    ]
    assert [episode.audio.row for episode in corpus.episodes] == [0, 1, 2]  # type: ignore[union-attr]


def test_rows_are_found_without_reading_the_audio(tmp_path: Path) -> None:
    index(tmp_path, *ROWS)
    (shard,) = (tmp_path / "shards").rglob("*.parquet")
    damage_audio(shard)
    corpus = find_corpus(tmp_path / "shards", tmp_path / "PodcastFillers.csv")
    assert len(corpus.episodes) == 3
    assert not problems(corpus)


def test_an_index_does_not_depend_on_the_size_of_the_audio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = {"bytes": os.urandom(30_000_000), "path": "x"}
    index(tmp_path, *(values | {"audio": big} for values in ROWS))
    before = pa.default_memory_pool().bytes_allocated()
    read = 0
    plain = pq.ParquetFile.read

    def measured(file: pq.ParquetFile, **options: Any) -> pa.Table:
        nonlocal read
        table = plain(file, **options)
        read += table.nbytes
        return table

    monkeypatch.setattr(pq.ParquetFile, "read", measured)
    corpus = find_corpus(tmp_path / "shards", tmp_path / "PodcastFillers.csv")
    assert len(corpus.episodes) == 3
    assert 0 < read < 1000
    assert pa.default_memory_pool().bytes_allocated() - before < 100_000


def test_shards_are_found_at_any_depth_and_other_tables_passed_over(tmp_path: Path) -> None:
    pq.write_table(pa.table({"clip": ["a"]}), tmp_path / "PodcastFillers.parquet")
    write_shard(tmp_path / "a/b/x.parquet", ROWS[:1])
    write_shard(tmp_path / "c/x.PARQUET", ROWS[1:])
    (tmp_path / "c/._x.parquet").write_bytes(b"\0")
    corpus = find_corpus(tmp_path, write_annotations(tmp_path / "PodcastFillers.csv", NAMES))
    assert len(corpus.episodes) == 3
    assert not problems(corpus)


def test_the_file_name_serves_where_there_is_no_episode_name(tmp_path: Path) -> None:
    corpus = index(
        tmp_path,
        ROWS[0] | {"episode_name": None},
        ROWS[2] | {"episode_name": "unheard of", "file_name": "other-2.wav"},
    )
    assert [episode.name for episode in corpus.episodes] == ["The Show, Ep. 1", "Other_2"]


def test_an_unmatched_episode_keeps_its_name_and_is_told_the_nearest(tmp_path: Path) -> None:
    corpus = index(tmp_path, *ROWS, row("the_show-ep_11"))
    (problem,) = problems(corpus)
    assert "train/the_show-ep_11: data/CC_BY_3.0-00000-of-00001.parquet, row 3" in problem
    assert "nearest are 'The Show, Ep. 1'" in problem


def test_two_names_of_the_csv_that_are_alike_are_not_guessed_between(tmp_path: Path) -> None:
    corpus = index(tmp_path, *ROWS, names=(*NAMES, "the SHOW ep 1"))
    (problem,) = problems(corpus)
    assert "train/the_show-ep_1" in problem
    corpus = index(tmp_path, row("the SHOW ep 1"), names=(*NAMES, "the SHOW ep 1"))
    assert not problems(corpus)


def test_two_rows_of_one_episode_are_both_named(tmp_path: Path) -> None:
    corpus = index(tmp_path, *ROWS, row("The Show Ep 1", original_split="test"))
    (problem,) = problems(corpus)
    assert problem.startswith("train/The Show, Ep. 1")
    assert "2 rows are this episode: " in problem
    assert "parquet row 0, " in problem
    assert "parquet row 3" in problem


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"episode_name": None, "file_name": None}, "row 3: the episode has no name"),
        ({"episode_name": " ", "file_name": ""}, "row 3: the episode has no name"),
        ({"original_split": None}, "row 3: 'the_show-ep_1' has the original_split None"),
        ({"original_split": "extra"}, "original_split 'extra', not train, validation or test"),
    ],
)
def test_a_row_without_name_or_split_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    corpus = index(tmp_path, *ROWS, row() | changes)
    assert len(corpus.episodes) == 3
    (problem,) = problems(corpus)
    assert message in problem


@pytest.mark.parametrize("name", ["../../evil", "a/b", "a\\b", ".hidden"])
def test_a_hostile_name_is_a_problem_even_if_its_letters_match(tmp_path: Path, name: str) -> None:
    write_annotations(tmp_path / "PodcastFillers.csv", ["evil", "ab", "hidden"])
    with pytest.raises(CorpusError, match=r"row 3: the name .* (slash|dot).*"):
        ingest(tmp_path, *ROWS, row(name))


def test_episodes_of_the_csv_without_audio_are_counted(tmp_path: Path) -> None:
    corpus = index(tmp_path, *ROWS[:1])
    (warning,) = corpus.warnings
    assert '2 of its 3 episodes are not in the shards, the first: "Don\'t Ask: Zoë"' in str(warning)


def test_the_csv_of_another_corpus_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"'the_show-ep_1'.*the CSV 'x', 'y'.*7121457"):
        index(tmp_path, *ROWS, names=("x", "y"))


def test_a_missing_csv_is_an_error_that_says_where_to_get_it(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.parquet", ROWS)
    with pytest.raises(
        CorpusError, match=r"no annotations at .*7121457 .*non-commercial.*hub\.annotations"
    ):
        find_corpus(tmp_path, tmp_path / "none.csv")


def test_a_csv_without_its_columns_is_named(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.parquet", ROWS)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match=r"a\.csv has no column podcast_filename.*7121457"):
        find_corpus(tmp_path, tmp_path / "a.csv")


def test_without_shards_the_error_says_where_to_get_them(tmp_path: Path) -> None:
    csv = write_annotations(tmp_path / "PodcastFillers.csv", NAMES)
    how = r"(?s:.*)hf://ylacombe/podcast_fillers_by_license.*CC BY-ND 3\.0"
    with pytest.raises(CorpusError, match="there is no such folder" + how):
        find_corpus(tmp_path / "nowhere", csv)
    with pytest.raises(CorpusError, match="no parquet file below" + how):
        find_corpus(tmp_path, csv)
    pq.write_table(pa.table({"clip": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(CorpusError, match="none of the 1 parquet files .* `audio`" + how):
        find_corpus(tmp_path, csv)
    (tmp_path / "a.parquet").write_text("text")
    with pytest.raises(CorpusError, match=r"(?s:.*)a\.parquet: is no parquet file" + how):
        find_corpus(tmp_path, csv)


def test_damaged_shards_are_named_beside_the_good_ones(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.parquet", ROWS)
    whole = write_shard(tmp_path / "b.parquet", [row("x")]).read_bytes()
    (tmp_path / "b.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "c.parquet").write_text("version https://git-lfs.github.com/spec/v1")
    (tmp_path / "d.parquet").write_bytes(b"")
    pq.write_table(pa.table({"audio": ["x.mp3"], "episode_name": ["x"]}), tmp_path / "e.parquet")
    table = pq.read_table(tmp_path / "a.parquet").drop_columns("original_split")
    pq.write_table(table, tmp_path / "f.parquet")
    corpus = find_corpus(tmp_path, write_annotations(tmp_path / "PodcastFillers.csv", NAMES))
    assert len(corpus.episodes) == 3
    told = problems(corpus)
    assert [line.split(":")[0] for line in told] == [f"{name}.parquet" for name in "bcdef"]
    assert all("fetch the parquet file again" in line for line in told[:3])
    assert "not a struct" in told[3]
    assert "no column original_split" in told[4]


def test_the_whole_corpus_is_read_from_its_shards(tmp_path: Path) -> None:
    ingested = ingest(tmp_path, *ROWS)
    assert list(ingested.episodes) == [
        "train/The Show, Ep. 1",
        "validation/Don't Ask: Zoë",
        "test/Other_2",
    ]
    record = ingested.episodes["test/Other_2"]
    assert (record["audio"]["path"], record["audio"]["row"]) == ("a.parquet", 2)
    assert record["duration_seconds"] == 4.0
    assert record["licence"] == "CC_BY_SA_3.0"
    assert list(ingested.events["test/Other_2"]["label"]) == ["Um", "Laughter"]
    assert ingested.report["licences"] == {"CC_BY_3.0": 1, "CC_BY_SA_3.0": 2}


def test_ingestion_reads_each_row_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    plain = EmbeddedAudio.read_bytes

    def counted(audio: EmbeddedAudio) -> bytes:
        if audio.encoded is None:
            reads.append(audio.row)
        return plain(audio)

    monkeypatch.setattr(EmbeddedAudio, "read_bytes", counted)
    ingest(tmp_path, *ROWS)
    assert sorted(reads) == [0, 1, 2]


def test_everything_that_is_wrong_is_named_in_one_error(tmp_path: Path) -> None:
    broken = row("unheard of", audio={"bytes": b"text", "path": "x"})
    silent = ROWS[2] | {"audio": None}
    with pytest.raises(CorpusError, match=r"2 of 3 episodes .* and 1 problems are of no") as caught:
        ingest(tmp_path, ROWS[0], silent, broken, row(None))
    for line in ("row 1: holds no audio", "row 2: no single episode", "row 3: the episode has no"):
        assert line in str(caught.value)


def test_broken_rows_can_be_skipped_or_excluded(tmp_path: Path) -> None:
    rows = (*ROWS, row("unheard of"))
    skipped = ingest(tmp_path, *rows, row(None), on_invalid="skip")
    assert len(skipped.episodes) == 3
    assert len(skipped.report["problems"]) == 2
    excluded = ingest(tmp_path, *rows, exclude_episodes=("train/unheard of",))
    assert len(excluded.episodes) == 3


@pytest.mark.parametrize("value", ["text", 3, [1]])
def test_audio_that_is_no_bytes_is_refused(tmp_path: Path, value: object) -> None:
    audio = pa.array([{"bytes": value}])
    table = {"episode_name": ["x"], "original_split": ["train"], "audio": audio}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    with pytest.raises(FileProblem, match="not a struct with the audio in `bytes`"):
        read_shard(tmp_path / "a.parquet")


def test_two_columns_of_audio_are_refused(tmp_path: Path) -> None:
    audio = pa.array([{"bytes": b"1"}])
    names = ["episode_name", "original_split", "audio", "audio"]
    table = pa.Table.from_arrays([pa.array(["x"]), pa.array(["train"]), audio, audio], names=names)
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(FileProblem, match="more than one column `audio`"):
        read_shard(tmp_path / "a.parquet")
