"""A directory with a manifest: opened only if it is what it says. `production.py` makes them."""

import math
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from xrayaug.errors import ArtifactError, InputError
from xrayaug.storage import files, manifests
from xrayaug.storage.manifests import FORMAT, KINDS, MANIFEST, Manifest

PARTIAL = ".partial"  # ends the name of the directory in which an artifact is being made

Result = dict[str, Any]
T = TypeVar("T", int, float, str, dict[str, Any], list[Any])


@dataclass(frozen=True)
class Artifact:
    """A finished artifact: where it lies and what its manifest says."""

    path: Path
    manifest: Manifest

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return str(self.manifest["kind"])

    @property
    def result(self) -> Result:
        """The stage's numbers, the same ones it printed."""
        return dict(self.manifest["result"])

    @property
    def options(self) -> dict[str, Any]:
        """The settings it was made with."""
        return dict(self.manifest["options"])

    def get(
        self,
        kind: type[T],
        *names: str,
        minimum: float = -math.inf,
        maximum: float = math.inf,
        among: Collection[Any] | None = None,
    ) -> T:
        """What stands in the manifest under `names`, such as `"result", "size"`; an int counts as a float.

        Args:
            kind: its type.
            names: where it stands.
            minimum: of a number, inclusive.
            maximum: of a number, inclusive: so that no absurd one takes all memory.
            among: what it may be.

        Raises:
            ArtifactError: nothing, something of another type, or out of those bounds.
        """
        value: Any = self.manifest
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        fits = isinstance(value, int | float if kind is float else kind) and not isinstance(value, bool)
        if not fits:
            raise self._wrong(names, "is missing or of another type")
        if isinstance(value, int | float) and not minimum <= value <= maximum:
            raise self._wrong(names, f"is {value}, must be from {minimum:g} to {maximum:g}")
        if among is not None and value not in among:
            raise self._wrong(names, f"is {value}, must be one of {', '.join(map(str, among))}")
        return cast(T, value)

    def file(self, name: str) -> Path:
        """The file of that name, which the manifest lists and whose hash was therefore checked.

        Raises:
            ArtifactError: the manifest does not list it.
        """
        if name not in self.manifest["files"]:
            raise ArtifactError(f"{self.path / MANIFEST} lists no file '{name}'", f"make {self.path} again")
        return self.path / name

    def input(self, name: str) -> Path:
        """Where the input of that name lies, as the manifest gives it.

        Raises:
            ArtifactError: it has no such input.
        """
        try:
            return Path(os.path.normpath(files.resolve_directory(self.path) / self.manifest["inputs"][name]["path"]))
        except KeyError:
            raise ArtifactError(f"{self.path} names no input '{name}'") from None

    def open_input(self, name: str, *kinds: str, hash_later: Collection[str] = ()) -> "Artifact":
        """Open an input as `open_artifact` does, held to the digest that this artifact was made from.

        Raises:
            ArtifactError: it is gone, damaged, or was made anew since.
        """
        found = open_artifact(self.input(name), *kinds, hash_later=hash_later)
        if digest(found.path) != self.manifest["inputs"][name]["sha256"]:
            raise ArtifactError(
                f"{found.path} changed since {self.path} was made from it", f"make {self.path} again with --overwrite"
            )
        return found

    def _wrong(self, names: tuple[str, ...], problem: str) -> ArtifactError:
        return ArtifactError(f"{self.path / MANIFEST}: '{'/'.join(names)}' {problem}", f"make {self.path} again")


def open_artifact(path: Path, *kinds: str, hash_later: Collection[str] = ()) -> Artifact:
    """Open a finished artifact of one of `kinds` (any, if none is given), every file's size and hash checked.

    Args:
        path: its directory.
        kinds: what it may be.
        later: names of files whose hash the caller checks, while it copies them.

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
            f"{path} is a {manifest['kind']} (made by {manifest['stage']}), expected a {expected}",
            f"make one with: {makers}",
        )
    manifests.check_files(path, manifest["files"], hash_later)
    return Artifact(path, manifest)


def is_artifact(path: Path) -> bool:
    """Whether a finished artifact lies there."""
    return (path / MANIFEST).is_file()


def digest(path: Path) -> str:
    """Return the sha256 that identifies an input: of an artifact that of its manifest, of a file that of its bytes.

    Raises:
        InputError: there is no artifact and no file.
    """
    if is_artifact(path):
        return files.sha256_file(path / MANIFEST)
    if path.is_file():
        return files.sha256_file(path)
    if path.is_dir():
        raise InputError(f"{path} is no artifact: {describe_path(path)}", "make one with xrayaug, or check the path")
    raise InputError(f"{path} does not exist", "check the path for a typing error")


def list_files(directory: Path) -> list[Path]:
    """Every file under a directory, sorted."""
    return sorted(path for path in directory.rglob("*") if path.is_file())


def partial_path(out: Path) -> Path:
    """Where `out` is being made."""
    return files.sibling(out, PARTIAL)


def describe_path(path: Path) -> str:
    """What lies in place of an artifact, for an error to say."""
    if not path.exists():
        unfinished = partial_path(path)
        return f"only {unfinished} is there, from a run that did not finish" if unfinished.exists() else "nothing there"
    if not path.is_dir():
        return "it is a file" if path.is_file() else "it is no directory"
    names = sorted(entry.name for entry in path.iterdir())
    listed = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return f"it holds {listed}" if names else "it is empty"
