import time
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from huggingface_hub.errors import LocalEntryNotFoundError

from acoustic_event_prediction.corpus import location
from acoustic_event_prediction.corpus.content import is_unchanged, seems_unchanged
from acoustic_event_prediction.corpus.layouts.hub import find_corpus
from acoustic_event_prediction.corpus.location import locate_corpus
from acoustic_event_prediction.corpus.survey import read_episodes
from acoustic_event_prediction.errors import CorpusError
from tests.corpus.shards import row, write_annotations, write_shard

HUB = "hf://ylacombe/podcast_fillers_by_license"


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Calls of the hub's client, which answers with a local folder."""
    made: list[tuple[str, dict[str, Any]]] = []

    def snapshot_download(name: str, **options: Any) -> str:
        made.append((name, options))
        return str(tmp_path)

    monkeypatch.setattr(location, "snapshot_download", snapshot_download)
    return made


@pytest.mark.parametrize("root", ["data/01_raw/sample", "/corpora/mine", "C:/mine"])
def test_a_path_is_a_folder_that_need_not_be_there(root: str, calls: list[Any]) -> None:
    assert locate_corpus(root, download=True) == Path(root)
    assert not calls


@pytest.mark.parametrize("download", [True, False])
@pytest.mark.parametrize(
    ("root", "name", "revision"),
    [
        (HUB, "ylacombe/podcast_fillers_by_license", None),
        (f"{HUB}@6fad2f0", "ylacombe/podcast_fillers_by_license", "6fad2f0"),
        ("hf://datasets/me/mine@refs/pr/1", "me/mine", "refs/pr/1"),
    ],
)
def test_the_parquet_files_of_a_data_set_are_asked_for(
    tmp_path: Path, calls: list[Any], root: str, name: str, revision: str | None, download: bool
) -> None:
    assert locate_corpus(root, download=download) == tmp_path
    assert calls == [
        (
            name,
            {
                "repo_type": "dataset",
                "revision": revision,
                "allow_patterns": "*.parquet",
                "local_files_only": not download,
            },
        )
    ]


@pytest.mark.parametrize("root", ["hf://", "hf://one", "hf://a/b/c", "hf:/a/b", "hf://a/b@"])
def test_what_is_no_name_of_a_data_set_is_refused(root: str, calls: list[Any]) -> None:
    with pytest.raises(CorpusError, match="hf://owner/name@revision"):
        locate_corpus(root, download=True)
    assert not calls


def test_a_data_set_that_can_not_be_fetched_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def snapshot_download(*_: Any, **__: Any) -> str:
        raise LocalEntryNotFoundError("no network\nat all")

    monkeypatch.setattr(location, "snapshot_download", snapshot_download)
    with pytest.raises(CorpusError, match=r"no network\)\. .*https://huggingface.co/datasets/yla"):
        locate_corpus(HUB, download=True)
    with pytest.raises(CorpusError, match="fetch it with `kedro run --pipelines ingestion`"):
        locate_corpus(HUB, download=False)


def test_a_name_that_the_hub_refuses_is_an_error_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(CorpusError, match="HFValidationError"):
        locate_corpus("hf://a--b/..c", download=True)
    assert time.monotonic() - started < 5


def test_a_corpus_in_the_hubs_cache_is_read_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "datasets--me--mine"
    shard = write_shard(repository / "blobs/abc", [row("a show")])
    snapshot = repository / "snapshots" / ("0" * 40)
    (snapshot / "data").mkdir(parents=True)
    (snapshot / "data/a.parquet").symlink_to(shard)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("0" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))

    root = locate_corpus("hf://me/mine", download=False)

    assert root == snapshot
    corpus = find_corpus(root, write_annotations(tmp_path / "a.csv", ["A Show"]))
    (reading,) = read_episodes(corpus, corpus.episodes)
    assert not reading.findings.problems
    assert reading.episode is not None
    assert reading.episode.audio.path == "data/a.parquet"
    assert is_unchanged(reading.episode.audio, root)
    assert seems_unchanged(reading.episode.audio, root)
