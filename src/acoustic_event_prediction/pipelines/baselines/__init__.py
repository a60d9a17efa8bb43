"""Features without a language model, from the same streams as Moshi's; run by name only."""

from acoustic_event_prediction.pipelines.baselines.pipeline import create_pipeline

__all__ = ["create_pipeline"]
