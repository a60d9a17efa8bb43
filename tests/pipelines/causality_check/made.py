"""A measurement made by hand."""

from acoustic_event_prediction.speech_lm.causality import Measurement


def measurement(**changes: object) -> Measurement:
    """Three points: one amid a word of 5 frames, one after which nothing is said."""
    values = {
        "assignment_id": "train/x/A",
        "source": "separated",
        "num_frames": 50,
        "frames": [10, 20, 40],
        "in_word": [False, True, False],
        "delays": {
            "words": {"audio": [1, 2, 1], "words": [6, -4, None], "both": [1, -4, 1]},
            "words_at_end": {"audio": [1, 2, 1], "words": [11, 1, None], "both": [1, 1, 1]},
            "none": {"audio": [1, 2, 1], "words": [None] * 3, "both": [1, 2, 1]},
        },
        "rounding": 0.0,
        "device": "cpu",
    }
    return Measurement.model_validate(values | changes)
