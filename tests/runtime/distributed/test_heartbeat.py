"""The heartbeat finds a dead process, and no process that is only slow or ends by itself."""

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from xrayaug.runtime.distributed import heartbeat
from xrayaug.runtime.distributed.heartbeat import ENDED, STORE_RANK, End, Heartbeat


class Store:
    """In-memory stand-in for torch.distributed.Store, within one process."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.is_gone = False
        self.lock = threading.Lock()

    def _check_alive(self) -> None:
        if self.is_gone:
            raise RuntimeError("Broken pipe\nand a stack")

    def set(self, key: str, value: str, /) -> None:
        self._check_alive()
        self.values[key] = value.encode()

    def get(self, key: str, /) -> bytes:
        self._check_alive()
        return self.values[key]

    def check(self, keys: list[str], /) -> bool:
        self._check_alive()
        return all(key in self.values for key in keys)

    def multi_get(self, keys: list[str], /) -> list[bytes]:
        return [self.get(key) for key in keys]

    def add(self, key: str, value: int, /) -> int:
        self._check_alive()
        with self.lock:
            self.values[key] = str(int(self.values.get(key, b"0")) + value).encode()
            return int(self.values[key])

    def compare_set(self, key: str, expected: str, desired: str, /) -> bytes:
        self._check_alive()
        with self.lock:
            if self.values.get(key, b"").decode() == expected:
                self.values[key] = desired.encode()
            return self.values[key]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], tuple[Store, list[Heartbeat]]]]:
    """Return a function that starts the heartbeats of a number of processes, at a short interval."""
    monkeypatch.setattr(heartbeat, "INTERVAL", 0.01)
    monkeypatch.setattr(heartbeat, "GRACE_BEATS", 10**9)
    heartbeats: list[Heartbeat] = []

    def start(count: int) -> tuple[Store, list[Heartbeat]]:
        store = Store()
        heartbeats.extend(Heartbeat(store, number, count) for number in range(count))
        for beating in heartbeats:
            store.set(beating.keys[beating.number], "0")
        for beating in heartbeats:
            beating.start()
        return store, heartbeats

    yield start
    for beating in heartbeats:
        beating.stop()


def test_all_processes_with_heartbeats_are_alive(started: Callable[[int], tuple[Store, list[Heartbeat]]]) -> None:
    _, (first, second) = started(2)
    time.sleep(2 * heartbeat.MAX_MISSED_BEATS * heartbeat.INTERVAL)
    assert first.first_end is None and second.first_end is None


def test_a_process_without_beats_is_dead_and_all_know(started: Callable[[int], tuple[Store, list[Heartbeat]]]) -> None:
    _, (first, second, third) = started(3)
    second.stop()
    until = time.monotonic() + 10
    while third.first_end is None and time.monotonic() < until:
        time.sleep(0.01)
    assert first.first_end == third.first_end == End(1, "died", 1)
    assert str(first.first_end) == "rank 1 died"


def test_a_process_known_to_be_missing_is_found_sooner(
    started: Callable[[int], tuple[Store, list[Heartbeat]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "MAX_MISSED_BEATS", 10**9)
    _, (first, second, _) = started(3)
    second.stop()
    assert first.find_first_end() == End(1, "died", 1)


def test_the_first_end_counts_and_one_process_reports_it(
    started: Callable[[int], tuple[Store, list[Heartbeat]]],
) -> None:
    store, (first, second) = started(2)
    assert second.announce_end("ended: no memory", 1) == End(1, "ended: no memory", 1)
    assert first.announce_end("ended by a bug", 1) == End(1, "ended: no memory", 1)
    assert first.find_first_end() == End(1, "ended: no memory", 1)
    assert store.check([ENDED])
    assert [first.claim_report(), second.claim_report()] == [True, False]


def test_the_process_that_hosts_the_store_may_end_too(started: Callable[[int], tuple[Store, list[Heartbeat]]]) -> None:
    store, (first, _) = started(2)
    store.is_gone = True
    assert first.find_first_end() == End(STORE_RANK, "is gone: Broken pipe", 1)
    assert str(first.first_end) == "the process that hosts the store is gone: Broken pipe"
    assert first.claim_report()
    assert first.announce_end("was stopped", 75) == first.first_end


def test_the_grace_time_lets_a_cpu_batch_finish_and_all_end_within_a_minute() -> None:
    assert heartbeat.GRACE_BEATS * heartbeat.INTERVAL >= 20
    assert (heartbeat.MAX_MISSED_BEATS + heartbeat.GRACE_BEATS) * heartbeat.INTERVAL < 60


def test_work_that_hangs_is_ended(
    started: Callable[[int], tuple[Store, list[Heartbeat]]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(heartbeat, "GRACE_BEATS", 2)
    exit_codes: list[int] = []
    monkeypatch.setattr(os, "_exit", exit_codes.append)
    _, (first, second) = started(2)
    second.announce_end("died", 1)
    until = time.monotonic() + 10
    while not exit_codes and time.monotonic() < until:
        time.sleep(0.01)
    first.stop()
    assert exit_codes[0] == 1
    assert capfd.readouterr().err.count("error: rank 1 died") == 1
