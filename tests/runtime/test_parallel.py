"""Parallel work: results in order, a bounded number ahead, and no process that outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from xrayaug.errors import ResourceError
from xrayaug.runtime import parallel

PARENT = """
import sys, time
from worker_functions import announce
from xrayaug.runtime import parallel
list(parallel.map_in_processes(announce, [sys.argv[1]] * 8, 2))
"""

WORK = """
import os, pathlib, time
def announce(directory):
    pathlib.Path(directory, str(os.getpid())).touch()
    time.sleep(600)
"""


def slow_if_even(number: int) -> int:
    time.sleep(0.02 * (number % 2 == 0))
    return number * number


def process(_: int) -> int:
    return os.getpid()


def raise_error(number: int) -> int:
    raise OSError(5, "Input/output error", f"{number}.png")


def kill_itself(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_results_come_in_order_from_processes_of_their_own() -> None:
    assert list(parallel.map_in_processes(slow_if_even, range(30), 2)) == [number * number for number in range(30)]
    workers = set(parallel.map_in_processes(process, range(200), 2))
    assert len(workers) in (1, 2)  # on a busy machine one may be done before the other has started
    assert os.getpid() not in workers


def test_one_worker_is_this_process() -> None:
    assert set(parallel.map_in_processes(process, range(3), 1)) == {os.getpid()}


def test_the_number_of_items_ahead_is_bounded() -> None:
    items = iter(range(10_000))
    results = parallel.map_in_processes(slow_if_even, items, 2)
    next(results)
    del results
    assert next(items) <= parallel.CHUNK_SIZE * (2 * parallel.CHUNKS_AHEAD + 1)


def test_an_exception_in_a_worker_is_raised_here() -> None:
    with pytest.raises(OSError, match="Input/output error") as caught:
        list(parallel.map_in_processes(raise_error, range(20), 2))
    assert caught.value.filename == "0.png"


def test_a_killed_worker_is_an_error_of_one_line() -> None:
    with pytest.raises(ResourceError, match="was killed") as caught:
        list(parallel.map_in_processes(kill_itself, range(20), 2))
    assert "--workers 1" in caught.value.hint


def test_the_main_module_is_as_it_was_and_no_process_imports_it(tmp_path: Path) -> None:
    """Otherwise a program that works when it is imported would start its work again in every process."""
    (tmp_path / "main.py").write_text(
        "import math\nfrom xrayaug.runtime import parallel\n"
        "print(list(parallel.map_in_processes(math.sqrt, [4] * 9, 2)))\n"
        "import __main__\nprint(__main__.__file__)\n"
    )
    stdout = subprocess.run([sys.executable, tmp_path / "main.py"], check=True, capture_output=True, text=True).stdout
    assert stdout.splitlines() == [str([2.0] * 9), str(tmp_path / "main.py")]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not see to it")
def test_a_killed_parent_leaves_no_process_behind(tmp_path: Path) -> None:
    (tmp_path / "worker_functions.py").write_text(WORK)
    marks = tmp_path / "marks"
    marks.mkdir()
    words = [sys.executable, "-c", PARENT, str(marks)]
    parent = subprocess.Popen(words, env=os.environ | {"PYTHONPATH": str(tmp_path)})
    wait_until(lambda: len(list(marks.iterdir())) == 2)
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(Path("/proc", mark.name).exists() for mark in marks.iterdir()))


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_available_cpus_are_at_most_those_of_the_machine() -> None:
    assert 1 <= parallel.available_cpus() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("ahead", [0, 1, 3, 9])
def test_prefetch_keeps_the_order_and_begins_items_ahead(ahead: int) -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for number in range(6):
            begun.append(number)
            yield number

    for index, item in enumerate(parallel.prefetch(items(), ahead)):
        assert item == index
        assert len(begun) == min(6, index + 1 + ahead)
