"""Change what is not yet known, and see which feature notices first: the features' true lead."""

from acoustic_event_prediction.pipelines.causality_check.pipeline import create_pipeline

__all__ = ["create_pipeline"]
