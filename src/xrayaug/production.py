"""How an artifact comes to be: made whole or not at all, and gone on with where it was stopped.

Work happens in `<out>.partial`, renamed to `<out>` once `manifest.json` is written, so a manifest's presence means
complete. The same command again finds its result complete, or goes on with what a stopped run left in
`<out>.partial/resume`; another command is refused with every difference named.
"""

import itertools
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from xrayaug import __version__, artifacts, console, files, lock, manifests
from xrayaug.artifacts import Artifact, Result, digest, is_artifact, open_artifact, what_is_there
from xrayaug.command import Command
from xrayaug.errors import ArtifactError, DataError, OutputError, TrainingError, UsageError, XrayaugError
from xrayaug.manifests import FORMAT, MANIFEST, Manifest
from xrayaug.processes import ranks

RESUME = "resume"  # of the partial directory: what a stopped run needs to go on
RUN = "run.json"  # in it: which run it is, and its sessions
PACKAGES = ("torch", "torchvision", "numpy", "pillow", "scipy", "safetensors")

Environment = dict[str, Any]


def produce(options: Command, kind: str, build: Callable[[Path], Result], *, computing: str = "cpu") -> Result:
    """Make the artifact `options.out` of `kind`, go on making it, or find it complete.

    Of several processes the first does so; the others only `build` with it, or hear that it is complete. They are given
    the same directory, and are to write nothing there.

    Args:
        options: the command.
        kind: one of `artifacts.KINDS`.
        build: fills the directory it is given and returns the stage's numbers. What it finds in the directory's
            `resume` is its own, from this very command on these very inputs, stopped at any moment; any other file
            there it writes again. If it raises, nothing is left that looks finished.
        computing: the device, for the record.

    Returns:
        The numbers, as they stand in the manifest.

    Raises:
        OutputError: `--out` holds something else, finished or not, or another process is writing it.
    """
    if not ranks.is_first():
        made = ranks.told(None)
        return build(artifacts.partial_of(options.out)) if made is None else made
    has_begun = False

    def announced(directory: Path) -> Result:
        nonlocal has_begun
        has_begun = True
        ranks.told(None)
        return build(directory)

    result = _produced(options, kind, announced, computing)
    return result if has_begun else ranks.told(result)


def _produced(options: Command, kind: str, build: Callable[[Path], Result], computing: str) -> Result:
    _check_inputs_are_elsewhere(options)
    if (made := _found_complete(options)) is not None:
        return made
    inputs = {
        name: {"path": os.path.relpath(path, options.out), "sha256": digest(path)}
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
    with lock.held(options.out):
        if (made := _found_complete(options)) is not None:  # by a process that held the lock until now
            return made
        return _make(options, head, build, environment(computing))


def grow(options: Command, build: Callable[[Artifact], tuple[Mapping[str, str], Result]]) -> Result:
    """Add text files to the finished artifact at `options.out`, or write those anew that were added before.

    Its options and inputs stay what they are, and so does what it held. At every moment a finished artifact lies
    there: its manifest forgets a file before that changes, and names it again once it is written.

    Args:
        options: the command.
        build: given the artifact, the files by name, and what to add to its result.

    Returns:
        The numbers, as they then stand in the manifest.
    """
    with lock.held(options.out):
        made = open_artifact(options.out)
        added, told = build(made)
        listed = dict(made.manifest["files"])
        changed = {
            name: content
            for name, text in added.items()
            if listed.get(name, {}).get("sha256") != files.sha256_of(content := text.encode())
        }
        result = json.loads(json.dumps(made.result | told))
        if changed or result != made.result:
            kept = {name: entry for name, entry in listed.items() if name not in changed}
            manifests.write(made.path, made.manifest | {"files": kept})
            for name, content in changed.items():
                files.write_bytes(made.path / name, content)
            new = {name: _listed(made.path / name) for name in changed}
            manifests.write(made.path, made.manifest | {"files": kept | new, "result": result})
    return open_artifact(options.out).result


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
            f"--out {out} is there and was not made by xrayaug: {what_is_there(out)}", "choose another directory"
        )
    made = open_artifact(out)
    found = differences(made.manifest, options)
    if found:
        raise OutputError(
            f"--out {out} holds another result: {'; '.join(found)}",
            "choose another directory, or --overwrite to replace it",
        )
    return made


def differences(made: Manifest, options: Command) -> list[str]:
    """In what the command that a manifest tells of differs from `options`, one line each."""
    if made["stage"] != options.name:
        return [f"it was made by {made['stage']}, not {options.name}"]
    found = other_settings(made, options)
    recorded = {name: entry["sha256"] for name, entry in made["inputs"].items()}
    given = {name: digest(path) for name, path in options.inputs().items()}
    for name in sorted(recorded.keys() | given.keys()):
        if name not in given:
            found.append(f"input {name} is no longer given")
        elif name not in recorded:
            found.append(f"input {name} is new")
        elif recorded[name] != given[name]:
            found.append(f"input {name} has another content")
    return found


def other_settings(made: Manifest, options: Command) -> list[str]:
    """The settings in which the command that a manifest tells of differs from `options`, one line each."""
    before, now = made["options"], json.loads(json.dumps(options.identity()))
    return [
        f"{name} was {before.get(name)}, is now {now.get(name)}"
        for name in now | before
        if before.get(name) != now.get(name)
    ]


def environment(computing: str) -> Environment:
    """Where and with what something is made: apart from the rest, which can then be compared exactly."""
    return {
        "xrayaug": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "device": computing,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _found_complete(options: Command) -> Result | None:
    if options.overwrite and is_artifact(options.out):
        _check_replaceable(options.out)
        return None
    made = completed(options)
    if made is None:
        return None
    console.say(f"{options.out} is already complete; nothing to do")
    return made.result


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
    known = {MANIFEST, *manifests.read(out / MANIFEST)["files"]}
    foreign = [name for file in artifacts.files_in(out) if (name := file.relative_to(out).as_posix()) not in known]
    if foreign:
        raise OutputError(
            f"--overwrite would delete {out / foreign[0]}, which is not of the result there",
            "move it away, or choose another directory",
        )


def _make(options: Command, head: Manifest, build: Callable[[Path], Result], now: Environment) -> Result:
    """Build in the partial directory, seal it and publish it; or publish what was sealed already."""
    started = time.monotonic()
    partial = artifacts.partial_of(options.out)
    _delete(_discarded(partial))
    before = _unfinished(partial, options)
    if before is None or not is_artifact(partial):
        sessions = _begin_session(partial, head, before, now)
        result = _build(partial, build)
        lasted = {"seconds": round(time.monotonic() - started, 1)}
        history = {"stops": len(sessions) - 1, "changes": _changes(sessions)}
        manifest = head | {
            "files": _inventory(partial),
            "result": result,
            "environment": sessions[0] | lasted | history,
        }
        manifests.write(partial, manifest)
    _publish(partial, options.out)
    return open_artifact(options.out).result


def _unfinished(partial: Path, options: Command) -> Manifest | None:
    """What this very command left unfinished; None where it left nothing, or is to begin anew.

    Raises:
        OutputError: something else is there.
    """
    if not partial.exists():
        return None
    found = next((file for file in (partial / MANIFEST, partial / RESUME / RUN) if file.is_file()), None)
    if found is None:
        foreign = [file for file in artifacts.files_in(partial) if not file.is_relative_to(partial / RESUME)]
        if foreign:
            raise OutputError(f"{partial} was not made by xrayaug: it holds {foreign[0].name}", "move it away")
        return None
    before = manifests.read(found) if found.name == MANIFEST else _read_run(found)
    differing = differences(before, options)
    if before["format"] != FORMAT:
        differing.insert(0, f"its format was {before['format']}, is now {FORMAT}")
    if not differing:
        return before
    if options.overwrite:
        console.say(f"starting again: {partial} was left by another run")
        _discard(partial)
        return None
    raise OutputError(
        f"{partial} holds an unfinished run of another kind: {'; '.join(differing)}",
        "finish it with its own options, choose another directory, or --overwrite to start anew",
    )


def _read_run(file: Path) -> Manifest:
    try:
        return manifests.read_run(file)
    except ArtifactError as problem:
        raise OutputError(problem.message, f"delete {file.parent.parent} to start again") from None


def _begin_session(partial: Path, head: Manifest, before: Manifest | None, now: Environment) -> list[Environment]:
    """Note that the run goes on, or begins, here and now; every session's environment, the first first."""
    sessions = [*(before["sessions"] if before else []), now]
    if before:
        files.sweep(partial)
        console.say(f"going on with {partial}, begun {sessions[0]['started']}")
        for change in _changed(sessions[-2], now):
            console.warn(f"since this run was stopped, {change}: its result may differ from one that was never stopped")
    files.write_json(partial / RESUME / RUN, head | {"sessions": sessions})
    return sessions


def _changes(sessions: list[Environment]) -> list[str]:
    """What changed from each session to the next."""
    pairs = itertools.pairwise(sessions)
    return [f"{now['started']}: {change}" for before, now in pairs for change in _changed(before, now)]


def _changed(before: Environment, now: Environment) -> Iterable[str]:
    names = [name for name in now if name not in ("packages", "started")]
    for name, was, is_now in [
        *((name, before.get(name), now[name]) for name in names),
        *((name, before.get("packages", {}).get(name), version) for name, version in now["packages"].items()),
    ]:
        if was != is_now:
            yield f"{name} changed from {was} to {is_now}"


def _build(partial: Path, build: Callable[[Path], Result]) -> Result:
    try:
        return json.loads(json.dumps(build(partial)))  # type: ignore[no-any-return] # a dict stays one
    except XrayaugError as problem:
        nothing_kept = [file.name for file in (partial / RESUME).rglob("*")] == [RUN]
        is_final = isinstance(problem, DataError | UsageError)  # the same command could only fail again
        if is_final or (nothing_kept and not isinstance(problem, TrainingError)):  # training's log tells more
            _discard(partial)
        raise


def _inventory(partial: Path) -> dict[str, dict[str, Any]]:
    """Size and hash of every file but those of `resume`, each flushed to disk, and so the directories they are in."""
    found = {}
    for file in artifacts.files_in(partial):
        name = file.relative_to(partial)
        if name.parts[0] != RESUME:
            files.sync(file)
            found[name.as_posix()] = _listed(file)
    for directory in {(partial / name).parent for name in found}:
        files.sync_directory(directory)
    return found


def _listed(file: Path) -> dict[str, Any]:
    """A file's entry in the manifest."""
    return {"bytes": file.stat().st_size, "sha256": files.sha256(file)}


def _publish(partial: Path, out: Path) -> None:
    """Rename the sealed partial directory to `out`, in place of an older result that `--overwrite` gave up."""
    _delete(partial / RESUME)
    aside = out.with_name(out.name + ".replaced")
    if is_artifact(out):
        _delete(aside)  # of a run killed before it could
        out.rename(aside)
    elif out.is_dir():
        out.rmdir()  # empty, or `completed` had refused
    partial.rename(out)
    files.sync_directory(out.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _discard(partial: Path) -> None:
    """Delete an unfinished run, under another name: killed on the way, it would leave files of nobody knows what."""
    aside = _discarded(partial)
    _delete(aside)
    partial.rename(aside)
    _delete(aside)


def _discarded(partial: Path) -> Path:
    return partial.with_name(partial.name + ".discarded")


def _delete(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
