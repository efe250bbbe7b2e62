"""Pieces of work in turn, before others that are played; `faults/test_together.py` has real ones."""

import json
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from xrayaug.errors import PeerError
from xrayaug.runtime import stopping
from xrayaug.runtime.distributed import leader_worker
from xrayaug.runtime.distributed.leader_worker import Array, Leader, Stream
from xrayaug.runtime.stopping import Stopped


def squares(pieces: Sequence[int]) -> Stream:
    for piece in pieces:
        yield np.array([piece**2])


class Played:
    """A group of which the others compute when they are asked; from some piece on they are dead."""

    def __init__(self, count: int, dies_after: int = 1000) -> None:
        self.rank = SimpleNamespace(number=0, count=count)
        self.left = dies_after
        self.streams: dict[int, Iterator[Array]] = {}
        self.told: dict[int, list[Any]] = {rank: [] for rank in range(1, count)}

    def send(self, array: Array, to: int) -> None:
        word = json.loads(array.tobytes()) if array.dtype == np.uint8 else int(array[0])
        self.told[to].append(word)
        if isinstance(word, dict) and word["work"]:
            self.streams[to] = squares(word["pieces"])

    def receive(self, sender: int) -> tuple[Array, int]:
        self.left -= 1
        if self.left < 0:
            raise PeerError(f"rank {sender} died")
        return next(self.streams[sender]), 0


@pytest.fixture(autouse=True)
def _no_request() -> Iterator[None]:
    with stopping.handle_signals():
        yield


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_what_comes_of_the_pieces_is_in_their_order(count: int) -> None:
    """Of fewer pieces than processes too, and of none."""
    for pieces in (range(7), range(1), range(0)):
        leader = Leader(Played(count))  # type: ignore[arg-type]
        assert [int(made[0]) for made in leader.in_turn("squares", squares, pieces)] == [each**2 for each in pieces]


def test_who_is_let_go_in_the_middle_gives_one_piece_more_and_leaves_off() -> None:
    group = Played(3)
    leader = Leader(group)  # type: ignore[arg-type]
    stream = leader.in_turn("squares", squares, range(20))
    assert [int(next(stream)[0]) for _ in range(3)] == [0, 1, 4]
    leader.dismiss(None, stop=15)
    for told in group.told.values():
        assert told[1:] == [leader_worker.GO_ON, leader_worker.LEAVE_OFF, {"work": None, "result": None, "stop": 15}]


def test_a_lost_process_is_a_request_to_stop_once_what_there_is_was_saved() -> None:
    leader = Leader(Played(2, dies_after=1))  # type: ignore[arg-type]
    made: list[list[int]] = []
    with pytest.raises(Stopped, match="rank 1 died"), stopping.deferred():
        for each in leader.in_turn("squares", squares, range(6)):
            made.append(each.tolist())  # noqa: PERF401 - the last comes before the exception
    assert made == [[0], [1], [4], []]
    assert isinstance(leader.lost, PeerError)


def test_a_lost_process_stops_at_once_what_saves_nothing() -> None:
    leader = Leader(Played(2, dies_after=0))  # type: ignore[arg-type]
    stream = leader.in_turn("squares", squares, range(6))
    next(stream)
    with pytest.raises(Stopped, match="rank 1 died"):
        next(stream)


def test_alone_the_work_is_done_as_it_is() -> None:
    assert [int(made[0]) for made in leader_worker.ordered_map("squares", squares, range(3))] == [0, 1, 4]
