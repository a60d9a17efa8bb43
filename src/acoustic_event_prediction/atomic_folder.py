"""Folders that appear whole or not at all.

A folder can't be replaced in one step as a file can. While its files are written they lie in

    <parent>/.<token>.part/<name>/      not yet valid

and in the moment of the exchange the earlier folder lies in

    <parent>/.<token>.old/<name>/       whole; put back, or emptied of what is not ours, and removed

What a kill leaves of these is settled by `settle_leftovers`.
"""

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from acoustic_event_prediction.atomic import PART_SUFFIX, sync

_OLD_SUFFIX = ".old"
_HOLDER = re.compile(rf"\.[0-9a-f]{{16}}({re.escape(PART_SUFFIX)}|{re.escape(_OLD_SUFFIX)})")
# Two threads that exchange one folder would find each other's half of it.
_exchange_lock = threading.Lock()


def _is_free_or_folder(path: Path) -> bool:
    # One look: between two, another thread may exchange the folder.
    with contextlib.suppress(FileNotFoundError):
        return stat.S_ISDIR(path.lstat().st_mode)
    return True


@contextlib.contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder to fill; on success it becomes `folder`, durably.

    An error or a full disk leaves the earlier folder as it was. So does a kill, but for one between
    the two renames of the exchange: until `settle_leftovers`, there is then none of that name. What
    the earlier folder holds and the new one does not, such as a user's notes, moves to the new one.

    Yields:
        An empty folder with the name of `folder`.

    Raises:
        OSError: `folder` is a file or a link, or the file system refuses.
    """
    if not _is_free_or_folder(folder):
        raise NotADirectoryError(
            errno.ENOTDIR, "a file or a link is in the way of a folder; move it away", str(folder)
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    holder = folder.with_name(f".{secrets.token_hex(8)}{PART_SUFFIX}")
    new = holder / folder.name
    try:
        new.mkdir(parents=True)
        yield new
        _sync_tree(new)
        with _exchange_lock:
            _exchange(new, folder)
    finally:
        # What can't be removed now must not hide the error; it is left to `settle_leftovers`.
        shutil.rmtree(holder, ignore_errors=True)


def settle_leftovers(parent: Path) -> None:
    """Bring the folders in `parent` to the state before or after an exchange that was killed.

    Nobody may be writing in `parent`.

    Raises:
        OSError: the file system refuses; another call goes on.
    """
    holders = [path for path in sorted(parent.iterdir()) if _HOLDER.fullmatch(path.name)]
    # The unfinished ones first: an old folder becomes one of them before it is removed.
    for holder in sorted(holders, key=lambda path: path.suffix == _OLD_SUFFIX):
        if holder.suffix == _OLD_SUFFIX:
            _settle(holder)
        else:
            shutil.rmtree(holder)


def _exchange(new: Path, folder: Path) -> None:
    if not folder.exists():
        os.rename(new, folder)
        sync(folder.parent)
        return
    aside = new.parent.with_suffix(_OLD_SUFFIX)
    aside.mkdir()
    try:
        os.rename(folder, aside / folder.name)
        os.rename(new, folder)
        sync(folder.parent)
    finally:
        _settle(aside)


def _settle(aside: Path) -> None:
    """Put the old folder back where there is no new one; else move over what only it has."""
    for old in list(aside.iterdir()):
        folder = aside.with_name(old.name)
        if not os.path.lexists(folder):
            os.rename(old, folder)
            continue
        for entry in list(old.iterdir()):
            if not os.path.lexists(folder / entry.name):
                os.rename(entry, folder / entry.name)
        sync(folder)
    sync(aside.parent)
    # Half a folder must never be put back: it is declared waste before its first file goes.
    waste = aside.with_suffix(PART_SUFFIX)
    if waste.exists():
        shutil.rmtree(waste)
    os.rename(aside, waste)
    shutil.rmtree(waste)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if not path.is_symlink():
            sync(path)
    sync(folder)
