"""Copies of datasets' pixels on the machine's own disk, where the datasets lie on storage that many machines share.

A copy is named by the sha256 of its content, which is checked while it is made and whenever it is used: so runs, arms
and commands that read the same pixels share one copy, wherever the dataset lies, and none is ever stale. Processes that
want the same one wait for the first of them to make it.
"""

import errno
import hashlib
import shutil
from pathlib import Path
from uuid import uuid4

from xrayaug.errors import ArtifactError, OutputError
from xrayaug.runtime import console
from xrayaug.storage import files, lock
from xrayaug.storage.artifacts import Artifact

DIRECTORY = "images"  # within what --cache names
PIECE = 1 << 24  # bytes read at a time
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


def local(artifact: Artifact, name: str, cache: Path | None) -> Path:
    """A file of an artifact as it is to be read: itself, or its copy below `cache`, made if it is not there.

    The artifact may have been opened with `later={name}`.

    Raises:
        ArtifactError: the artifact lists no such file, or its content is not what its manifest says.
        OutputError: there is no room for the copy.
    """
    file = artifact.file(name)
    if cache is None:
        return file
    recorded = artifact.manifest["files"][name]
    copy = cache / DIRECTORY / f"{recorded['sha256']}{file.suffix}"
    if _is_intact(copy, recorded):
        return copy
    copy.parent.mkdir(parents=True, exist_ok=True)
    with lock.awaited(copy.with_suffix(".lock"), f"another process to copy {file} to {cache}") as alone:
        if not _is_intact(copy, recorded):
            _make(file, copy, recorded, cache, alone=alone)
    return copy


def _is_intact(copy: Path, recorded: dict[str, object]) -> bool:
    """Whether the copy is there and is what it should be."""
    if not copy.is_file():
        return False
    if copy.stat().st_size == recorded["bytes"] and files.sha256(copy) == recorded["sha256"]:
        return True
    console.warn(f"{copy} is damaged and is made again")
    return False


def _make(file: Path, copy: Path, recorded: dict[str, object], cache: Path, *, alone: bool) -> None:
    """Copy a file, whole or not at all; if not `alone`, others may be copying it too.

    Raises:
        ArtifactError: it has another content than was recorded.
        OutputError: there is no room.
    """
    own = "" if alone else f".{uuid4().hex}"  # alone, what a killed process left there is written over
    new = copy.with_name(copy.name + own + files.NEW)
    try:
        _check_room(file, new, cache)
        if _copied(file, new) != recorded["sha256"]:
            raise ArtifactError(f"{file} changed since it was made", f"make {file.parent} again with --overwrite")
        files.sync(new)
        new.replace(copy)
    except OSError as problem:
        if problem.errno not in NO_ROOM:
            raise
        raise _full(file, cache) from None
    finally:
        new.unlink(missing_ok=True)
    files.sync_directory(copy.parent)


def _check_room(file: Path, new: Path, cache: Path) -> None:
    new.unlink(missing_ok=True)
    if shutil.disk_usage(cache).free < file.stat().st_size:
        raise _full(file, cache)


def _full(file: Path, cache: Path) -> OutputError:
    needed, free = file.stat().st_size >> 20, shutil.disk_usage(cache).free >> 20
    return OutputError(
        f"--cache {cache} has no room for {file}: {needed:,} MiB, and {free:,} MiB are free",
        "free some, name a directory on a larger disk, or leave --cache out",
    )


def _copied(file: Path, new: Path) -> str:
    """The sha256 of what was copied."""
    digest = hashlib.sha256()
    size = file.stat().st_size
    with (
        file.open("rb") as source,
        new.open("wb") as target,
        console.progress(size >> 20, f"copying {file.parent.name}", "MiB") as advance,
    ):
        while piece := source.read(PIECE):
            target.write(piece)
            digest.update(piece)
            advance(len(piece) >> 20)
    return digest.hexdigest()
