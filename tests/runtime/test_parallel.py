"""Work is spread over processes: results in order, a bounded number ahead, and nothing that outlives the parent."""

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
from tests_of_pool import announce
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


def lost(number: int) -> int:
    raise OSError(5, "Input/output error", f"{number}.png")


def killed(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_results_come_in_order_from_processes_of_their_own() -> None:
    assert list(parallel.map_in_processes(slow_if_even, range(30), 2)) == [number * number for number in range(30)]
    workers = set(parallel.map_in_processes(process, range(200), 2))
    assert len(workers) == 2
    assert os.getpid() not in workers


def test_one_worker_is_this_process() -> None:
    assert set(parallel.map_in_processes(process, range(3), 1)) == {os.getpid()}


def test_what_waits_to_be_taken_is_bounded() -> None:
    things = iter(range(10_000))
    results = parallel.map_in_processes(slow_if_even, things, 2)
    next(results)
    del results
    assert next(things) <= parallel.CHUNK_SIZE * (2 * parallel.CHUNKS_AHEAD + 1)


def test_what_the_work_raises_is_raised_here() -> None:
    with pytest.raises(OSError, match="Input/output error") as caught:
        list(parallel.map_in_processes(lost, range(20), 2))
    assert caught.value.filename == "0.png"


def test_a_killed_process_is_said_in_one_line() -> None:
    with pytest.raises(ResourceError, match="was killed") as caught:
        list(parallel.map_in_processes(killed, range(20), 2))
    assert "--workers 1" in caught.value.hint


def test_the_main_module_is_as_it_was_and_no_process_imports_it(tmp_path: Path) -> None:
    """A program that does its work where it is imported would else begin it again in every process."""
    (tmp_path / "main.py").write_text(
        "import math\nfrom xrayaug.runtime import parallel\n"
        "print(list(parallel.map_in_processes(math.sqrt, [4] * 9, 2)))\n"
        "import __main__\nprint(__main__.__file__)\n"
    )
    said = subprocess.run([sys.executable, tmp_path / "main.py"], check=True, capture_output=True, text=True).stdout
    assert said.splitlines() == [str([2.0] * 9), str(tmp_path / "main.py")]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system does not see to it")
def test_a_killed_parent_leaves_no_process_behind(tmp_path: Path) -> None:
    (tmp_path / "tests_of_pool.py").write_text(WORK)
    marks = tmp_path / "marks"
    marks.mkdir()
    words = [sys.executable, "-c", PARENT, str(marks)]
    parent = subprocess.Popen(words, env=os.environ | {"PYTHONPATH": str(tmp_path)})
    wait_until(lambda: len(list(marks.iterdir())) == 2)
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(Path("/proc", mark.name).exists() for mark in marks.iterdir()))


def wait_until(is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_no_more_processors_than_this_process_may_use() -> None:
    assert 1 <= parallel.available_cpus() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("ahead", [0, 1, 3, 9])
def test_things_come_in_order_and_so_many_are_begun_before_they_are_taken(ahead: int) -> None:
    begun: list[int] = []

    def things() -> Iterator[int]:
        for number in range(6):
            begun.append(number)
            yield number

    for place, thing in enumerate(parallel.prefetch(things(), ahead)):
        assert thing == place
        assert len(begun) == min(6, place + 1 + ahead)
