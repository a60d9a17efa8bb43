import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from acoustic_event_prediction.errors import WorkerError
from acoustic_event_prediction.params import LauncherParams
from acoustic_event_prediction.workers.channel import ChannelReader, ChannelWriter, Message
from acoustic_event_prediction.workers.launch import run_workers
from tests.workers.toy_worker import ToyJob

PROJECT = Path(__file__).parents[2]
MODULE = "tests.workers.toy_worker"


def launcher(num_processes: int, timeout_seconds: float = 60) -> LauncherParams:
    return LauncherParams(
        nproc_per_node=num_processes,
        nnodes=1,
        node_rank=0,
        rdzv_endpoint=None,
        timeout_seconds=timeout_seconds,
    )


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{PROJECT}{os.pathsep}{PROJECT / 'src'}")


def run(behaviours: list[str], timeout_seconds: float = 60) -> list[Message]:
    messages: list[Message] = []
    run_workers(
        MODULE,
        ToyJob(catalog={}, behaviours=behaviours),
        launcher(len(behaviours), timeout_seconds),
        on_message=messages.append,
    )
    return messages


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if psutil.pid_exists(pid)]


def wait_until(condition, seconds: float = 40) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False


def test_every_rank_runs_and_is_heard() -> None:
    messages = run(["succeed", "succeed"])
    assert sorted(message["rank"] for message in messages) == [0, 1]
    assert {message["world_size"] for message in messages} == {2}


def test_a_raising_worker_is_named_with_its_cause_and_ends_the_others() -> None:
    with pytest.raises(WorkerError, match=r"rank 1: ValueError: episode 'train/x' can't be used"):
        run(["hang", "raise"])


def test_a_workers_message_to_the_user_comes_without_a_traceback(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(WorkerError) as caught:
        run(["refuse", "refuse"])
    assert str(caught.value).endswith("has no audio; restore it")
    assert "Traceback" not in str(caught.value) + "".join(capfd.readouterr())


def test_a_killed_worker_is_an_error() -> None:
    with pytest.raises(WorkerError, match="left no message: killed from outside"):
        run(["be killed"])


def test_what_a_library_said_before_it_ended_a_worker_is_shown() -> None:
    with pytest.raises(WorkerError, match=r"out of luck(?s:.*)SIGABRT") as error:
        run(["abort"])
    assert "return launch_agent(" not in str(error.value)


def test_silent_workers_are_ended() -> None:
    with pytest.raises(WorkerError, match=r"launcher\.timeout_seconds=8"):
        run(["hang"], timeout_seconds=8)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_the_launcher(tmp_path: Path, number: signal.Signals) -> None:
    pids, process = started(tmp_path)
    process.send_signal(number)
    process.wait(60)
    assert process.returncode != 0
    assert wait_until(lambda: not alive(pids)), f"still running: {alive(pids)}"


def test_no_worker_outlives_the_agent(tmp_path: Path) -> None:
    pids, process = started(tmp_path)
    agent = psutil.Process(pids[0]).parent()
    assert agent is not None
    agent.kill()
    process.wait(60)
    assert process.returncode != 0
    assert wait_until(lambda: not alive(pids)), f"still running: {alive(pids)}"


def started(tmp_path: Path) -> tuple[list[int], subprocess.Popen[bytes]]:
    """Start a process that launches two hanging workers; return their ids and the process."""
    heard = tmp_path / "heard"
    script = (
        "import sys; from tests.workers.test_launch import *; heard = open(sys.argv[1], 'a', 1)\n"
        f"run_workers({MODULE!r}, ToyJob(catalog={{}}, behaviours=['hang'] * 2), launcher(2),"
        " on_message=lambda message: print(message['pid'], file=heard))"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(heard)], cwd=PROJECT)
    assert wait_until(lambda: heard.exists() and heard.read_text().count("\n") == 2)
    return [int(pid) for pid in heard.read_text().split()], process


def test_a_reader_gives_every_whole_message_once(tmp_path: Path) -> None:
    writer, reader = ChannelWriter(tmp_path, 0), ChannelReader(tmp_path)
    writer.send("progress", amount=1)
    assert [message["amount"] for message in reader.poll()] == [1]
    with (tmp_path / "rank_0.jsonl").open("a") as file:
        file.write('{"kind": "progress", "amo')
    assert reader.poll() == []
    with (tmp_path / "rank_0.jsonl").open("a") as file:
        file.write('unt": 2}\n')
    assert [message["amount"] for message in reader.poll()] == [2]
    writer._file.close()
