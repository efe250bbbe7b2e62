"""Leader and workers: all processes compute pieces of work in round-robin order, and rank 0 gets all results in order.

A piece is a whole batch, such as a single process would give to a network at once, because rounding depends on the
batch. So a result is the same to the bit on every process. Rank 0, the leader, works as if it were alone: it writes,
sums, saves, and resumes after a stop, with any number of processes. The other ranks, the workers, only open the inputs
and do the work that rank 0 names. No worker is more than one piece ahead of rank 0, so memory stays bounded.
"""

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import torch

from xrayaug.errors import PeerError
from xrayaug.runtime import stopping
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks
from xrayaug.runtime.distributed.group import Array, DistributedGroup
from xrayaug.runtime.stopping import Stopped

JsonObject = dict[str, Any]
Stream = Generator[Array, None, None]
Work = Callable[[Sequence[Any]], Stream]  # yields the result of each piece in order; pieces are JSON values

CONTINUE, CANCEL = 1, 0  # sent to a worker after each of its pieces but the last


def run(lead: Callable[[], JsonObject], works: Callable[[], Mapping[str, Work]], device: torch.device) -> JsonObject:
    """Run a command whose calls of `ordered_map` are computed by all processes; return its result on each.

    Args:
        lead: the command; called by rank 0, and by a single process.
        works: returns the work that the command may pass to `ordered_map`, by name; called by the workers.
        device: this process's device.

    Raises:
        PeerError: another process ended.
        Stopped: the run was asked to stop; all processes stop.
    """
    process_group.join(device)
    group = process_group.current_group()
    if group is None:
        return lead()
    return _run_leader(group, lead) if ranks.is_first() else _run_worker(group, works())


def ordered_map(name: str, work: Work, pieces: Sequence[Any]) -> Stream:
    """Yield the result of each piece in order, computed by all processes of the run.

    Args:
        name: name of the work among the `works` of the workers.
        work: the same work, for this process.
        pieces: JSON values.

    Yields:
        The result of a piece. If a worker is lost while stopping is deferred (`stopping.deferred`), one empty array
        follows, with the run asked to stop, so that the caller can save before it stops.

    Raises:
        Stopped: a worker was lost.
    """
    return work(pieces) if _leader is None else _leader.ordered_map(name, work, pieces)


class Leader:
    """Rank 0: hands out pieces to the workers and collects the results."""

    def __init__(self, group: DistributedGroup) -> None:
        self.group = group
        self.lost: PeerError | None = None  # set once a worker is lost; results of the others are then useless
        self._owed = dict.fromkeys(range(1, group.rank.count), 0)  # results that each worker has still to send

    def ordered_map(self, name: str, work: Work, pieces: Sequence[Any]) -> Stream:
        """Yield the results in order: rank 0 computes the first piece, rank 1 the second, and so on in rounds."""
        count = self.group.rank.count
        with self._handle_lost_worker():
            for rank in self._owed:
                self._hand_out(rank, name, pieces[rank::count])
        stopping.check_unless_deferred()
        with closing(work(pieces[::count])) as own:
            for first in range(0, len(pieces), count):
                yield (result := next(own))
                for rank in range(1, min(count, len(pieces) - first)):
                    yield from self._next_result(rank, empty=result[:0])

    def dismiss(self, result: JsonObject | None, stop: int = 0) -> None:
        """End the work of the workers: with the result of the command, or because of the signal with number `stop`."""
        for rank, owed in self._owed.items():
            if owed:
                self._receive(rank, CANCEL)
            self.group.send(_encode_message({"work": None, "result": result, "stop": stop}), rank)

    def _hand_out(self, rank: int, name: str, pieces: Sequence[Any]) -> None:
        if pieces:
            self.group.send(_encode_message({"work": name, "pieces": list(pieces)}), rank)
        self._owed[rank] = len(pieces)

    def _next_result(self, rank: int, empty: Array) -> Stream:
        """Yield the rank's next result; an empty array if the rank is lost."""
        result = empty
        with self._handle_lost_worker():
            result = self._receive(rank, CONTINUE)
        yield result
        if self.lost is not None:
            stopping.check()

    def _receive(self, rank: int, reply: int) -> Array:
        """Return the rank's next result, and reply whether it should compute another one."""
        result, signal_number = self.group.receive(rank)
        if self._owed[rank] > 1:
            self.group.send(np.array([reply]), rank)
        self._owed[rank] = self._owed[rank] - 1 if reply == CONTINUE else 0
        stopping.adopt_signal(signal_number)
        return result

    @contextmanager
    def _handle_lost_worker(self) -> Iterator[None]:
        """Turn the loss of a worker into a request to stop; defer signals until `_owed` is up to date."""
        with stopping.deferred():
            try:
                yield
            except PeerError as problem:
                self.lost = problem
                stopping.request(problem.message, problem.exit_code)


_leader: Leader | None = None


def _run_leader(group: DistributedGroup, lead: Callable[[], JsonObject]) -> JsonObject:
    """Run the command on rank 0, then dismiss the workers; on an error they end because rank 0 does."""
    global _leader  # noqa: PLW0603 - one per process, like the group
    _leader = leader = Leader(group)
    try:
        with ranks.without_group():
            result = lead()
    except Stopped as stop:
        if leader.lost is not None:
            raise leader.lost from None  # the command has saved before
        with stopping.deferred():
            leader.dismiss(None, stop.number)
            stop.is_agreed = True
        raise
    finally:
        _leader = None
    leader.dismiss(result)
    return result


def _run_worker(group: DistributedGroup, works: Mapping[str, Work]) -> JsonObject:
    """Do the work that rank 0 names, and return its result; a signal goes to rank 0 with the next result of a piece."""
    with stopping.deferred():
        while (message := _receive_message(group))["work"] is not None:
            with closing(works[message["work"]](message["pieces"])) as stream:
                _send_results(group, stream, len(message["pieces"]))
        stopping.adopt_signal(message["stop"])
    result: JsonObject = message["result"]
    return result


def _send_results(group: DistributedGroup, stream: Stream, count: int) -> None:
    """Send rank 0 the result of each piece, until it cancels."""
    for number, result in enumerate(stream, 1):
        group.send(result, 0, stopping.pending_signal())
        if number < count and group.receive(0)[0].item() == CANCEL:
            return


def _receive_message(group: DistributedGroup) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(group.receive(0)[0].tobytes())
    return message


def _encode_message(message: dict[str, Any]) -> Array:
    return np.frombuffer(bytearray(json.dumps(message).encode()), np.uint8)
