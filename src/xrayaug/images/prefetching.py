"""What threads compute before it is asked for, and no further ahead than is said."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from xrayaug.processes import pool

AHEAD = 32  # pictures decoded before they are asked for

S = TypeVar("S")
T = TypeVar("T")


def begun_ahead(begun: Iterator[T], ahead: int) -> Generator[T]:
    """Things that compute by themselves once they are begun, in order, so many of them begun before they are asked for.

    With 0 each is begun when it is asked for.
    """
    waiting: deque[T] = deque()
    for each in begun:
        waiting.append(each)
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


def in_threads(
    function: Callable[[S], T], things: Iterable[S], ahead: int = AHEAD, workers: int | None = None
) -> Generator[T]:
    """`function` of each thing in order, so many computed ahead: what is computed and not yet taken stays bounded."""
    threads = ThreadPoolExecutor(workers)
    try:
        yield from pool.in_order(threads, function, things, ahead)
    finally:
        threads.shutdown(
            wait=False, cancel_futures=True
        )  # not waited for: collected as garbage, this may be its thread
