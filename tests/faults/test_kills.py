"""A command that was killed at any write boundary or moment and is run again gives the bytes of an undisturbed run."""

import random
import shutil
import signal
from pathlib import Path

import pytest
from faults import tally, trees
from faults.killing import Trials, spread
from faults.program import Program
from faults.shim import POWER, Plan
from faults.specimens import COMMANDS, SINGLE_COMMANDS, References

from xrayaug.storage import artifacts

ANOTHER = ("--seed", "5", "--out", "out")  # result
REPLACING = ("--overwrite", "--out", "out")
MOMENTS = 8  # random ones per command


@pytest.fixture(params=[*SINGLE_COMMANDS, "experiment-fid"])
def trials(request: pytest.FixtureRequest, xrayaug: Program, references: References) -> Trials:
    return Trials(request.param, xrayaug, references.get(request.param))


@pytest.mark.parametrize("name", [*SINGLE_COMMANDS, "experiment"])
def test_a_kill_in_the_middle_and_at_the_end(name: str, xrayaug: Program, references: References) -> None:
    """In the middle there is work to resume, and at the end a result to publish; parts of a study do both."""
    trials = Trials(name, xrayaug, references.get(name))
    _, middle, end = spread(trials.reference.ended.boundaries, 3)
    for number in (middle,) if name == "experiment" else (middle, end):
        trials.at_boundaries(number)
    trials.judge()


@pytest.mark.faults
def test_a_kill_at_every_boundary(trials: Trials) -> None:
    for number in range(1, trials.reference.ended.boundaries + 1):
        trials.at_boundaries(number)
    trials.judge()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("train-classifier", 3),
        *(pytest.param(name, 15, marks=pytest.mark.faults) for name in SINGLE_COMMANDS),
    ],
)
def test_a_power_failure(name: str, wanted: int, xrayaug: Program, references: References) -> None:
    trials = Trials(name, xrayaug, references.get(name))
    for number in spread(trials.reference.ended.boundaries, wanted)[1:]:
        trials.at_boundaries(number, act=POWER)
    trials.judge()


@pytest.mark.faults
def test_two_kills(trials: Trials) -> None:
    count = trials.reference.ended.boundaries
    for first in spread(count, 4)[1:]:
        for second in (2, count // 3):
            trials.at_boundaries(first, second)
    trials.judge()


@pytest.mark.faults
def test_kills_at_random_moments(trials: Trials) -> None:
    draw = random.Random(trials.name)
    for _ in range(MOMENTS):
        trials.at_moment(draw.uniform(0, trials.reference.seconds))
    trials.judge()


@pytest.mark.faults
def test_a_study_killed_alone_leaves_nothing_running(xrayaug: Program, references: References) -> None:
    trials = Trials("experiment", xrayaug, references.get("experiment"))
    draw = random.Random(1)
    for _ in range(4):
        trials.at_moment(draw.uniform(0.1, trials.reference.seconds), whole_group=False)
    trials.judge()


def test_phantoms_killed_alone_leave_nothing_running(xrayaug: Program, references: References) -> None:
    trials = Trials("phantom-2", xrayaug, references.get("phantom-2"))
    directory = xrayaug.new_directory("phantom-2")
    running = xrayaug.start(trials.reference.words, directory)
    running.wait_until(lambda: len(running.children()) > 1)
    running.send(signal.SIGKILL)
    assert running.wait().was_killed
    assert running.group_is_gone(5)
    trials.finish(directory, "killed alone")
    trials.judge()


@pytest.mark.parametrize(
    ("name", "step"),
    [("augment", 5), *(pytest.param(name, 1, marks=pytest.mark.faults) for name in ("augment", "prepare"))],
)
def test_a_kill_while_an_older_result_is_replaced(
    name: str, step: int, xrayaug: Program, references: References
) -> None:
    old, after = xrayaug.new_directory(f"{name}-old"), references.get(name).tree
    assert xrayaug.run([*COMMANDS[name], *ANOTHER], old).code == 0
    before = trees.read(old / "out")
    number, killed = 1, True
    while killed:
        directory = copied(old, xrayaug)
        killed = xrayaug.run([*COMMANDS[name], *REPLACING], directory, Plan(at=number)).was_killed
        there = directory / "out" if (directory / "out").exists() else directory / "out.partial"
        assert artifacts.open_artifact(there)
        assert found_in(there) in (before, after)
        check_again(name, xrayaug, directory, after)
        tally.count(f"{name} --overwrite", kills=int(killed), reruns=1)
        number += step


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.faults)])
def test_a_kill_while_an_unfinished_run_is_overwritten(step: int, xrayaug: Program, references: References) -> None:
    name = "augment"
    reference, unfinished = references.get(name), xrayaug.new_directory("unfinished")
    assert xrayaug.run([*COMMANDS[name], *ANOTHER], unfinished, Plan(at=reference.ended.boundaries - 8)).was_killed
    for number in range(1, 16, step):
        directory = copied(unfinished, xrayaug)
        assert xrayaug.run([*COMMANDS[name], *REPLACING], directory, Plan(at=number)).was_killed
        check_again(name, xrayaug, directory, reference.tree)
        tally.count(f"{name}, another given up", kills=1, reruns=1)


def copied(old: Path, xrayaug: Program) -> Path:
    """Return a new copy of a directory."""
    directory = xrayaug.new_directory("copy")
    shutil.copytree(old, directory, dirs_exist_ok=True)
    return directory


def found_in(directory: Path) -> trees.Tree:
    """Return the files of an artifact, sealed or published."""
    return {name: content for name, content in trees.read(directory).items() if not name.startswith("resume/")}


def check_again(name: str, xrayaug: Program, directory: Path, expected: trees.Tree) -> None:
    """Run the replacing command again, and check that its result is there and nothing else."""
    ended = xrayaug.run([*COMMANDS[name], *REPLACING], directory)
    assert ended.code == 0, ended.stderr
    assert (trees.read(directory / "out"), trees.leftovers(directory / "out")) == (expected, [])
    shutil.rmtree(directory)
