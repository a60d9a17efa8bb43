"""Episodes without turns -> who speaks when, by pyannote.audio or from RTTM files."""

from acoustic_event_prediction.pipelines.diarization.pipeline import create_pipeline

__all__ = ["create_pipeline"]
