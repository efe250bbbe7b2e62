"""Cache the pixels of datasets on shared storage on the local disk.

A cached file is named by the sha256 of its content, which is checked when it is written and whenever it is used. So all
runs and commands that read the same pixels share one file, and no file is ever stale. Processes that need the same file
wait until the first of them has written it.
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

DIRECTORY = "images"  # below the directory of --cache
CHUNK_BYTES = 1 << 24  # read at a time
DISK_FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT}


def cached_path(artifact: Artifact, name: str, cache: Path | None) -> Path:
    """Return the path to read a file of an artifact from: the file itself, or its copy below `cache`.

    The copy is made if it does not exist. The artifact may have been opened with `hash_later={name}`.

    Raises:
        ArtifactError: the artifact lists no such file, or its content does not match its manifest.
        OutputError: there is not enough space for the copy.
    """
    file = artifact.file(name)
    if cache is None:
        return file
    recorded = artifact.manifest["files"][name]
    copy = cache / DIRECTORY / f"{recorded['sha256']}{file.suffix}"
    if _is_intact(copy, recorded):
        return copy
    copy.parent.mkdir(parents=True, exist_ok=True)
    with lock.wait_for(copy.with_suffix(".lock"), f"another process to copy {file} to {cache}") as has_lock:
        if not _is_intact(copy, recorded):
            _make_copy(file, copy, recorded, cache, has_lock=has_lock)
    return copy


def _is_intact(copy: Path, recorded: dict[str, object]) -> bool:
    """Return whether the copy exists and has the recorded content."""
    if not copy.is_file():
        return False
    if copy.stat().st_size == recorded["bytes"] and files.sha256_file(copy) == recorded["sha256"]:
        return True
    console.warning(f"{copy} is damaged and is made again")
    return False


def _make_copy(file: Path, copy: Path, recorded: dict[str, object], cache: Path, *, has_lock: bool) -> None:
    """Copy a file atomically; without the lock, other processes may be copying it too.

    Raises:
        ArtifactError: its content is not the recorded one.
        OutputError: there is not enough space.
    """
    own = "" if has_lock else f".{uuid4().hex}"  # with the lock, the remains of a killed process are overwritten
    new = copy.with_name(copy.name + own + files.NEW)
    try:
        _check_room(file, new, cache)
        if _copy_and_hash(file, new) != recorded["sha256"]:
            raise ArtifactError(f"{file} changed since it was made", f"make {file.parent} again with --overwrite")
        files.sync(new)
        new.replace(copy)
    except OSError as problem:
        if problem.errno not in DISK_FULL_ERRORS:
            raise
        raise _disk_full_error(file, cache) from None
    finally:
        new.unlink(missing_ok=True)
    files.sync_directory(copy.parent)


def _check_room(file: Path, new: Path, cache: Path) -> None:
    new.unlink(missing_ok=True)
    if shutil.disk_usage(cache).free < file.stat().st_size:
        raise _disk_full_error(file, cache)


def _disk_full_error(file: Path, cache: Path) -> OutputError:
    needed, free = file.stat().st_size >> 20, shutil.disk_usage(cache).free >> 20
    return OutputError(
        f"--cache {cache} has no room for {file}: {needed:,} MiB, and {free:,} MiB are free",
        "free some, name a directory on a larger disk, or leave --cache out",
    )


def _copy_and_hash(file: Path, new: Path) -> str:
    """Copy a file and return the sha256 of its content."""
    digest = hashlib.sha256()
    size = file.stat().st_size
    with (
        file.open("rb") as source,
        new.open("wb") as target,
        console.progress(size >> 20, f"copying {file.parent.name}", "MiB") as advance,
    ):
        while piece := source.read(CHUNK_BYTES):
            target.write(piece)
            digest.update(piece)
            advance(len(piece) >> 20)
    return digest.hexdigest()
