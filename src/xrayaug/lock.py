"""One writer at a time: a file beside `--out` that a live process holds, and that says who it is."""

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from xrayaug import console
from xrayaug.errors import OutputError

UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}  # some network file systems


@contextmanager
def held(out: Path) -> Iterator[None]:
    """Hold `<out>.lock` for as long as the work goes on.

    The kernel lets go of it when the process ends, however it ends: a file left behind by a dead one is taken over.

    Raises:
        OutputError: another process holds it; the message says which, where and since when.
    """
    path = out.with_name(out.name + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquire(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before letting go, so that nobody takes a file that is about to vanish
        os.close(descriptor)


@contextmanager
def awaited(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file at `path`, which stays there; `what` is said to be waited for while another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _wait(descriptor, path, what)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path, what: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        console.say(f"waiting for {what}")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as problem:
        if problem.errno not in UNSUPPORTED:
            raise
        console.warn(f"{path.parent} knows no locks: what others do there at the same time is done twice")


def _acquire(path: Path) -> int:
    """An open descriptor of the locked file at `path`."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise OutputError(f"{path.with_suffix('')} is being written by {holder}", "wait for it") from None
        except OSError as problem:
            if problem.errno not in UNSUPPORTED:
                raise
            console.warn(f"{path.parent} knows no locks: take care that nothing else writes {path.with_suffix('')}")
        if _is_still_there(path, descriptor):
            _write_holder(descriptor)
            return descriptor
        os.close(descriptor)  # its holder has just deleted it: take a new one


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


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (ValueError, KeyError, TypeError):  # it has not written its name yet
        return "another process"
