"""Events to labels."""

from acoustic_event_prediction.pipelines.labeling.pipeline import create_pipeline

__all__ = ["create_pipeline"]
