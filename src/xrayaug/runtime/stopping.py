"""Stopping on purpose: a signal or a time limit asks, and a run stops where nothing is lost.

Everywhere else the request is raised at once, as Ctrl-C is: what lies on disk stands a kill at any moment. While a run
holds work that only memory has (`deferred`), it waits until the run has saved (`check`).
"""

import ctypes
import math
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from xrayaug.errors import UsageError

STOPPED_EARLY = 75  # EX_TEMPFAIL of sysexits.h: run the same command again
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

CAUSES = {
    signal.SIGTERM: ("SIGTERM", STOPPED_EARLY),
    signal.SIGUSR1: ("SIGUSR1", STOPPED_EARLY),
    signal.SIGALRM: ("--max-minutes", STOPPED_EARLY),
    signal.SIGINT: ("Ctrl-C", INTERRUPTED),
}

# A terminal tells a study and its parts, which the study then tells too; SLURM a script and all it runs: one request.
REPEAT_SECONDS = 0.5

PARENT = "XRAYAUG_PARENT"  # environment variable: the process without which this one is to stop
PR_SET_PDEATHSIG = 1  # linux/prctl.h

UNITS = {"s": 1, "m": 60, "h": 3600}
INTERVAL = re.compile(r"(\d+(?:\.\d+)?)([smh]?)")


class Stopped(BaseException):
    """The run was asked to stop, and has saved what it had."""

    def __init__(self, cause: str, exit_code: int, number: int = signal.SIGTERM) -> None:
        super().__init__(cause)
        self.cause = cause
        self.exit_code = exit_code
        self.number = number  # of the signal
        self.is_agreed = False  # with the other processes of the run, which then all stop at the same step


_request: Stopped | None = None
_raised_at = -math.inf  # when it was, by the clock
_deferrals = 0


@contextmanager
def handle_signals(max_minutes: float | None = None) -> Iterator[None]:
    """Take SIGTERM, SIGUSR1, Ctrl-C and the time limit as requests to stop; for the main thread of a program.

    A second Ctrl-C ends the process at once.
    """
    global _request, _raised_at
    before = {number: signal.signal(number, _receive) for number in CAUSES}
    if parent := os.environ.pop(PARENT, ""):
        die_with_parent(int(parent), signal.SIGTERM)
    if max_minutes is not None:
        signal.setitimer(signal.ITIMER_REAL, max_minutes * 60)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        _request, _raised_at = None, -math.inf


@contextmanager
def deferred() -> Iterator[None]:
    """While inside, a request waits for `check`."""
    global _deferrals  # noqa: PLW0603
    _deferrals += 1
    try:
        yield
    finally:
        _deferrals -= 1
    check_unless_deferred()


def is_requested() -> bool:
    """Whether the run was asked to stop."""
    return _request is not None


def pending_signal() -> int:
    """The number of the signal that asked for it, 0 if none did."""
    return _request.number if _request is not None else 0


def adopt_signal(number: int) -> None:
    """All processes of the run have agreed on the signal of that number; 0 is none."""
    global _request  # noqa: PLW0603
    if number:
        if _request is None or _request.number != number:
            _request = _stop_request(number)
        _request.is_agreed = True


def check() -> None:
    """Stop here, if asked to.

    Raises:
        Stopped: the run was asked to stop.
    """
    if _request is not None:
        _raise(_request)


def check_unless_deferred() -> None:
    """Stop here, if asked to and nothing must be saved first.

    Raises:
        Stopped: the run was asked to stop.
    """
    if not _deferrals:
        check()


def request(cause: str, exit_code: int) -> None:
    """Ask the run to stop for something other than a signal; the first cause stands.

    Raises:
        Stopped: nothing must be saved first.
    """
    global _request  # noqa: PLW0603
    if _request is None:
        _request = Stopped(cause, exit_code)
    check_unless_deferred()


@dataclass(frozen=True)
class Interval:
    """How far apart two moments are: in seconds, or in images."""

    seconds: float | None = None
    images: int | None = None

    def __str__(self) -> str:
        if self.images is not None:
            return str(self.images)
        seconds = self.seconds or 0.0
        unit = next((unit for unit in "hm" if seconds % UNITS[unit] == 0), "s")
        return format_number(seconds / UNITS[unit]) + unit


def parse_interval(text: str) -> Interval:
    """``"90s"``, ``"5m"`` or ``"1h"`` as time, ``"20000"`` as images.

    Raises:
        UsageError: it is neither.
    """
    given = INTERVAL.fullmatch(text.strip())
    if not given or not float(given[1]) or (not given[2] and "." in given[1]):
        raise UsageError(f"'{text}' is no interval", "give a time, such as 90s, 5m or 1h, or a number of images")
    if given[2]:
        return Interval(seconds=float(given[1]) * UNITS[given[2]])
    return Interval(images=int(given[1]))


def format_number(value: float) -> str:
    """As short as it can be said without becoming another number, or one of another kind."""
    if isinstance(value, int):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


class SaveSchedule:
    """When it is time to save again, by the clock or by images."""

    def __init__(self, interval: Interval, seen: int = 0) -> None:
        self.interval = interval
        self.reset(seen)

    def is_due(self, seen: int) -> bool:
        """Whether it is, `seen` images into the run."""
        if self.interval.images is not None:
            return seen - self._seen >= self.interval.images
        return time.monotonic() - self._since >= (self.interval.seconds or 0.0)

    def reset(self, seen: int) -> None:
        """It has just been saved."""
        self._seen = seen
        self._since = time.monotonic()


def die_with_parent(parent: int, number: signal.Signals) -> None:
    """Be sent that signal when the parent process ends, where Linux is asked; elsewhere do nothing."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it has ended already
        os.kill(os.getpid(), number)


def _receive(number: int, _: FrameType | None) -> None:
    global _request  # noqa: PLW0603
    if number == signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the next one ends the process, whatever it is doing
    if _request is None:
        _request = _stop_request(number)
        with suppress(OSError):  # whoever listened may be gone
            os.write(2, f"\n{_request.cause}: saving, then stopping\n".encode())  # print is not for signal handlers
    if not _deferrals and time.monotonic() - _raised_at > REPEAT_SECONDS:  # raised again, it would break the ending
        _raise(_request)


def _raise(request: Stopped) -> NoReturn:
    global _raised_at  # noqa: PLW0603
    _raised_at = time.monotonic()
    raise request


def _stop_request(number: int) -> Stopped:
    cause, exit_code = CAUSES[signal.Signals(number)]
    return Stopped(cause, exit_code, number)
