"""Raw corpus to checked episodes, tables and assignments."""

from acoustic_event_prediction.pipelines.ingestion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
