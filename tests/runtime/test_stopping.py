"""A request to stop is raised at once, or waits until results in memory are saved."""

import os
import signal
import subprocess
import sys
import time

import pytest

from xrayaug.runtime import stopping
from xrayaug.runtime.stopping import Interval, SaveSchedule, Stopped


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGALRM, 75), (signal.SIGINT, 130)]
)
def test_a_signal_is_raised_at_once(number: signal.Signals, code: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stop, stopping.handle_signals():
        signal.raise_signal(number)
        pytest.fail("not stopped")
    assert stop.value.exit_code == code
    assert signal.getsignal(number) is before
    assert not stopping.is_requested()


def test_a_deferred_request_waits_for_a_check() -> None:
    reached = []
    with pytest.raises(Stopped), stopping.handle_signals(), stopping.deferred():
        signal.raise_signal(signal.SIGTERM)
        reached.append(stopping.is_requested())
        stopping.check()
        reached.append(False)
    assert reached == [True]


def test_a_deferred_request_is_raised_at_the_end_of_the_context() -> None:
    with pytest.raises(Stopped), stopping.handle_signals():
        with stopping.deferred():
            signal.raise_signal(signal.SIGTERM)
        pytest.fail("not stopped")


def test_an_error_while_deferred_is_not_hidden() -> None:
    with pytest.raises(ValueError, match="disk"), stopping.handle_signals(), stopping.deferred():
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("disk full")


def test_the_first_request_counts() -> None:
    with pytest.raises(Stopped) as stop, stopping.handle_signals(), stopping.deferred():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGUSR1)
        stopping.check()
    assert stop.value.cause == "SIGTERM"


def test_a_request_repeated_at_once_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = []
    with pytest.raises(Stopped), stopping.handle_signals():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGUSR1)
            ended.append("in order")
    assert ended == ["in order"]
    monkeypatch.setattr(stopping, "REPEAT_SECONDS", 0)
    with pytest.raises(Stopped), stopping.handle_signals():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGUSR1)  # much later: the first one was lost on its way
            ended.append("never")
    assert ended == ["in order"]


def test_the_time_limit_is_a_request() -> None:
    with pytest.raises(Stopped) as stop, stopping.handle_signals(max_minutes=0.05 / 60):
        time.sleep(5)
    assert (stop.value.cause, stop.value.exit_code) == ("--max-minutes", 75)


def test_the_time_limit_ends_with_the_context() -> None:
    with stopping.handle_signals(max_minutes=0.05 / 60):
        pass
    time.sleep(0.1)


def test_except_exception_does_not_catch_a_request() -> None:
    with pytest.raises(Stopped), stopping.handle_signals():
        try:
            signal.raise_signal(signal.SIGTERM)
        except Exception:
            pytest.fail("caught as an error")


def test_without_a_request_nothing_happens() -> None:
    stopping.check()
    with stopping.deferred():
        stopping.check()


SECOND = """
import signal, time
from xrayaug.runtime import stopping
with stopping.handle_signals(), stopping.deferred():
    signal.raise_signal(signal.SIGINT)
    print("saving", flush=True)
    signal.raise_signal(signal.SIGINT)
    print("still here", flush=True)
"""


def test_a_second_ctrl_c_ends_the_process_at_once() -> None:
    ended = subprocess.run([sys.executable, "-c", SECOND], capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGINT
    assert ended.stdout == "saving\n"


def test_a_process_ends_with_its_parent() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    script = "from xrayaug.runtime import stopping\nwith stopping.handle_signals(): import time; time.sleep(20)"
    environment = os.environ | {stopping.PARENT: str(gone.pid)}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Stopped" in ended.stderr


def test_a_schedule_by_images() -> None:
    schedule = SaveSchedule(Interval(images=10), seen=5)
    assert [schedule.is_due(seen) for seen in (5, 14, 15, 99)] == [False, False, True, True]
    schedule.reset(15)
    assert [schedule.is_due(seen) for seen in (24, 25)] == [False, True]


def test_a_schedule_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    schedule = SaveSchedule(Interval(seconds=60))
    assert not schedule.is_due(10**9)
    now[0] = 160.0
    assert schedule.is_due(0)
    schedule.reset(0)
    assert not schedule.is_due(0)
