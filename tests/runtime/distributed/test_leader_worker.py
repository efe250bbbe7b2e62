"""Leader and workers, with a fake group; `faults/test_together.py` has real processes."""

import json
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from xrayaug.errors import PeerError
from xrayaug.runtime import stopping
from xrayaug.runtime.distributed import leader_worker
from xrayaug.runtime.distributed.group import Array
from xrayaug.runtime.distributed.leader_worker import Leader, Stream
from xrayaug.runtime.stopping import Stopped


def squares(pieces: Sequence[int]) -> Stream:
    for piece in pieces:
        yield np.array([piece**2])


class FakeGroup:
    """Process group whose workers compute when the leader receives, and are dead after a number of results."""

    def __init__(self, count: int, dies_after: int = 1000) -> None:
        self.rank = SimpleNamespace(number=0, count=count)
        self.results_left = dies_after
        self.streams: dict[int, Iterator[Array]] = {}
        self.sent: dict[int, list[Any]] = {rank: [] for rank in range(1, count)}

    def send(self, array: Array, to: int) -> None:
        message = json.loads(array.tobytes()) if array.dtype == np.uint8 else int(array[0])
        self.sent[to].append(message)
        if isinstance(message, dict) and message["work"]:
            self.streams[to] = squares(message["pieces"])

    def receive(self, sender: int) -> tuple[Array, int]:
        self.results_left -= 1
        if self.results_left < 0:
            raise PeerError(f"rank {sender} died")
        return next(self.streams[sender]), 0


@pytest.fixture(autouse=True)
def _no_request() -> Iterator[None]:
    with stopping.handle_signals():
        yield


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_results_are_in_the_order_of_the_pieces(count: int) -> None:
    """Also for fewer pieces than processes, and for none."""
    for pieces in (range(7), range(1), range(0)):
        leader = Leader(FakeGroup(count))  # type: ignore[arg-type]
        assert [int(result[0]) for result in leader.ordered_map("squares", squares, pieces)] == [
            piece**2 for piece in pieces
        ]


def test_a_worker_dismissed_in_the_middle_sends_one_more_result() -> None:
    group = FakeGroup(3)
    leader = Leader(group)  # type: ignore[arg-type]
    stream = leader.ordered_map("squares", squares, range(20))
    assert [int(next(stream)[0]) for _ in range(3)] == [0, 1, 4]
    leader.dismiss(None, stop=15)
    for messages in group.sent.values():
        assert messages[1:] == [
            leader_worker.CONTINUE,
            leader_worker.CANCEL,
            {"work": None, "result": None, "stop": 15},
        ]


def test_a_lost_worker_is_a_request_to_stop_that_lets_the_caller_save() -> None:
    leader = Leader(FakeGroup(2, dies_after=1))  # type: ignore[arg-type]
    results: list[list[int]] = []
    with pytest.raises(Stopped, match="rank 1 died"), stopping.deferred():
        for result in leader.ordered_map("squares", squares, range(6)):
            results.append(result.tolist())  # noqa: PERF401 - the last comes before the exception
    assert results == [[0], [1], [4], []]
    assert isinstance(leader.lost, PeerError)


def test_a_lost_worker_stops_the_leader_at_once_if_nothing_must_be_saved() -> None:
    leader = Leader(FakeGroup(2, dies_after=0))  # type: ignore[arg-type]
    stream = leader.ordered_map("squares", squares, range(6))
    next(stream)
    with pytest.raises(Stopped, match="rank 1 died"):
        next(stream)


def test_without_a_leader_the_work_is_done_here() -> None:
    assert [int(result[0]) for result in leader_worker.ordered_map("squares", squares, range(3))] == [0, 1, 4]
