"""Predictor, features and labels to scores, metrics and figures."""

from acoustic_event_prediction.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
