"""Write boundaries: every step by which a process changes the disk is counted, and at one of them something happens.

Installed in a forked child only, before the command runs. What can happen: the process is killed, gets a signal, the
step fails as on a full or lost disk, or the power fails: then what was not flushed to disk is lost as well. A write
that is cut off leaves half of its bytes.
"""

import builtins
import errno
import io
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GROWING = {"write", "fsync", "mkdir", "pwrite"}  # steps that a full disk refuses; it still deletes and renames
FULL = {"ENOSPC", "EDQUOT"}
POWER = "POWER"
STEPS = ("fsync", "replace", "rename", "unlink", "mkdir", "rmdir", "truncate", "pwrite")
WITH_AN_AFTER = {"replace", "rename"}


@dataclass
class Plan:
    """The action to take, and the boundary at which it is taken."""

    at: int = 0  # none
    act: str = "SIGKILL"  # a signal, the name of an error number, which then lasts, or POWER
    slow: float = 0.0  # seconds that every boundary takes from then on
    unreadable: str = ""  # how the names of files end that cannot be read, as on a failing disk
    report: str = ""  # file for the number of boundaries


class Boundaries:
    """The count of write boundaries, and the action when the planned one is reached."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.passed = 0
        self.process = os.getpid()  # a process forked from this one is left alone
        self.unflushed: dict[int, int] = {}  # inode -> a descriptor of its file

    def reach(self, step: str, partly: Callable[[], object] = lambda: None) -> None:
        """Pass one boundary; `partly` does half of the step, where it is to be cut off.

        Raises:
            OSError: the plan has the step fail.
        """
        if os.getpid() != self.process:
            return
        self.passed += 1
        if not self.plan.at or self.passed < self.plan.at:
            return
        if self.plan.act == POWER:
            self._lose_power()
        elif self.plan.act.startswith("SIG"):
            self._signal(partly)
        elif self.plan.act not in FULL or step in GROWING:
            if step == "write":
                partly()
            number = getattr(errno, self.plan.act)
            raise OSError(number, os.strerror(number))

    def wrote(self, descriptor: int) -> None:
        """Note that a file has bytes that may not be on disk yet."""
        inode = os.fstat(descriptor).st_ino
        if inode not in self.unflushed:
            self.unflushed[inode] = os.dup(descriptor)

    def flushed(self, descriptor: int) -> None:
        """Note that the bytes of a file are on disk."""
        kept = self.unflushed.pop(os.fstat(descriptor).st_ino, None)
        if kept is not None:
            os.close(kept)

    def _lose_power(self) -> None:
        for kept in self.unflushed.values():
            os.ftruncate(kept, os.fstat(kept).st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)

    def _signal(self, partly: Callable[[], object]) -> None:
        if self.passed == self.plan.at:
            number = signal.Signals[self.plan.act]
            if number == signal.SIGKILL:
                partly()
            os.kill(os.getpid(), number)
        time.sleep(self.plan.slow)


def install(plan: Plan) -> Boundaries:
    """Start to count, and return the count."""
    boundaries = Boundaries(plan)
    builtins.open = io.open = _opening(boundaries, io.open)
    for name in STEPS:
        setattr(os, name, _counted(boundaries, name, getattr(os, name)))
    return boundaries


def report(boundaries: Boundaries) -> None:
    """Write the number of boundaries passed to the file that the plan names."""
    descriptor = os.open(boundaries.plan.report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(descriptor, str(boundaries.passed).encode())
    os.close(descriptor)


def _counted(boundaries: Boundaries, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
    def counted(*arguments: Any, **named: Any) -> Any:
        boundaries.reach(name)
        result = step(*arguments, **named)
        if name == "fsync":
            boundaries.flushed(arguments[0])
        if name in WITH_AN_AFTER:
            boundaries.reach(f"after {name}")
        return result

    return counted


def _opening(boundaries: Boundaries, plain: Callable[..., Any]) -> Callable[..., Any]:
    """Return a version of `open` that counts the raw writes to files."""

    class Counted(io.FileIO):
        def write(self, content: Any) -> int:
            view = memoryview(content).cast("B")
            boundaries.reach("write", lambda: io.FileIO.write(self, view[: len(view) // 2]))
            boundaries.wrote(self.fileno())
            return super().write(content)

        def truncate(self, size: int | None = None) -> int:
            boundaries.reach("truncate")
            return super().truncate(size)

    def opened(file: Any, mode: str = "r", buffering: int = -1, *text: Any, **named: Any) -> Any:
        if boundaries.plan.unreadable and str(file).endswith(boundaries.plan.unreadable):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if not set("wax+") & set(mode) or not _is_regular(file):
            return plain(file, mode, buffering, *text, **named)
        raw = Counted(file, mode.replace("b", "").replace("t", ""))
        whole = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return whole if "b" in mode else io.TextIOWrapper(whole, *text, **named)

    return opened


def _is_regular(file: Any) -> bool:
    return not isinstance(file, int) and (not Path(file).exists() or Path(file).is_file())
