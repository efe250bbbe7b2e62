"""Parallel work in threads, or in processes if threads would wait for the interpreter lock."""

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

CHUNK_SIZE = 4  # items sent to a process at a time: sending costs about a tenth of decoding one image
CHUNKS_AHEAD = 4  # chunks per process that are submitted before their results are used
IMAGES_AHEAD = 32  # images that threads decode before they are used

S = TypeVar("S")
T = TypeVar("T")


def available_cpus() -> int:
    """Return the number of CPUs that this process may use; a scheduler may allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_processes(function: Callable[[S], T], items: Iterable[S], workers: int) -> Generator[T]:
    """Yield `function` of each item in order, computed by `workers` processes, a bounded number ahead.

    One worker is this process itself. The function, items and results must be picklable. The processes ignore Ctrl-C,
    and on Linux they end with this process. A caller that stops before the end must close the generator.

    Raises:
        ResourceError: the processes cannot be started, or one of them died.
        Exception: `function` raised it.
    """
    if workers == 1:
        yield from map(function, items)
        return
    iterator = iter(items)
    chunks = iter(lambda: list(islice(iterator, CHUNK_SIZE)), [])
    with _without_main():
        executor = _start_processes(workers)
        try:
            for results in map_in_order(executor, partial(_apply_to_chunk, function), chunks, CHUNKS_AHEAD * workers):
                yield from results
        except BrokenProcessPool:
            raise ResourceError(
                "a worker process was killed, most likely because memory ran out",
                "--workers 1 needs none",
            ) from None
        finally:
            executor.shutdown(cancel_futures=True)


def map_in_order(executor: Executor, function: Callable[[S], T], items: Iterable[S], ahead: int) -> Iterator[T]:
    """Yield `function` of each item in order, with at most `ahead` submitted before their results are used."""
    pending: deque[Future[T]] = deque()
    for item in items:
        pending.append(executor.submit(function, item))
        if len(pending) > ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def prefetch(items: Iterator[T], ahead: int) -> Generator[T]:
    """Yield items in order, each taken from the iterator `ahead` items before it is used.

    For items whose computation goes on in the background once they exist.
    """
    buffer: deque[T] = deque()
    for item in items:
        buffer.append(item)
        if len(buffer) > ahead:
            yield buffer.popleft()
    yield from buffer


def map_in_threads(
    function: Callable[[S], T], items: Iterable[S], ahead: int = IMAGES_AHEAD, workers: int | None = None
) -> Generator[T]:
    """Yield `function` of each item in order, computed by threads, at most `ahead` before they are used."""
    threads = ThreadPoolExecutor(workers)
    try:
        yield from map_in_order(threads, function, items, ahead)
    finally:
        # Without waiting: if this generator is collected as garbage, the current thread may be one of these.
        threads.shutdown(wait=False, cancel_futures=True)


def _start_processes(workers: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")  # forking a process with threads is unsafe, and Python 3.12 warns
    try:
        return ProcessPoolExecutor(workers, spawn, _initialize_worker, (os.getpid(),))
    except OSError as problem:
        raise ResourceError(
            f"too little shared memory (/dev/shm) for {workers} processes: {problem.strerror}",
            "--workers 1 needs none",
        ) from None


@contextmanager
def _without_main() -> Iterator[None]:
    """Context in which new processes do not import the program's main module, which they do not need."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _initialize_worker(parent: int) -> None:
    """Ignore Ctrl-C, which a terminal sends to all processes, and end with the parent."""
    malloc.keep_freed()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stopping.die_with_parent(parent, signal.SIGKILL)


def _apply_to_chunk(function: Callable[[S], T], chunk: list[S]) -> list[T]:
    return [function(item) for item in chunk]
