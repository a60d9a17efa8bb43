"""Features and labels to a predictor."""

from acoustic_event_prediction.pipelines.training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
