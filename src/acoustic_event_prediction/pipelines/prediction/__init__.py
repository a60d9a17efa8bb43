"""A trained predictor on recordings that it has never heard: scores, alarms, a page for each."""

from acoustic_event_prediction.pipelines.prediction.pipeline import create_pipeline

__all__ = ["create_pipeline"]
