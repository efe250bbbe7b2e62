"""What a folder of plug-in modules offers, found by listing it: `--arch` and `--source` know what lies there."""

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType


def names(package: str) -> tuple[str, ...]:
    """The modules in the package `xrayaug.<package>` as a user writes them, sorted; imports none of them."""
    found = pkgutil.iter_modules([str(Path(__file__).parents[1].joinpath(*package.split(".")))])
    return tuple(sorted(module.name.replace("_", "-") for module in found))


def load(package: str, name: str) -> ModuleType:
    """The module that `names` calls `name`."""
    return importlib.import_module(f"xrayaug.{package}.{name.replace('-', '_')}")
