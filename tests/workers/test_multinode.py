"""Several nodes, here all on this machine: each has its own launcher, agent and workers."""

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch

from acoustic_event_prediction.errors import WorkerError
from acoustic_event_prediction.params import LauncherParams
from acoustic_event_prediction.workers import extract_features
from acoustic_event_prediction.workers.channel import ChannelReader, ChannelWriter, Message
from acoustic_event_prediction.workers.launch import run_workers
from acoustic_event_prediction.workers.meeting import wait_for_all_ranks
from acoustic_event_prediction.workers.runtime import Runtime
from acoustic_event_prediction.workers.shared_job import job_directory
from tests.workers.toy_worker import ToyJob

PROJECT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120


def free_port() -> int:
    """Return a port that is free now, outside the range that outgoing connections are given."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def launcher(node_rank: int, port: int, timeout_seconds: float = 100) -> LauncherParams:
    return LauncherParams(
        nproc_per_node=1,
        nnodes=2,
        node_rank=node_rank,
        rdzv_endpoint=f"127.0.0.1:{port}",
        timeout_seconds=timeout_seconds,
    )


class Node:
    """A process that is one node: what its launcher has heard, and how it ended."""

    def __init__(
        self, folder: Path, params: LauncherParams, behaviours: list[str], corpus: str = "same"
    ) -> None:
        self._heard = folder / f"heard_{params.node_rank}"
        self._said = folder / f"said_{params.node_rank}"
        self.shared = folder / "shared"
        self.shared.mkdir(exist_ok=True)
        job = ToyJob(catalog={"audio": {"path": corpus}}, behaviours=behaviours)
        arguments = [params.model_dump_json(), job.model_dump_json(), str(self.shared)]
        with self._heard.open("w") as out, self._said.open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.workers.toy_node", *arguments],
                cwd=PROJECT,
                env={**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'src'}"},
                stdout=out,
                stderr=err,
            )

    @property
    def heard(self) -> list[Message]:
        lines = self._heard.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    @property
    def said(self) -> str:
        return self._said.read_text()

    def pids(self) -> dict[int, int]:
        """The worker of each rank of the whole job that this node has heard of."""
        return {message["rank"]: message["pid"] for message in self.heard if "pid" in message}

    def beats(self, rank: int) -> list[int]:
        return [m["beat"] for m in self.heard if m["kind"] == "log" and m["rank"] == rank]

    def end(self) -> int:
        return self.process.wait(PATIENCE_SECONDS)


Start = Callable[..., list[Node]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    nodes: list[Node] = []

    def start(behaviours: list[str]) -> list[Node]:
        """Start node 1 and then node 0: the order must not decide which one is rank 0."""
        port = free_port()
        nodes.extend(Node(tmp_path, launcher(rank, port), behaviours) for rank in (1, 0))
        return nodes[::-1]

    yield start
    for node in nodes:
        node.process.kill()
        node.process.wait()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def both_work(nodes: list[Node]) -> list[int]:
    """Wait until every node has heard both ranks; return the ranks' process ids."""
    wait_until(lambda: all(len(node.pids()) == 2 for node in nodes))
    return list(nodes[0].pids().values())


def require_nothing_left(nodes: list[Node], pids: list[int]) -> None:
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    assert list(nodes[0].shared.iterdir()) == []


@pytest.mark.parametrize("early", [0, 1])
def test_all_nodes_hear_all_ranks_and_stay_until_all_are_done(start: Start, early: int) -> None:
    late = 1 - early
    nodes = start(["succeed" if rank == early else "work" for rank in (0, 1)])
    pids = both_work(nodes)
    wait_until(lambda: 7 in nodes[early].beats(late))
    # By now the early rank has had nothing to do for 3 s.
    assert psutil.pid_exists(nodes[early].pids()[early])
    assert [node.end() for node in nodes] == [0, 0]
    for node in nodes:
        assert node.beats(late) == list(range(10))
        assert {(m["rank"], m["on_node"]) for m in node.heard if "pid" in m} == {(0, 0), (1, 1)}
    require_nothing_left(nodes, pids)


def test_a_worker_that_raises_ends_all_nodes_and_each_names_the_cause(start: Start) -> None:
    nodes = start(["hang", "raise"])
    assert all(node.end() for node in nodes)
    for node in nodes:
        assert "rank 1: ValueError: episode 'train/x' can't be used" in node.said
        assert "Traceback" in node.said
    require_nothing_left(nodes, list(nodes[0].pids().values()))


def test_a_killed_worker_ends_all_nodes(start: Start) -> None:
    nodes = start(["hang", "be killed"])
    assert all(node.end() for node in nodes)
    assert "node 1: the workers ended with exit status 1 and left no message" in nodes[0].said
    assert "killed from outside" in nodes[1].said
    require_nothing_left(nodes, list(nodes[0].pids().values()))


def test_a_killed_agent_ends_all_nodes(start: Start) -> None:
    # Node 0's agent holds the store at which all have met.
    nodes = start(["hang", "hang"])
    pids = both_work(nodes)
    agent = psutil.Process(nodes[0].pids()[0]).parent()
    assert agent is not None
    agent.kill()
    assert all(node.end() for node in nodes)
    assert "node 0: the workers ended with exit status -9" in nodes[1].said
    require_nothing_left(nodes, pids)


def test_a_killed_node_ends_the_other(start: Start) -> None:
    nodes = start(["hang", "hang"])
    pids = both_work(nodes)
    nodes[1].process.kill()
    assert all(node.end() for node in nodes)
    assert "rank 1: was ended from outside, with its node 1" in nodes[0].said
    require_nothing_left(nodes, pids)


def test_a_killed_node_0_ends_the_other_and_the_next_run_removes_its_folder(start: Start) -> None:
    nodes = start(["hang", "hang"])
    pids = both_work(nodes)
    nodes[0].process.kill()
    assert nodes[1].end() != 0
    assert "rank 0: was ended from outside, with its node 0" in nodes[1].said
    assert len(list(nodes[0].shared.iterdir())) == 1
    with job_directory(launcher(0, 1), nodes[0].shared) as directory:
        assert list(nodes[0].shared.iterdir()) == [directory]
    require_nothing_left(nodes, pids)


def test_nodes_with_different_jobs_are_told_so(tmp_path: Path) -> None:
    port = free_port()
    behaviours = ["hang", "hang"]
    nodes = [Node(tmp_path, launcher(0, port), behaviours)]
    nodes.append(Node(tmp_path, launcher(1, port), behaviours, corpus="other"))
    assert all(node.end() for node in nodes)
    for node in nodes:
        assert "rank 1: this node's job is not node 0's: catalog differ; run the same" in node.said


def test_nodes_with_different_numbers_of_processes_are_told_so() -> None:
    job = extract_features.ExtractionJob.model_construct(shards=[[], []])
    runtime = Runtime(0, 0, local_world_size=2, world_size=3, device=torch.device("cpu"))
    with pytest.raises(WorkerError, match="for 2 processes, but 3 have started: the nodes differ"):
        extract_features.main(job, runtime, None)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_node_that_stays_alone_says_where_it_has_waited(tmp_path: Path, rank: int) -> None:
    port = free_port()
    with pytest.raises(WorkerError, match=f"node {rank} of 2 .* did not meet at .*:{port} within"):
        run_workers(
            "tests.workers.toy_worker",
            ToyJob(catalog={}, behaviours=["succeed", "succeed"]),
            launcher(rank, port, timeout_seconds=3),
            on_message=lambda message: None,
            shared_folder=tmp_path,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_step_without_a_place_to_share_runs_on_one_node_only() -> None:
    with pytest.raises(WorkerError, match=r"run it with launcher\.nnodes=1"):
        run_workers("none", ToyJob(catalog={}, behaviours=[]), launcher(0, 1), on_message=print)


def write(directory: Path, *messages: Message) -> None:
    """Append messages as their senders would, and close the files as a test must."""
    for message in messages:
        sender = "rank" if "rank" in message else "node"
        with (directory / f"{sender}_{message[sender]}.jsonl").open("a") as file:
            file.write(json.dumps(message) + "\n")


def test_a_rank_that_is_done_gives_silent_ones_up(tmp_path: Path) -> None:
    write(tmp_path, *({"kind": "done", "rank": rank} for rank in (0, 2)))
    write(tmp_path, {"kind": "progress", "rank": 1, "amount": 1})
    with pytest.raises(WorkerError, match=r"rank 1, 3 reported nothing for .*=0\.7"):
        wait_for_all_ranks(tmp_path, 4, timeout_seconds=0.7)


def test_a_rank_that_is_done_leaves_when_the_others_are_done_or_one_has_failed(
    tmp_path: Path,
) -> None:
    write(tmp_path, *({"kind": "done", "rank": rank} for rank in (0, 1)))
    wait_for_all_ranks(tmp_path, 2, timeout_seconds=30)
    write(tmp_path, {"kind": "error", "node": 1, "error": "gone"})
    with pytest.raises(SystemExit):
        wait_for_all_ranks(tmp_path, 3, timeout_seconds=30)


def test_a_reader_notices_that_another_nodes_directory_is_gone(tmp_path: Path) -> None:
    own, shared = tmp_path / "own", tmp_path / "shared"
    own.mkdir()
    shared.mkdir()
    reader = ChannelReader(own)
    writer = ChannelWriter(own, 1)
    writer.move_to(shared)
    writer.send("log", text="here")
    assert [message["kind"] for message in reader.poll()] == ["met"]
    reader.follow(shared)
    assert [message["kind"] for message in reader.poll()] == ["log"]
    assert not reader.is_cut_off
    (shared / "rank_1.jsonl").unlink()
    shared.rmdir()
    writer._file.close()
    assert reader.poll() == []
    assert reader.is_cut_off
