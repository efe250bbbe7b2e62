"""Runs -> the commands that made them and everything before them, by the chain of manifests.

Paths are given from the directory that holds all artifacts, so that a study says the same wherever it lies. A link
of the chain counts only if it is still what the next one was made from.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from xrayaug.errors import XrayaugError
from xrayaug.options import COMMANDS
from xrayaug.options.base import Command
from xrayaug.storage import artifacts, files, manifests
from xrayaug.storage.artifacts import Artifact
from xrayaug.storage.manifests import MANIFEST, Manifest

SHOWN_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pillow")


@dataclass(frozen=True)
class Made:
    """An artifact behind the runs: where it lies, and what its manifest says."""

    path: Path
    manifest: Manifest


@dataclass(frozen=True)
class Lineage:
    """Everything that the runs were made from, what was made first coming first."""

    made: Sequence[Made]
    missing: Sequence[str]  # what the chain names and is there no more, or not as it was

    def command_lines(self, last: Command, inputs: Sequence[Path]) -> list[str]:
        """The commands in order; `last` is the one that reads `inputs`, and whose own `--out` goes unsaid."""
        base = self._base(inputs)
        lines = [_line(each.manifest, _read(each), each.path, base) for each in self.made]
        head = {"stage": last.name, "options": json.loads(json.dumps(last.identity())), "version": "this version"}
        return [*lines, _line(head, _numbered(last, inputs), base / "evaluation", base)]

    def environments(self) -> dict[str, list[str]]:
        """With what and on what the artifacts were made, and which."""
        base, found = self._base([]), dict[str, list[str]]()
        for each in self.made:
            found.setdefault(described(each.manifest.get("environment", {})), []).append(_shown(each.path, base))
        return found

    def _base(self, more: Sequence[Path]) -> Path:
        """The directory that holds the artifacts and `more`."""
        known = [each.path for each in self.made]
        return Path(os.path.commonpath([path.parent for path in (*known, *map(_absolute, more))] or [Path.cwd()]))


def trace(roots: Sequence[Artifact]) -> Lineage:
    """Follow the inputs of `roots` to where they began."""
    made: dict[Path, Made] = {}
    missing: list[str] = []
    for root in roots:
        _follow(_absolute(root.path), root.manifest, made, missing)
    return Lineage(list(made.values()), missing)


def described(environment: Any) -> str:
    """`xrayaug 0.1.0, Python 3.12.3, torch 2.9.0, ..., on cpu`: when and how long it took is left out."""
    known = environment if isinstance(environment, dict) else {}
    packages = known.get("packages")
    versions = packages if isinstance(packages, dict) else {}
    parts = [f"xrayaug {known.get('xrayaug', 'unknown')}", f"Python {known.get('python', 'unknown')}"]
    parts += [f"{name} {versions[name]}" for name in SHOWN_PACKAGES if name in versions]
    return f"{', '.join(parts)}, on {known.get('device', 'an unknown device')}"


def _follow(path: Path, manifest: Manifest, made: dict[Path, Made], missing: list[str]) -> None:
    """Add what an artifact was made from, then itself; each once."""
    if path in made:
        return
    for source, recorded in _sources(path, manifest):
        if source in made or not artifacts.is_artifact(source):
            continue
        try:
            found = manifests.read(source / MANIFEST)
        except XrayaugError:
            missing.append(f"{source.name}, from which {path.name} was made, cannot be read")
            continue
        if files.sha256(source / MANIFEST) != recorded:
            missing.append(f"{source.name} changed since {path.name} was made from it")
            continue
        _follow(source, found, made, missing)
    made[path] = Made(path, manifest)


def _sources(path: Path, manifest: Manifest) -> list[tuple[Path, str]]:
    return [(_absolute(files.place_of(path) / entry["path"]), entry["sha256"]) for entry in manifest["inputs"].values()]


def _read(made: Made) -> dict[str, Path]:
    """What it was made from, by name."""
    return {
        name: _absolute(files.place_of(made.path) / entry["path"]) for name, entry in made.manifest["inputs"].items()
    }


def _numbered(command: Command, inputs: Sequence[Path]) -> dict[str, Path]:
    """The inputs of a command by name, its runs in the order in which they are judged."""
    others = {name: path for name, path in command.inputs().items() if not name.startswith("runs/")}
    runs = {f"runs/{place}": path for place, path in enumerate(inputs)}
    return {name: _absolute(path) for name, path in (runs | others).items()}


def _line(manifest: Mapping[str, Any], inputs: Mapping[str, Path], out: Path, base: Path) -> str:
    """The command as a line for a shell; a comment where this version has no such command."""
    kind: Any = COMMANDS.get(manifest["stage"])
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in manifest["options"].items()}
    several: dict[str, list[Path]] = {}
    for name, path in inputs.items():
        several.setdefault(name.partition("/")[0], []).append(Path(_shown(path, base)))
    for name, paths in several.items():
        given[name] = tuple(paths) if f"{name}/0" in inputs else paths[0]
    try:
        if kind is None or not given.keys() <= {field.name for field in fields(kind)}:
            raise ValueError
        return str(kind(**given, out=Path(_shown(out, base))).command_line())
    except (XrayaugError, TypeError, ValueError):
        return f"# {_shown(out, base)}: by {manifest['stage']} of xrayaug {manifest.get('version', 'unknown')}"


def _shown(path: Path, base: Path) -> str:
    return Path(os.path.relpath(path, base)).as_posix()


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 # a link to a study is not followed out of it
