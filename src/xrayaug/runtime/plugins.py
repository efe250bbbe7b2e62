"""Plug-ins: the modules of a package, found by listing its folder, for options such as `--arch` and `--source`."""

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType


def names(package: str) -> tuple[str, ...]:
    """Return the sorted names of the modules in `xrayaug.<package>`, with hyphens, without importing them."""
    modules = pkgutil.iter_modules([str(Path(__file__).parents[1].joinpath(*package.split(".")))])
    return tuple(sorted(module.name.replace("_", "-") for module in modules))


def load(package: str, name: str) -> ModuleType:
    """Import and return the module with that name (see `names`)."""
    return importlib.import_module(f"xrayaug.{package}.{name.replace('-', '_')}")
