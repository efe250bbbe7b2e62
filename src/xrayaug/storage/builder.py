"""Building of artifacts, whole or not at all, with resumption of a run that was stopped.

An artifact is built in `<out>.partial`, which is renamed to `<out>` once `manifest.json` is written. A manifest
therefore means that the artifact is complete. The same command run again finds its result complete, or resumes from
`<out>.partial/resume`; another command is refused, and every difference is named.
"""

import itertools
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from xrayaug import __version__
from xrayaug.errors import ArtifactError, DataError, OutputError, TrainingError, UsageError, XrayaugError
from xrayaug.options.base import Command
from xrayaug.runtime import console
from xrayaug.runtime.distributed import ranks
from xrayaug.storage import artifacts, files, lock, manifests, raw_inputs
from xrayaug.storage.artifacts import PARTIAL, Artifact, Result, describe_path, digest, is_artifact, open_artifact
from xrayaug.storage.manifests import FORMAT, MANIFEST, Manifest
from xrayaug.storage.raw_inputs import RawInput, RawInputs

RESUME = "resume"  # subdirectory of the partial directory: the state from which a stopped run is resumed
RUN = "run.json"  # file in it: the command that is run, and its sessions
SALT = "salt"  # file in it: the key of pseudonyms, which is deleted with it
DISCARDED = ".discarded"  # suffix of a partial directory that is being deleted
MAX_NAME_BYTES = 255  # limit of the usual file systems for the name of a file
PACKAGES = ("torch", "torchvision", "numpy", "pillow", "scipy", "safetensors")

Environment = dict[str, Any]


def no_raw_inputs() -> RawInputs:
    """Return the raw inputs of a command that reads none: an empty mapping."""
    return {}


def build_artifact(
    options: Command,
    kind: str,
    build: Callable[[Path], Result],
    *,
    device_name: str = "cpu",
    raw: Callable[[], RawInputs] = no_raw_inputs,
) -> Result:
    """Build the artifact `options.out`, resume building it, or find it complete.

    In a distributed run the first process (rank 0) does this; the others only call `build` together with it, or
    receive the result of the complete artifact. They get the same directory and must not write to it.

    Args:
        options: the command.
        kind: kind of the artifact, one of `manifests.KINDS`.
        build: function that fills the directory it is given and returns the numbers of the stage. The contents of
            the directory's `resume` are from an earlier run of the same command on the same inputs, which may have
            been stopped at any moment; `build` writes all other files again. If it raises, nothing is left that looks
            finished.
        device_name: the device that computes, for the manifest.
        raw: function that returns the raw inputs, called when they are needed; `build` writes a record of each.

    Returns:
        The numbers, as the manifest holds them.

    Raises:
        OutputError: `--out` holds something else, finished or not, or another process is writing it.
    """
    if not ranks.is_first():
        complete = ranks.broadcast(None)
        return build(artifacts.partial_path(options.out)) if complete is None else complete
    has_begun = False

    def broadcast_and_build(directory: Path) -> Result:
        nonlocal has_begun
        has_begun = True
        ranks.broadcast(None)
        return build(directory)

    result = _build_or_find(options, kind, broadcast_and_build, device_name, cache(raw))
    return result if has_begun else ranks.broadcast(result)


def _build_or_find(
    options: Command,
    kind: str,
    build: Callable[[Path], Result],
    device_name: str,
    raw: Callable[[], RawInputs],
) -> Result:
    _check_name(options.out)
    _check_inputs_are_elsewhere(options)
    if (complete := _find_complete_result(options, raw)) is not None:
        return complete
    check_output_path(options.out)
    inputs = {
        name: {
            "path": os.path.relpath(path, files.resolve_directory(options.out)),
            "sha256": _digest_before_reading(path, raw().get(name)),
        }
        for name, path in options.inputs().items()
    }
    head = {
        "format": FORMAT,
        "kind": kind,
        "stage": options.name,
        "version": __version__,
        "options": json.loads(json.dumps(options.identity())),
        "inputs": inputs,
    }
    with lock.hold(options.out):
        # Another process may have finished it while it held the lock.
        if (complete := _find_complete_result(options, raw)) is not None:
            return complete
        return _build_and_publish(options, head, build, describe_environment(device_name), raw)


def _digest_before_reading(path: Path, raw: RawInput | None) -> str:
    """Return the digest of an input; for raw files, the digest that can be known before they are decoded."""
    return digest(path) if raw is None or is_artifact(path) else raw_inputs.listed_digest(raw)


def extend(options: Command, build: Callable[[Artifact], tuple[Mapping[str, str | bytes], Result]]) -> Result:
    """Add files to the finished artifact at `options.out`, or rewrite those that were added before.

    Its options, inputs and other files do not change. The artifact is valid at every moment: a file is removed from
    the manifest before it is changed, and listed again once it is written.

    Args:
        options: the command.
        build: function of the artifact that returns the contents of files by name, texts as UTF-8, and the numbers to
            add to its result.

    Returns:
        The numbers, as the manifest then holds them.
    """
    with lock.hold(options.out):
        artifact = open_artifact(options.out)
        contents, numbers = build(artifact)
        listed = dict(artifact.manifest["files"])
        encoded = {name: each.encode() if isinstance(each, str) else each for name, each in contents.items()}
        changed = {
            name: content
            for name, content in encoded.items()
            if listed.get(name, {}).get("sha256") != files.sha256_bytes(content)
        }
        result = json.loads(json.dumps(artifact.result | numbers))
        if changed or result != artifact.result:
            kept = {name: entry for name, entry in listed.items() if name not in changed}
            manifests.write(artifact.path, artifact.manifest | {"files": kept})
            for name, content in changed.items():
                files.write_bytes(artifact.path / name, content)
            new = {name: _file_entry(artifact.path / name) for name in changed}
            manifests.write(artifact.path, artifact.manifest | {"files": kept | new, "result": result})
    return open_artifact(options.out).result


def find_completed(options: Command, raw: Callable[[], RawInputs] = no_raw_inputs) -> Artifact | None:
    """Return the artifact at `options.out` that this command made from the same inputs; None if nothing is there.

    Args:
        options: the command.
        raw: function that returns its raw inputs.

    Raises:
        OutputError: `--out` holds something else; the message names each difference.
    """
    out = options.out
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not is_artifact(out):
        raise OutputError(
            f"--out {out} is there and was not made by xrayaug: {describe_path(out)}", "choose another directory"
        )
    artifact = open_artifact(out)
    differences = find_differences(artifact, options, raw)
    if differences:
        raise OutputError(
            f"--out {out} holds another result: {'; '.join(differences)}",
            "choose another directory, or --overwrite to replace it",
        )
    return artifact


def find_differences(artifact: Artifact, options: Command, raw: Callable[[], RawInputs]) -> list[str]:
    """Return the differences, in settings and inputs, between an artifact's command and `options`, one line each."""
    if artifact.manifest["stage"] != options.name:
        return [f"it was made by {artifact.manifest['stage']}, not {options.name}"]
    recorded = [name for name in raw() if name in artifact.manifest["inputs"]]
    differences = _command_differences(artifact.manifest, options, recorded)
    for name in recorded:
        differences += raw_inputs.find_differences(artifact.path, name, raw()[name], decode=not differences)
    return differences


def _command_differences(manifest: Manifest, options: Command, raw_names: Collection[str]) -> list[str]:
    """Return the differences between a manifest's command and `options`: settings, and digests of inputs.

    The digests of the inputs in `raw_names` are compared only if they are artifacts; the caller compares raw files.
    """
    if manifest["stage"] != options.name:
        return [f"it was made by {manifest['stage']}, not {options.name}"]
    differences = option_differences(manifest, options)
    recorded, current = manifest["inputs"], options.inputs()
    for name in sorted(recorded.keys() | current.keys()):
        if name not in current:
            differences.append(f"input {name} is no longer given")
        elif name not in recorded:
            differences.append(f"input {name} is new")
        elif name in raw_names and not is_artifact(current[name]):
            continue
        elif recorded[name]["sha256"] != digest(current[name]):
            is_file = current[name].is_file()
            differences.append(f"{current[name].name} changed" if is_file else f"input {name} has another content")
    return differences


def option_differences(manifest: Manifest, options: Command) -> list[str]:
    """Return the differences between the settings in a manifest and `options`, one line each.

    A setting that is left out of an identity has its default, which is what the lines say.
    """
    before, now = manifest["options"], json.loads(json.dumps(options.identity()))
    values = {
        name: tuple(_describe_setting(options, name, settings) for settings in (before, now))
        for name in now | before
        if before.get(name) != now.get(name)
    }
    differing = {name: (was, is_now) for name, (was, is_now) in values.items() if was != is_now}
    return [f"{name} was {was}, is now {is_now}" for name, (was, is_now) in (differing or values).items()]


def _describe_setting(options: Command, name: str, settings: Mapping[str, Any]) -> str:
    """Return the value of an option that applies: the one in `settings`, or its default."""
    field = options.__dataclass_fields__.get(name)
    value = settings.get(name, field.default if field else None)
    if value is not None and value is not MISSING:
        return str(value)
    return (field.metadata["default_text"] if field else None) or "none"


def describe_environment(device_name: str) -> Environment:
    """Return the environment of a session: versions, platform, device and time.

    The manifest keeps it apart, so that all else in two manifests can be compared exactly.
    """
    return {
        "xrayaug": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "device": device_name,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _find_complete_result(options: Command, raw: Callable[[], RawInputs]) -> Result | None:
    if options.overwrite and is_artifact(options.out):
        _check_replaceable(options.out)
        return None
    artifact = find_completed(options, raw)
    if artifact is None:
        return None
    console.info(f"{options.out} is already complete; nothing to do")
    return artifact.result


def _check_inputs_are_elsewhere(options: Command) -> None:
    """Check that no input would be overwritten.

    Raises:
        OutputError: an input is `--out` or lies in it, or `--out` lies in a raw input.
    """
    out = Path(os.path.realpath(options.out))  # realpath, since it also accepts a loop of links
    for path in options.inputs().values():
        if Path(os.path.realpath(path)).is_relative_to(out):
            relation = "is" if Path(os.path.realpath(path)) == out else "contains"
            raise OutputError(f"--out {options.out} {relation} the input {path}", "choose another directory")
        if out.is_relative_to(os.path.realpath(path)) and not is_artifact(path):
            raise OutputError(f"--out {options.out} lies in the input {path}", "choose a directory outside it")


def check_output_path(out: Path, *, is_renamed: bool = True) -> None:
    """Check, before any work, that a result can be written to a path.

    Args:
        out: the path.
        is_renamed: True if the result is built in a neighbouring directory and then renamed to `out`. A mount point
            and the working directory cannot be replaced in this way.

    Raises:
        OutputError: a result cannot be written there.
    """
    _check_name(out)
    place = files.resolve_directory(out)
    _check_name(place)
    if place == place.parent:
        raise OutputError(f"--out {out} is the root of the file system", "name a directory in it")
    if out.name == ".." and not out.exists():
        raise OutputError(f"--out {out}: {out.parent} does not exist", "name the directory without ..")
    if place.is_symlink():
        raise OutputError(f"--out {out} is a link in a circle", "choose another directory")
    if is_renamed and place.is_dir():
        if _is_mount_point(place):
            raise OutputError(f"--out {out} is a mount point", f"name a directory in it, such as {out / 'result'}")
        if Path(os.path.realpath(place)) == Path(os.path.realpath(os.curdir)):
            raise OutputError(f"--out {out} is the working directory", "name a directory in it, such as ./result")
    parent = next(above for above in Path(os.path.abspath(place)).parents if os.path.lexists(above))  # noqa: PTH100
    if out.is_symlink() and parent != place.parent:
        raise OutputError(f"--out {out} is a link to {place}, and {place.parent} does not exist", "mend the link")
    if not parent.is_dir():
        raise OutputError(f"--out {out} cannot be made: {parent} is no directory", "choose another directory")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"--out {out} cannot be made: {parent} may not be written to", "choose another directory")


def _check_name(out: Path) -> None:
    """Check that the names in a path, and the suffixes that are added while it is built, are not too long.

    Raises:
        OutputError: a name is too long for a file system.
    """
    longest_name = f"{out.name}{PARTIAL}{DISCARDED}"
    for name in (*out.parts[:-1], longest_name):
        if len(os.fsencode(name)) > MAX_NAME_BYTES:
            limit = MAX_NAME_BYTES - (len(longest_name) - len(out.name) if name == longest_name else 0)
            raise OutputError(f"--out {out} has a name of more than {limit} bytes", "choose a shorter one")


def _is_mount_point(path: Path) -> bool:
    """Return whether a path is a mount point, including bind mounts of the same file system, which Linux lists."""
    if path.is_mount():
        return True
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    escaped = os.path.realpath(path).replace("\\", "\\134")
    for letter, code in ((" ", "\\040"), ("\t", "\\011"), ("\n", "\\012")):
        escaped = escaped.replace(letter, code)
    return any(line.split(" ")[4:5] == [escaped] for line in lines)


def _check_replaceable(out: Path) -> None:
    """Check that `--overwrite` would delete nothing but an artifact: its manifest lists every file there.

    Raises:
        OutputError: there is a file that the manifest does not list.
        ArtifactError: the manifest is not one of xrayaug.
    """
    manifest = manifests.read(out / MANIFEST)
    known = {MANIFEST, *manifest["files"], *raw_inputs.times_file_names(manifest["inputs"])}
    foreign = [name for file in artifacts.list_files(out) if (name := file.relative_to(out).as_posix()) not in known]
    if foreign:
        raise OutputError(
            f"--overwrite would delete {out / foreign[0]}, which is not of the result there",
            "move it away, or choose another directory",
        )


def _build_and_publish(
    options: Command,
    head: Manifest,
    build: Callable[[Path], Result],
    environment: Environment,
    raw: Callable[[], RawInputs],
) -> Result:
    """Build in the partial directory, write its manifest and rename it; or only rename it if it has a manifest."""
    started = time.monotonic()
    partial = artifacts.partial_path(options.out)
    _delete(_discarded_path(partial))
    before = _find_unfinished(partial, options, raw)
    if before is None or not is_artifact(partial):
        sessions = _begin_session(partial, head, before, environment)
        result = _run_build(partial, build)
        duration = {"seconds": round(time.monotonic() - started, 1)}
        history = {"stops": len(sessions) - 1, "changes": _list_environment_changes(sessions)}
        manifest = head | {
            "inputs": _read_inputs(partial, options, head["inputs"], raw()),
            "files": _list_file_entries(partial, raw_inputs.times_file_names(raw())),
            "result": result,
            "environment": sessions[0] | duration | history,
        }
        manifests.write(partial, manifest)
    _publish(partial, options.out)
    return open_artifact(options.out).result


def _read_inputs(
    partial: Path, options: Command, inputs: Mapping[str, dict[str, str]], raw: RawInputs
) -> dict[str, dict[str, str]]:
    """Return the manifest's inputs; the digest of raw files is that of the record of what was read."""
    recorded = [name for name in raw if not is_artifact(options.inputs()[name])]
    return {
        name: entry | ({"sha256": raw_inputs.digest(partial, name)} if name in recorded else {})
        for name, entry in inputs.items()
    }


def _find_unfinished(partial: Path, options: Command, raw: Callable[[], RawInputs]) -> Manifest | None:
    """Return the manifest of an unfinished run of this command; None if there is none, or if it is to be discarded.

    Raw files may have changed since: the code that reads them compares them with what the unfinished run kept.

    Raises:
        OutputError: the partial directory belongs to another command, or was not made by xrayaug.
    """
    if not partial.exists():
        return None
    record = next((file for file in (partial / MANIFEST, partial / RESUME / RUN) if file.is_file()), None)
    if record is None:
        foreign = [file for file in artifacts.list_files(partial) if not file.is_relative_to(partial / RESUME)]
        if foreign:
            raise OutputError(f"{partial} was not made by xrayaug: it holds {foreign[0].name}", "move it away")
        return None
    if record.name == MANIFEST:
        before = manifests.read(record)
        differences = find_differences(Artifact(partial, before), options, raw)
    else:
        before = _read_run(record)
        differences = _command_differences(before, options, list(raw()))
    if before["format"] != FORMAT:
        differences.insert(0, f"its format was {before['format']}, is now {FORMAT}")
    if not differences:
        return before
    if options.overwrite:
        console.info(f"starting again: {partial} was left by another run")
        _discard(partial)
        return None
    raise OutputError(
        f"{partial} holds an unfinished run of another kind: {'; '.join(differences)}",
        "finish it with its own options, choose another directory, or --overwrite to start anew",
    )


def _read_run(file: Path) -> Manifest:
    try:
        return manifests.read_run(file)
    except ArtifactError as problem:
        raise OutputError(problem.message, f"delete {file.parent.parent} to start again") from None


def _begin_session(
    partial: Path, head: Manifest, before: Manifest | None, environment: Environment
) -> list[Environment]:
    """Record that the run begins or is resumed; return the environments of all its sessions, oldest first."""
    sessions = [*(before["sessions"] if before else []), environment]
    if before:
        files.delete_leftovers(partial)
        console.info(f"going on with {partial}, begun {sessions[0]['started']}")
        for change in _environment_differences(sessions[-2], environment):
            console.warning(
                f"since this run was stopped, {change}: its result may differ from one that was never stopped"
            )
    files.write_json(partial / RESUME / RUN, head | {"sessions": sessions})
    return sessions


def _list_environment_changes(sessions: list[Environment]) -> list[str]:
    """Return the changes of the environment from each session to the next, one line each."""
    pairs = itertools.pairwise(sessions)
    return [f"{now['started']}: {change}" for before, now in pairs for change in _environment_differences(before, now)]


def _environment_differences(before: Environment, now: Environment) -> Iterable[str]:
    names = [name for name in now if name not in ("packages", "started")]
    for name, was, is_now in [
        *((name, before.get(name), now[name]) for name in names),
        *((name, before.get("packages", {}).get(name), version) for name, version in now["packages"].items()),
    ]:
        if was != is_now:
            yield f"{name} changed from {was} to {is_now}"


def _run_build(partial: Path, build: Callable[[Path], Result]) -> Result:
    try:
        return json.loads(json.dumps(build(partial)))  # type: ignore[no-any-return] # a dict is returned as a dict
    except XrayaugError as problem:
        nothing_kept = {file.name for file in (partial / RESUME).rglob("*")} <= {RUN, SALT}
        is_final = isinstance(problem, DataError | UsageError)  # running the same command again cannot help
        if is_final or (
            nothing_kept and not isinstance(problem, TrainingError)
        ):  # the log of a training that failed is worth keeping
            _discard(partial)
        raise


def _list_file_entries(partial: Path, unlisted: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the manifest's entry of every file, except those in `resume` and in `unlisted`.

    The files and their directories are flushed to disk.
    """
    entries = {}
    for file in artifacts.list_files(partial):
        name = file.relative_to(partial)
        if name.parts[0] != RESUME and name.as_posix() not in unlisted:
            files.sync(file)
            entries[name.as_posix()] = _file_entry(file)
    for directory in {(partial / name).parent for name in entries}:
        files.sync_directory(directory)
    return entries


def _file_entry(file: Path) -> dict[str, Any]:
    """Return a file's entry in the manifest: its size in bytes and its sha256."""
    return {"bytes": file.stat().st_size, "sha256": files.sha256_file(file)}


def _publish(partial: Path, out: Path) -> None:
    """Rename the sealed partial directory to `out`; with `--overwrite`, it replaces an older result."""
    _delete(partial / RESUME)
    out, aside = files.resolve_directory(out), files.sibling(out, ".replaced")
    if is_artifact(out):
        _delete(aside)  # left by a run that was killed while it replaced a result
        out.rename(aside)
    elif out.is_dir():
        out.rmdir()  # it is empty, or `find_completed` would have refused it
    partial.rename(out)
    files.sync_directory(out.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _discard(partial: Path) -> None:
    """Delete an unfinished run under another name, so that a kill midway leaves no partial directory half deleted."""
    aside = _discarded_path(partial)
    _delete(aside)
    partial.rename(aside)
    _delete(aside)


def _discarded_path(partial: Path) -> Path:
    return partial.with_name(partial.name + DISCARDED)


def _delete(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
