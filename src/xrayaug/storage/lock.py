"""One writer at a time: a file beside `--out` that a live process holds, and that says who it is."""

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

UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}  # some network file systems
LOOKING = 0.1  # seconds, in which whoever only looked (`find_holder`) has long let go


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock, as far as it has said."""

    pid: int | None = None
    host: str = ""
    since: datetime | None = None


@contextmanager
def hold(out: Path) -> Iterator[None]:
    """Hold `<out>.lock` for as long as the work goes on.

    The kernel lets go of it when the process ends, however it ends: a file left behind by a dead one is taken over.

    Raises:
        OutputError: another process holds it; the message says which, where and since when.
    """
    path = files.sibling(out, ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquire(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before letting go, so that nobody takes a file that is about to vanish
        os.close(descriptor)


@contextmanager
def wait_for(path: Path, what: str) -> Iterator[bool]:
    """Hold the lock file at `path`, which stays there; `what` is said to be waited for while another process has it.

    Yields:
        Whether it is held: not where no locks are known.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield _wait(descriptor, path, what)
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: Path, what: str) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        console.info(f"waiting for {what}")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as problem:
        if problem.errno not in UNSUPPORTED:
            raise
        console.warning(f"{path.parent} knows no locks: what others do there at the same time is done twice")
        return False
    return True


def _acquire(path: Path) -> int:
    """An open descriptor of the locked file at `path`."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(descriptor)
        except BlockingIOError:
            holder = _described(_read_holder(descriptor))
            os.close(descriptor)
            raise OutputError(f"{path.with_suffix('')} is being written by {holder}", "wait for it") from None
        except OSError as problem:
            if problem.errno not in UNSUPPORTED:
                raise
            console.warning(f"{path.parent} knows no locks: take care that nothing else writes {path.with_suffix('')}")
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


def find_holder(out: Path) -> Holder | None:
    """Who is writing `out`; None where no live process is. Changes nothing."""
    try:
        descriptor = os.open(files.sibling(out, ".lock"), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # locked; or no locks are known there, and what the file says is all there is
        return _read_holder(descriptor)
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int) -> None:
    """Lock it for good.

    Raises:
        BlockingIOError: another process has.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(LOOKING)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read_holder(descriptor: int) -> Holder:
    """What the holder wrote of itself, nothing where it has not yet."""
    try:
        said = json.loads(os.pread(descriptor, 4096, 0))
        return Holder(int(said["pid"]), str(said["host"]), datetime.fromisoformat(said["since"]))
    except (ValueError, KeyError, TypeError):
        return Holder()


def _described(holder: Holder) -> str:
    if holder.pid is None or holder.since is None:
        return "another process"
    return f"process {holder.pid} on {holder.host} since {holder.since.isoformat(timespec='seconds')}"
