"""Process group of a run on torch.distributed: joining, collective operations, and leaving.

NCCL sums tensors on GPUs, gloo those on CPUs. All other messages go through gloo from CPU to CPU, so that no process
waits for a GPU.
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
from xrayaug.runtime.distributed.ranks import EXIT_DELAY_SECONDS, Rank
from xrayaug.runtime.stopping import Stopped

_untyped_dist: Any = dist  # for its stores, whose names it does not export for type checkers

JOIN_TIMEOUT = timedelta(minutes=10)
COLLECTIVE_TIMEOUT = timedelta(hours=2)  # of a wait for another process; the heartbeat finds dead ones sooner
DTYPES = ("uint8", "int64", "float32", "float64")  # of arrays that are sent
MAX_AXES = 4  # of arrays that are sent
_joins = itertools.count()

RESUME_HINT = "what was saved before is kept: run the same command again, with as many processes or fewer"

Array = npt.NDArray[Any]


class DistributedGroup:
    """All processes of the run, as this one communicates with them; implements `ranks.ProcessGroup`."""

    def __init__(self, rank: Rank, device: torch.device) -> None:
        self.rank = rank
        store = _connect_store(rank)
        self.heartbeat = Heartbeat(_untyped_dist.PrefixStore("heartbeat", store.clone()), rank.number, rank.count)
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            store=_untyped_dist.PrefixStore("group", store),
            rank=rank.number,
            world_size=rank.count,
            timeout=COLLECTIVE_TIMEOUT,
            device_id=device if device.type == "cuda" else None,
        )
        self.cpu_group: Any = (
            dist.new_group(backend="gloo", timeout=COLLECTIVE_TIMEOUT) if device.type == "cuda" else None
        )
        self.heartbeat.start()
        self.barrier()

    def broadcast(self, value: Any) -> Any:
        """Return the value that rank 0 passes, a JSON value."""
        return json.loads(self.broadcast_bytes(json.dumps(value).encode()))

    def broadcast_bytes(self, content: bytes) -> bytes:
        """Return the bytes that rank 0 passes."""
        (length,) = self.all_reduce_max([len(content) if self.rank.number == 0 else 0])
        buffer = torch.empty(length, dtype=torch.uint8)
        if self.rank.number == 0:
            buffer.copy_(torch.from_numpy(np.frombuffer(bytearray(content), np.uint8)))
        with self._name_lost_peer():
            dist.broadcast(buffer, 0, group=self.cpu_group)
        return buffer.numpy().tobytes()

    def all_reduce_max(self, values: Sequence[int]) -> list[int]:
        """Return the maximum of each value over all ranks."""
        largest = torch.tensor(values, dtype=torch.int64)
        with self._name_lost_peer():
            dist.all_reduce(largest, dist.ReduceOp.MAX, group=self.cpu_group)
        return largest.tolist()

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        self.all_reduce_max([0])

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over all ranks, in place; the result is the same to the bit on every rank."""
        group = None if tensor.device.type == "cuda" else self.cpu_group
        with self._name_lost_peer():
            dist.all_reduce(tensor, group=group)
        return tensor

    def all_gather(self, tensor: Tensor) -> list[Tensor]:
        """Return the tensors of all ranks, in their order; on the CPU, `[n, ...]`, where only `n` may differ."""
        counts = [0] * self.rank.count
        counts[self.rank.number] = len(tensor)
        counts = self.all_reduce_max(counts)
        padded = torch.zeros(max(counts), *tensor.shape[1:], dtype=tensor.dtype)
        padded[: len(tensor)] = tensor
        gathered = [torch.empty_like(padded) for _ in counts]
        with self._name_lost_peer():
            dist.all_gather(gathered, padded, group=self.cpu_group)
        return [rows[:count] for rows, count in zip(gathered, counts, strict=True)]

    def send(self, array: Array, to: int, note: int = 0) -> None:
        """Send an array and an integer to a rank; wait until they are received, so that no messages pile up.

        Args:
            array: an array of one of `DTYPES`, with at most `MAX_AXES` axes.
            to: the receiving rank.
            note: the integer.
        """
        axes = [*array.shape, *[0] * (MAX_AXES - array.ndim)]
        with self._name_lost_peer():
            dist.send(torch.tensor([note, DTYPES.index(array.dtype.name), array.ndim, *axes]), to, group=self.cpu_group)
            if array.size:
                dist.send(torch.from_numpy(np.ascontiguousarray(array)), to, group=self.cpu_group)

    def receive(self, sender: int) -> tuple[Array, int]:
        """Return the next array and integer that the rank `sender` sends."""
        header = torch.empty(3 + MAX_AXES, dtype=torch.int64)
        with self._name_lost_peer():
            dist.recv(header, sender, group=self.cpu_group)
            note, kind, axes, *shape = header.tolist()
            array = np.empty(shape[:axes], DTYPES[kind])
            if array.size:
                dist.recv(torch.from_numpy(array), sender, group=self.cpu_group)
        return array, note

    def leave(self, problem: BaseException | None) -> BaseException | None:
        """Leave the group; return the exception with which this process must end, None for success.

        Args:
            problem: the exception that ended the work; None if it is complete.
        """
        if problem is None:
            return self._leave_completed()
        if isinstance(problem, Stopped) and problem.is_agreed:
            return self._leave_stopped(problem)
        if isinstance(problem, RuntimeError):
            self.heartbeat.find_first_end()  # NCCL may have failed because another process died
        end = self.heartbeat.announce_end(*_describe_end(problem))
        is_same_stop = isinstance(problem, Stopped) and problem.exit_code == end.code
        if end.rank != self.rank.number and not isinstance(problem, XrayaugError) and not is_same_stop:
            problem = _peer_error(end)  # it caused this problem
        if isinstance(problem, XrayaugError):
            return self._report_once(problem)
        if self.rank.number == 0 or not isinstance(problem, Stopped):
            self.heartbeat.claim_report()  # this process reports it
        return problem

    def _leave_completed(self) -> BaseException | None:
        try:
            self.barrier()
        except PeerError as problem:
            return None if self.rank.number == 0 else self._report_once(problem)  # rank 0 has written its result
        self._dissolve()
        return None

    def _dissolve(self) -> None:
        self.heartbeat.stop()
        dist.destroy_process_group()

    def _leave_stopped(self, stop: Stopped) -> BaseException:
        self._dissolve()
        if self.rank.number == 0:
            return stop
        time.sleep(EXIT_DELAY_SECONDS)
        return SystemExit(stop.exit_code)

    def _report_once(self, problem: XrayaugError) -> BaseException:
        """Return the problem for the one process that reports it, and a silent exit with the same code for others."""
        if self.rank.number != 0:
            time.sleep(EXIT_DELAY_SECONDS)
        if not self.heartbeat.claim_report():
            return SystemExit(problem.exit_code)
        if self.rank.number != 0 and not isinstance(problem, PeerError):
            problem.message = f"rank {self.rank.number}: {problem.message}"
        return problem

    @contextmanager
    def _name_lost_peer(self) -> Iterator[None]:
        """Turn a failure of communication into an error that names the process that ended.

        Raises:
            PeerError: another process ended.
        """
        try:
            yield
        except RuntimeError as problem:
            reason = str(problem).partition("\n")[0]
            end = self.heartbeat.find_first_end()
            raise (
                _peer_error(end) if end else PeerError(f"the processes lost each other: {reason}", RESUME_HINT)
            ) from None


def join(device: torch.device) -> None:
    """Join the process group of this run, if it has several processes.

    Args:
        device: this process's device, for tensors that are summed.

    Raises:
        PeerError: the other processes did not join.
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
    """Sum a tensor over all processes, in place; without a group it stays as it is."""
    group = current_group()
    return group.all_reduce_sum(tensor) if group else tensor


def all_gather(tensor: Tensor) -> list[Tensor]:
    """Return the tensors of all ranks, in their order; on the CPU, `[n, ...]`, where only `n` may differ."""
    group = current_group()
    return group.all_gather(tensor) if group else [tensor]


def broadcast_bytes(content: bytes) -> bytes:
    """Return the bytes that rank 0 passes."""
    group = current_group()
    return group.broadcast_bytes(content) if group else content


def current_group() -> DistributedGroup | None:
    """Return the process group of this run; None without one."""
    group = ranks.current_group()
    assert group is None or isinstance(group, DistributedGroup)
    return group


def _connect_store(rank: Rank) -> Any:
    """Connect to the store of torchrun's agent, or to one that rank 0 hosts; every join has a key prefix of its own."""
    is_agent_store = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    is_host = rank.number == 0 and not is_agent_store
    store = _untyped_dist.TCPStore(address, port, rank.count, is_host, timeout=JOIN_TIMEOUT, multi_tenant=True)
    restart = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return _untyped_dist.PrefixStore(f"xrayaug/{restart}/{next(_joins)}", store)


def _describe_end(problem: BaseException) -> tuple[str, int]:
    """Return the reason sent to the other processes, and the exit code."""
    code = int(getattr(problem, "exit_code", 1))
    if isinstance(problem, Stopped):
        return f"was stopped ({problem.cause})", code
    if isinstance(problem, XrayaugError | OSError):
        return f"ended: {getattr(problem, 'message', problem)}", code
    return f"ended by a bug: {type(problem).__name__}: {problem}", code


def _peer_error(end: End) -> PeerError:
    error = PeerError(str(end), RESUME_HINT)
    error.exit_code = end.code
    return error
