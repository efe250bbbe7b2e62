"""One writer at a time: the second gets an error that names the first, and a dead process holds no lock."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from xrayaug.errors import OutputError
from xrayaug.storage import lock

HOLD = """
import pathlib, sys, time
from xrayaug.storage import lock
with lock.hold(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> "subprocess.Popen[str]":
    """Start a process that holds the lock of `tmp_path / "out"`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_second_lock_is_refused_with_the_process_of_the_first(
    holder: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    try:
        expected = f"process {holder.pid} on {socket.gethostname()} since 20"
        with pytest.raises(OutputError, match=expected), lock.hold(tmp_path / "out"):
            raise AssertionError("two hold it")
    finally:
        end(holder)


def test_the_lock_of_a_dead_process_is_taken_over(holder: "subprocess.Popen[str]", tmp_path: Path) -> None:
    end(holder)
    assert (tmp_path / "out.lock").exists()
    with lock.hold(tmp_path / "out"):
        pass
    assert not list(tmp_path.iterdir())


def test_the_lock_is_released_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock.hold(tmp_path / "deep" / "out"):
        raise ZeroDivisionError
    with lock.hold(tmp_path / "deep" / "out"):
        assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out.lock"]
    assert not list((tmp_path / "deep").iterdir())


def test_a_place_where_no_lock_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "out"
    with pytest.raises(OutputError, match=re.escape(f"--out {out}")), lock.hold(out):
        pass


def test_find_holder_returns_the_process_that_holds_the_lock(holder: "subprocess.Popen[str]", tmp_path: Path) -> None:
    try:
        seen = lock.find_holder(tmp_path / "out")
        assert seen is not None
        assert (seen.pid, seen.host) == (holder.pid, socket.gethostname())
        assert seen.since is not None
        assert 0 <= (datetime.now(UTC) - seen.since).total_seconds() < 60
    finally:
        end(holder)
    assert lock.find_holder(tmp_path / "out") is None
    assert lock.find_holder(tmp_path / "never") is None


def test_looking_at_a_lock_does_not_block_a_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.lock"
    path.touch()
    looking = os.open(path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _: os.close(looking))
    with lock.hold(tmp_path / "out"):
        pass
