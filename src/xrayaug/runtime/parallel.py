"""Work spread over threads, or over processes where threads would wait for the interpreter."""

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import islice
from types import ModuleType
from typing import TypeVar

from xrayaug.errors import ResourceError
from xrayaug.runtime import malloc, stopping

CHUNK_SIZE = 4  # things sent at a time: sending costs about as much as a tenth of decoding one picture
CHUNKS_AHEAD = 4  # chunks a process, given out before their results are taken
IMAGES_AHEAD = 32  # pictures decoded in threads before they are asked for

S = TypeVar("S")
T = TypeVar("T")


def available_cpus() -> int:
    """How many this process may use: fewer than the machine has where a scheduler says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_processes(function: Callable[[S], T], things: Iterable[S], workers: int) -> Generator[T]:
    """`function` of each thing in order, computed by so many processes; what waits to be taken stays bounded.

    By one, it is this process. What is sent either way must be picklable. Ctrl-C is this process's to heed, and others
    do not outlive it (where Linux sees to that). To be closed where it is left before its end.

    Raises:
        ResourceError: the processes cannot be had, or one of them died.
        Exception: what `function` raises.
    """
    if workers == 1:
        yield from map(function, things)
        return
    given = iter(things)
    chunks = iter(lambda: list(islice(given, CHUNK_SIZE)), [])
    with _without_main():
        executor = _start_processes(workers)
        try:
            for results in map_in_order(executor, partial(_apply_to_chunk, function), chunks, CHUNKS_AHEAD * workers):
                yield from results
        except BrokenProcessPool:
            raise ResourceError(
                "a process that worked for this one was killed, most likely for want of memory",
                "--workers 1 needs no others",
            ) from None
        finally:
            executor.shutdown(cancel_futures=True)


def map_in_order(executor: Executor, function: Callable[[S], T], things: Iterable[S], ahead: int) -> Iterator[T]:
    """`function` of each thing in order, no more than so many given out before their results are taken."""
    pending: deque[Future[T]] = deque()
    for thing in things:
        pending.append(executor.submit(function, thing))
        if len(pending) > ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def prefetch(begun: Iterator[T], ahead: int) -> Generator[T]:
    """Things that compute by themselves once they are begun, in order, so many of them begun before they are asked for.

    With 0 each is begun when it is asked for.
    """
    waiting: deque[T] = deque()
    for each in begun:
        waiting.append(each)
        if len(waiting) > ahead:
            yield waiting.popleft()
    yield from waiting


def map_in_threads(
    function: Callable[[S], T], things: Iterable[S], ahead: int = IMAGES_AHEAD, workers: int | None = None
) -> Generator[T]:
    """`function` of each thing in order, so many computed ahead: what is computed and not yet taken stays bounded."""
    threads = ThreadPoolExecutor(workers)
    try:
        yield from map_in_order(threads, function, things, ahead)
    finally:
        threads.shutdown(
            wait=False, cancel_futures=True
        )  # not waited for: collected as garbage, this may be its thread


def _start_processes(workers: int) -> ProcessPoolExecutor:
    fresh = multiprocessing.get_context("spawn")  # forking a process that has threads is unsafe, and Python 3.12 warns
    try:
        return ProcessPoolExecutor(workers, fresh, _follow_parent, (os.getpid(),))
    except OSError as problem:
        raise ResourceError(
            f"too little shared memory (/dev/shm) for {workers} processes: {problem.strerror}",
            "--workers 1 needs none",
        ) from None


@contextmanager
def _without_main() -> Iterator[None]:
    """Spare processes that are started meanwhile the import of the program's main module, which they do not need."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _follow_parent(parent: int) -> None:
    """Leave Ctrl-C, which every process on the terminal gets, to the parent, and do not outlive it."""
    malloc.keep_freed()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stopping.die_with_parent(parent, signal.SIGKILL)


def _apply_to_chunk(function: Callable[[S], T], chunk: list[S]) -> list[T]:
    return [function(thing) for thing in chunk]
