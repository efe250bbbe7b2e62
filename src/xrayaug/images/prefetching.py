"""What threads compute before it is asked for, and no further ahead than is said."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 32  # pictures decoded before they are asked for

S = TypeVar("S")
T = TypeVar("T")


def in_threads(
    function: Callable[[S], T], things: Iterable[S], ahead: int = AHEAD, workers: int | None = None
) -> Generator[T]:
    """`function` of each thing in order, so many computed ahead: what is computed and not yet taken stays bounded."""
    pending: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for thing in things:
            pending.append(pool.submit(function, thing))
            if len(pending) > ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # not waited for: collected as garbage, this may be its thread
