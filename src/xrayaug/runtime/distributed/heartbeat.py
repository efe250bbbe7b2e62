"""Whether the other processes of a run are alive: a thread beside the work, that beats and listens.

The work may wait for another process for as long as that one computes, writes or measures; so it is not by the time it
takes that a dead one is told, but by its beat, which goes on whatever it does. Where gloo's connections break with the
process, the work notices at once; NCCL's only hang.

A beat is counted, not timed: what stands still for as many of our own beats is dead. So a machine that was suspended,
or all of whose processes were, finds everyone alive again.
"""

import json
import os
import sys
import threading
from dataclasses import asdict, dataclass
from typing import Protocol

INTERVAL = 1.0  # seconds between beats
MAX_MISSED_BEATS = 20  # beats that another may stand still
# Beats in which the work may end by itself once some process has ended: what it is in the midst of, such as a pass of
# images on a CPU, is to be saved. torchrun leaves 30 seconds; all are to have ended within a minute.
GRACE_BEATS = 25
SURVEY_BEATS = 4  # beats in which all are looked at, once it is known that one is missing

ENDED, REPORTED = "ended", "spoken"  # keys: the first end of a process; how many wanted to say so
STORE_RANK = -1  # in place of a rank: who holds the others together


class Store(Protocol):
    """What processes leave for each other to read: torch.distributed's."""

    def set(self, key: str, value: str, /) -> None: ...  # noqa: D102

    def get(self, key: str, /) -> bytes: ...  # noqa: D102

    def check(self, keys: list[str], /) -> bool: ...  # noqa: D102

    def multi_get(self, keys: list[str], /) -> list[bytes]: ...  # noqa: D102

    def add(self, key: str, value: int, /) -> int: ...  # noqa: D102

    def compare_set(self, key: str, expected: str, desired: str, /) -> bytes: ...  # noqa: D102


@dataclass(frozen=True)
class End:
    """How a process left before its work was done."""

    rank: int
    why: str  # a sentence without its subject
    code: int

    def __str__(self) -> str:
        who = "what holds the processes together" if self.rank == STORE_RANK else f"rank {self.rank}"
        return f"{who} {self.why}"


class Heartbeat:
    """This process's beat, and an ear on the process after it, the last one's being the first.

    Args:
        store: a connection of its own, since a wait on one holds up all who use it.
        number: this process's.
        count: how many there are.
    """

    def __init__(self, store: Store, number: int, count: int) -> None:
        self.store = store
        self.number = number
        self.next = (number + 1) % count
        self.keys = [f"pulse/{rank}" for rank in range(count)]
        self.ended: End | None = None  # the first that was heard of
        self._beat, self._heard, self._still = 0, b"", 0
        self._since_ended = 0
        self._over = threading.Event()
        self._known = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin to beat; all must have begun before any listens, so let all meet after this."""
        self.store.set(self.keys[self.number], "0")
        self._thread.start()

    def stop(self) -> None:
        """Beat no more: the work is done."""
        self._over.set()
        self._thread.join()

    def end(self, why: str, code: int) -> End:
        """Have all know that this process ends; the first end that any has told."""
        end = End(self.number, why, code)
        try:
            return self._told(end)
        except RuntimeError:  # nobody is there to hear it
            return self.ended or end

    def why(self) -> End | None:
        """How the first process ended that did, where it is known that one is missing; None if all are alive."""
        try:
            before = self.store.multi_get(self.keys)
            self._known.wait(SURVEY_BEATS * INTERVAL)
            if self.ended is None:
                now = self.store.multi_get(self.keys)
                still = [rank for rank in range(len(now)) if now[rank] == before[rank] and rank != self.number]
                if still:
                    self._note(self._told(End(still[0], "died", 1)))
        except RuntimeError as problem:
            self._note(_gone(problem))
        return self.ended

    def claim_report(self) -> bool:
        """Whether nobody has said yet how the run ended; asked once, it has been said."""
        try:
            return self.store.add(REPORTED, 1) == 1
        except RuntimeError:
            return True

    def _run(self) -> None:
        while not self._over.wait(INTERVAL):
            try:
                self._once()
            except RuntimeError as problem:
                if self._over.is_set():
                    return
                self._note(_gone(problem))
            if self.ended is not None:
                self._since_ended += 1
                if self._since_ended > GRACE_BEATS:
                    self._leave(self.ended)

    def _once(self) -> None:
        """Beat, and look whether the next one does, and whether any has ended."""
        self._beat += 1
        self.store.set(self.keys[self.number], str(self._beat))
        if self.ended is None and self.store.check([ENDED]):
            self._note(End(**json.loads(self.store.get(ENDED))))
        elif self.ended is None and not self._is_next_alive():
            self._note(self._told(End(self.next, "died", 1)))

    def _is_next_alive(self) -> bool:
        heard = self.store.get(self.keys[self.next])
        self._still = self._still + 1 if heard == self._heard else 0
        self._heard = heard
        return self._still < MAX_MISSED_BEATS

    def _told(self, end: End) -> End:
        """Have all know of it, if it is the first; the first."""
        return End(**json.loads(self.store.compare_set(ENDED, "", json.dumps(asdict(end)))))

    def _note(self, end: End) -> None:
        if self.ended is None:
            self.ended = end
            self._known.set()

    def _leave(self, end: End) -> None:
        """End this process, whose work hangs: no exception reaches a thread that waits within NCCL."""
        if self.claim_report():
            print(f"error: {end}; what was saved before is kept: run the same command again", file=sys.stderr)
            sys.stderr.flush()
        os._exit(end.code)


def _gone(problem: RuntimeError) -> End:
    reason = str(problem).partition("\n")[0]
    return End(STORE_RANK, f"is gone: {reason}", 1)
