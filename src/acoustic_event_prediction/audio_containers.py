"""Containers that libsndfile does not decode, recognised by how they begin."""

from typing import BinaryIO, NamedTuple

_NUM_BYTES = 64
_ID3_HEADER_BYTES = 10


class Container(NamedTuple):
    """What a file is.

    Attributes:
        name: with its article where it has one, for messages.
        suffix: that such files have, without the dot.
    """

    name: str
    suffix: str


_AAC = Container("AAC sound", "aac")
_MPEG4 = "an MPEG-4 or QuickTime file"
_EBML = b"\x1aE\xdf\xa3"
# Where it is, how it begins, and what it then is; the first that fits.
_BEGINNINGS = (
    (4, b"ftypM4A", Container(_MPEG4, "m4a")),
    (4, b"ftypM4B", Container(_MPEG4, "m4b")),
    (4, b"ftyp", Container(_MPEG4, "mp4")),
    (4, b"moov", Container(_MPEG4, "mov")),
    (4, b"mdat", Container(_MPEG4, "mov")),
    (0, _EBML, Container("a Matroska file", "mkv")),
    (0, b"ADIF", _AAC),
    (0, bytes.fromhex("3026b2758e66cf11"), Container("a Windows Media file", "wma")),
    (8, b"AVI ", Container("an AVI file", "avi")),
    (0, b"#!AMR", Container("AMR sound", "amr")),
)


def recognise_container(file: BinaryIO) -> Container | None:
    """Return which known container a file is; None if it is none of them.

    Its name is not asked: recordings of phones and browsers are often renamed to `.wav` or `.mp3`.

    Args:
        file: at its beginning; is read, and left anywhere.
    """
    start = file.read(_NUM_BYTES)
    if start.startswith(b"ID3"):  # tags stand before AAC as before MP3
        size = 0
        for byte in start[6:_ID3_HEADER_BYTES]:
            size = size << 7 | byte & 0x7F
        file.seek(_ID3_HEADER_BYTES + size)
        start = file.read(_NUM_BYTES)
    if start.startswith(_EBML) and b"webm" in start:
        return Container("a WebM file", "webm")
    # ADTS: twelve bits of sync word, and two bits for the layer, which MPEG audio never has zero.
    if int.from_bytes(start[:2]) & 0xFFF6 == 0xFFF0:  # noqa: PLR2004
        return _AAC
    for place, beginning, container in _BEGINNINGS:
        if start[place:].startswith(beginning):
            return container
    return None
