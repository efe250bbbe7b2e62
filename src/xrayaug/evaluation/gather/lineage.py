"""Trace runs back through the chain of manifests to the commands that made them and all their inputs.

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
from xrayaug.options import COMMANDS, Prepare
from xrayaug.options.base import Command
from xrayaug.storage import artifacts, files, manifests
from xrayaug.storage.artifacts import Artifact
from xrayaug.storage.manifests import MANIFEST, Manifest

SHOWN_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pillow")


@dataclass(frozen=True)
class MadeArtifact:
    """An artifact behind the runs: its path and its manifest."""

    path: Path
    manifest: Manifest


@dataclass(frozen=True)
class Lineage:
    """The artifacts behind the runs, in the order in which they were made."""

    made: Sequence[MadeArtifact]
    missing: Sequence[str]  # inputs that are gone or have changed, one sentence each

    def command_lines(self, last: Command, inputs: Sequence[Path]) -> list[str]:
        """Return the commands in order; `last` reads `inputs`, and its own `--out` is not shown."""
        base = self._base(inputs or list(last.inputs().values()))
        lines = [_format_command(each.manifest, inputs_of(each), each.path, base) for each in self.made]
        head = {"stage": last.name, "options": json.loads(json.dumps(last.identity())), "version": "this version"}
        return [*lines, _format_command(head, _name_inputs(last, inputs), base / "evaluation", base)]

    def environments(self) -> dict[str, list[str]]:
        """Return the paths of the artifacts by the environment that made them."""
        base, found = self._base([]), dict[str, list[str]]()
        for each in self.made:
            found.setdefault(describe_environment(each.manifest.get("environment", {})), []).append(
                _relative_path(each.path, base)
            )
        return found

    def locate(self, path: Path) -> str:
        """Return a path from the directory that holds the artifacts."""
        return _relative_path(absolute_path(path), self._base([]))

    def _base(self, more: Sequence[Path]) -> Path:
        """Return the directory that holds the artifacts and `more`."""
        known = [each.path for each in self.made]
        return Path(os.path.commonpath([path.parent for path in (*known, *map(absolute_path, more))] or [Path.cwd()]))


def trace(roots: Sequence[Artifact]) -> Lineage:
    """Follow the inputs of `roots` to where they began."""
    made: dict[Path, MadeArtifact] = {}
    missing: list[str] = []
    for root in roots:
        _trace_inputs(absolute_path(root.path), root.manifest, made, missing)
    return Lineage(list(made.values()), missing)


def describe_environment(environment: Any) -> str:
    """Return versions and device, such as `xrayaug 0.1.0, Python 3.12.3, torch 2.9.0, on cpu`; without times."""
    known = environment if isinstance(environment, dict) else {}
    packages = known.get("packages")
    versions = packages if isinstance(packages, dict) else {}
    parts = [f"xrayaug {known.get('xrayaug', 'unknown')}", f"Python {known.get('python', 'unknown')}"]
    parts += [f"{name} {versions[name]}" for name in SHOWN_PACKAGES if name in versions]
    return f"{', '.join(parts)}, on {known.get('device', 'an unknown device')}"


def _trace_inputs(path: Path, manifest: Manifest, made: dict[Path, MadeArtifact], missing: list[str]) -> None:
    """Add the inputs of an artifact to `made`, then the artifact itself; each once."""
    if path in made:
        return
    for source, recorded in _list_sources(path, manifest):
        if source in made:
            continue
        if not artifacts.is_artifact(source):
            if manifest["stage"] != Prepare.name and not source.exists():  # `prepare` reads raw sets
                missing.append(f"{source.name}, from which {path.name} was made, is not there any more")
            continue
        try:
            found = manifests.read(source / MANIFEST)
        except XrayaugError:
            missing.append(f"{source.name}, from which {path.name} was made, cannot be read")
            continue
        if files.sha256_file(source / MANIFEST) != recorded:
            missing.append(f"{source.name} changed since {path.name} was made from it")
            continue
        _trace_inputs(source, found, made, missing)
    made[path] = MadeArtifact(path, manifest)


def _list_sources(path: Path, manifest: Manifest) -> list[tuple[Path, str]]:
    return [
        (absolute_path(files.resolve_directory(path) / entry["path"]), entry["sha256"])
        for entry in manifest["inputs"].values()
    ]


def inputs_of(made: MadeArtifact) -> dict[str, Path]:
    """Return the paths of an artifact's inputs by name."""
    return {
        name: absolute_path(files.resolve_directory(made.path) / entry["path"])
        for name, entry in made.manifest["inputs"].items()
    }


def _name_inputs(command: Command, inputs: Sequence[Path]) -> dict[str, Path]:
    """Return the inputs of a command by name, its runs in the order in which they are judged."""
    others = {name: path for name, path in command.inputs().items() if not name.startswith("runs/")}
    runs = {f"runs/{place}": path for place, path in enumerate(inputs)}
    return {name: absolute_path(path) for name, path in (runs | others).items()}


def _format_command(manifest: Mapping[str, Any], inputs: Mapping[str, Path], out: Path, base: Path) -> str:
    """Return the command as a shell line; a comment if this version has no such command."""
    kind: Any = COMMANDS.get(manifest["stage"])
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in manifest["options"].items()}
    several: dict[str, list[Path]] = {}
    for name, path in inputs.items():
        several.setdefault(name.partition("/")[0], []).append(Path(_relative_path(path, base)))
    for name, paths in several.items():
        given[name] = tuple(paths) if f"{name}/0" in inputs else paths[0]
    try:
        if kind is None or not given.keys() <= {field.name for field in fields(kind)}:
            raise ValueError
        return str(kind(**given, out=Path(_relative_path(out, base))).command_line())
    except (XrayaugError, TypeError, ValueError):
        return f"# {_relative_path(out, base)}: by {manifest['stage']} of xrayaug {manifest.get('version', 'unknown')}"


def _relative_path(path: Path, base: Path) -> str:
    return Path(os.path.relpath(path, base)).as_posix()


def absolute_path(path: Path) -> Path:
    """Return an absolute path by which a link to a study is not followed out of it."""
    return Path(os.path.abspath(path))  # noqa: PTH100 # a link to a study is not followed out of it
