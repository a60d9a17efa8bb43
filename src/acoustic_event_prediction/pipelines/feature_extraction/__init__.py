"""Streams of every assignment -> features, one partition each, by torchrun workers."""

from acoustic_event_prediction.pipelines.feature_extraction.pipeline import create_pipeline

__all__ = ["create_pipeline"]
