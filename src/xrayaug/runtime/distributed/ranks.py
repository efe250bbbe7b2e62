"""This process's rank, and exchanges with the other processes of the run; without importing torch.

torchrun starts the processes of a run and gives each a number, its rank. They compute one result together. Rank 0
writes and shows it; the others print nothing. A command that does not support several processes is refused. Without
torchrun there is one process, with rank 0.

Exchanges go through the `ProcessGroup` that `group.join` sets. Without a group they return this process's own values.
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
EXIT_DELAY_SECONDS = 1.0  # for rank 0 to report first: torchrun ends all processes once one has ended

T = TypeVar("T")


@dataclass(frozen=True)
class Rank:
    """Number of a process and number of processes: in the run, and on this machine (`local`)."""

    number: int = 0
    count: int = 1
    local: int = 0
    local_count: int = 1


class ProcessGroup(Protocol):
    """Processes of a run, as one of them communicates with the others."""

    def broadcast(self, value: Any) -> Any:
        """Return the value that rank 0 passes, a JSON value."""

    def all_reduce_max(self, values: Sequence[int]) -> list[int]:
        """Return the maximum of each value over all ranks."""

    def barrier(self) -> None:
        """Wait until all ranks are here."""

    def leave(self, problem: BaseException | None) -> BaseException | None:
        """Leave the group, at the end or after an exception; return the exception with which this process must end."""


_group: ProcessGroup | None = None
_has_joined = False


def current_group() -> ProcessGroup | None:
    """Return the process group; None before this process has joined one."""
    return _group


def current_rank() -> Rank:
    """Return this process's rank, from the environment variables that torchrun sets.

    Raises:
        UsageError: their values are no numbers, or contradict each other.
    """
    if not all(name in os.environ for name in VARIABLES):
        return Rank()
    number, count = _parse_number("RANK"), _parse_number("WORLD_SIZE")
    local, local_count = (_parse_number(name) if name in os.environ else None for name in LOCAL_VARIABLES)
    rank = Rank(number, count, number if local is None else local, count if local_count is None else local_count)
    if not (0 <= rank.number < rank.count and 0 <= rank.local < rank.local_count):
        raise UsageError(f"the environment has RANK {number} of WORLD_SIZE {count}", "let torchrun set both")
    return rank


def is_distributed() -> bool:
    """Return whether the run has several processes."""
    return current_rank().count > 1


def is_first() -> bool:
    """Return whether this process is rank 0, which writes and shows the result."""
    return current_rank().number == 0


def broadcast(value: T) -> T:
    """Return the value that rank 0 passes, a JSON value."""
    return value if _group is None else _group.broadcast(value)


def all_reduce_max(*values: int) -> list[int]:
    """Return the maximum of each value over all processes, so that all decide alike at the same step."""
    return list(values) if _group is None else _group.all_reduce_max(values)


def barrier() -> None:
    """Wait until all processes are here."""
    if _group is not None:
        _group.barrier()


@contextmanager
def local_rank_zero_first() -> Iterator[None]:
    """Run the body on one process of each machine first, then on the others: the first may download files for all."""
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
    """Return whether this process has ever joined a group."""
    return _has_joined


@contextmanager
def without_group() -> Iterator[None]:
    """Context of work that this process does alone: exchanges return its own values."""
    global _group  # noqa: PLW0603
    before, _group = _group, None
    try:
        yield
    finally:
        _group = before


@contextmanager
def exit_together() -> Iterator[None]:
    """Context of a command's work: if one process fails, all end, and one of them reports why.

    Raises:
        SystemExit: another process reports the problem.
    """
    global _group  # noqa: PLW0603
    try:
        yield
    except BaseException as problem:
        final = _leave_group(problem)
        if final is problem:
            raise
        raise final from None
    else:
        if _group is not None and (late := _group.leave(None)) is not None:
            raise late
    finally:
        _group = None


def _leave_group(problem: BaseException) -> BaseException:
    """Leave the group because of a problem; return the exception with which this process must end."""
    if _group is not None:
        return _group.leave(problem) or problem
    if current_rank().local == 0:
        return problem
    # Before joining, all processes of a machine fail alike, so its first one reports; not so bugs and failures to join.
    if isinstance(problem, PeerError) or (isinstance(problem, Exception) and not isinstance(problem, XrayaugError)):
        time.sleep(EXIT_DELAY_SECONDS)
        return problem
    return SystemExit(getattr(problem, "exit_code", 1))


def _parse_number(name: str) -> int:
    try:
        return int(os.environ[name])
    except ValueError:
        raise UsageError(f"the environment has {name}={os.environ[name]}, which is no number", "unset it") from None
