"""A short name for what was measured."""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

FINGERPRINT_OF = (
    "SHA-256 over all partitions of validation and test, sorted by id: the id in UTF-8, a zero "
    "byte, the number of frames (8 bytes), the labels (1 byte each) and the scores (float32, 4 "
    "bytes each); numbers little-endian"
)


def fingerprint(
    partitions: Iterable[tuple[str, npt.NDArray[np.int8], npt.NDArray[np.float64]]],
) -> str:
    """Return the SHA-256, in hex, of labels and scores; see `FINGERPRINT_OF`.

    Args:
        partitions: of each, its id, labels [T] and scores [T], in any order.
    """
    digest = hashlib.sha256()
    for name, labels, scores in sorted(partitions, key=lambda partition: partition[0]):
        digest.update(name.encode("utf-8") + b"\0" + len(labels).to_bytes(8, "little"))
        digest.update(labels.astype("<i1").tobytes())
        digest.update(scores.astype("<f4").tobytes())
    return digest.hexdigest()
