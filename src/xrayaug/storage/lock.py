"""Locks that allow one writer at a time: a file beside `--out`, locked by a live process and naming it."""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from xrayaug.errors import OutputError
from xrayaug.runtime import console
from xrayaug.storage import files

UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}  # errors of file systems without locks
LOCK_RETRY_SECONDS = 0.1  # `find_holder` holds a shared lock for a shorter time than this


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock; fields that it has not yet written have their defaults."""

    pid: int | None = None
    host: str = ""
    since: datetime | None = None


@contextmanager
def hold(out: Path) -> Iterator[None]:
    """Hold the lock file `<out>.lock` within the context.

    The kernel releases the lock when the process ends, however it ends; a file that a dead process left is reused.

    Raises:
        OutputError: another process holds the lock (the message names the process, its host and since when), or
            nothing can be written there.
    """
    path = files.sibling(out, ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _acquire(path)
    except OSError as problem:
        hint = "mend that, or choose another directory"
        raise OutputError(f"--out {out} cannot be written: {problem.strerror}", hint) from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before the release, or another process could lock a deleted file
        os.close(descriptor)


@contextmanager
def wait_for(path: Path, description: str) -> Iterator[bool]:
    """Hold the lock file at `path` within the context, waiting while another process holds it; the file is kept.

    Args:
        path: the lock file.
        description: name of the resource, printed if another process holds the lock.

    Yields:
        True if the lock is held; False if the file system has no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield _acquire_waiting(descriptor, path, description)
    finally:
        os.close(descriptor)


def _acquire_waiting(descriptor: int, path: Path, description: str) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        console.info(f"waiting for {description}")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as problem:
        if problem.errno not in UNSUPPORTED:
            raise
        console.warning(
            f"{path.parent} is on a file system without locks: processes that run at once may do the same work twice"
        )
        return False
    return True


def _acquire(path: Path) -> int:
    """Lock the file at `path`, made if it does not exist, and return its open descriptor."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(descriptor)
        except BlockingIOError:
            holder = _describe_holder(_read_holder(descriptor))
            os.close(descriptor)
            raise OutputError(f"{path.with_suffix('')} is being written by {holder}", "wait for it") from None
        except OSError as problem:
            if problem.errno not in UNSUPPORTED:
                raise
            console.warning(
                f"{path.parent} is on a file system without locks: let no other process write {path.with_suffix('')}"
            )
        if _is_still_there(path, descriptor):
            _write_holder(descriptor)
            return descriptor
        os.close(descriptor)  # its holder has just deleted it: try again with a new file


def _is_still_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _write_holder(descriptor: int) -> None:
    holder = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def find_holder(out: Path) -> Holder | None:
    """Return the process that is writing `out`; None if no live process is. Nothing is changed."""
    try:
        descriptor = os.open(files.sibling(out, ".lock"), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # it is locked, or the file system has no locks and only the content can tell
        return _read_holder(descriptor)
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int) -> None:
    """Take an exclusive lock, trying a second time since `find_holder` may hold a shared one for a moment.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(LOCK_RETRY_SECONDS)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read_holder(descriptor: int) -> Holder:
    """Return the holder that the lock file names; an empty one if it names none yet."""
    try:
        fields = json.loads(os.pread(descriptor, 4096, 0))
        return Holder(int(fields["pid"]), str(fields["host"]), datetime.fromisoformat(fields["since"]))
    except (ValueError, KeyError, TypeError):
        return Holder()


def _describe_holder(holder: Holder) -> str:
    if holder.pid is None or holder.since is None:
        return "another process"
    return f"process {holder.pid} on {holder.host} since {holder.since.isoformat(timespec='seconds')}"
