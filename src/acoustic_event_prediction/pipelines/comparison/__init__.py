"""Compare the predictor with another one on the same frames."""

from acoustic_event_prediction.pipelines.comparison.pipeline import create_pipeline

__all__ = ["create_pipeline"]
