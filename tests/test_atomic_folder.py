"""Folders that appear whole or not at all, also when the process is killed at any step."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from acoustic_event_prediction import atomic_folder
from acoustic_event_prediction.atomic_folder import replacing_folder, settle_leftovers

# Replaces folder argv[1] and ends, as by kill -9, right before the change of the file system with
# number argv[2]; with argv[3] it only settles.
_KILLED = """
import os, sys
from pathlib import Path
from acoustic_event_prediction.atomic_folder import replacing_folder, settle_leftovers

folder, step, changes = Path(sys.argv[1]), int(sys.argv[2]), 0

def count(event, arguments):
    global changes
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if writes or event in {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}:
        if changes == step:
            os._exit(9)
        changes += 1

sys.dont_write_bytecode = True
sys.addaudithook(count)
if len(sys.argv) > 3:
    settle_leftovers(folder.parent)
else:
    with replacing_folder(folder) as new:
        (new / "a").write_text("new")
        (new / "b").write_text("new")
"""


def make(folder: Path, state: str) -> None:
    with replacing_folder(folder) as new:
        (new / "a").write_text(state)
        (new / "b").write_text(state)


def read(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def both(state: str) -> dict[str, str]:
    return {"a": state, "b": state}


def kill_at(step: int, folder: Path, *settle: str) -> bool:
    """Return whether the process was killed; False: it had fewer steps."""
    command = [sys.executable, "-S", "-c", _KILLED, str(folder), str(step), *settle]
    source = Path(atomic_folder.__file__).parents[1]
    code = subprocess.run(command, check=False, env=os.environ | {"PYTHONPATH": str(source)})
    assert code.returncode in {0, 9}
    return code.returncode == 9


def test_new_folder_holds_what_was_written_and_nothing_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there" / "x"

    make(folder, "new")

    assert read(folder) == both("new")
    assert list(folder.parent.iterdir()) == [folder]


def test_folder_to_fill_has_the_name_of_the_final_one(tmp_path: Path) -> None:
    with replacing_folder(tmp_path / "x") as new:
        assert new.name == "x"
        assert list(new.iterdir()) == []
        assert not (tmp_path / "x").exists()


def test_earlier_folder_is_complete_until_the_new_one_takes_its_place(tmp_path: Path) -> None:
    make(tmp_path / "x", "old")
    (tmp_path / "x" / "stale").mkdir()

    with replacing_folder(tmp_path / "x") as new:
        (new / "a").write_text("new")
        assert read(tmp_path / "x") == both("old")

    assert read(tmp_path / "x") == {"a": "new", "b": "old"}
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_what_a_user_has_put_into_the_earlier_folder_moves_over(tmp_path: Path) -> None:
    make(tmp_path / "x", "old")
    (tmp_path / "x" / "notes.txt").write_text("mine")
    (tmp_path / "x" / "cuts" / "deep").mkdir(parents=True)
    (tmp_path / "x" / "cuts" / "deep" / "1.wav").write_text("sound")
    (tmp_path / "x" / "link").symlink_to("nowhere")

    make(tmp_path / "x", "new")

    assert read(tmp_path / "x") == both("new") | {"notes.txt": "mine", "cuts/deep/1.wav": "sound"}
    assert os.readlink(tmp_path / "x" / "link") == "nowhere"


@pytest.mark.parametrize("with_earlier", [False, True])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_failure_leaves_the_earlier_folder_as_it_was(
    tmp_path: Path, with_earlier: bool, error: BaseException
) -> None:
    if with_earlier:
        make(tmp_path / "x", "old")
    before = read(tmp_path)

    def write_half() -> None:
        with replacing_folder(tmp_path / "x") as new:
            (new / "a").write_text("half")
            raise error

    with pytest.raises(type(error)):
        write_half()

    assert read(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == with_earlier


@pytest.mark.parametrize("failing", [1, 2])
def test_rename_that_fails_leaves_the_earlier_folder_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    make(tmp_path / "x", "old")
    (tmp_path / "x" / "notes.txt").write_text("mine")
    before = read(tmp_path)
    rename, calls = os.rename, iter(range(1, 100))

    def fail_once(source: Path, target: Path) -> None:
        if next(calls) == failing:
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail_once)
    with pytest.raises(OSError, match="Input/output error"):
        make(tmp_path / "x", "new")

    assert read(tmp_path) == before
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def _file(path: Path) -> None:
    path.write_text("mine")


def _link(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("put", [_file, _link])
def test_what_is_no_folder_is_not_replaced(tmp_path: Path, put: Callable[[Path], None]) -> None:
    put(tmp_path / "x")
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(OSError, match=r"is in the way of a folder; move it away.*/x"):
        make(tmp_path / "x", "new")

    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("with_earlier", [False, True])
def test_a_kill_at_any_step_leaves_one_whole_state(tmp_path: Path, with_earlier: bool) -> None:
    mine = {"notes.txt": "mine", "cuts/1.wav": "sound"} if with_earlier else {}
    states = []
    for step in range(100):
        folder = tmp_path / str(step) / "x"
        folder.parent.mkdir()
        if with_earlier:
            make(folder, "old")
            (folder / "cuts").mkdir()
            for name, text in mine.items():
                (folder / name).write_text(text)
        if not kill_at(step, folder):
            break
        settle_leftovers(folder.parent)
        states.append(read(folder))
        assert [path.name for path in folder.parent.iterdir()] in ([], ["x"])
    old = both("old") if with_earlier else {}
    whole = [old | mine, both("new") | mine]
    assert len(states) >= 7
    # The old state before the exchange, the new one after it, and nothing else at any time.
    assert states == sorted(states, key=whole.index)
    assert states[0] == whole[0]
    if with_earlier:
        assert states[-1] == whole[1]


def test_half_removed_folder_does_not_come_back_when_the_new_one_is_deleted(tmp_path: Path) -> None:
    for step in range(100):
        folder = tmp_path / str(step) / "x"
        make(folder, "old")
        if not kill_at(step, folder):
            return
        if folder.exists():
            shutil.rmtree(folder)
        settle_leftovers(folder.parent)
        assert read(folder) in ({}, both("old"))
    pytest.fail("replacing has no end")


def test_a_kill_while_leftovers_are_settled_loses_nothing(tmp_path: Path) -> None:
    for step in range(100):
        parent = tmp_path / str(step)
        token = "0123456789abcdef"
        for name in ("between", "after"):
            make(parent / f".{token}.old" / name, "old")
            (parent / f".{token}.old" / name / "notes.txt").write_text("mine")
        make(parent / f".{token}.part" / "between", "new")
        make(parent / "after", "new")
        was_killed = kill_at(step, parent / "after", "settle")
        settle_leftovers(parent)

        mine = {"notes.txt": "mine"}
        assert read(parent / "between") == both("old") | mine
        assert read(parent / "after") == both("new") | mine
        assert sorted(path.name for path in parent.iterdir()) == ["after", "between"]
        if not was_killed:
            return
    pytest.fail("settling has no end")


def test_only_what_is_ours_is_settled(tmp_path: Path) -> None:
    others = [".old", ".my.part", ".0123.old", "x.part", ".lock"]
    for name in others:
        (tmp_path / name).mkdir()

    settle_leftovers(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
