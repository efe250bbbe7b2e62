"""Requests to stop, by a signal or a time limit, without loss of work.

A request raises `Stopped` at once, like Ctrl-C, because files on disk survive a kill at any moment. While a run has
results in memory only (within `deferred`), the request waits until the run has saved them and calls `check`.
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

STOPPED_EARLY = 75  # EX_TEMPFAIL of sysexits.h: the same command can be run again
INTERRUPTED = 130  # 128 + SIGINT, as in shells

CAUSES = {
    signal.SIGTERM: ("SIGTERM", STOPPED_EARLY),
    signal.SIGUSR1: ("SIGUSR1", STOPPED_EARLY),
    signal.SIGALRM: ("--max-minutes", STOPPED_EARLY),
    signal.SIGINT: ("Ctrl-C", INTERRUPTED),
}

# A terminal signals a study and its commands, and the study signals its commands again; SLURM signals a script and all
# its processes. Signals within this time are one request.
REPEAT_SECONDS = 0.5

PARENT = "XRAYAUG_PARENT"  # environment variable with the id of the process with which this one must end
PR_SET_PDEATHSIG = 1  # linux/prctl.h

UNITS = {"s": 1, "m": 60, "h": 3600}
INTERVAL = re.compile(r"(\d+(?:\.\d+)?)([smh]?)")


class Stopped(BaseException):
    """The run was asked to stop; results in memory have been saved."""

    def __init__(self, cause: str, exit_code: int, number: int = signal.SIGTERM) -> None:
        super().__init__(cause)
        self.cause = cause
        self.exit_code = exit_code
        self.number = number  # of the signal
        self.is_agreed = False  # all processes of the run stop at the same step


_request: Stopped | None = None
_raised_at = -math.inf  # time of the monotonic clock at which the request was raised
_deferrals = 0  # number of `deferred` contexts that are entered


@contextmanager
def handle_signals(max_minutes: float | None = None) -> Iterator[None]:
    """Context in which SIGTERM, SIGUSR1, Ctrl-C and the time limit are requests to stop; for the main thread.

    A second Ctrl-C ends the process at once.
    """
    global _request, _raised_at
    before = {number: signal.signal(number, _handle_signal) for number in CAUSES}
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
    """Context in which a request waits for `check`.

    Raises:
        Stopped: at the end, if the run was asked to stop meanwhile.
    """
    global _deferrals  # noqa: PLW0603
    _deferrals += 1
    try:
        yield
    finally:
        _deferrals -= 1
    check_unless_deferred()


def is_requested() -> bool:
    """Return whether the run was asked to stop."""
    return _request is not None


def pending_signal() -> int:
    """Return the number of the signal that asked the run to stop; 0 if it was not asked."""
    return _request.number if _request is not None else 0


def adopt_signal(number: int) -> None:
    """Make a signal that all processes of the run have agreed on the request of this one; 0 is none."""
    global _request  # noqa: PLW0603
    if number:
        if _request is None or _request.number != number:
            _request = _stop_request(number)
        _request.is_agreed = True


def check() -> None:
    """Stop if the run was asked to.

    Raises:
        Stopped: the run was asked to stop.
    """
    if _request is not None:
        _raise(_request)


def check_unless_deferred() -> None:
    """Stop if the run was asked to, except within `deferred`.

    Raises:
        Stopped: the run was asked to stop.
    """
    if not _deferrals:
        check()


def request(cause: str, exit_code: int) -> None:
    """Ask the run to stop for another cause than a signal; the first request counts.

    Raises:
        Stopped: stopping is not deferred.
    """
    global _request  # noqa: PLW0603
    if _request is None:
        _request = Stopped(cause, exit_code)
    check_unless_deferred()


@dataclass(frozen=True)
class Interval:
    """Interval of time, or of a number of images."""

    seconds: float | None = None
    images: int | None = None

    def __str__(self) -> str:
        if self.images is not None:
            return str(self.images)
        seconds = self.seconds or 0.0
        unit = next((unit for unit in "hm" if seconds % UNITS[unit] == 0), "s")
        return format_number(seconds / UNITS[unit]) + unit


def parse_interval(text: str) -> Interval:
    """Parse an interval: ``"90s"``, ``"5m"`` or ``"1h"`` is a time, ``"20000"`` a number of images.

    Raises:
        UsageError: the text is neither.
    """
    match = INTERVAL.fullmatch(text.strip())
    if not match or not float(match[1]) or (not match[2] and "." in match[1]):
        raise UsageError(f"'{text}' is no interval", "give a time, such as 90s, 5m or 1h, or a number of images")
    if match[2]:
        return Interval(seconds=float(match[1]) * UNITS[match[2]])
    return Interval(images=int(match[1]))


def format_number(value: float) -> str:
    """Return the shortest text of a number that keeps its value and type."""
    if isinstance(value, int):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


class SaveSchedule:
    """Schedule of saving at an interval, of time or of images seen in training."""

    def __init__(self, interval: Interval, seen: int = 0) -> None:
        self.interval = interval
        self.reset(seen)

    def is_due(self, seen: int) -> bool:
        """Return whether it is time to save, after `seen` images of the run."""
        if self.interval.images is not None:
            return seen - self._saved_images >= self.interval.images
        return time.monotonic() - self._saved_at >= (self.interval.seconds or 0.0)

    def reset(self, seen: int) -> None:
        """Start a new interval: the run has just saved, after `seen` images."""
        self._saved_images = seen
        self._saved_at = time.monotonic()


def die_with_parent(parent: int, number: signal.Signals) -> None:
    """Ask Linux to send this process a signal when its parent ends; do nothing on other systems."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it has ended already
        os.kill(os.getpid(), number)


def _handle_signal(number: int, _: FrameType | None) -> None:
    global _request  # noqa: PLW0603
    if number == signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the next Ctrl-C ends the process at once
    if _request is None:
        _request = _stop_request(number)
        with suppress(OSError):  # stderr may be closed
            os.write(2, f"\n{_request.cause}: saving, then stopping\n".encode())  # print is not safe in signal handlers
    if (
        not _deferrals and time.monotonic() - _raised_at > REPEAT_SECONDS
    ):  # raised again, it would interrupt the cleanup
        _raise(_request)


def _raise(request: Stopped) -> NoReturn:
    global _raised_at  # noqa: PLW0603
    _raised_at = time.monotonic()
    raise request


def _stop_request(number: int) -> Stopped:
    cause, exit_code = CAUSES[signal.Signals(number)]
    return Stopped(cause, exit_code, number)
