"""Which of the processes of one run this is, and what they say to each other; all of it without torch.

torchrun starts as many processes as it is told, and tells each its number: its rank. They compute one result together,
which the first of them, rank 0, writes, shows and answers for; the others are silent. A command that knows nothing of
this is refused where there are several. Without torchrun there is one process, which is the first.

What they say to each other goes through the `ProcessGroup` that `group.join` gives; without one, or alone, what is said
here is what is heard here.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from xrayaug.errors import PeerError, UsageError, XrayaugError

VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # set by torchrun or another launcher
LOCAL_VARIABLES = ("LOCAL_RANK", "LOCAL_WORLD_SIZE")
LINGER = 1.0  # seconds that others leave rank 0 to have its say: torchrun ends all once one has ended

T = TypeVar("T")


@dataclass(frozen=True)
class Rank:
    """Which process this is of how many: of the run, and of those on this machine."""

    number: int = 0
    count: int = 1
    local: int = 0
    local_count: int = 1


class ProcessGroup(Protocol):
    """The processes of a run, as one of them meets them."""

    def broadcast(self, value: Any) -> Any:
        """What rank 0 gives here, of JSON values."""

    def all_reduce_max(self, values: Sequence[int]) -> list[int]:
        """Of each of the values the largest that any rank gives."""

    def barrier(self) -> None:
        """Until all are here."""

    def leave(self, problem: BaseException | None) -> BaseException | None:
        """Leave the others, at the end or for a problem; what this process is to end with."""


_group: ProcessGroup | None = None
_has_joined = False


def current_group() -> ProcessGroup | None:
    """The other processes, once this one has met them."""
    return _group


def current_rank() -> Rank:
    """What the environment says that this process is.

    Raises:
        UsageError: it says so only in part, or nothing that makes sense.
    """
    if not all(name in os.environ for name in VARIABLES):
        return Rank()
    number, count = _number("RANK"), _number("WORLD_SIZE")
    local, local_count = (_number(name) if name in os.environ else None for name in LOCAL_VARIABLES)
    rank = Rank(number, count, number if local is None else local, count if local_count is None else local_count)
    if not (0 <= rank.number < rank.count and 0 <= rank.local < rank.local_count):
        raise UsageError(f"the environment has RANK {number} of WORLD_SIZE {count}", "let torchrun set both")
    return rank


def is_distributed() -> bool:
    """Whether there are other processes than this one."""
    return current_rank().count > 1


def is_first() -> bool:
    """Whether this process is the one that writes, shows and answers."""
    return current_rank().number == 0


def broadcast(value: T) -> T:
    """What the first process gives here, for all to go by; JSON values."""
    return value if _group is None else _group.broadcast(value)


def all_reduce_max(*values: int) -> list[int]:
    """Of each of the values the largest that any process gives, for all to do the same at the same step."""
    return list(values) if _group is None else _group.all_reduce_max(values)


def barrier() -> None:
    """Until all processes are here."""
    if _group is not None:
        _group.barrier()


@contextmanager
def local_rank_zero_first() -> Iterator[None]:
    """On every machine one process first, then the others: for what the first may download for all."""
    local = current_rank().local
    if local:
        barrier()
    yield
    if not local:
        barrier()


def set_group(group: ProcessGroup) -> None:
    """Use `group` for every exchange with the other processes, until `exit_together` ends."""
    global _group, _has_joined
    _group, _has_joined = group, True


def has_joined() -> bool:
    """Whether this process has been in company, be it gone by now."""
    return _has_joined


@contextmanager
def without_group() -> Iterator[None]:
    """Work of this process alone: what is told and agreed on within, the others do not hear."""
    global _group  # noqa: PLW0603
    before, _group = _group, None
    try:
        yield
    finally:
        _group = before


@contextmanager
def exit_together() -> Iterator[None]:
    """A command's work: whichever process meets a problem, all end, and one of them says why.

    Raises:
        SystemExit: another process says what this one would, or the same.
    """
    global _group  # noqa: PLW0603
    try:
        yield
    except BaseException as problem:
        ending = _parted(problem)
        if ending is problem:
            raise
        raise ending from None
    else:
        if _group is not None and (late := _group.leave(None)) is not None:
            raise late
    finally:
        _group = None


def _parted(problem: BaseException) -> BaseException:
    if _group is not None:
        return _group.leave(problem) or problem
    if current_rank().local == 0:
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
