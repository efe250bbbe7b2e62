"""The processes of one run as torch.distributed has them: how they meet, compute sums together, and part.

Tensors on GPUs are summed by NCCL, others by gloo; what processes tell each other besides always goes by gloo, from
CPU to CPU, so that no GPU is waited for.
"""

import itertools
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

from xrayaug.errors import PeerError, XrayaugError
from xrayaug.runtime.distributed import ranks
from xrayaug.runtime.distributed.heartbeat import End, Heartbeat
from xrayaug.runtime.distributed.ranks import LINGER, Rank
from xrayaug.runtime.stopping import Stopped

_typed: Any = dist  # its stores, whose names it does not export for type checkers

MEETING = timedelta(minutes=10)  # in which all processes must have come
LONGEST = timedelta(hours=2)  # that one may let the others wait; whether it is alive, the pulse tells
TYPES = ("uint8", "int64", "float32", "float64")  # of what one gives another
MOST_AXES = 4
_meetings = itertools.count()

GO_ON = "what was saved before is kept: run the same command again, with as many processes or fewer"


Array = npt.NDArray[Any]


class DistributedGroup:
    """This process among those of its run; a `ranks.ProcessGroup`."""

    def __init__(self, rank: Rank, device: torch.device) -> None:
        self.rank = rank
        store = _store(rank)
        self.heartbeat = Heartbeat(_typed.PrefixStore("pulse", store.clone()), rank.number, rank.count)
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            store=_typed.PrefixStore("group", store),
            rank=rank.number,
            world_size=rank.count,
            timeout=LONGEST,
            device_id=device if device.type == "cuda" else None,
        )
        self.aside: Any = dist.new_group(backend="gloo", timeout=LONGEST) if device.type == "cuda" else None
        self.heartbeat.start()
        self.barrier()

    def broadcast(self, value: Any) -> Any:
        """What rank 0 gives here, of JSON values."""
        return json.loads(self.broadcast_bytes(json.dumps(value).encode()))

    def broadcast_bytes(self, content: bytes) -> bytes:
        """What rank 0 gives here."""
        (length,) = self.all_reduce_max([len(content) if self.rank.number == 0 else 0])
        heard = torch.empty(length, dtype=torch.uint8)
        if self.rank.number == 0:
            heard.copy_(torch.from_numpy(np.frombuffer(bytearray(content), np.uint8)))
        with self._naming_the_dead():
            dist.broadcast(heard, 0, group=self.aside)
        return heard.numpy().tobytes()

    def all_reduce_max(self, values: Sequence[int]) -> list[int]:
        """Of each of the values the largest that any rank gives."""
        largest = torch.tensor(values, dtype=torch.int64)
        with self._naming_the_dead():
            dist.all_reduce(largest, dist.ReduceOp.MAX, group=self.aside)
        return largest.tolist()

    def barrier(self) -> None:
        """Until all are here."""
        self.all_reduce_max([0])

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        """The sum of everyone's, in place, in the same order and so to the same bit everywhere."""
        group = None if tensor.device.type == "cuda" else self.aside
        with self._naming_the_dead():
            dist.all_reduce(tensor, group=group)
        return tensor

    def all_gather(self, tensor: Tensor) -> list[Tensor]:
        """Everyone's, by rank: of one type and of the same shape but for the first dimension; on the CPU."""
        counts = [0] * self.rank.count
        counts[self.rank.number] = len(tensor)
        counts = self.all_reduce_max(counts)
        longest = torch.zeros(max(counts), *tensor.shape[1:], dtype=tensor.dtype)
        longest[: len(tensor)] = tensor
        found = [torch.empty_like(longest) for _ in counts]
        with self._naming_the_dead():
            dist.all_gather(found, longest, group=self.aside)
        return [each[:count] for each, count in zip(found, counts, strict=True)]

    def send(self, array: Array, to: int, note: int = 0) -> None:
        """Give that rank an array, of one of `TYPES` and at most `MOST_AXES` axes, and with it a number.

        Returns once it is taken: nothing piles up on the way.
        """
        axes = [*array.shape, *[0] * (MOST_AXES - array.ndim)]
        with self._naming_the_dead():
            dist.send(torch.tensor([note, TYPES.index(array.dtype.name), array.ndim, *axes]), to, group=self.aside)
            if array.size:
                dist.send(torch.from_numpy(np.ascontiguousarray(array)), to, group=self.aside)

    def receive(self, sender: int) -> tuple[Array, int]:
        """The next array that this rank gives, and the number with it."""
        header = torch.empty(3 + MOST_AXES, dtype=torch.int64)
        with self._naming_the_dead():
            dist.recv(header, sender, group=self.aside)
            note, kind, axes, *shape = header.tolist()
            array = np.empty(shape[:axes], TYPES[kind])
            if array.size:
                dist.recv(torch.from_numpy(array), sender, group=self.aside)
        return array, note

    def leave(self, problem: BaseException | None) -> BaseException | None:
        """Leave the others, at the end or for a problem; what this process is to end with, None for nothing."""
        if problem is None:
            return self._done()
        if isinstance(problem, Stopped) and problem.is_agreed:
            return self._stopped(problem)
        if isinstance(problem, RuntimeError):
            self.heartbeat.why()  # NCCL may have broken with another process
        end = self.heartbeat.end(*_told_of(problem))
        is_asked_alike = isinstance(problem, Stopped) and problem.exit_code == end.code
        if end.rank != self.rank.number and not isinstance(problem, XrayaugError) and not is_asked_alike:
            problem = _peer_error(end)  # of which it is a consequence
        if isinstance(problem, XrayaugError):
            return self._spoken(problem)
        if self.rank.number == 0 or not isinstance(problem, Stopped):
            self.heartbeat.claim_report()  # which it will do
        return problem

    def _done(self) -> BaseException | None:
        try:
            self.barrier()
        except PeerError as problem:
            return None if self.rank.number == 0 else self._spoken(problem)  # its result is there
        self._dissolve()
        return None

    def _dissolve(self) -> None:
        self.heartbeat.stop()
        dist.destroy_process_group()

    def _stopped(self, stop: Stopped) -> BaseException:
        self._dissolve()
        if self.rank.number == 0:
            return stop
        time.sleep(LINGER)
        return SystemExit(stop.exit_code)

    def _spoken(self, problem: XrayaugError) -> BaseException:
        """That problem for whoever says it; for the others silence, with the same exit code."""
        if self.rank.number != 0:
            time.sleep(LINGER)
        if not self.heartbeat.claim_report():
            return SystemExit(problem.exit_code)
        if self.rank.number != 0 and not isinstance(problem, PeerError):
            problem.message = f"rank {self.rank.number}: {problem.message}"
        return problem

    @contextmanager
    def _naming_the_dead(self) -> Iterator[None]:
        """Have what breaks when a process ends say which.

        Raises:
            PeerError: another process ended.
        """
        try:
            yield
        except RuntimeError as problem:
            reason = str(problem).partition("\n")[0]
            end = self.heartbeat.why()
            raise _peer_error(end) if end else PeerError(f"the processes lost each other: {reason}", GO_ON) from None


def join(device: torch.device) -> None:
    """Meet the other processes of this run, where there are any; each computes on its own `where`.

    Raises:
        PeerError: they did not come.
    """
    rank = ranks.current_rank()
    if rank.count == 1:
        return
    try:
        group = DistributedGroup(rank, device)
    except (RuntimeError, ValueError) as problem:
        reason = str(problem).partition("\n")[0]
        raise PeerError(
            f"the {rank.count} processes did not meet: {reason}", "see docs/explanation/scaling.md"
        ) from None
    ranks.set_group(group)


def all_reduce_sum(tensor: Tensor) -> Tensor:
    """The sum of every process's, in place; alone, the tensor as it is."""
    group = current_group()
    return group.all_reduce_sum(tensor) if group else tensor


def all_gather(tensor: Tensor) -> list[Tensor]:
    """Every process's, by rank, on the CPU: of one shape but for the first dimension."""
    group = current_group()
    return group.all_gather(tensor) if group else [tensor]


def broadcast_bytes(content: bytes) -> bytes:
    """What the first process gives here."""
    group = current_group()
    return group.broadcast_bytes(content) if group else content


def current_group() -> DistributedGroup | None:
    """The group of this run, where there is one."""
    company = ranks.current_group()
    assert company is None or isinstance(company, DistributedGroup)
    return company


def _store(rank: Rank) -> Any:
    """What the processes meet through: torchrun's own store, or rank 0's; a part of its own for every meeting."""
    is_agents = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    is_host = rank.number == 0 and not is_agents
    store = _typed.TCPStore(address, port, rank.count, is_host, timeout=MEETING, multi_tenant=True)
    starts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return _typed.PrefixStore(f"xrayaug/{starts}/{next(_meetings)}", store)


def _told_of(problem: BaseException) -> tuple[str, int]:
    """What others are told of a process that ends for that: why, and its exit code."""
    code = int(getattr(problem, "exit_code", 1))
    if isinstance(problem, Stopped):
        return f"was stopped ({problem.cause})", code
    if isinstance(problem, XrayaugError | OSError):
        return f"ended: {getattr(problem, 'message', problem)}", code
    return f"ended by a bug: {type(problem).__name__}: {problem}", code


def _peer_error(end: End) -> PeerError:
    error = PeerError(str(end), GO_ON)
    error.exit_code = end.code
    return error
