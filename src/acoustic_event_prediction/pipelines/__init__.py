"""Kedro pipelines, one folder per stage: `pipeline.py` is the map, `nodes.py` the functions."""
