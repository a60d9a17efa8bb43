"""Kedro's project settings: hooks, and how the environments of `conf/` are merged."""

import warnings

from acoustic_event_prediction.hooks import (
    ConciseErrors,
    LockedOutputs,
    RunSummary,
    StrictParameters,
    WorkerCatalog,
)

# Kedro 1.7 itself calls a function that omegaconf 2.4 has deprecated; nothing here can change it.
warnings.filterwarnings("ignore", message=r"register_new_resolver\(\)")

HOOKS = (StrictParameters(), WorkerCatalog(), LockedOutputs(), RunSummary(), ConciseErrors())

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # Soft: conf/local or --params may set one key of a group and keep the others.
    "merge_strategy": {"parameters": "soft", "globals": "soft"},
}
