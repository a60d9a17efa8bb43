"""Records and settings made by hand; a test names only what it is about."""

from acoustic_event_prediction.corpus.records import AudioFile
from acoustic_event_prediction.params import FeatureExtractionParams, StreamParams


def audio_file(**changes: object) -> AudioFile:
    """A record of an audio file that need not exist."""
    values = {
        "path": "a.wav",
        "num_samples": 1,
        "sample_rate_hz": 24_000,
        "num_channels": 1,
        "num_bytes": 1,
        "modified_ns": 0,
        "sha256": "0",
    }
    return AudioFile.model_validate(values | changes)


def extraction_params(**changes: object) -> FeatureExtractionParams:
    """Settings of the extraction: as in conf/base, on the CPU."""
    values = {
        "text": "words",
        "stream_order": "moshi",
        "reset_every_seconds": None,
        "chunk_frames": 256,
        "dtype": "float16",
        "precision": "float32",
        "device": "cpu",
    }
    return FeatureExtractionParams.model_validate(values | changes)


def stream_params(**changes: object) -> StreamParams:
    """Settings of the streams, as in conf/base."""
    values = {
        "source": "auto",
        "min_speaker_share": 0.2,
        "max_users": None,
        "mask_laughter": "both",
    }
    return StreamParams.model_validate(values | changes)
