"""Tests of the direction of imports, which are read from the source: nothing is imported here."""

import ast
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
    f"xrayaug.{name}"
    for name in ("options", "networks.gans", "data.phantoms", "data.sources", "data.exporters", "metrics.extractors")
} | {"xrayaug"}
PACKAGES = {name for name, file in FILES.items() if file.name == "__init__.py"} - HOLD_CODE


def statements(node: ast.AST, *, within_functions: bool) -> Iterator[ast.stmt]:
    """Every statement that runs on import, or with functions every one that can run."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.expr):  # holds no statement
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not within_functions:
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
    """Return all modules that importing `module` imports, through the package's own modules and their packages."""
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
    """Return the modules that importing any of these imports."""
    return set().union(*(everything_imported_by(module) for module in modules))


def tops(names: set[str] | frozenset[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def room_of(module: str) -> str:
    """Return the first part of a module's path within the package: `data` of `xrayaug.data.images.png`."""
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
        ("jinja2", "evaluation.report.page"),
    ],
)
def test_a_package_has_one_importer(package: str, only: str | None) -> None:
    assert importers_of(package) <= {f"xrayaug.{only}"}


def test_only_figures_import_matplotlib() -> None:
    assert {room_of(module) for module in importers_of("matplotlib")} == {"plots"}


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
    "evaluation.conclusions",
    "evaluation.findings",
    "evaluation.checks",
    "evaluation.judge",
    "evaluation.prediction_judge",
    "evaluation.verdict",
]
STAGES_WITHOUT_NETWORKS = ["stages.prepare", "stages.augment", "stages.export", "stages.phantom", "stages.experiment"]
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
    reexporting = {"xrayaug", "xrayaug.options"}
    TopologicalSorter({module: needs[module] - PACKAGES - reexporting - {module} for module in FILES}).prepare()


SHARED_BY_GANS = {
    f"xrayaug.{name}"
    for name in (
        "networks.gans",
        "networks.equalized_lr",
        "networks.efficientnet_lite",
        "networks.pretrained",
        "runtime.distributed.sharing",
    )
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


OUTSIDE_GATHER = [
    name.removeprefix("xrayaug.evaluation.")
    for name in FILES
    if name.startswith("xrayaug.evaluation.") and not name.startswith("xrayaug.evaluation.gather")
]

# Names that modules of evaluation/ outside gather/ may use: none of them opens a file, an artifact or a dataset. A name
# with a dot at its end stands for everything within it.
ALLOWED = {
    f"xrayaug.{name}"
    for name in (
        "data.acquisition.ColumnScore", "data.acquisition.describe_score",
        "data.arms.ArmSettings", "data.arms.BALANCE", "data.arms.FREE_OPTIONS", "data.arms.MIXED_PRETRAIN",
        "data.arms.MORE_REAL", "data.arms.PRETRAIN", "data.arms.REWEIGHT", "data.arms.SCHEDULES",
        "data.arms.SYNTHETIC_ONLY", "data.arms.TOGETHER", "data.arms.describe_variant", "data.arms.is_baseline",
        "data.arms.is_control", "data.dataset.LABELS", "data.dataset.Row", "data.images.arrays.Pixels",
        "data.images.contact_sheets.encode_png", "data.images.stack.Stack", "errors.",
        "networks.classifier.Classifier", "options.Against", "options.Case", "options.Evaluate", "options.Metric",
        "plots.", "runtime.console.", "stats.",
        "storage.csvfile.dump", "storage.csvfile.format_cells", "storage.csvfile.format_lines",
        "storage.csvfile.normalize_title", "storage.csvfile.unescape_formula",
        "storage.files.FIGURE7_FILE", "storage.files.READER_PAGE_FILE", "storage.files.TABLE5_FILE",
        "storage.files.format_json", "storage.files.sha256_bytes", "storage.files.write_json",
        "storage.files.write_text", "storage.manifests.MANIFEST",
    )
} | {
    "base64.b64encode", "collections.", "dataclasses.", "enum.StrEnum", "functools.cache", "hashlib.sha256",
    "html.escape", "itertools.", "json.dumps", "math.", "numbers.", "pathlib.Path", "scipy.stats.",
    "string.ascii_uppercase", "torch.Tensor",
    "torch.device", "torch.nn.Module", "types.UnionType", "typing.",
    *(f"xrayaug.evaluation.{name}." for name in OUTSIDE_GATHER if f"xrayaug.evaluation.{name}" not in PACKAGES),
    *(
        f"numpy.{name}"
        for name in (
            "argsort", "array", "array_equal", "asarray", "bincount", "bool_", "concatenate", "diff",
            "divide", "empty", "flatnonzero", "float32", "float64", "full", "int64", "isfinite", "isnan",
            "linspace", "maximum", "mean", "median", "nan", "random.Generator", "random.default_rng", "split",
            "stack", "sum", "typing.NDArray", "unique", "where",
        )
    ),
}  # fmt: skip
ALLOWED_IN_MODULE = {
    "inference": {  # runs networks on the images that a run hands out, and caches their features
        "torch.from_numpy", "torch.inference_mode", "xrayaug.data.images.loaders.StreamingLoader",
        "xrayaug.metrics.backbone_features.", "xrayaug.networks.classifier.count_features",
        "xrayaug.networks.classifier.head_logits", "xrayaug.networks.classifier.penultimate_features",
        "xrayaug.networks.classifier.predict_probabilities", "xrayaug.networks.classifier.to_input",
        "xrayaug.networks.classifier.to_probabilities", ".read",
    },
    "measure": {  # continues from the predictions of a stopped evaluation
        "functools.partial", "torch.from_numpy", "xrayaug.runtime.devices.translate_device_errors",
        "xrayaug.storage.cache.directory", "xrayaug.storage.checkpoints.Checkpoints", ".restore",
    },
    "planted.copies": {  # compares images that it is given, and copies of them
        "functools.cached_property", "functools.partial", "numpy.uint8",
        "xrayaug.data.images.similarity.", "xrayaug.metrics.memorization.",
    },
    "planted.gains": {  # draws studies
        "numpy.abs", "numpy.arange", "numpy.moveaxis", "numpy.repeat", "numpy.searchsorted", "scipy.special.",
    },
    "planted.moved_scores": {
        "numpy.arange", "numpy.clip", "numpy.cumsum", "numpy.interp", "numpy.max", "numpy.nanmax", "numpy.zeros",
        "scipy.special.",
    },
    "planted.leaks": {  # as `planted.copies`
        "numpy.cumsum", "numpy.logical_or", "xrayaug.data.images.similarity.",
    },
    "planted.pictures": {
        "numpy.arange", "numpy.cumsum", "numpy.int32", "numpy.searchsorted", "numpy.sort", "numpy.uint8", "numpy.zeros",
        "xrayaug.data.images.disturbances.", "xrayaug.data.images.stack.resize_bicubic",
    },
    "prediction_cells": {  # reads words, not files
        "xrayaug.data.parsing.labels.ANSWERS", "xrayaug.data.parsing.labels.DEFAULT_RULES",
        "xrayaug.data.parsing.labels.LabelRules", "xrayaug.data.parsing.labels.canonical", ".read",
    },
    "prediction_columns": {"re.", "xrayaug.data.parsing.labels.yes_means_normal"},
    "prediction_table": {
        "functools.partial", "xrayaug.data.parsing.labels.yes_means_normal",
        "xrayaug.data.parsing.split_names.parse_split",
    },
    "reader_study.page": {"importlib.resources.files", ".read_text"},  # the script and the style of its page
    "report.page": {"jinja2.", "markupsafe.Markup", "re.", "xrayaug.storage.files.REPORT_FILE"},
}  # fmt: skip
ALLOWED_IN_STAGE = {"functools.partial"} | {
    f"xrayaug.{name}"
    for name in (
        "evaluation.gather.", "runtime.devices.describe", "runtime.devices.resolve", "runtime.stopping.Interval",
        "storage.artifacts.Artifact", "storage.artifacts.Result", "storage.builder.RESUME",
        "storage.builder.build_artifact", "storage.builder.describe_environment", "storage.builder.extend",
        "storage.checkpoints.Checkpoints", "storage.files.PREDICTIONS_FILE", "storage.files.REPORT_FILE",
        "storage.files.VALIDATION_FILE", "storage.files.write_lines",
    )
}  # fmt: skip
READING_METHODS = {  # of objects of any kind
    f".{name}"
    for name in (
        "fromfile", "get_tensor", "glob", "iterdir", "load", "load_module", "loadtxt", "memmap", "open",
        "open_input", "read", "read_bytes", "read_text", "readinto", "readline", "readlines", "restore", "rglob",
        "scandir", "walk",
    )
}  # fmt: skip
READING_BUILTINS = {f"builtins.{name}" for name in ("__import__", "compile", "eval", "exec", "globals", "open", "vars")}


def is_listed(name: str, listed: set[str]) -> bool:
    """Return whether a name, or what it is an attribute of, is in a list of names."""
    parts = name.split(".")
    wholes = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
    return not listed.isdisjoint(wholes | {f"{whole}." for whole in wholes})


def is_dotted_name(node: ast.expr) -> bool:
    """Return whether an expression is a name with attributes, such as `np.random.Generator`."""
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and is_dotted_name(node.value))


@cache
def names_in(source: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return the names that a source imports, those that it uses of them, and what of it reads.

    A name is written in full, as `xrayaug.data.dataset.Row`, also if it is imported under another one. What reads are
    built-in functions and methods of objects, written `builtins.open` and `.open`.
    """
    nodes = list(ast.walk(ast.parse(source)))
    within_chains = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    full_names: dict[str, str] = {}
    imported: set[str] = set()
    used: set[str] = set()
    read: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
            full_names |= {alias.asname: alias.name for alias in node.names if alias.asname}
            full_names |= {top: top for top in tops({alias.name for alias in node.names if not alias.asname})}
        elif isinstance(node, ast.ImportFrom):
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
            full_names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in within_chains and is_dotted_name(node):
            first, dot, rest = ast.unparse(node).partition(".")
            if first in full_names:
                used.add(f"{full_names[first]}{dot}{rest}")
            read |= {f"builtins.{first}"} & READING_BUILTINS
        if isinstance(node, ast.Attribute):
            read |= {f".{node.attr}"} & READING_METHODS
    return frozenset(imported), frozenset(used), frozenset(read)


def unlisted_names(source: str, allowed: set[str]) -> set[str]:
    """Return the names that a source uses and that are not allowed, in functions too.

    A module may be imported if a name in it is allowed, but only those names may then be used. Of built-in functions
    and methods of objects, those that read are not allowed unless they are listed.
    """
    imported, used, read = names_in(source)
    unlisted = {name for name in imported if not is_listed(name, allowed) or name.endswith(".*")}
    modules = {name for name in unlisted if any(entry.startswith(f"{name}.") for entry in allowed)}
    return (unlisted - modules) | {name for name in used if not is_listed(name, allowed)} | (read - allowed)


@pytest.mark.parametrize("module", OUTSIDE_GATHER)
def test_in_evaluation_only_gather_opens_anything(module: str) -> None:
    source = FILES[f"xrayaug.evaluation.{module}"].read_text(encoding="utf-8")
    assert not unlisted_names(source, ALLOWED | ALLOWED_IN_MODULE.get(module, set()))


def test_the_evaluate_stage_opens_only_through_gather_and_the_builder() -> None:
    source = FILES["xrayaug.stages.evaluate"].read_text(encoding="utf-8")
    assert not unlisted_names(source, ALLOWED | ALLOWED_IN_STAGE)
    assert all(unlisted_names(source, (ALLOWED | ALLOWED_IN_STAGE) - {name}) for name in ALLOWED_IN_STAGE)


def test_every_allowed_name_is_used() -> None:
    """A list that is longer than needed would allow names that nobody has checked."""
    sources = {name: FILES[f"xrayaug.evaluation.{name}"].read_text(encoding="utf-8") for name in OUTSIDE_GATHER}
    for module, names in ALLOWED_IN_MODULE.items():
        assert all(unlisted_names(sources[module], (ALLOWED | names) - {name}) for name in names), module
    everywhere = ALLOWED.union(*ALLOWED_IN_MODULE.values())
    unused = {
        name
        for name in ALLOWED
        if not name.startswith("xrayaug.evaluation.")
        and not any(unlisted_names(source, everywhere - {name}) for source in sources.values())
    }
    assert not unused


@pytest.mark.parametrize(
    "source",
    [
        "from xrayaug.storage import artifacts",
        "from xrayaug.storage.artifacts import open_artifact as get",
        "from xrayaug.storage import builder",
        "from xrayaug.data import dataset\ndataset.open_dataset(path)",
        "from xrayaug.data.dataset import Dataset",
        "from xrayaug.data.dataset import *",
        "import xrayaug.data.dataset\nxrayaug.data.dataset.open_dataset(path)",
        "import xrayaug.data.dataset as data\ndata.open_dataset(path)",
        "import xrayaug\nxrayaug.data.dataset.open_dataset(path)",
        "from xrayaug import data\ndata.dataset.open_dataset(path)",
        "from xrayaug.storage import files\nothers = files\nothers.read_json(path)",
        "from xrayaug.evaluation.gather.runs import Run",
        "from xrayaug.evaluation.gather import reader_files",
        "from xrayaug.evaluation import gather",
        "from xrayaug import evaluation\nevaluation.gather.runs.open_runs(paths)",
        "def f():\n    from xrayaug.evaluation.gather.runs import open_runs",
        "def f():\n    import xrayaug.storage.artifacts",
        "from xrayaug.storage import manifests\nmanifests.read(path)",
        "from xrayaug.networks import classifier\nclassifier.restore(path, arch, size=64)",
        "from xrayaug.metrics.features import ClassifierFeatureExtractor",
        "from xrayaug.metrics.feature_statistics import open_fid_input",
        "from xrayaug.metrics.frechet import load",
        "from xrayaug.data.images.opening import open_image",
        "from xrayaug.storage.csvfile import read_header",
        "from xrayaug.storage.checkpoints import Checkpoints\nCheckpoints(path).restore()",
        "import importlib\nimportlib.import_module(name)",
        "open(path)",
        "path.read_bytes()",
        "read = path.read_bytes",
        "import numpy as np\nnp.load(path)",
        "import numpy as np\nnp.genfromtxt(path)",
        "import numpy\narrays = numpy\narrays.load(path)",
        "from numpy import load",
        "from numpy import *",
        "from PIL.Image import open as o",
        "from safetensors import safe_open",
        "from safetensors.torch import load_file",
        "import torch\ntorch.load(path)",
        "import io\nio.FileIO(path)",
        "import os\nos.scandir(path)",
        "import mmap",
        "artifact.open_input('data')",
    ],
)  # fmt: skip
def test_every_way_of_opening_is_noticed(source: str) -> None:
    assert unlisted_names(source, ALLOWED)


@pytest.mark.parametrize(
    "source",
    [
        "from xrayaug.data.dataset import LABELS, Row\nrow = Row('a')",
        "from xrayaug.storage import csvfile\ncsvfile.format_lines(rows)",
        "from xrayaug.stats import classification\nclassification.auroc(labels, probabilities)",
        "import numpy as np\nnp.random.default_rng(seed)",
        "run.load_network(device)",
    ],
)
def test_types_and_computations_open_nothing(source: str) -> None:
    assert not unlisted_names(source, ALLOWED)
