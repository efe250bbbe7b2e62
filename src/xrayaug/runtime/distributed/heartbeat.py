"""Detection of dead processes: a thread of each process sends a heartbeat and watches that of the next rank.

A process may wait for another one for as long as that one computes, writes or measures. So a timeout of the wait cannot
tell that a process is dead; its heartbeat can, because it goes on whatever the process does. When a process dies,
gloo's connections break and the others notice at once; NCCL's connections only hang.

Heartbeats are counted, not timed: a process is dead if its counter does not change during `MAX_MISSED_BEATS` of our own
beats. So after a machine, or all processes, were suspended, every process is still found alive.
"""

import json
import os
import sys
import threading
from dataclasses import asdict, dataclass
from typing import Protocol

INTERVAL = 1.0  # seconds between beats
MAX_MISSED_BEATS = 20  # our own beats without a beat of the other process, after which it is dead
# Beats that a process has to end by itself after another one has ended, so that it can finish and save its current
# step, such as a batch on a CPU. torchrun leaves 30 seconds; all processes must end within a minute.
GRACE_BEATS = 25
SURVEY_BEATS = 4  # beats for which all processes are watched, once one is known to be missing

ENDED, REPORTED = "ended", "spoken"  # keys in the store: the first end of a process; the number of claims to report it
STORE_RANK = -1  # in place of a rank: the process that hosts the store


class Store(Protocol):
    """Key-value store of all processes: the interface of torch.distributed.Store that is used here."""

    def set(self, key: str, value: str, /) -> None: ...  # noqa: D102

    def get(self, key: str, /) -> bytes: ...  # noqa: D102

    def check(self, keys: list[str], /) -> bool: ...  # noqa: D102

    def multi_get(self, keys: list[str], /) -> list[bytes]: ...  # noqa: D102

    def add(self, key: str, value: int, /) -> int: ...  # noqa: D102

    def compare_set(self, key: str, expected: str, desired: str, /) -> bytes: ...  # noqa: D102


@dataclass(frozen=True)
class End:
    """End of a process before its work was done."""

    rank: int
    why: str  # a sentence without its subject
    code: int  # exit code

    def __str__(self) -> str:
        subject = "the process that hosts the store" if self.rank == STORE_RANK else f"rank {self.rank}"
        return f"{subject} {self.why}"


class Heartbeat:
    """Thread that sends this process's heartbeat and watches that of the next rank; the last rank watches rank 0.

    Args:
        store: a connection of its own, because a wait on a connection blocks all its users.
        number: rank of this process.
        count: number of processes.
    """

    def __init__(self, store: Store, number: int, count: int) -> None:
        self.store = store
        self.number = number
        self.next_rank = (number + 1) % count
        self.keys = [f"heartbeat/{rank}" for rank in range(count)]
        self.first_end: End | None = None
        self._beats = 0
        self._next_beat, self._missed_beats = b"", 0  # of the next rank
        self._beats_since_end = 0
        self._is_stopped = threading.Event()
        self._has_ended = threading.Event()  # `first_end` is known
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread; a barrier of all processes must follow, because each expects the key of the next rank."""
        self.store.set(self.keys[self.number], "0")
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, when the work is done."""
        self._is_stopped.set()
        self._thread.join()

    def announce_end(self, why: str, code: int) -> End:
        """Tell all processes that this one ends; return the first end that any process announced."""
        end = End(self.number, why, code)
        try:
            return self._record_end(end)
        except RuntimeError:  # the store is gone
            return self.first_end or end

    def find_first_end(self) -> End | None:
        """Return the first end of a process, after watching all for `SURVEY_BEATS`; None if all are alive."""
        try:
            before = self.store.multi_get(self.keys)
            self._has_ended.wait(SURVEY_BEATS * INTERVAL)
            if self.first_end is None:
                now = self.store.multi_get(self.keys)
                dead = [rank for rank in range(len(now)) if now[rank] == before[rank] and rank != self.number]
                if dead:
                    self._set_first_end(self._record_end(End(dead[0], "died", 1)))
        except RuntimeError as problem:
            self._set_first_end(_store_end(problem))
        return self.first_end

    def claim_report(self) -> bool:
        """Return whether this process is the first to ask, and so the one that reports how the run ended."""
        try:
            return self.store.add(REPORTED, 1) == 1
        except RuntimeError:
            return True

    def _run(self) -> None:
        while not self._is_stopped.wait(INTERVAL):
            try:
                self._beat_once()
            except RuntimeError as problem:
                if self._is_stopped.is_set():
                    return
                self._set_first_end(_store_end(problem))
            if self.first_end is not None:
                self._beats_since_end += 1
                if self._beats_since_end > GRACE_BEATS:
                    self._exit_process(self.first_end)

    def _beat_once(self) -> None:
        """Send a beat, and check whether any process has ended and whether the next rank is alive."""
        self._beats += 1
        self.store.set(self.keys[self.number], str(self._beats))
        if self.first_end is None and self.store.check([ENDED]):
            self._set_first_end(End(**json.loads(self.store.get(ENDED))))
        elif self.first_end is None and not self._is_next_alive():
            self._set_first_end(self._record_end(End(self.next_rank, "died", 1)))

    def _is_next_alive(self) -> bool:
        beat = self.store.get(self.keys[self.next_rank])
        self._missed_beats = self._missed_beats + 1 if beat == self._next_beat else 0
        self._next_beat = beat
        return self._missed_beats < MAX_MISSED_BEATS

    def _record_end(self, end: End) -> End:
        """Store the end for all processes unless there is one already; return the one that is stored."""
        return End(**json.loads(self.store.compare_set(ENDED, "", json.dumps(asdict(end)))))

    def _set_first_end(self, end: End) -> None:
        if self.first_end is None:
            self.first_end = end
            self._has_ended.set()

    def _exit_process(self, end: End) -> None:
        """Exit from this process, which hangs: no exception reaches a thread that waits inside NCCL."""
        if self.claim_report():
            print(f"error: {end}; what was saved before is kept: run the same command again", file=sys.stderr)
            sys.stderr.flush()
        os._exit(end.code)


def _store_end(problem: RuntimeError) -> End:
    reason = str(problem).partition("\n")[0]
    return End(STORE_RANK, f"is gone: {reason}", 1)
