"""A log tells how the last run ended, whatever runs before it said."""

import signal
from pathlib import Path

import pytest
from stand_in import first

from xrayaug.studies import logs
from xrayaug.studies.logs import LastRun


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return logs.log_path(tmp_path / "study", first(tmp_path / "study" / "part"))


def run(log: Path, said: str, code: int | None) -> None:
    logs.record_start(log, "xrayaug phantom")
    with log.open("a") as file:
        file.write(said)
    if code is not None:
        logs.record_end(log, code)


def test_without_a_log_there_was_no_run(log: Path) -> None:
    assert logs.last_run(log) is None


@pytest.mark.parametrize(
    ("said", "code", "found"),
    [
        ("", None, LastRun(None, "", "")),
        ("12/50 images\n", None, LastRun(None, "12/50 images", "12/50 images")),
        ("error: no such file (look)\nbye\n", 1, LastRun(1, "no such file (look)", "bye")),
        ("Traceback\n  File\nKeyError: 'x'\n\n", 1, LastRun(1, "KeyError: 'x'", "KeyError: 'x'")),
        ("\x1b[2Jerror\n", -9, LastRun(-9, " [2Jerror", " [2Jerror")),
    ],
)
def test_how_a_run_ended(log: Path, said: str, code: int | None, found: LastRun) -> None:
    run(log, said, code)
    assert logs.last_run(log) == found


def test_only_the_last_run_counts(log: Path) -> None:
    run(log, "error: the disk is full\n", 1)
    run(log, "going on\n", 0)
    assert logs.last_run(log) == LastRun(0, "going on", "going on")


def test_the_end_of_a_long_log_is_enough(log: Path) -> None:
    run(log, "a line of progress\n" * logs.MAX_BYTES_READ + "error: late\n", 1)
    found = logs.last_run(log)
    assert found is not None
    assert (found.code, found.error) == (1, "late")


def test_the_study_has_a_log_of_its_own(tmp_path: Path) -> None:
    assert logs.log_path(tmp_path / "gan", first(tmp_path / "gan")).name == "phantom.log"
    assert logs.log_path(tmp_path / "gan", first(tmp_path / "gan" / "gan")).name == "gan.log"


@pytest.mark.parametrize(
    ("code", "expected"), [(1, "exit code 1"), (-signal.SIGKILL, "killed by SIGKILL"), (-40, "killed by signal 40")]
)
def test_exit_codes_are_described(code: int, expected: str) -> None:
    assert logs.describe_exit_code(code) == expected
