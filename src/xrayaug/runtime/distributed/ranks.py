"""Which of the processes of one run this is, and what they say to each other; all of it without torch.

torchrun starts as many processes as it is told, and tells each its number: its rank. They compute one result together,
which the first of them, rank 0, writes, shows and answers for; the others are silent. A command that knows nothing of
this is refused where there are several. Without torchrun there is one process, which is the first.

What they say to each other goes through the `Company` that `group.join` gives; without one, or alone, what is said
here is what is heard here.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from xrayaug.errors import PeerError, UsageError, XrayaugError

TOLD = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # environment variables: torchrun's, and anyone's like it
LOCAL = ("LOCAL_RANK", "LOCAL_WORLD_SIZE")
LINGER = 1.0  # seconds that others leave rank 0 to have its say: torchrun ends all once one has ended

T = TypeVar("T")


@dataclass(frozen=True)
class Rank:
    """Which process this is of how many: of the run, and of those on this machine."""

    number: int = 0
    count: int = 1
    local: int = 0
    local_count: int = 1


class Company(Protocol):
    """The processes of a run, as one of them meets them."""

    def told(self, value: Any) -> Any:
        """What rank 0 gives here, of JSON values."""

    def agreed(self, values: Sequence[int]) -> list[int]:
        """Of each of the values the largest that any rank gives."""

    def wait(self) -> None:
        """Until all are here."""

    def part(self, problem: BaseException | None) -> BaseException | None:
        """Leave the others, at the end or for a problem; what this process is to end with."""


_company: Company | None = None
_have_met = False


def company() -> Company | None:
    """The other processes, once this one has met them."""
    return _company


def own() -> Rank:
    """What the environment says that this process is.

    Raises:
        UsageError: it says so only in part, or nothing that makes sense.
    """
    if not all(name in os.environ for name in TOLD):
        return Rank()
    number, count = _number("RANK"), _number("WORLD_SIZE")
    local, local_count = (_number(name) if name in os.environ else None for name in LOCAL)
    rank = Rank(number, count, number if local is None else local, count if local_count is None else local_count)
    if not (0 <= rank.number < rank.count and 0 <= rank.local < rank.local_count):
        raise UsageError(f"the environment has RANK {number} of WORLD_SIZE {count}", "let torchrun set both")
    return rank


def several() -> bool:
    """Whether there are other processes than this one."""
    return own().count > 1


def is_first() -> bool:
    """Whether this process is the one that writes, shows and answers."""
    return own().number == 0


def told(value: T) -> T:
    """What the first process gives here, for all to go by; JSON values."""
    return value if _company is None else _company.told(value)


def agreed(*values: int) -> list[int]:
    """Of each of the values the largest that any process gives, for all to do the same at the same step."""
    return list(values) if _company is None else _company.agreed(values)


def wait() -> None:
    """Until all processes are here."""
    if _company is not None:
        _company.wait()


@contextmanager
def one_first() -> Iterator[None]:
    """On every machine one process first, then the others: for what the first may download for all."""
    local = own().local
    if local:
        wait()
    yield
    if not local:
        wait()


def enter(company: Company) -> None:
    """Have that be what this process says and hears things through, until it leaves `together`."""
    global _company, _have_met
    _company, _have_met = company, True


def have_met() -> bool:
    """Whether this process has been in company, be it gone by now."""
    return _have_met


@contextmanager
def apart() -> Iterator[None]:
    """Work of this process alone: what is told and agreed on within, the others do not hear."""
    global _company  # noqa: PLW0603
    before, _company = _company, None
    try:
        yield
    finally:
        _company = before


@contextmanager
def together() -> Iterator[None]:
    """A command's work: whichever process meets a problem, all end, and one of them says why.

    Raises:
        SystemExit: another process says what this one would, or the same.
    """
    global _company  # noqa: PLW0603
    try:
        yield
    except BaseException as problem:
        ending = _parted(problem)
        if ending is problem:
            raise
        raise ending from None
    else:
        if _company is not None and (late := _company.part(None)) is not None:
            raise late
    finally:
        _company = None


def _parted(problem: BaseException) -> BaseException:
    if _company is not None:
        return _company.part(problem) or problem
    if own().local == 0:
        return problem
    # Before they met, all of a machine meet the same, but for a bug, and for what keeps this one alone from meeting.
    if isinstance(problem, PeerError) or (isinstance(problem, Exception) and not isinstance(problem, XrayaugError)):
        time.sleep(LINGER)
        return problem
    return SystemExit(getattr(problem, "exit_code", 1))


def _number(name: str) -> int:
    try:
        return int(os.environ[name])
    except ValueError:
        raise UsageError(f"the environment has {name}={os.environ[name]}, which is no number", "unset it") from None
