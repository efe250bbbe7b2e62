"""Several processes give the results of one process, and end together.

They learn of each other from the variables that torchrun sets; `faults/test_together.py` lets torchrun itself do it.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import row, write_classifier, write_dataset
from faults.program import Program

from xrayaug import cli
from xrayaug.errors import DataError, PeerError, UsageError
from xrayaug.options import Prepare
from xrayaug.runtime import console
from xrayaug.runtime.distributed import ranks
from xrayaug.runtime.distributed.ranks import Rank
from xrayaug.storage.artifacts import open_artifact

GAN = ("train-gan", "--arch", "dcgan", "--width", "0.05", "--latent", "4", "--batch-size", "5", "--json",
       "--device", "cpu")  # fmt: skip
COMMANDS = {
    "dcgan": (*GAN, "--epochs", "2", "--sync-bn", "--checkpoint-every", "5"),
    "style": ("train-gan", "--arch", "stylegan2", "--width", "0.02", "--latent", "4", "--batch-size", "5",
              "--penalty-every", "2", "--epochs", "2", "--fid-every", "2", "--mirror",
              "--conditional", "--checkpoint-every", "5", "--device", "cpu"),
    "resnet": ("train-classifier", "--arch", "resnet18", "--weights", "none", "--size", "32", "--epochs", "1",
               "--batch-size", "5", "--sync-bn", "--checkpoint-every", "10", "--device", "cpu"),
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dataset of 11 training images, an odd number for two processes, and 5 of validation; 32 px."""
    labels = ["normal", "abnormal"]
    rows = [
        row(split="train" if number < 11 else "valid", label=labels[number % 2], patient=f"p{number}")
        for number in range(16)
    ]
    pixels = np.random.default_rng(0).integers(0, 256, (16, 32, 32), np.uint8)
    return write_dataset(tmp_path_factory.mktemp("ranks") / "data", rows, pixels=pixels)


@pytest.fixture(scope="module")
def commands(data: Path) -> dict[str, list[str]]:
    """Return the commands with their inputs; a small classifier measures the distances, faster than Inception."""
    features = write_classifier(data.parent / "classifier", data, arch="squeezenet1_1")
    words = {name: [*command, "--data", str(data)] for name, command in COMMANDS.items()}
    words["style"] += ["--fid-features", str(features)]
    return words


@pytest.fixture(scope="module")
def both(data: Path, commands: dict[str, list[str]], xrayaug: Program) -> tuple[Path, list[dict[str, Any]], str]:
    """Run every command by two processes in one launch; the first command is stopped on the way and resumed."""
    out = data.parent / "two"
    out.mkdir()
    words = {name: [*command, "--out", str(out / name), "--json"] for name, command in commands.items()}
    order = [["stop", *words["dcgan"]], *words.values(), words["dcgan"], ["prepare", "--input", ".", "--out", "none"]]
    (out / "commands.json").write_text(json.dumps(order))
    ended = [each.wait() for each in xrayaug.start_together([str(out)], out, 2, module="launched")]
    said = "".join(each.stderr for each in ended)
    assert [each.code for each in ended] == [0, 0], said
    reports = [json.loads((out / f"rank-{number}.json").read_text()) for number in range(2)]
    results = [line for each in ended for line in each.stdout.splitlines() if line.startswith("{")]
    assert len(results) == len(COMMANDS) + 1  # each once, and the one that was complete already
    return out, reports, said


@pytest.fixture(scope="module")
def one(data: Path, commands: dict[str, list[str]]) -> Path:
    """Run every command by one process."""
    out = data.parent / "one"
    for name, command in commands.items():
        cli.app([*command, "--out", str(out / name)], standalone_mode=False)
    return out


def numbers(run: Path) -> list[dict[str, Any]]:
    """Return the lines of the log without their times."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if "second" not in name} for line in lines]


@pytest.mark.parametrize("name", COMMANDS)
def test_two_processes_learn_what_one_learns(both: tuple[Path, list[Any], str], one: Path, name: str) -> None:
    of_one, of_two = numbers(one / name), numbers(both[0] / name)
    assert len(of_one) == len(of_two)
    for alone, together in zip(of_one, of_two, strict=True):
        assert together == pytest.approx(alone, rel=1e-3, abs=1e-4)
    made, alone_made = open_artifact(both[0] / name), open_artifact(one / name)
    assert made.options == alone_made.options
    assert made.manifest["files"].keys() == alone_made.manifest["files"].keys()
    assert made.manifest["environment"]["device"].startswith("2 processes, each on cpu")


def test_all_stop_at_the_step_at_which_one_was_asked_to(both: tuple[Path, list[Any], str]) -> None:
    out, reports, stderr = both
    assert [report["ends"] for report in reports] == [[75, 0, 0, 0, 0, 2]] * 2
    assert "stopped (SIGUSR1); to go on, run the same command again" in stderr
    assert "going on after 16 images" in stderr  # three steps of an epoch, of 5, 5 and 1 images, and one of the next
    assert open_artifact(out / "dcgan").manifest["environment"]["stops"] == 1


def test_every_process_holds_the_same_state(both: tuple[Path, list[Any], str]) -> None:
    first, second = (report["saved"] for report in both[1])
    assert first == second
    assert len(set(first)) > 6


def test_only_the_first_process_prints(both: tuple[Path, list[Any], str]) -> None:
    stderr = both[2]
    assert stderr.count("is already complete") == 1
    assert (
        stderr.count("prepare is not for several processes (train-gan, sample, fid, copies, privacy, train-classifier")
        == 1
    )


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def put(values: Mapping[str, str]) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    yield put


TORCHRUN_ENVIRONMENT = {"RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}


def test_torchruns_environment_says_which_process_this_is(environment: Any) -> None:
    assert ranks.current_rank() == Rank() and ranks.is_first() and not ranks.is_distributed()
    environment(TORCHRUN_ENVIRONMENT)
    assert ranks.current_rank() == Rank(1, 4, 1, 4)
    environment({"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"})
    assert ranks.current_rank() == Rank(1, 4, 0, 1)
    assert ranks.is_distributed() and not ranks.is_first()


@pytest.mark.parametrize(
    ("name", "value"), [("RANK", "4"), ("RANK", "-1"), ("WORLD_SIZE", "many"), ("LOCAL_RANK", "x")]
)
def test_an_environment_that_makes_no_sense_is_an_error(environment: Any, name: str, value: str) -> None:
    environment(TORCHRUN_ENVIRONMENT | {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "4"} | {name: value})
    with pytest.raises(UsageError, match=value):
        ranks.current_rank()


def test_an_incomplete_torchrun_environment_is_ignored(environment: Any) -> None:
    environment({"RANK": "3"})
    assert ranks.current_rank() == Rank()


def test_others_than_the_first_are_silent(environment: Any, capfd: pytest.CaptureFixture[str]) -> None:
    environment(TORCHRUN_ENVIRONMENT)
    console.info("a line")
    console.warning("a line")
    console.show(["a line", console.Table("a table", ["a"], [["b"]])])
    console.show_on_stderr(console.Table("a table", ["a"], [["b"]]))
    with console.progress(3, "work") as advance:
        advance(3, "note")
    assert capfd.readouterr() == ("", "")


def test_before_they_meet_the_first_alone_reports(environment: Any) -> None:
    def fail() -> None:
        with ranks.exit_together():
            raise DataError("broken")

    with pytest.raises(DataError):
        fail()
    environment(TORCHRUN_ENVIRONMENT)
    with pytest.raises(SystemExit) as ending:
        fail()
    assert ending.value.code == 1


def test_the_first_process_of_a_machine_reports_its_problem(environment: Any) -> None:
    environment(TORCHRUN_ENVIRONMENT | {"LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"})
    with pytest.raises(DataError), ranks.exit_together():
        raise DataError("not on this machine")


@pytest.mark.parametrize("problem", [PeerError("they did not meet"), KeyError("a bug"), MemoryError()])
def test_a_problem_that_keeps_one_process_from_joining_is_raised(
    environment: Any, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    monkeypatch.setattr(ranks, "EXIT_DELAY_SECONDS", 0)
    environment(TORCHRUN_ENVIRONMENT)
    with pytest.raises(type(problem)), ranks.exit_together():
        raise problem


def test_a_command_that_does_not_support_several_processes_is_refused(environment: Any, tmp_path: Path) -> None:
    environment(TORCHRUN_ENVIRONMENT | {"RANK": "0"})
    with pytest.raises(UsageError, match="prepare is not for several processes"):
        cli._check_multiprocess(Prepare(input=tmp_path, out=tmp_path / "out"))
