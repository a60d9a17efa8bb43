"""Whether a file is still the one that was ingested."""

import hashlib
from pathlib import Path

from acoustic_event_prediction.audio_source import AudioSource, open_binary
from acoustic_event_prediction.corpus.records import AudioFile


def sha256_of(source: AudioSource) -> str:
    """Return the digest of the encoded audio, in hex."""
    with open_binary(source) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def seems_unchanged(file: AudioFile, root: Path) -> bool:
    """Return whether a file is the ingested one: by size and time, and if these differ by content.

    Args:
        file: what ingestion has found.
        root: folder of the corpus.
    """
    path = root / file.path
    status = path.stat()
    if file.seems_to_be(status):
        return True
    return status.st_size == file.num_bytes and is_unchanged(file, root)


def is_unchanged(file: AudioFile, root: Path) -> bool:
    """Return whether a file has the content that was ingested; reads all of it."""
    return sha256_of(file.locate(root)) == file.sha256
