"""Train and evaluate many horizons at once, and compare them."""

from acoustic_event_prediction.pipelines.horizon_sweep.pipeline import create_pipeline

__all__ = ["create_pipeline"]
