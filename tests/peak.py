"""Measure the peak memory of Python objects."""

import tracemalloc
from collections.abc import Callable

TRIES = 3


def peak_of(work: Callable[[], object]) -> int:
    """Bytes; the least of some tries, since what other threads of the process take, or a first import, counts too."""
    return min(_tried(work) for _ in range(TRIES))


def _tried(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
