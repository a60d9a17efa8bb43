"""Around a run: settings checked, outputs locked, results named, errors made short."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pandas as pd
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.project import settings
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pydantic import BaseModel, ValidationError

from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.params import GlobalParams, LauncherParams, ProjectParams
from acoustic_event_prediction.prediction.tables import recordings_text
from acoustic_event_prediction.report.cells import headline_text, place_text

# Several nodes work towards them, and a second run would change under the first what it reads.
_LOCKED_FROM_THE_START = {"recording_predictions"}
_RESULTS = (
    "ingestion_report",
    "ingestion_splits",
    "ingestion_events",
    "ingestion_episodes",
    "assignments",
    "diarization",
    "features",
    "labels",
    "predictor",
    "training_history",
    "tensorboard",
    "scores",
    "predictions",
    "predictions_csv",
    "textgrids",
    "audacity_labels",
    "operating_point",
    "metrics",
    "roc_curve",
    "pr_curve",
    "confusion_matrix",
    "reliability",
    "score_histogram",
    "lead_times",
    "score_track",
    "report",
    "causality_report",
    "causality_table",
    "horizon_table",
    "horizon_figure",
    "baseline_table",
    "baseline_figure",
    "comparison_table",
    "recording_predictions",
    "prediction_summary",
)


class StrictParameters:
    """Refuses unknown, ill-typed and contradictory settings before any data set is touched."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Check globals, parameters and `--params` together."""
        runtime = context.config_loader.runtime_params or {}
        _choose_one_checkpoint_source(runtime)
        try:
            self._check(context, runtime)
        except ValueError as error:
            raise click.ClickException(str(error)) from error

    def _check(self, context: KedroContext, runtime: dict[str, Any]) -> None:
        stored = settings.CONFIG_LOADER_CLASS(
            conf_source=context.config_loader.conf_source,
            env=context.env,
            **settings.CONFIG_LOADER_ARGS,
        )
        global_values = dict(stored["globals"])
        _refuse_unknown(runtime, {**stored["parameters"], **global_values})
        _validate(GlobalParams, _merge(global_values, runtime, only_known=True))
        parameters = dict(context.config_loader["parameters"])
        # Kedro adds all of --params to the parameters, those that only the paths need as well.
        only_paths = {*GlobalParams.model_fields} - {*ProjectParams.model_fields}
        _validate(
            ProjectParams,
            {k: v for k, v in parameters.items() if k not in runtime or k not in only_paths},
        )
        # parameters.yml could set these apart from the paths, which follow the globals.
        used = {
            "shift_frames": {parameters["shift_frames"], parameters["labeling"]["shift_frames"]},
            "corpus": {parameters["corpus"]},
        }
        for name, values in used.items():
            expected = runtime.get(name, global_values[name])
            if values != {expected}:
                raise ValueError(
                    f"{name} is {' and '.join(map(str, values))} in the parameters but {expected} "
                    f"in the paths; set {name} in globals.yml or by --params {name}=..., not in "
                    "parameters.yml"
                )


class WorkerCatalog:
    """Hands the run's own catalog configuration, resolved, to the nodes that start workers."""

    @hook_impl
    def after_catalog_created(self, catalog: DataCatalog, conf_catalog: dict[str, Any]) -> None:
        """Register `worker_catalog`: `{entry: configuration}`."""
        entries = {name: entry for name, entry in conf_catalog.items() if name[0] != "_"}
        catalog["worker_catalog"] = MemoryDataset(entries, copy_mode="assign")


class LockedOutputs:
    """What a node writes belongs to its run from the moment the node starts, or the run does.

    Of several machines that share the work, the one with launcher.node_rank=0 locks for all.
    """

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Refuse to run on a machine that only helps what it would do a second time."""
        # Kedro has built the model already only if a node of this pipeline takes it.
        rank = LauncherParams.model_validate(catalog.load("params:launcher")).node_rank
        alone = [node.name for node in pipeline.nodes if "params:launcher" not in node.inputs]
        if rank > 0 and alone:
            raise click.ClickException(
                f"with launcher.node_rank={rank} only pipelines that start workers can run, but "
                f"{', '.join(alone)} would be done twice; run them with launcher.node_rank=0 and "
                "give here --pipelines feature_extraction or training"
            )
        for dataset in _locked_from_the_start(pipeline, catalog):
            try:
                dataset.lock()
            except ProjectError as error:
                raise click.ClickException(str(error)) from error

    @hook_impl
    def on_pipeline_error(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Let another run write what was locked from the start."""
        for dataset in _locked_from_the_start(pipeline, catalog):
            dataset.release()

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog, inputs: dict[str, Any]) -> None:
        """Lock the node's outputs against other runs."""
        launcher = inputs.get("params:launcher")
        if launcher is not None and not launcher.is_main_node:
            return
        for name in node.outputs:
            lock = getattr(catalog.get(name), "lock", None)
            if lock is not None:
                lock()

    @hook_impl
    def on_node_error(self, node: Node, catalog: DataCatalog) -> None:
        """Let another run write the outputs again."""
        for name in node.outputs:
            release = getattr(catalog.get(name), "release", None)
            if release is not None:
                release()


class RunSummary:
    """Says at the end where the results are."""

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print the headlines, and the place of every result that this run made."""
        made = pipeline.all_outputs()
        if "predictor" in made:
            made |= {"tensorboard"}
        results = [name for name in _RESULTS if name in made]
        if "metrics" in made:
            for split, values in catalog.load("metrics").items():
                if "auprc" in values:
                    click.echo(f"{split}: {headline_text(values)}")
        if "causality_report" in made:
            for setting in catalog.load("causality_report")["settings"]:
                click.echo(setting["headline"])
        # Not logged: a log handler would break the paths at the terminal's width.
        if "prediction_summary" in made:
            summary = catalog.load("prediction_summary")
            click.echo(recordings_text(summary))
            if (summary["status"] == "failed").all():
                raise click.ClickException(
                    "none of the recordings could be predicted; the reasons are above, and in "
                    f"{_place(catalog, 'prediction_summary')}"
                )
            if len(summary) == 1:
                click.echo(f"{'page':<18} {_page_of(catalog, summary)}")
        for name in results:
            click.echo(f"{name.replace('_', ' '):<18} {_place(catalog, name)}")


class ConciseErrors:
    """Errors that are meant for the user end `kedro run` as one message, without a traceback."""

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Turn a project error into a command-line error with exit status 1."""
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ProjectError):
                raise click.ClickException(str(cause)) from error
            cause = cause.__cause__
        if isinstance(error, DatasetError):
            raise click.ClickException(str(error)) from error


def _choose_one_checkpoint_source(runtime: dict[str, Any]) -> None:
    """A checkpoint source on the command line replaces the other kind that `conf/` names."""
    given = runtime.get("checkpoint")
    if isinstance(given, dict):
        if given.get("hf_repo") is not None:
            given.setdefault("directory", None)
        elif given.get("directory") is not None:
            given.setdefault("hf_repo", None)


def _refuse_unknown(runtime: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    derived = "labeling.shift_frames"
    names = set(_leaves(known)) - {derived}
    unknown = [name for name in _leaves(runtime) if name not in names]
    if derived in unknown:
        raise ValueError(
            f"--params {derived} can't be set alone: the folders are named by the horizon; "
            "use --params shift_frames=N"
        )
    if unknown:
        raise ValueError(
            f"unknown --params {', '.join(unknown)}; "
            f"the valid names are: {', '.join(sorted(names))}"
        )


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _merge(
    base: Mapping[str, Any], changes: Mapping[str, Any], *, only_known: bool
) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            merged[key] = _merge(base[key], value, only_known=False)
        elif key in base or not only_known:
            merged[key] = value
    return merged


def _validate(model: type[GlobalParams | ProjectParams], values: Mapping[str, Any]) -> None:
    try:
        model.model_validate(values)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}, "
            f"got {problem['input']!r}"
            for problem in error.errors()
        ]
        valid = ", ".join(sorted(_names(model)))
        raise ValueError(
            "\n  ".join(["invalid parameters:", *problems, f"the valid names are: {valid}"])
        ) from error


def _names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            yield from _names(group, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _locked_from_the_start(pipeline: Pipeline, catalog: DataCatalog) -> list[Any]:
    return [catalog.get(name) for name in sorted(_LOCKED_FROM_THE_START & pipeline.all_outputs())]


def _page_of(catalog: DataCatalog, summary: pd.DataFrame) -> str:
    """Return the place of the page of a summary's only recording."""
    folder = Path(_place(catalog, "recording_predictions"))
    return str(folder / str(summary["recording"].iloc[0]) / "report.html")


def _place(catalog: DataCatalog, name: str) -> str:
    dataset = catalog.get(name)
    assert dataset is not None
    described = dataset._describe()
    return place_text(Path(described.get("filepath") or described["path"]))
