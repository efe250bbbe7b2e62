"""Work that the processes of a run share: each has a piece of it in turn, and rank 0 all that comes of it, in order.

A piece is whole: pictures that one process alone would give to a network at once, for sums round by what they are of.
So what comes of it is the same to the bit whoever computes it, and rank 0 takes it in as if it were alone: it writes,
sums, saves, and goes on after a stop, whatever the number of processes. The others only open what they need and do the
work that rank 0 names: none is more than one piece ahead of what rank 0 has taken, so little waits in memory.
"""

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from xrayaug.errors import PeerError
from xrayaug.runtime import stopping
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks
from xrayaug.runtime.distributed.group import DistributedGroup
from xrayaug.runtime.stopping import Stopped

Array = npt.NDArray[Any]
Result = dict[str, Any]
Stream = Generator[Array, None, None]
Work = Callable[[Sequence[Any]], Stream]  # what comes of each of some pieces, in order; pieces are JSON values

GO_ON, LEAVE_OFF = 1, 0  # what a process is told after each of its pieces but the last


def run(lead: Callable[[], Result], works: Callable[[], Mapping[str, Work]], device: torch.device) -> Result:
    """What `lead` gives; what it does `ordered_map`, all processes of the run do together.

    Args:
        lead: the command; rank 0 calls it, and a process that is alone.
        works: what it may do in turn, by name; the other processes call this.
        where: this process computes.

    Raises:
        PeerError: another process ended.
        Stopped: the run was asked to stop; then all stop.
    """
    process_group.join(device)
    group = process_group.current_group()
    if group is None:
        return lead()
    return _led(group, lead) if ranks.is_first() else _served(group, works())


def ordered_map(name: str, work: Work, pieces: Sequence[Any]) -> Stream:
    """What comes of each piece, in order.

    Args:
        name: the work's, among those of the other processes.
        work: the same work, here.
        pieces: of it, JSON values.

    Yields:
        What comes of a piece. Where another process was lost, and whoever listens has something to save first
        (`stopping.deferred`), once more an array, of none: the run is then asked to stop.

    Raises:
        Stopped: another process was lost.
    """
    return work(pieces) if _leader is None else _leader.in_turn(name, work, pieces)


class Leader:
    """Rank 0 before the others."""

    def __init__(self, group: DistributedGroup) -> None:
        self.group = group
        self.lost: PeerError | None = None  # another process; what those that are left do is then of no more use
        self._owed = dict.fromkeys(range(1, group.rank.count), 0)  # pieces that are still to come of each

    def in_turn(self, name: str, work: Work, pieces: Sequence[Any]) -> Stream:
        """What comes of the first piece here, of the second from rank 1, and so on in rounds."""
        count = self.group.rank.count
        with self._noticing_losses():
            for rank in self._owed:
                self._hand_out(rank, name, pieces[rank::count])
        stopping.check_unless_deferred()
        with closing(work(pieces[::count])) as own:
            for first in range(0, len(pieces), count):
                yield (made := next(own))
                for rank in range(1, min(count, len(pieces) - first)):
                    yield from self._from(rank, none=made[:0])

    def dismiss(self, result: Result | None, stop: int = 0) -> None:
        """Let the others go, with what came of it all, or because of the signal of that number."""
        for rank, owed in self._owed.items():
            if owed:
                self._take(rank, LEAVE_OFF)
            self.group.send(_packed({"work": None, "result": result, "stop": stop}), rank)

    def _hand_out(self, rank: int, name: str, pieces: Sequence[Any]) -> None:
        if pieces:
            self.group.send(_packed({"work": name, "pieces": list(pieces)}), rank)
        self._owed[rank] = len(pieces)

    def _from(self, rank: int, none: Array) -> Stream:
        """What comes of that rank's next piece; if it was lost, what comes of none."""
        made = none
        with self._noticing_losses():
            made = self._take(rank, GO_ON)
        yield made
        if self.lost is not None:
            stopping.check()

    def _take(self, rank: int, word: int) -> Array:
        """What comes of that rank's next piece; it is told whether to do another."""
        made, asked_to_stop = self.group.receive(rank)
        if self._owed[rank] > 1:
            self.group.send(np.array([word]), rank)
        self._owed[rank] = self._owed[rank] - 1 if word == GO_ON else 0
        stopping.adopt_signal(asked_to_stop)
        return made

    @contextmanager
    def _noticing_losses(self) -> Iterator[None]:
        """Have a lost process be a request to stop; a signal waits until what is owed is known."""
        with stopping.deferred():
            try:
                yield
            except PeerError as problem:
                self.lost = problem
                stopping.request(problem.message, problem.exit_code)


_leader: Leader | None = None


def _led(group: DistributedGroup, lead: Callable[[], Result]) -> Result:
    """What rank 0 does; the others are let go when it is done or stops. For any other reason its end is theirs."""
    global _leader  # noqa: PLW0603 - one per process, as the group is
    _leader = leader = Leader(group)
    try:
        with ranks.without_group():
            result = lead()
    except Stopped as stop:
        if leader.lost is not None:
            raise leader.lost from None  # what there was is saved
        with stopping.deferred():
            leader.dismiss(None, stop.number)
            stop.is_agreed = True
        raise
    finally:
        _leader = None
    leader.dismiss(result)
    return result


def _served(group: DistributedGroup, works: Mapping[str, Work]) -> Result:
    """What the others do; a signal goes to rank 0 with what comes of the next piece, and then all stop."""
    with stopping.deferred():
        while (asked := _heard(group))["work"] is not None:
            with closing(works[asked["work"]](asked["pieces"])) as stream:
                _give(group, stream, len(asked["pieces"]))
        stopping.adopt_signal(asked["stop"])
    result: Result = asked["result"]
    return result


def _give(group: DistributedGroup, stream: Stream, count: int) -> None:
    """Give rank 0 what comes of each piece, until it wants no more."""
    for number, made in enumerate(stream, 1):
        group.send(made, 0, stopping.pending_signal())
        if number < count and group.receive(0)[0].item() == LEAVE_OFF:
            return


def _heard(group: DistributedGroup) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(group.receive(0)[0].tobytes())
    return message


def _packed(message: dict[str, Any]) -> Array:
    return np.frombuffer(bytearray(json.dumps(message).encode()), np.uint8)
