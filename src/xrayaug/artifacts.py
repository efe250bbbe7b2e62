"""A directory with a manifest: made whole or not at all, opened only if it is what it says.

Stages talk through artifacts alone. `produce` runs a stage's work in `<out>.partial` and renames it to `<out>` once
`manifest.json` is written, so a manifest's presence means complete. The same command again finds it complete; another
one is refused with every difference named.
"""

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from xrayaug import __version__, console, lock
from xrayaug.command import Command
from xrayaug.errors import ArtifactError, InputError, OutputError, TrainingError, XrayaugError

FORMAT = 1
MANIFEST = "manifest.json"
KINDS = {
    "dataset": "xrayaug prepare, sample or augment",
    "gan-run": "xrayaug train-gan",
    "classifier-run": "xrayaug train-classifier",
    "fid": "xrayaug fid",
    "evaluation": "xrayaug evaluate",
    "raw": "xrayaug phantom",
    "experiment": "xrayaug experiment",
}

Result = dict[str, Any]


@dataclass(frozen=True)
class Artifact:
    """A finished artifact: where it lies and what its manifest says."""

    path: Path
    manifest: dict[str, Any]

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

    def input(self, name: str) -> Path:
        """Where the input of that name lies, as the manifest gives it.

        Raises:
            ArtifactError: it has no such input.
        """
        try:
            return Path(os.path.normpath(self.path / self.manifest["inputs"][name]["path"]))
        except KeyError:
            raise ArtifactError(f"{self.path} names no input '{name}'") from None

    def open_input(self, name: str, *kinds: str) -> "Artifact":
        """Open an input, held to the digest that this artifact was made from.

        Raises:
            ArtifactError: it is gone, damaged, or was made anew since.
        """
        found = open_artifact(self.input(name), *kinds)
        if digest(found.path) != self.manifest["inputs"][name]["sha256"]:
            raise ArtifactError(
                f"{found.path} changed since {self.path} was made from it", f"make {self.path} again with --overwrite"
            )
        return found


def open_artifact(path: Path, *kinds: str) -> Artifact:
    """Open a finished artifact of one of `kinds` (any, if none is given), every file's size and hash checked.

    Raises:
        ArtifactError: it is missing, unfinished, of another kind or format, or changed since it was sealed.
    """
    expected = " or ".join(kinds) or "artifact"
    makers = "; or ".join(KINDS[kind] for kind in kinds) or "an xrayaug command"
    if not (path / MANIFEST).is_file():
        raise ArtifactError(f"{path} is no finished {expected}: {_what_is_there(path)}", f"make one with: {makers}")
    manifest = _read_manifest(path / MANIFEST)
    if manifest["format"] != FORMAT:
        raise ArtifactError(
            f"{path} has format {manifest['format']}, this xrayaug reads format {FORMAT}", "make it again"
        )
    if kinds and manifest["kind"] not in kinds:
        raise ArtifactError(
            f"{path} is a {manifest['kind']} (made by {manifest['stage']}), expected a {expected}",
            f"make one with: {makers}",
        )
    _check_files(path, manifest["files"])
    return Artifact(path, manifest)


def is_artifact(path: Path) -> bool:
    """Whether a finished artifact lies there."""
    return (path / MANIFEST).is_file()


def digest(path: Path) -> str:
    """What tells one input from another, as sha256.

    Of an artifact its manifest, of a file its bytes, of any other directory the names and sizes of its files.

    Raises:
        InputError: nothing is there.
    """
    if is_artifact(path):
        return _sha256(path / MANIFEST)
    if path.is_file():
        return _sha256(path)
    if path.is_dir():
        lines = sorted(f"{file.relative_to(path).as_posix()}\t{file.stat().st_size}" for file in _files(path))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
    raise InputError(f"{path} does not exist", "check the path for a typing error")


def completed(options: Command) -> Artifact | None:
    """The artifact at `options.out` if this very command made it from these very inputs; None if nothing is there.

    Raises:
        OutputError: `--out` holds something else; the message names each difference.
    """
    out = options.out
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not is_artifact(out):
        raise OutputError(
            f"--out {out} is there and was not made by xrayaug: {_what_is_there(out)}", "choose another directory"
        )
    made = open_artifact(out)
    differences = _differences(made, options)
    if differences:
        raise OutputError(
            f"--out {out} holds another result: {'; '.join(differences)}",
            "choose another directory, or --overwrite to replace it",
        )
    return made


def produce(options: Command, kind: str, build: Callable[[Path], Result]) -> Result:
    """Make the artifact `options.out` of `kind`, or find it complete.

    `build` fills the empty directory it is given and returns the stage's numbers; if it raises, nothing is left that
    looks finished.

    Returns:
        The numbers, as they stand in the manifest.

    Raises:
        OutputError: `--out` holds something else, or another process is writing it.
    """
    _check_inputs_are_elsewhere(options)
    if (made := _found_complete(options)) is not None:
        return made
    inputs = _describe_inputs(options)
    with lock.held(options.out):
        if (made := _found_complete(options)) is not None:  # by a process that held the lock until now
            return made
        return _make(options, kind, inputs, build)


def _found_complete(options: Command) -> Result | None:
    if options.overwrite and is_artifact(options.out):
        _check_replaceable(options.out)
        return None
    made = completed(options)
    if made is None:
        return None
    console.say(f"{options.out} is already complete; nothing to do")
    return made.result


def _describe_inputs(options: Command) -> dict[str, dict[str, str]]:
    return {
        name: {"path": os.path.relpath(path, options.out), "sha256": digest(path)}
        for name, path in options.inputs().items()
    }


def _make(options: Command, kind: str, inputs: dict[str, dict[str, str]], build: Callable[[Path], Result]) -> Result:
    out = options.out
    started = time.time()
    partial = _fresh_partial(out)
    try:
        result = build(partial)
    except TrainingError:
        raise  # its log tells more
    except XrayaugError:
        shutil.rmtree(partial)
        raise
    manifest = {
        "format": FORMAT,
        "kind": kind,
        "stage": options.name,
        "version": __version__,
        "options": options.identity(),
        "inputs": inputs,
        "files": _inventory(partial),
        "result": result,
        "environment": environment(options, started),
    }
    _seal(partial, out, manifest)
    return dict(json.loads(json.dumps(result)))


def environment(options: Command, started: float) -> dict[str, Any]:
    """Where and when something was made: apart from the rest, which can then be compared exactly."""
    packages = {name: metadata.version(name) for name in ("torch", "torchvision", "numpy", "pillow", "scipy")}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": packages,
        "device": getattr(options, "device", "cpu"),
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 1),
    }


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: to a neighbour, flushed to disk, then renamed."""
    neighbour = path.with_name(path.name + ".new")
    with neighbour.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    neighbour.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def _check_inputs_are_elsewhere(options: Command) -> None:
    """Refuse to write over what is read, or into it.

    Raises:
        OutputError: an input is, or lies in, `--out`; or is a raw directory in which `--out` lies.
    """
    out = options.out.resolve()
    for name, path in options.inputs().items():
        if path.resolve().is_relative_to(out):
            raise OutputError(f"--out {options.out} holds the input {name}", "choose another directory")
        if out.is_relative_to(path.resolve()) and not is_artifact(path):
            raise OutputError(f"--out {options.out} lies in the input {path}", "choose a directory outside it")


def _check_replaceable(out: Path) -> None:
    """Hold `--overwrite` to what xrayaug made: the manifest there accounts for every file.

    Raises:
        OutputError: it does not.
        ArtifactError: the manifest is none of xrayaug's.
    """
    known = {MANIFEST, *_read_manifest(out / MANIFEST)["files"]}
    foreign = [name for file in _files(out) if (name := file.relative_to(out).as_posix()) not in known]
    if foreign:
        raise OutputError(
            f"--overwrite would delete {out / foreign[0]}, which is not of the result there",
            "move it away, or choose another directory",
        )


def append_json(path: Path, value: Any) -> None:
    """Append `value` as one line of JSON: what a training run logs per tick."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(value) + "\n")


def _fresh_partial(out: Path) -> Path:
    partial = out.with_name(out.name + ".partial")
    if partial.exists():
        console.say(f"starting again: {partial} was left by a run that did not finish")
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    return partial


def _seal(partial: Path, out: Path, manifest: dict[str, Any]) -> None:
    write_json(partial / MANIFEST, manifest)
    if out.is_dir() and is_artifact(out):
        aside = out.with_name(out.name + ".replaced")
        shutil.rmtree(aside, ignore_errors=True)  # of a run killed between the next two lines
        out.rename(aside)
        partial.rename(out)
        shutil.rmtree(aside)
        return
    if out.is_dir():
        out.rmdir()  # empty, or `completed` had refused
    partial.rename(out)


def _inventory(directory: Path) -> dict[str, dict[str, Any]]:
    return {
        file.relative_to(directory).as_posix(): {"bytes": file.stat().st_size, "sha256": _sha256(file)}
        for file in _files(directory)
    }


def _check_files(path: Path, files: dict[str, dict[str, Any]]) -> None:
    for name, recorded in files.items():
        file = path / name
        if not file.is_file():
            raise ArtifactError(f"{file} is missing", f"make {path} again with --overwrite")
        if file.stat().st_size != recorded["bytes"] or _sha256(file) != recorded["sha256"]:
            raise ArtifactError(f"{file} changed since it was made", f"make {path} again with --overwrite")


def _read_manifest(file: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(file.read_bytes())
    except ValueError as problem:
        raise ArtifactError(f"{file} is not JSON: {problem}", "make the artifact again") from None
    fields = {"format": int, "kind": str, "stage": str, "options": dict, "inputs": dict, "files": dict, "result": dict}
    if not isinstance(manifest, dict):
        raise ArtifactError(f"{file} is not an xrayaug manifest: it is no JSON object")
    for name, wanted in fields.items():
        if not isinstance(manifest.get(name), wanted):
            raise ArtifactError(f"{file} is not an xrayaug manifest: '{name}' is missing or of another type")
    return manifest


def _differences(made: Artifact, options: Command) -> list[str]:
    if made.manifest["stage"] != options.name:
        return [f"it was made by {made.manifest['stage']}, not {options.name}"]
    before, now = made.options, json.loads(json.dumps(options.identity()))
    found = [
        f"{name} was {before.get(name)}, is now {now.get(name)}"
        for name in now | before
        if before.get(name) != now.get(name)
    ]
    recorded = {name: entry["sha256"] for name, entry in made.manifest["inputs"].items()}
    given = {name: digest(path) for name, path in options.inputs().items()}
    for name in sorted(recorded.keys() | given.keys()):
        if name not in given:
            found.append(f"input {name} is no longer given")
        elif name not in recorded:
            found.append(f"input {name} is new")
        elif recorded[name] != given[name]:
            found.append(f"input {name} has another content")
    return found


def _what_is_there(path: Path) -> str:
    if not path.exists():
        unfinished = path.with_name(path.name + ".partial")
        return f"only {unfinished} is there, from a run that did not finish" if unfinished.exists() else "nothing there"
    if path.is_file():
        return "it is a file"
    names = sorted(entry.name for entry in path.iterdir())
    listed = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return f"it holds {listed}" if names else "it is empty"


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
