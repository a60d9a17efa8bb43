"""The arrows between the layers, and the sizes that keep a file one concept."""

import ast
from pathlib import Path

import pytest

PACKAGE = "acoustic_event_prediction"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts): path
    for path in sorted(SOURCE.rglob("*.py"))
}
# Everything that is not named here is a domain module: it knows neither Kedro nor processes.
KEDRO_LAYERS = ("pipelines", "datasets", "hooks", "settings", "pipeline_registry", "__main__")
PROCESS_LAYERS = ("workers",)
MADE_OF = {
    "baselines": {"feature_extraction", "training", "evaluation"},
    "comparison": {"evaluation"},
    "horizon_sweep": {"labeling", "training", "evaluation"},
}


def imports(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, at its top or inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def layer(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def names(imported: set[str], prefix: str) -> set[str]:
    return {name for name in imported if name == prefix or name.startswith(f"{prefix}.")}


DOMAIN = [m for m in MODULES if layer(m) not in {*KEDRO_LAYERS, *PROCESS_LAYERS}]


@pytest.mark.parametrize("module", DOMAIN)
def test_a_domain_module_knows_neither_kedro_nor_processes(module: str) -> None:
    imported = imports(MODULES[module])
    for outside in ("kedro", "kedro_datasets", "subprocess", "multiprocessing"):
        assert not names(imported, outside)
    for upper in (*KEDRO_LAYERS, *PROCESS_LAYERS):
        assert not names(imported, f"{PACKAGE}.{upper}")


@pytest.mark.parametrize("module", [m for m in MODULES if layer(m) == "workers"])
def test_a_worker_imports_no_pipeline(module: str) -> None:
    imported = imports(MODULES[module])
    assert not names(imported, f"{PACKAGE}.pipelines")
    assert not names(imported, f"{PACKAGE}.hooks")
    # Of Kedro a worker needs its own catalog entries, nothing of the framework.
    assert {name.split(".")[1] for name in names(imported, "kedro") if "." in name} <= {"io"}


def test_only_the_launcher_starts_processes() -> None:
    starters = {m for m, path in MODULES.items() if names(imports(path), "subprocess")}
    assert starters == {"workers.launch"}


@pytest.mark.parametrize("module", [m for m in MODULES if layer(m) == "datasets"])
def test_a_catalog_type_knows_no_pipeline_and_no_worker(module: str) -> None:
    imported = imports(MODULES[module])
    assert not names(imported, f"{PACKAGE}.pipelines")
    assert not names(imported, f"{PACKAGE}.workers")


def test_pipelines_do_not_import_one_another_unless_made_of_them() -> None:
    for module, path in MODULES.items():
        if layer(module) == "pipelines" and "." in module:
            stage = module.split(".")[1]
            imported = names(imports(path), f"{PACKAGE}.pipelines")
            stages = {name.split(".")[2] for name in imported if name.count(".") > 1}
            others = stages - {stage} - MADE_OF.get(stage, set())
            assert not others, f"{module} imports {others}"


@pytest.mark.parametrize("module", MODULES)
def test_a_file_stays_one_concept_and_a_function_one_thought(module: str) -> None:
    text = MODULES[module].read_text(encoding="utf-8")
    assert text.count("\n") <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            lines = node.end_lineno - node.lineno + 1 - docstring.count("\n")
            assert lines <= 60, f"{module}.{node.name} has {lines} lines besides its docstring"


def test_nothing_is_unpickled() -> None:
    for module, path in MODULES.items():
        imported = imports(path)
        assert not names(imported, "pickle"), module
        assert not names(imported, "joblib"), module
        assert "torch.load(" not in path.read_text(encoding="utf-8"), module
        assert "allow_pickle=True" not in path.read_text(encoding="utf-8"), module
