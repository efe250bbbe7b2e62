"""A command that is asked to stop saves and ends soon; run again, it gives the bytes of an undisturbed run."""

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from faults import trees
from faults.killing import spread
from faults.program import ONE_THREAD, Ended, Program, Running
from faults.shim import Plan
from faults.specimens import COMMANDS, Reference, References

STOPPED, INTERRUPTED = 75, 130
SOON = 10.0  # seconds, on a loaded machine
NAMES = ("train-gan", "train-classifier", "prepare", "sample", "rejection", "fid", "copies", "predict", "evaluate",
         "experiment", "phantom-2", "augment", "export", "shards")  # fmt: skip


def check_stopped(ended: Ended, code: int = STOPPED) -> None:
    assert ended.code == code, ended.stderr
    assert "run the same command again" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not ended.errors


def check_goes_on(program: Program, reference: Reference, directory: Path) -> None:
    """Check that the same command ends with the bytes of the reference."""
    ended = program.run(reference.words, directory)
    assert ended.code == 0, ended.stderr
    out = directory / reference.words[-1]
    assert (trees.differences(trees.read(out), reference.tree), trees.leftovers(out)) == ([], [])
    shutil.rmtree(directory)


def stop_at_boundaries(program: Program, reference: Reference, stops: Iterable[tuple[int, str]]) -> None:
    """Send each signal at its boundary, and check that the run stops and continues."""
    for number, sent in stops:
        directory = program.new_directory("stopped")
        started = time.monotonic()
        ended = program.run(reference.words, directory, Plan(at=number, act=sent))
        assert time.monotonic() - started < reference.seconds + SOON
        check_stopped(ended, INTERRUPTED if sent == "SIGINT" else STOPPED)
        assert not trees.unfinished_that_looks_finished(directory / reference.words[-1])
        check_goes_on(program, reference, directory)


@pytest.mark.parametrize(
    ("name", "sent"),
    [("train-gan", "SIGTERM"), ("train-classifier", "SIGUSR1"), ("train-classifier", "SIGINT"), ("prepare", "SIGUSR1"),
     ("sample", "SIGTERM"), ("evaluate", "SIGTERM")],
)  # fmt: skip
def test_a_signal_in_the_middle(name: str, sent: str, xrayaug: Program, references: References) -> None:
    reference = references.get(name)
    stop_at_boundaries(xrayaug, reference, [(reference.ended.boundaries // 2, sent)])


@pytest.mark.parametrize("sent", ["SIGTERM", "SIGINT"])
def test_a_signal_at_the_start(sent: str, xrayaug: Program, references: References) -> None:
    stop_at_boundaries(xrayaug, references.get("prepare"), [(1, sent)])


@pytest.mark.faults
@pytest.mark.parametrize("name", NAMES)
def test_a_signal_anywhere(name: str, xrayaug: Program, references: References) -> None:
    reference = references.get(name)
    signals = itertools.cycle(("SIGTERM", "SIGINT", "SIGUSR1"))
    stop_at_boundaries(xrayaug, reference, zip(spread(reference.ended.boundaries, 8)[:-1], signals, strict=False))


@pytest.mark.parametrize(
    "name",
    [
        "train-classifier",
        *(pytest.param(name, marks=pytest.mark.faults) for name in sorted({*NAMES} - {"train-classifier", "augment"})),
    ],
)
def test_time_is_up_again_and_again(name: str, xrayaug: Program, references: References) -> None:
    reference = references.get(name)
    minutes, stops = reference.seconds * 0.2 / 60, 0
    while not stops:
        directory = xrayaug.new_directory(name)
        while (ended := xrayaug.run([*limited(name, minutes), "--out", reference.words[-1]], directory)).code:
            check_stopped(ended)
            stops, minutes = stops + 1, minutes * 1.2
        minutes /= 2  # the reference may be of a slower moment, in which all was over in time
    check_goes_on(xrayaug, reference, directory)


def limited(name: str, minutes: float) -> list[str]:
    """Return the command with a time limit, saving only when it is stopped."""
    words = COMMANDS[name]
    return [*(words[:-2] if "--checkpoint-every" in words else words), "--max-minutes", f"{minutes:.5f}"]


def test_a_second_ctrl_c_ends_it_at_once(xrayaug: Program, references: References) -> None:
    reference = references.get("train-gan")
    directory = xrayaug.new_directory("impatient")
    running = xrayaug.start(reference.words, directory, Plan(at=30, act="SIGINT", slow=2))
    running.wait_for("Ctrl-C: saving")
    sent = time.monotonic()
    running.send(signal.SIGINT)
    ended = running.wait()
    assert ended.code in (-signal.SIGINT, INTERRUPTED)
    assert time.monotonic() - sent < 1
    check_goes_on(xrayaug, reference, directory)


def in_the_midst(program: Program, reference: Reference) -> Running:
    """Start a study and wait until it has begun its third part."""
    running = program.start(reference.words, program.new_directory("study"))
    running.wait_for("[3/")
    running.wait_until(running.children)
    return running


@pytest.mark.faults
def test_a_study_passes_a_stop_on(xrayaug: Program, references: References) -> None:
    reference = references.get("experiment")
    running = in_the_midst(xrayaug, reference)
    running.send(signal.SIGTERM)
    check_stopped(running.wait(SOON))
    assert running.group_is_gone(1)
    check_goes_on(xrayaug, reference, xrayaug.directory / f"study-{xrayaug.made}")


def side_by_side(reference: Reference) -> list[str]:
    return [*reference.words[:-2], "--jobs", "2", *reference.words[-2:]]


def test_a_study_of_two_at_a_time_gives_the_same_bytes(xrayaug: Program, references: References) -> None:
    reference = references.get("experiment")
    directory = xrayaug.new_directory("study")
    ended = xrayaug.run(side_by_side(reference), directory)
    assert ended.code == 0, ended.stderr
    assert ended.stdout == reference.ended.stdout
    out = directory / reference.words[-1]
    assert (trees.differences(trees.read(out), reference.tree), trees.leftovers(out)) == ([], [])
    shutil.rmtree(directory)


def test_a_study_passes_a_stop_on_to_all_that_run(xrayaug: Program, references: References) -> None:
    reference = references.get("experiment")
    directory = xrayaug.new_directory("study")
    running = xrayaug.start(side_by_side(reference), directory)
    running.wait_until(lambda: len(running.children()) == 2)
    running.send(signal.SIGTERM)
    check_stopped(running.wait(SOON))
    assert running.group_is_gone(1)
    check_goes_on(xrayaug, reference, directory)


@pytest.mark.faults
def test_a_study_stops_when_its_part_was_stopped(xrayaug: Program, references: References) -> None:
    reference = references.get("experiment")
    running = in_the_midst(xrayaug, reference)
    time.sleep(0.1)  # for the part to watch signals
    os.kill(running.children()[0], signal.SIGUSR1)
    check_stopped(running.wait(SOON))
    check_goes_on(xrayaug, reference, xrayaug.directory / f"study-{xrayaug.made}")


@pytest.mark.faults
@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, STOPPED)])
def test_a_study_of_true_subprocesses_leaves_nothing_running(
    number: int, code: int, xrayaug: Program, references: References
) -> None:
    reference = references.get("experiment")
    directory = xrayaug.new_directory("subprocesses")
    with (directory / "stderr").open("wb") as stderr:
        words = [sys.executable, "-m", "xrayaug", *reference.words]
        alike = os.environ | ONE_THREAD  # as those that go on after it: sums over more threads round otherwise
        process = subprocess.Popen(
            words, cwd=directory, stderr=stderr, stdout=subprocess.DEVNULL, start_new_session=True, env=alike
        )
    running = Running(xrayaug, process.pid, directory)
    running.wait_for("training dcgan")
    running.send(number)
    assert process.wait(SOON) == code, running.stderr
    assert running.group_is_gone(SOON)
    check_goes_on(xrayaug, reference, directory)


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_while_a_true_process_imports_torch(number: int, xrayaug: Program, references: References) -> None:
    reference = references.get("train-gan")
    directory = xrayaug.new_directory("importing")
    words = [sys.executable, "-m", "xrayaug", *reference.words]
    for moment in (0.7, 1.1, 1.5, 1.9, 2.3, 2.7):
        process = subprocess.Popen(words, cwd=directory, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        time.sleep(moment)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=SOON)
        if process.returncode:
            check_stopped(Ended(process.returncode, "", stderr), INTERRUPTED if number == signal.SIGINT else STOPPED)


def test_a_second_writer_is_refused_with_the_process_of_the_first(xrayaug: Program, references: References) -> None:
    reference = references.get("prepare")
    directory = xrayaug.new_directory("two")
    first = xrayaug.start(reference.words, directory, Plan(at=40, act="SIGCHLD", slow=0.02))
    first.wait_until((directory / "out.partial" / "images.npy").exists)
    second = xrayaug.run(reference.words, directory)
    assert second.code == 1
    assert len(second.stderr.splitlines()) == 1
    named = rf"error: out is being written by process {first.pid} on {socket.gethostname()} since \d{{4}}-\d\d-\d\dT"
    assert re.match(named, second.stderr)
    assert first.wait().code == 0
    assert trees.read(directory / "out") == reference.tree
    shutil.rmtree(directory)


def test_the_lock_of_a_killed_writer_is_taken_over(xrayaug: Program, references: References) -> None:
    reference = references.get("augment")
    directory = xrayaug.new_directory("dead")
    assert xrayaug.run(reference.words, directory, Plan(at=10)).was_killed
    assert (directory / "out.lock").exists()
    check_goes_on(xrayaug, reference, directory)
