"""Finished artifacts: directories with a manifest, checked when they are opened. `storage/builder.py` makes them."""

import math
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from xrayaug.errors import ArtifactError, InputError
from xrayaug.storage import files, manifests
from xrayaug.storage.manifests import FORMAT, KINDS, MANIFEST, Manifest

PARTIAL = ".partial"  # suffix of the directory in which an artifact is built

Result = dict[str, Any]
T = TypeVar("T", int, float, str, dict[str, Any], list[Any])


@dataclass(frozen=True)
class Artifact:
    """A finished artifact: its directory and its manifest."""

    path: Path
    manifest: Manifest

    @property
    def kind(self) -> str:
        """Return the kind of the artifact, one of `KINDS`."""
        return str(self.manifest["kind"])

    @property
    def result(self) -> Result:
        """Return the numbers of the stage, the same ones that it printed."""
        return dict(self.manifest["result"])

    @property
    def options(self) -> dict[str, Any]:
        """Return the settings that the artifact was made with."""
        return dict(self.manifest["options"])

    def get(
        self,
        kind: type[T],
        *names: str,
        minimum: float = -math.inf,
        maximum: float = math.inf,
        among: Collection[Any] | None = None,
    ) -> T:
        """Return the manifest's value under nested keys, such as `"result", "size"`; an int is accepted as a float.

        Args:
            kind: type that the value must have.
            names: keys that lead to the value, outermost first.
            minimum: smallest number allowed, inclusive.
            maximum: largest number allowed, inclusive; it keeps an absurd size from taking all memory.
            among: the values allowed; None allows any.

        Raises:
            ArtifactError: the value is missing, has another type, or is not allowed.
        """
        value: Any = self.manifest
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        fits = isinstance(value, int | float if kind is float else kind) and not isinstance(value, bool)
        if not fits:
            raise self._manifest_error(names, "is missing or of another type")
        if isinstance(value, int | float) and not minimum <= value <= maximum:
            raise self._manifest_error(names, f"is {value}, must be from {minimum:g} to {maximum:g}")
        if among is not None and value not in among:
            raise self._manifest_error(names, f"is {value}, must be one of {', '.join(map(str, among))}")
        return cast(T, value)

    def file(self, name: str) -> Path:
        """Return the path of a file that the manifest lists, so that its size and hash were checked.

        Raises:
            ArtifactError: the manifest does not list the file.
        """
        if name not in self.manifest["files"]:
            raise ArtifactError(f"{self.path / MANIFEST} lists no file '{name}'", f"make {self.path} again")
        return self.path / name

    def input(self, name: str) -> Path:
        """Return the path of an input; the manifest records it relative to the artifact.

        Raises:
            ArtifactError: the artifact has no input of that name.
        """
        try:
            return Path(os.path.normpath(files.resolve_directory(self.path) / self.manifest["inputs"][name]["path"]))
        except KeyError:
            raise ArtifactError(f"{self.path} names no input '{name}'") from None

    def open_input(self, name: str, *kinds: str, hash_later: Collection[str] = ()) -> "Artifact":
        """Open an input as `open_artifact` does, and check that it still has the digest that the manifest records.

        Raises:
            ArtifactError: the input is missing or damaged, or was made again since.
        """
        artifact = open_artifact(self.input(name), *kinds, hash_later=hash_later)
        if digest(artifact.path) != self.manifest["inputs"][name]["sha256"]:
            raise ArtifactError(
                f"{artifact.path} changed since {self.path} was made from it",
                f"make {self.path} again with --overwrite",
            )
        return artifact

    def _manifest_error(self, names: tuple[str, ...], problem: str) -> ArtifactError:
        return ArtifactError(f"{self.path / MANIFEST}: '{'/'.join(names)}' {problem}", f"make {self.path} again")


def open_artifact(path: Path, *kinds: str, hash_later: Collection[str] = ()) -> Artifact:
    """Open a finished artifact, and check its manifest and the size and hash of every file.

    Args:
        path: directory of the artifact.
        kinds: the kinds allowed; any, if none is given.
        hash_later: names of files of which only the size is checked; the caller hashes them while it copies them.

    Raises:
        ArtifactError: it is missing, unfinished, of another kind or format, or changed since it was sealed.
    """
    expected = " or ".join(kinds) or "artifact"
    makers = "; or ".join(KINDS[kind] for kind in kinds) or "an xrayaug command"
    try:
        lacking = "" if is_artifact(path) else describe_path(path)
    except OSError as problem:  # no permission to look, or a name too long to be one
        raise ArtifactError(f"{path} cannot be read: {problem.strerror}") from None
    if lacking:
        raise ArtifactError(f"{path} is no finished {expected}: {lacking}", f"make one with: {makers}")
    manifest = manifests.read(path / MANIFEST)
    if manifest["format"] != FORMAT:
        raise ArtifactError(
            f"{path} has format {manifest['format']}, this xrayaug reads format {FORMAT}", "make it again"
        )
    if kinds and manifest["kind"] not in kinds:
        raise ArtifactError(
            f"{path} is of kind '{manifest['kind']}' (made by {manifest['stage']}), expected {expected}",
            f"make one with: {makers}",
        )
    manifests.check_files(path, manifest["files"], hash_later)
    return Artifact(path, manifest)


def is_artifact(path: Path) -> bool:
    """Return whether a directory is a finished artifact."""
    return (path / MANIFEST).is_file()


def digest(path: Path) -> str:
    """Return the sha256 that identifies an input: the manifest's for an artifact, the file's own for a file.

    Raises:
        InputError: the path is neither an artifact nor a file.
    """
    if is_artifact(path):
        return files.sha256_file(path / MANIFEST)
    if path.is_file():
        return files.sha256_file(path)
    if path.is_dir():
        raise InputError(f"{path} is no artifact: {describe_path(path)}", "make one with xrayaug, or check the path")
    raise InputError(f"{path} does not exist", "check the path for a typing error")


def list_files(directory: Path) -> list[Path]:
    """Return every file under a directory, sorted by path."""
    return sorted(path for path in directory.rglob("*") if path.is_file())


def partial_path(out: Path) -> Path:
    """Return the directory in which `out` is built before it is renamed."""
    return files.sibling(out, PARTIAL)


def describe_path(path: Path) -> str:
    """Describe what is at a path that is no artifact, for an error message."""
    if not path.exists():
        unfinished = partial_path(path)
        return f"only {unfinished} is there, from a run that did not finish" if unfinished.exists() else "nothing there"
    if not path.is_dir():
        return "it is a file" if path.is_file() else "it is no directory"
    names = sorted(entry.name for entry in path.iterdir())
    listed = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return f"it holds {listed}" if names else "it is empty"
