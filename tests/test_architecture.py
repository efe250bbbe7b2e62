"""Which way imports run: read from the source, nothing is imported here."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import xrayaug

ROOT = Path(xrayaug.__file__).parent
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
HEAVY = {"torch", "torchvision", "numpy", "scipy", "matplotlib", "PIL", "safetensors", "pytorch_fid"}


def name_of(file: Path) -> str:
    """``src/xrayaug/networks/gans/__init__.py`` as ``xrayaug.networks.gans``."""
    parts = (ROOT.name, *file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(file): file for file in sorted(ROOT.rglob("*.py"))}
ORDER = (  # every entry of the top level; each imports only from those before it and from itself
    "errors", "stats", "runtime", "options", "storage", "cli", "data", "plots", "networks", "studies", "metrics",
    "sampling", "training", "evaluation", "stages",
)  # fmt: skip
HOLD_CODE = {
    f"xrayaug.{name}" for name in ("options", "networks.gans", "data.phantoms", "data.sources", "metrics.extractors")
} | {"xrayaug"}
PACKAGES = {name for name, file in FILES.items() if file.name == "__init__.py"} - HOLD_CODE


def statements(node: ast.AST, *, within_functions: bool) -> Iterator[ast.stmt]:
    """Every statement that runs on import, or with functions every one that can run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not within_functions:
            continue
        if isinstance(child, ast.stmt):
            yield child
        yield from statements(child, within_functions=within_functions)


@cache
def imports(module: str, *, within_functions: bool = False) -> frozenset[str]:
    """The modules that `module` names: `from xrayaug import plots` names `xrayaug` and `xrayaug.plots`."""
    found: set[str] = set()
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    for statement in statements(tree, within_functions=within_functions):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, f"{module} imports relatively"
            assert statement.module is not None
            found |= {statement.module, *(f"{statement.module}.{alias.name}" for alias in statement.names)}
    return frozenset(name for name in found if name.split(".")[0] != "xrayaug" or name in FILES)


def everything_imported_by(module: str) -> set[str]:
    """What importing `module` imports, through the package's own modules and the packages they lie in."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in FILES:
            waiting += [*imports(name), *([name.rpartition(".")[0]] if "." in name else [])]
    return seen - {module}


def everything_imported_by_others(modules: set[str]) -> set[str]:
    """What importing any of them imports."""
    return set().union(*(everything_imported_by(module) for module in modules))


def tops(names: set[str] | frozenset[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def room_of(module: str) -> str:
    """The first part of its path within the package: `data` of `xrayaug.data.images.png`."""
    return module.split(".")[1]


def importers_of(package: str) -> set[str]:
    """The modules that import it, at the top or in a function."""
    return {module for module in FILES if package in tops(imports(module, within_functions=True))}


def test_stages_are_imported_by_name_alone() -> None:
    for module in FILES:
        named = {name for name in imports(module, within_functions=True) if name.startswith("xrayaug.stages")}
        assert not named, f"{module} imports {named}"


def test_nothing_imports_the_command_line_but_main() -> None:
    assert {module for module in FILES if "xrayaug.cli" in imports(module, within_functions=True)} == {
        "xrayaug.__main__"
    }


@pytest.mark.parametrize(
    ("package", "only"),
    [
        ("typer", "cli"),
        ("click", None),
        ("rich", "runtime.console"),
        ("matplotlib", "plots"),
        ("jinja2", "evaluation.report.page"),
    ],
)
def test_a_package_has_one_importer(package: str, only: str | None) -> None:
    assert importers_of(package) <= {f"xrayaug.{only}"}


LIGHT = (
    "__main__", "cli", "options", "errors", "runtime.console", "storage.artifacts", "networks.gans", "data.sources",
    "stages", "runtime.distributed.ranks",
)  # fmt: skip


@pytest.mark.parametrize("module", LIGHT)
def test_what_help_and_completion_load_is_light(module: str) -> None:
    assert not HEAVY & tops(everything_imported_by(f"xrayaug.{module}"))


PIXELS_ONLY = [
    "evaluation.reader_study.scoring",
    "evaluation.reader_study.study",
    "evaluation.reader_study.tables",
    "data.images.greyscale",
    "data.images.resizing",
    "data.images.arrays",
    "data.dataset",
    "data.splits",
    "data.phantoms",
    "stats.classification",
    "evaluation.findings",
    "evaluation.checks",
    "evaluation.judge",
    "evaluation.verdict",
]
STAGES_WITHOUT_NETWORKS = ["stages.prepare", "stages.augment", "stages.phantom", "stages.experiment"]
SOURCES = [name.removeprefix("xrayaug.") for name in FILES if name.startswith("xrayaug.data.sources.")]


@pytest.mark.parametrize("module", [*PIXELS_ONLY, *STAGES_WITHOUT_NETWORKS, *SOURCES])
def test_what_needs_no_network_loads_no_torch(module: str) -> None:
    assert not {"torch", "torchvision"} & tops(everything_imported_by(f"xrayaug.{module}"))


def test_every_entry_of_the_top_level_has_its_place_in_the_order() -> None:
    assert {room_of(name) for name in FILES.keys() - {"xrayaug"}} == {*ORDER, "__main__"}
    assert len(ORDER) <= 15


@pytest.mark.parametrize("module", sorted(FILES.keys() - {"xrayaug", "xrayaug.__main__"}))
def test_a_module_imports_only_from_its_own_room_and_those_before_it(module: str) -> None:
    allowed = ORDER[: ORDER.index(room_of(module)) + 1]
    own = {name for name in imports(module, within_functions=True) if name.startswith("xrayaug.")}
    assert {room_of(name) for name in own} <= set(allowed)


def test_modules_form_no_circle() -> None:
    """Over all imports, those within functions too, of modules alone: a package imports nothing of its own accord."""
    needs = {module: imports(module, within_functions=True) & FILES.keys() for module in FILES}
    reexporting = {"xrayaug.options"}
    TopologicalSorter({module: needs[module] - PACKAGES - reexporting - {module} for module in FILES}).prepare()


SHARED_BY_GANS = {
    f"xrayaug.{name}" for name in ("networks.gans", "networks.equalized_lr", "runtime.distributed.sharing")
}


def test_architectures_import_only_their_contract_and_those_they_build_on() -> None:
    for module in FILES:
        if module.startswith("xrayaug.networks.gans."):
            own = {name for name in imports(module, within_functions=True) if name.startswith("xrayaug")}
            built_on = own - PACKAGES - SHARED_BY_GANS
            assert all(name.startswith("xrayaug.networks.gans.") for name in built_on), module
            assert module not in everything_imported_by_others(own), f"{module} builds on itself"


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_a_package_is_but_its_docstring(package: str) -> None:
    """Whoever imports a module of it pays for that module alone."""
    (only,) = ast.parse(FILES[package].read_text(encoding="utf-8")).body
    assert isinstance(only, ast.Expr)


def test_every_file_has_a_name_of_its_own() -> None:
    assert not FORBIDDEN_NAMES & {name.rpartition(".")[2] for name in FILES}


def test_this_reads_what_it_should() -> None:
    assert {"torch", "numpy"} <= tops(everything_imported_by("xrayaug.stages.train_gan"))
    assert "rich" in tops(imports("xrayaug.runtime.console", within_functions=True)) - tops(
        imports("xrayaug.runtime.console")
    )


OPENING = {  # modules and functions that open artifacts, datasets, runs, weights and other files
    f"xrayaug.{name}"
    for name in (
        "storage.artifacts", "storage.builder", "storage.csvfile.read_lines", "storage.csvfile.read_sheet",
        "storage.manifests", "storage.raw_inputs", "storage.weights", "data.dataset", "data.image_sets",
        "data.images.decoding", "data.sources", "networks.classifier.restore", "networks.inception",
        "networks.pretrained", "metrics.features", "evaluation.gather",
    )
} | {"builtins.open", "builtins.__import__", "importlib.import_module"}  # fmt: skip
TYPES = {  # names of those modules that open nothing
    f"xrayaug.{name}"
    for name in (
        "data.dataset.BALANCE", "data.dataset.COLUMNS", "data.dataset.LABELS", "data.dataset.Row",
        "metrics.features.FeatureExtractor", "storage.artifacts.Artifact", "storage.artifacts.Result",
    )
}  # fmt: skip
READING_METHODS = {
    f".{name}"
    for name in (
        "fromfile", "glob", "iterdir", "load", "loadtxt", "memmap", "open", "open_input", "read_bytes", "read_text",
        "rglob",
    )
}  # fmt: skip


def is_within(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def names_used(source: str) -> set[str]:
    """Every name that the source reaches through its imports, in functions too, such as `xrayaug.data.dataset.Row`.

    Built-in functions count as `builtins.open`, and calls of any object's method as `.open`.
    """
    nodes = list(ast.walk(ast.parse(source)))
    full_names: dict[str, str] = {}
    used: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            used |= {alias.name for alias in node.names}
            full_names |= {alias.asname: alias.name for alias in node.names if alias.asname}
            full_names |= {top: top for top in tops({alias.name for alias in node.names if not alias.asname})}
        elif isinstance(node, ast.ImportFrom):
            used |= {f"{node.module}.{alias.name}" for alias in node.names}
            full_names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute):
            first, dot, rest = ast.unparse(node).partition(".")
            used.add(f"{full_names[first]}{dot}{rest}" if first in full_names else f"builtins.{first}{dot}{rest}")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            used.add(f".{node.func.attr}")
    return used


def opening_names(source: str) -> set[str]:
    """The names in a source that open something."""
    return {
        name
        for name in names_used(source)
        if name in READING_METHODS or (is_within(name, OPENING) and not is_within(name, TYPES))
    }


def is_gathering(module: str) -> bool:
    return is_within(module, {"xrayaug.evaluation.gather"})


RENDERING_AND_JUDGING = [
    module for module in FILES if is_within(module, {"xrayaug.evaluation"}) and not is_gathering(module)
]
OWN_RESOURCES = {"xrayaug.evaluation.reader_study.page": {".read_text"}}  # the script and the style of its page


@pytest.mark.parametrize("module", RENDERING_AND_JUDGING)
def test_in_evaluation_only_gather_opens_anything(module: str) -> None:
    assert opening_names(FILES[module].read_text(encoding="utf-8")) == OWN_RESOURCES.get(module, set())


def test_the_evaluate_stage_opens_only_through_gather_and_the_builder() -> None:
    names = opening_names(FILES["xrayaug.stages.evaluate"].read_text(encoding="utf-8"))
    assert all(is_within(name, {"xrayaug.evaluation.gather", "xrayaug.storage.builder"}) for name in names), names
    assert {
        "xrayaug.evaluation.gather.inputs.gather",
        "xrayaug.evaluation.gather.reader_files.gather_readers",
        "xrayaug.storage.builder.extend",
    } <= names


@pytest.mark.parametrize("name", sorted(name for name in OPENING | TYPES if name.startswith("xrayaug.")))
def test_the_names_that_open_exist(name: str) -> None:
    module, _, member = name.rpartition(".")
    assert name in FILES or re.search(rf"\b{member}\b", FILES[module].read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        "from xrayaug.storage import artifacts",
        "from xrayaug.storage.artifacts import open_artifact as get",
        "from xrayaug.storage import builder",
        "from xrayaug.data import dataset",
        "from xrayaug.data.dataset import Dataset",
        "import xrayaug.data.dataset",
        "import xrayaug.data.dataset as data",
        "import xrayaug\nxrayaug.data.dataset.open_dataset(path)",
        "from xrayaug import data\ndata.dataset.open_dataset(path)",
        "from xrayaug.evaluation.gather.runs import Run",
        "from xrayaug.evaluation.gather import reader_files",
        "from xrayaug.evaluation import gather",
        "def f():\n    from xrayaug.evaluation.gather.runs import open_runs",
        "def f():\n    import xrayaug.storage.manifests",
        "from xrayaug.networks import classifier\nclassifier.restore(path, arch, size=64)",
        "from xrayaug.metrics.features import ClassifierFeatureExtractor",
        "import importlib\nimportlib.import_module(name)",
        "open(path)",
        "path.read_bytes()",
        "import numpy as np\nnp.load(path)",
        "artifact.open_input('data')",
    ],
)  # fmt: skip
def test_every_way_of_opening_is_noticed(source: str) -> None:
    assert opening_names(source)


@pytest.mark.parametrize(
    "source",
    [
        "from xrayaug.data.dataset import LABELS, Row\nrow = Row('a')",
        "from xrayaug.networks import classifier\nclassifier.predict_probabilities(network, images)",
        "from xrayaug.storage import csvfile\ncsvfile.format_lines(rows)",
        "run.load_network(device)",
    ],
)
def test_types_and_computations_open_nothing(source: str) -> None:
    assert not opening_names(source)
