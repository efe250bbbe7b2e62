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
from collections.abc import Callable, Collection, Iterable, Mapping
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

RESUME = "resume"  # of the partial directory: what a stopped run needs to go on
RUN = "run.json"  # in it: which run it is, and its sessions
DISCARDED = ".discarded"  # ends the name of a partial directory that is being deleted
MAX_NAME_BYTES = 255  # of a file, to every file system in use
PACKAGES = ("torch", "torchvision", "numpy", "pillow", "scipy", "safetensors")

Environment = dict[str, Any]


def no_raw_inputs() -> RawInputs:
    """What a command reads of raw inputs that reads none."""
    return {}


def build_artifact(
    options: Command,
    kind: str,
    build: Callable[[Path], Result],
    *,
    computing: str = "cpu",
    raw: Callable[[], RawInputs] = no_raw_inputs,
) -> Result:
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
        raw: gives the raw inputs, asked for when it comes to them; of each `build` writes the record.

    Returns:
        The numbers, as they stand in the manifest.

    Raises:
        OutputError: `--out` holds something else, finished or not, or another process is writing it.
    """
    if not ranks.is_first():
        made = ranks.broadcast(None)
        return build(artifacts.partial_path(options.out)) if made is None else made
    has_begun = False

    def announced(directory: Path) -> Result:
        nonlocal has_begun
        has_begun = True
        ranks.broadcast(None)
        return build(directory)

    result = _produced(options, kind, announced, computing, cache(raw))
    return result if has_begun else ranks.broadcast(result)


def _produced(
    options: Command,
    kind: str,
    build: Callable[[Path], Result],
    computing: str,
    raw: Callable[[], RawInputs],
) -> Result:
    _check_name(options.out)
    _check_inputs_are_elsewhere(options)
    if (made := _found_complete(options, raw)) is not None:
        return made
    check_output_path(options.out)
    inputs = {
        name: {
            "path": os.path.relpath(path, files.resolve_directory(options.out)),
            "sha256": _digest_before(path, raw().get(name)),
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
        if (made := _found_complete(options, raw)) is not None:  # by a process that held the lock until now
            return made
        return _make(options, head, build, describe_environment(computing), raw)


def _digest_before(path: Path, raw: RawInput | None) -> str:
    """The digest of an input as far as it is known before a raw one is read."""
    return digest(path) if raw is None or is_artifact(path) else raw_inputs.listed_digest(raw)


def extend(options: Command, build: Callable[[Artifact], tuple[Mapping[str, str], Result]]) -> Result:
    """Add text files to the finished artifact at `options.out`, or write those anew that were added before.

    Its options and inputs stay what they are, and so does what it held. At every moment a finished artifact lies
    there: its manifest forgets a file before that changes, and names it again once it is written.

    Args:
        options: the command.
        build: given the artifact, the files by name, and what to add to its result.

    Returns:
        The numbers, as they then stand in the manifest.
    """
    with lock.hold(options.out):
        made = open_artifact(options.out)
        added, told = build(made)
        listed = dict(made.manifest["files"])
        changed = {
            name: content
            for name, text in added.items()
            if listed.get(name, {}).get("sha256") != files.sha256_bytes(content := text.encode())
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


def find_completed(options: Command, raw: Callable[[], RawInputs] = no_raw_inputs) -> Artifact | None:
    """The artifact at `options.out` if this very command made it from these very inputs; None if nothing is there.

    Args:
        options: the command.
        raw: gives its raw inputs.

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
    made = open_artifact(out)
    found = find_differences(made, options, raw)
    if found:
        raise OutputError(
            f"--out {out} holds another result: {'; '.join(found)}",
            "choose another directory, or --overwrite to replace it",
        )
    return made


def find_differences(made: Artifact, options: Command, raw: Callable[[], RawInputs]) -> list[str]:
    """In what the command that made an artifact, and what it read, differ from `options`, one line each."""
    if made.manifest["stage"] != options.name:
        return [f"it was made by {made.manifest['stage']}, not {options.name}"]
    recorded = [name for name in raw() if name in made.manifest["inputs"]]
    found = _other_command(made.manifest, options, recorded)
    for name in recorded:
        found += raw_inputs.find_differences(made.path, name, raw()[name], decode=not found)
    return found


def _other_command(made: Manifest, options: Command, read: Collection[str]) -> list[str]:
    """In what the command that a manifest tells of differs from `options`: settings, and inputs by their digests.

    Of the inputs in `read` it is not for the digest to say whether they are the same, unless they are artifacts.
    """
    if made["stage"] != options.name:
        return [f"it was made by {made['stage']}, not {options.name}"]
    found = option_differences(made, options)
    recorded, given = made["inputs"], options.inputs()
    for name in sorted(recorded.keys() | given.keys()):
        if name not in given:
            found.append(f"input {name} is no longer given")
        elif name not in recorded:
            found.append(f"input {name} is new")
        elif name in read and not is_artifact(given[name]):
            continue
        elif recorded[name]["sha256"] != digest(given[name]):
            is_file = given[name].is_file()
            found.append(f"{given[name].name} changed" if is_file else f"input {name} has another content")
    return found


def option_differences(made: Manifest, options: Command) -> list[str]:
    """The settings in which the command that a manifest tells of differs from `options`, one line each."""
    before, now = made["options"], json.loads(json.dumps(options.identity()))
    return [
        f"{name} was {before.get(name)}, is now {now.get(name)}"
        for name in now | before
        if before.get(name) != now.get(name)
    ]


def describe_environment(computing: str) -> Environment:
    """Where and with what something is made: apart from the rest, which can then be compared exactly."""
    return {
        "xrayaug": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "device": computing,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _found_complete(options: Command, raw: Callable[[], RawInputs]) -> Result | None:
    if options.overwrite and is_artifact(options.out):
        _check_replaceable(options.out)
        return None
    made = find_completed(options, raw)
    if made is None:
        return None
    console.info(f"{options.out} is already complete; nothing to do")
    return made.result


def _check_inputs_are_elsewhere(options: Command) -> None:
    """Refuse to write over what is read, or into it.

    Raises:
        OutputError: an input is, or lies in, `--out`; or is a raw directory in which `--out` lies.
    """
    out = Path(os.path.realpath(options.out))  # of links in a circle too
    for name, path in options.inputs().items():
        if Path(os.path.realpath(path)).is_relative_to(out):
            raise OutputError(f"--out {options.out} holds the input {name}", "choose another directory")
        if out.is_relative_to(os.path.realpath(path)) and not is_artifact(path):
            raise OutputError(f"--out {options.out} lies in the input {path}", "choose a directory outside it")


def check_output_path(out: Path, *, is_renamed: bool = True) -> None:
    """Refuse, before any work, a place where a result cannot come to lie.

    Args:
        out: the place.
        is_renamed: whether the result is made beside it and then renamed, which a mount point and the directory in
            which the user stands do not allow.

    Raises:
        OutputError: it is such a place.
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
    parent = next(each for each in Path(os.path.abspath(place)).parents if os.path.lexists(each))  # noqa: PTH100
    if out.is_symlink() and parent != place.parent:
        raise OutputError(f"--out {out} is a link to {place}, and {place.parent} does not exist", "mend the link")
    if not parent.is_dir():
        raise OutputError(f"--out {out} cannot be made: {parent} is no directory", "choose another directory")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"--out {out} cannot be made: {parent} may not be written to", "choose another directory")


def _check_name(out: Path) -> None:
    """Refuse a name that is too long for a file system, with the endings of the names beside it.

    Raises:
        OutputError: it is.
    """
    beside = f"{out.name}{PARTIAL}{DISCARDED}"
    for name in (*out.parts[:-1], beside):
        if len(os.fsencode(name)) > MAX_NAME_BYTES:
            most = MAX_NAME_BYTES - (len(beside) - len(out.name) if name == beside else 0)
            raise OutputError(f"--out {out} has a name of more than {most} bytes", "choose a shorter one")


def _is_mount_point(path: Path) -> bool:
    """Whether something is mounted there; directories of the same file system too, where Linux tells of them."""
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
    """Hold `--overwrite` to what xrayaug made: the manifest there accounts for every file.

    Raises:
        OutputError: it does not.
        ArtifactError: the manifest is none of xrayaug's.
    """
    made = manifests.read(out / MANIFEST)
    known = {MANIFEST, *made["files"], *raw_inputs.times_file_names(made["inputs"])}
    foreign = [name for file in artifacts.list_files(out) if (name := file.relative_to(out).as_posix()) not in known]
    if foreign:
        raise OutputError(
            f"--overwrite would delete {out / foreign[0]}, which is not of the result there",
            "move it away, or choose another directory",
        )


def _make(
    options: Command,
    head: Manifest,
    build: Callable[[Path], Result],
    now: Environment,
    raw: Callable[[], RawInputs],
) -> Result:
    """Build in the partial directory, seal it and publish it; or publish what was sealed already."""
    started = time.monotonic()
    partial = artifacts.partial_path(options.out)
    _delete(_discarded(partial))
    before = _unfinished(partial, options, raw)
    if before is None or not is_artifact(partial):
        sessions = _begin_session(partial, head, before, now)
        result = _build(partial, build)
        lasted = {"seconds": round(time.monotonic() - started, 1)}
        history = {"stops": len(sessions) - 1, "changes": _changes(sessions)}
        manifest = head | {
            "inputs": _read_inputs(partial, options, head["inputs"], raw()),
            "files": _inventory(partial, raw_inputs.times_file_names(raw())),
            "result": result,
            "environment": sessions[0] | lasted | history,
        }
        manifests.write(partial, manifest)
    _publish(partial, options.out)
    return open_artifact(options.out).result


def _read_inputs(
    partial: Path, options: Command, inputs: Mapping[str, dict[str, str]], raw: RawInputs
) -> dict[str, dict[str, str]]:
    """The manifest's inputs: of a raw one that is no artifact, the digest is what the record says was read."""
    read = [name for name in raw if not is_artifact(options.inputs()[name])]
    return {
        name: entry | ({"sha256": raw_inputs.digest(partial, name)} if name in read else {})
        for name, entry in inputs.items()
    }


def _unfinished(partial: Path, options: Command, raw: Callable[[], RawInputs]) -> Manifest | None:
    """What this very command left unfinished; None where it left nothing, or is to begin anew.

    Raw files may have changed meanwhile: whoever reads them holds what is kept of them to what they are now.

    Raises:
        OutputError: something else is there.
    """
    if not partial.exists():
        return None
    found = next((file for file in (partial / MANIFEST, partial / RESUME / RUN) if file.is_file()), None)
    if found is None:
        foreign = [file for file in artifacts.list_files(partial) if not file.is_relative_to(partial / RESUME)]
        if foreign:
            raise OutputError(f"{partial} was not made by xrayaug: it holds {foreign[0].name}", "move it away")
        return None
    if found.name == MANIFEST:
        before = manifests.read(found)
        differing = find_differences(Artifact(partial, before), options, raw)
    else:
        before = _read_run(found)
        differing = _other_command(before, options, list(raw()))
    if before["format"] != FORMAT:
        differing.insert(0, f"its format was {before['format']}, is now {FORMAT}")
    if not differing:
        return before
    if options.overwrite:
        console.info(f"starting again: {partial} was left by another run")
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
        files.delete_leftovers(partial)
        console.info(f"going on with {partial}, begun {sessions[0]['started']}")
        for change in _changed(sessions[-2], now):
            console.warning(
                f"since this run was stopped, {change}: its result may differ from one that was never stopped"
            )
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


def _inventory(partial: Path, unlisted: Collection[str]) -> dict[str, dict[str, Any]]:
    """Size and hash of every file but those of `resume` and those that are to go unlisted.

    Each is flushed to disk, and so are the directories they are in.
    """
    found = {}
    for file in artifacts.list_files(partial):
        name = file.relative_to(partial)
        if name.parts[0] != RESUME and name.as_posix() not in unlisted:
            files.sync(file)
            found[name.as_posix()] = _listed(file)
    for directory in {(partial / name).parent for name in found}:
        files.sync_directory(directory)
    return found


def _listed(file: Path) -> dict[str, Any]:
    """A file's entry in the manifest."""
    return {"bytes": file.stat().st_size, "sha256": files.sha256_file(file)}


def _publish(partial: Path, out: Path) -> None:
    """Rename the sealed partial directory to `out`, in place of an older result that `--overwrite` gave up."""
    _delete(partial / RESUME)
    out, aside = files.resolve_directory(out), files.sibling(out, ".replaced")
    if is_artifact(out):
        _delete(aside)  # of a run killed before it could
        out.rename(aside)
    elif out.is_dir():
        out.rmdir()  # empty, or `find_completed` had refused
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
    return partial.with_name(partial.name + DISCARDED)


def _delete(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
