"""In which format sound is put into a page."""

import base64
from typing import NamedTuple

import soundfile as sf


class SoundFormat(NamedTuple):
    """A format by libsndfile's names for container and coding, and its media type."""

    container: str
    coding: str
    mime: str


# What every browser plays, the first that libsndfile can write: MP3 since 1.1.
_FORMATS = (
    SoundFormat("MP3", "MPEG_LAYER_III", "audio/mpeg"),
    SoundFormat("OGG", "VORBIS", "audio/ogg"),
)


def choose_format() -> SoundFormat:
    """Return the format for sound in a page."""
    return next(known for known in _FORMATS if sf.check_format(known.container, known.coding))


def data_uri(mime: str, content: bytes | memoryview) -> str:
    """Return content as a URI that holds it.

    >>> data_uri("text/plain", b"hello")
    'data:text/plain;base64,aGVsbG8='
    """
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"
