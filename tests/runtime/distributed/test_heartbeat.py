"""A process that stands still is found out; one that is slow is not, nor one that leaves by itself."""

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from xrayaug.runtime.distributed import heartbeat
from xrayaug.runtime.distributed.heartbeat import ENDED, STORE_RANK, End, Heartbeat


class Store:
    """What torch.distributed's store does, within one process."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.is_gone = False
        self.lock = threading.Lock()

    def _alive(self) -> None:
        if self.is_gone:
            raise RuntimeError("Broken pipe\nand a stack")

    def set(self, key: str, value: str, /) -> None:
        self._alive()
        self.held[key] = value.encode()

    def get(self, key: str, /) -> bytes:
        self._alive()
        return self.held[key]

    def check(self, keys: list[str], /) -> bool:
        self._alive()
        return all(key in self.held for key in keys)

    def multi_get(self, keys: list[str], /) -> list[bytes]:
        return [self.get(key) for key in keys]

    def add(self, key: str, value: int, /) -> int:
        self._alive()
        with self.lock:
            self.held[key] = str(int(self.held.get(key, b"0")) + value).encode()
            return int(self.held[key])

    def compare_set(self, key: str, expected: str, desired: str, /) -> bytes:
        self._alive()
        with self.lock:
            if self.held.get(key, b"").decode() == expected:
                self.held[key] = desired.encode()
            return self.held[key]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], tuple[Store, list[Heartbeat]]]]:
    """So many processes that beat, quickly."""
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.01)
    monkeypatch.setattr(heartbeat, "GRACE_BEATS", 10**9)
    all_of_them: list[Heartbeat] = []

    def start(count: int) -> tuple[Store, list[Heartbeat]]:
        store = Store()
        all_of_them.extend(Heartbeat(store, number, count) for number in range(count))
        for each in all_of_them:
            store.set(each.keys[each.number], "0")
        for each in all_of_them:
            each.start()
        return store, all_of_them

    yield start
    for each in all_of_them:
        each.stop()


def test_all_alive_is_no_news(started: Callable[[int], tuple[Store, list[Heartbeat]]]) -> None:
    _, (first, second) = started(2)
    time.sleep(2 * heartbeat.MAX_MISSED_BEATS * heartbeat.INTERVAL)
    assert first.ended is None and second.ended is None


def test_one_that_stands_still_is_dead_and_all_know(started: Callable[[int], tuple[Store, list[Heartbeat]]]) -> None:
    _, (first, second, third) = started(3)
    second.stop()
    until = time.monotonic() + 10
    while third.ended is None and time.monotonic() < until:
        time.sleep(0.01)
    assert first.ended == third.ended == End(1, "died", 1)
    assert str(first.ended) == "rank 1 died"


def test_once_one_is_known_to_be_missing_it_is_found_sooner(
    started: Callable[[int], tuple[Store, list[Heartbeat]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "MAX_MISSED_BEATS", 10**9)
    _, (first, second, _) = started(3)
    second.stop()
    assert first.why() == End(1, "died", 1)


def test_the_first_end_counts_and_one_speaks_of_it(started: Callable[[int], tuple[Store, list[Heartbeat]]]) -> None:
    store, (first, second) = started(2)
    assert second.end("ended: no memory", 1) == End(1, "ended: no memory", 1)
    assert first.end("ended by a bug", 1) == End(1, "ended: no memory", 1)
    assert first.why() == End(1, "ended: no memory", 1)
    assert store.check([ENDED])
    assert [first.claim_report(), second.claim_report()] == [True, False]


def test_who_holds_them_together_may_end_too(started: Callable[[int], tuple[Store, list[Heartbeat]]]) -> None:
    store, (first, _) = started(2)
    store.is_gone = True
    assert first.why() == End(STORE_RANK, "is gone: Broken pipe", 1)
    assert str(first.ended) == "what holds the processes together is gone: Broken pipe"
    assert first.claim_report()
    assert first.end("was stopped", 75) == first.ended


def test_all_end_within_a_minute_and_after_as_long_as_a_pass_takes_on_a_cpu() -> None:
    assert heartbeat.GRACE_BEATS * heartbeat.INTERVAL >= 20
    assert (heartbeat.MAX_MISSED_BEATS + heartbeat.GRACE_BEATS) * heartbeat.INTERVAL < 60


def test_work_that_hangs_is_ended(
    started: Callable[[int], tuple[Store, list[Heartbeat]]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(heartbeat, "GRACE_BEATS", 2)
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    _, (first, second) = started(2)
    second.end("died", 1)
    until = time.monotonic() + 10
    while not left and time.monotonic() < until:
        time.sleep(0.01)
    first.stop()
    assert left[0] == 1
    assert capfd.readouterr().err.count("error: rank 1 died") == 1
