"""A sound corpus of two episodes, damaged in one of them: whatever comes of it can be explained."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.corpus.tiny import TinyCorpus, noise
from tests.made import ingestion_params, stream_params

from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.pipelines.ingestion.nodes import (
    IngestedCorpus,
    assign_users,
    read_corpus,
)

SOUND = "train/sound_1"
SKIP = ingestion_params(on_invalid="skip")
# What a cell or a JSON value may turn into.
LONG = "A" * 300
VALUES = ("", " ", "nan", "-1", "1e309", "null", "0x10", "١٢", '"', "\0", "\n", "../../evil", LONG)
JSON_VALUES: tuple[Any, ...] = (
    *(None, True, [], {}, [None], [[1]], -1, 1e308, 10**400, float("nan")),
    *("NaN", "", "../../evil", LONG),
)
NAMES = (
    "..",
    "broken_1.",
    "broken_2",
    "#?*[x]",
    LONG[:200],
    "nfd e\u0301",
    "\udcff",
    "SOUND 1",
    " ",
)
WRONG = (b"no audio at all", b"RIFF", b"[]", b"{}", b"ID3")


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    corpus = TinyCorpus(tmp_path_factory.mktemp("healthy") / "corpus")
    corpus.add("train", "sound_1", tracks=["A", "B"], mapping=[("Laughter", 2.32, 3.0, "A")])
    corpus.add(
        *("train", "broken_1"),
        samples=noise(4.0)[::-1].copy(),
        tracks=["A", "B"],
        mapping=[("Laughter", 2.32, 3.0, "B")],
    )
    return corpus.root


def ingest(root: Path) -> tuple[IngestedCorpus, dict[str, Any]]:
    ingested = read_corpus(root, SKIP)
    episodes = {name: partial(dict, record) for name, record in ingested.episodes.items()}
    turns = {name: table.copy for name, table in ingested.turns.items()}
    users = assign_users(episodes, turns, PARAMS)
    return ingested, users


PARAMS: StreamParams = stream_params()


def files_of_broken(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if "broken_1" in str(path) and path.is_file())


def leaves(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    items = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, value in items:
        yield from leaves(value, (*at, key))


def mutate(path: Path, data: st.DataObject) -> None:
    """Damage one file in one of many ways."""
    content = path.read_bytes()
    kinds = ["insert", "empty", "delete", "rename", "folder", "dangling", "swap"]
    kinds += ["truncate", "flip"] if content else []
    kinds += ["value", "key"] if path.suffix == ".json" and is_json(content) else []
    kinds += ["cell", "row"] if path.suffix == ".csv" and content.strip() else []
    kind = data.draw(st.sampled_from(kinds))
    place = data.draw(st.integers(0, max(0, len(content) - 1)))
    if kind == "truncate":
        path.write_bytes(content[:place])
    elif kind == "flip":
        flipped = bytes([content[place] ^ data.draw(st.integers(1, 255))])
        path.write_bytes(content[:place] + flipped + content[place + 1 :])
    elif kind == "insert":
        path.write_bytes(content[:place] + data.draw(st.binary(max_size=40)) + content[place:])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "swap":
        path.write_bytes(
            data.draw(st.sampled_from([b"no audio at all", b"RIFF", b"[]", b"{}", b"ID3"]))
        )
    elif kind == "rename":
        name = data.draw(st.sampled_from(NAMES))
        path.rename(path.with_name(name + path.suffix))
    elif kind in {"value", "key"}:
        mutate_json(path, data, drops=kind == "key")
    elif kind in {"cell", "row"}:
        mutate_csv(path, data, drops=kind == "row")
    else:
        path.unlink()
        if kind == "folder":
            path.mkdir()
        elif kind == "dangling":
            path.symlink_to("nowhere")


def is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def mutate_json(path: Path, data: st.DataObject, *, drops: bool) -> None:
    document = json.loads(path.read_text())
    at = data.draw(st.sampled_from(list(leaves(document))))
    if not at:
        document = data.draw(st.sampled_from(JSON_VALUES))
    else:
        parent = document
        for key in at[:-1]:
            parent = parent[key]
        if drops:
            del parent[at[-1]]
        else:
            parent[at[-1]] = data.draw(st.sampled_from(JSON_VALUES))
    path.write_text(json.dumps(document))


def mutate_csv(path: Path, data: st.DataObject, *, drops: bool) -> None:
    rows = [line.split(",") for line in path.read_text(errors="surrogateescape").splitlines()]
    row = data.draw(st.integers(0, len(rows) - 1))
    if drops:
        del rows[row]
    else:
        column = data.draw(st.integers(0, len(rows[row]) - 1))
        rows[row][column] = data.draw(st.sampled_from(VALUES))
    path.write_text("\n".join(",".join(cells) for cells in rows), errors="surrogateescape")


# HYPOTHESIS_EXAMPLES=20000 looks longer.
@settings(
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "1000")),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_damaged_episode_is_explained_and_the_sound_one_is_not_touched(
    healthy: Path, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "corpus"
        shutil.copytree(healthy, root)
        for _ in range(data.draw(st.integers(1, 3))):
            paths = files_of_broken(root)
            if paths:
                mutate(data.draw(st.sampled_from(paths)), data)
        before = sorted(os.walk(folder))

        ingested, users = ingest(root)

        assert sorted(os.walk(folder)) == before
        undisturbed, expected_users = ingest(healthy)
        for ours, theirs in zip(ingested[:4], undisturbed[:4], strict=True):
            assert_same(ours[SOUND], theirs[SOUND])
        assert {name: user for name, user in users.items() if name.startswith(SOUND)} == {
            name: user for name, user in expected_users.items() if name.startswith(SOUND)
        }
        for text in ingested.report["problems"]:
            episode, _, problem = text.partition(": ")
            assert episode.startswith("train/")
            assert problem.count(": ") >= 1, "a problem names file, problem and remedy"


def assert_same(ours: Any, theirs: Any) -> None:
    if isinstance(ours, pd.DataFrame):
        pd.testing.assert_frame_equal(ours, theirs)
        return
    moved = {"modified_ns", "changed_ns"}

    def plain(record: dict[str, Any]) -> dict[str, Any]:
        return {
            key: plain(value) if isinstance(value, dict) else value
            for key, value in record.items()
            if key not in moved
        }

    assert plain(ours) == plain(theirs)
    assert np.isfinite(ours["duration_seconds"])
