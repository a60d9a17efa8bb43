"""The pipelines by name; plain `kedro run` runs all stages, from raw corpus to metrics."""

from kedro.framework.project import find_pipelines
from kedro.pipeline import Pipeline

# They check, compare or complete what the stages make, and are run by name only.
_BY_NAME_ONLY = {
    "baselines",
    "causality_check",
    "comparison",
    "diarization",
    "horizon_sweep",
    "prediction",
}


def register_pipelines() -> dict[str, Pipeline]:
    """Return every pipeline of `pipelines/`, and the sum of the stages as the default."""
    pipelines = find_pipelines(raise_errors=True)
    stages = [pipeline for name, pipeline in pipelines.items() if name not in _BY_NAME_ONLY]
    pipelines["__default__"] = sum(stages, Pipeline([]))
    return pipelines
