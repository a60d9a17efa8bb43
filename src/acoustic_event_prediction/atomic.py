"""Files that appear whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

PART_SUFFIX = ".part"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary sibling of `path` to write to; on success it becomes `path`, durably.

    A crash, a full disk or a kill -9 leaves the old file, or none; at worst a hidden `*.part` stays
    behind.

    Yields:
        Path of a file that does not exist yet, in the folder of `path`, with the same suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A short random name: the final one may already be as long as the file system allows.
    part = path.with_name(f".{secrets.token_hex(8)}{PART_SUFFIX}")
    try:
        yield part
        sync(part)
        os.replace(part, path)
        sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file, or the list of files of a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
