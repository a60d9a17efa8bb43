"""Whether a file is still the one that was ingested."""

import hashlib
from pathlib import Path

from acoustic_event_prediction.corpus.records import AudioFile


def sha256_of(path: Path) -> str:
    """Return the digest of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seems_unchanged(file: AudioFile, root: Path) -> bool:
    """Return whether a file is the ingested one: by size and time, and if these differ by content.

    Args:
        file: what ingestion has found.
        root: folder of the corpus.
    """
    path = root / file.path
    status = path.stat()
    if (status.st_size, status.st_mtime_ns) == (file.num_bytes, file.modified_ns):
        return True
    return status.st_size == file.num_bytes and is_unchanged(file, root)


def is_unchanged(file: AudioFile, root: Path) -> bool:
    """Return whether a file has the content that was ingested; reads all of it."""
    return sha256_of(root / file.path) == file.sha256
