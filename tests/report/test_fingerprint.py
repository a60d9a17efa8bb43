import hashlib

import numpy as np

from acoustic_event_prediction.report.fingerprint import fingerprint

LABELS = np.array([0, 1], np.int8)
SCORES = np.array([0.5, 1.0])


def test_it_is_of_id_length_labels_and_scores() -> None:
    # 0.5 and 1.0 in float32, little-endian.
    numbers = bytes.fromhex("0200000000000000 0001 0000003f 0000803f".replace(" ", ""))
    expected = hashlib.sha256("test/é/x".encode() + b"\0" + numbers).hexdigest()

    assert fingerprint([("test/é/x", LABELS, SCORES)]) == expected


def test_the_order_of_partitions_does_not_matter_and_everything_else_does() -> None:
    a, b = ("test/a/x", LABELS, SCORES), ("test/b/x", LABELS, SCORES[::-1])
    known = fingerprint([a, b])

    assert fingerprint([b, a]) == known
    others = [
        [a, ("test/c/x", *b[1:])],
        [a, ("test/b/x", LABELS[::-1], b[2])],
        [a, ("test/b/x", LABELS, SCORES)],
        [a],
    ]
    assert len({known, *map(fingerprint, others)}) == 5
