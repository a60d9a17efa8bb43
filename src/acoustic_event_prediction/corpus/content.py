"""Whether a file is still the one that was ingested."""

import hashlib
from pathlib import Path

import numpy as np

from acoustic_event_prediction.audio_source import (
    AudioChannel,
    AudioSource,
    HeldWaveform,
    open_binary,
)
from acoustic_event_prediction.corpus.records import AudioFile

_BLOCK_SAMPLES = 2**20


def sha256_of(source: AudioSource) -> str:
    """Return the digest of the encoded audio, in hex.

    Of one channel it is made from the digest of the file and the channel's number: other channels
    of a file are other sound. Of samples in memory it covers their shape, rate and values.

    Raises:
        OSError: the file can't be opened.
        AudioFileError: see `EmbeddedAudio.read_bytes`.
    """
    if isinstance(source, HeldWaveform):
        return _digest_samples(source)
    if isinstance(source, AudioChannel):
        return _channel_digest(sha256_of(source.source), source.channel)
    with open_binary(source) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def channel_of(file: AudioFile, channel: int) -> AudioFile:
    """Return the record of one channel of a file.

    Args:
        file: record of the whole file.
        channel: from 0.
    """
    digest = _channel_digest(file.sha256, channel)
    return file.model_copy(update={"channel": channel, "num_channels": 1, "sha256": digest})


def _channel_digest(whole: str, channel: int) -> str:
    return hashlib.sha256(f"{whole}, channel {channel}".encode()).hexdigest()


def _digest_samples(source: HeldWaveform) -> str:
    shape = source.channels.shape
    digest = hashlib.sha256(f"float32 {shape} at {source.sample_rate_hz} Hz".encode())
    for channel in source.channels:
        for start in range(0, channel.size, _BLOCK_SAMPLES):
            block = channel[start : start + _BLOCK_SAMPLES]
            digest.update(np.ascontiguousarray(block, dtype="<f4").data)
    return digest.hexdigest()


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
