"""A study as job scripts: what waits for what, what a job asks for, how a task takes signals and is queued again."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import cluster_stub
import pytest
import stand_in
from builders import STUDY, build
from cluster_stub import read_log
from stand_in import after, first, said, study

from xrayaug.errors import OutputError, UsageError
from xrayaug.options import Experiment
from xrayaug.options.base import Command
from xrayaug.storage import builder
from xrayaug.studies import logs, planning, slurm
from xrayaug.studies.planning import Study


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cluster's directory; the current one is another, whose name is hard to quote."""
    here = tmp_path / 'o\'clock "$HOME"'
    here.mkdir()
    monkeypatch.chdir(here)
    return cluster_stub.install(tmp_path, monkeypatch)


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return stand_in.install(tmp_path, monkeypatch)


def options(out: Path = Path("a study"), **changes: Any) -> Experiment:
    return Experiment(**{**STUDY, "out": out, **changes})


def chains(*names: str) -> Study:
    """Return two commands for each name: the second reads the result of the first."""
    out = Path("a study")
    firsts = [first(out / name) for name in names]
    return study(out, *firsts, *(after(each.out, out / f"after-{each.out.name}") for each in firsts))


def submit(directory: Path = Path("jobs")) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["bash", directory / slurm.SUBMIT], capture_output=True, text=True, check=False)


def test_tasks_with_the_same_dependencies_are_one_array() -> None:
    demo = options(seeds=3)
    found = slurm.arrange_jobs(planning.plan(demo), demo)
    assert {kind: len(commands) for kind, commands in found.kinds.items()} == {
        "phantom": 2, "prepare": 2, "train-gan": 1, "sample": 1, "fid": 2, "augment": 3, "train-classifier": 9,
        "evaluate": 1, "experiment": 1,
    }  # fmt: skip
    submissions = [(each.variable, each.tasks, each.waits_for) for each in found.submissions]
    assert submissions[:4] == [
        ("phantom_0", (0, 1), ()),
        ("prepare_1", (0,), ("${phantom_0}_0",)),
        ("prepare_2", (1,), ("${phantom_0}_1",)),
        ("train_gan_3", (0,), ("$prepare_1",)),
    ]
    assert ("train_classifier_9", (3, 4, 5), ("${augment_7}_1",)) in submissions
    classifiers = ("$train_classifier_8", "$train_classifier_9", "$train_classifier_10")
    assert submissions[-2][1:] == ((0,), ("$fid_5", "$fid_6", *classifiers))
    assert len(submissions[-1][2]) == len(submissions) - 1


def test_more_tasks_than_an_array_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "MAX_ARRAY_SIZE", 4)
    demo = options(seeds=3)
    found = slurm.arrange_jobs(planning.plan(demo), demo)
    assert [len(found.kinds[f"train-classifier{page}"]) for page in ("", "-2", "-3")] == [4, 4, 1]
    tasks = [(each.kind, task) for each in found.submissions for task in each.tasks]
    assert len(set(tasks)) == len(tasks)
    assert len(found.submissions[-2].waits_for) == 7  # distances are 2, arms 3, cut twice more


def test_the_resources_that_a_job_requests(place: Path) -> None:
    asked = options(
        slurm_partition="gpu", slurm_time="1-00:00", slurm_memory="32G", slurm_cpus=8, slurm_gres="gpu:a100:1",
        slurm_options="--account=us --qos=low",
    )  # fmt: skip
    slurm.write_scripts(Path("jobs"), planning.plan(asked), asked)
    trains = Path("jobs/train-gan.sbatch").read_text()
    lines = [line.removeprefix("#SBATCH --") for line in trains.splitlines() if line.startswith("#SBATCH")]
    assert lines == [
        "job-name=a_study-train-gan", "nodes=1", "ntasks=1", "requeue", "open-mode=append", "signal=B:USR1@120",
        "partition=gpu", "time=1-00:00", "mem=32G", "cpus-per-task=8", "gres=gpu:a100:1", "account=us --qos=low",
    ]  # fmt: skip
    assert "$SLURM_CPUS_PER_TASK" in trains
    for kind in ("augment", "experiment"):  # the one computes on no device, the other only seals what is there
        assert "gres" not in Path(f"jobs/{kind}.sbatch").read_text()


@pytest.mark.parametrize(
    ("given", "written"), [("-A us -q low", "-A us -q low"), (" --qos=low ", "--qos=low"), ("qos=low", "--qos=low")]
)
def test_further_options_stand_as_they_are_given(place: Path, given: str, written: str) -> None:
    asked = options(slurm_options=given)
    slurm.write_scripts(Path("jobs"), planning.plan(asked), asked)
    assert f"#SBATCH {written}" in Path("jobs/prepare.sbatch").read_text().splitlines()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"slurm_partition": "a b"}, "--slurm-partition"),
        ({"slurm_time": ""}, "--slurm-time"),
        ({"slurm_options": "--a\nrm -rf /"}, "--slurm-options"),
    ],
)
def test_resources_that_cannot_be_written_to_a_script_are_refused(
    place: Path, changes: dict[str, Any], name: str
) -> None:
    asked = options(**changes)
    with pytest.raises(UsageError, match=name):
        slurm.write_scripts(Path("jobs"), planning.plan(asked), asked)
    assert not Path("jobs").exists()


def test_every_script_of_the_thesis_is_sound(place: Path) -> None:
    asked = Experiment(rsna=Path("it's raw"), mura=Path("$(raw)"), out=Path("my study"), screen=True)
    slurm.write_scripts(Path("jobs"), planning.plan(asked), asked)
    scripts = sorted(Path("jobs").iterdir())
    assert len(scripts) == 10
    for script in scripts:
        subprocess.run(["bash", "-n", script], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "--severity=warning", *scripts], check=True)
    assert os.access(Path("jobs") / slurm.SUBMIT, os.X_OK)


def test_submitted_they_make_the_study_in_order(place: Path, trace: Path) -> None:
    slurm.write_scripts(Path("jobs"), chains("a", "b c", "d"), options())
    done = submit()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("submitted 5 arrays: 101 102 103 104 105\n")
    assert read_log(place) == [
        "phantom 0-2 ", "prepare 0 101_0", "prepare 1 101_1", "prepare 2 101_2", "experiment 0 101:102:103:104",
    ]  # fmt: skip
    assert said(trace, "end") == ["a", "b c", "d", "after-a", "after-b c", "after-d", "a study"]
    (words,) = [line for line in said(trace, "words") if "experiment" in line]
    assert words.startswith("-m xrayaug experiment --preset demo ")
    assert words.endswith(" --out a study")
    log = logs.log_path(Path("a study"), first(Path("a study/b c"))).read_text().splitlines()
    assert log[1:] == ["working on b c", "results of b c", "== ended with exit code 0"]
    assert len(list(Path("jobs/logs").iterdir())) == 7


def test_dependents_of_a_failed_task_are_not_run_and_the_rest_is(place: Path, trace: Path) -> None:
    slurm.write_scripts(Path("jobs"), chains("bad", "good"), options())
    assert submit().returncode == 0
    assert said(trace, "begin") == ["bad", "good", "after-good"]


def test_written_again_they_leave_out_what_is_done(place: Path, trace: Path) -> None:
    whole = chains("a", "b")
    slurm.write_scripts(Path("jobs"), whole, options())
    builder.build_artifact(whole.commands[0], "raw", build)
    slurm.write_scripts(Path("jobs"), whole, options(jobs=4))
    submit()
    assert read_log(place) == ["phantom 0 ", "prepare 0 ", "prepare 1 101", "experiment 0 101:102:103"]
    assert "'0%4'" in (Path("jobs") / slurm.SUBMIT).read_text()


def test_a_job_that_sbatch_refuses_cancels_those_before(place: Path, trace: Path) -> None:
    slurm.write_scripts(Path("jobs"), chains("a"), options())
    sbatch = place / "sbatch"
    sbatch.write_text('#!/bin/bash\n[[ "$*" != *prepare* ]] || exit 1\necho 7\n')
    done = submit()
    assert done.returncode == 1
    assert "error: sbatch refused a job" in done.stderr
    assert read_log(place, "cancelled") == ["7"]


def test_a_foreign_directory_is_left_alone(place: Path) -> None:
    Path("jobs").mkdir()
    Path("jobs/thesis.docx").write_text("years of work")
    with pytest.raises(OutputError, match=r"holds something else: thesis\.docx"):
        slurm.write_scripts(Path("jobs"), chains("a"), options())
    assert [file.name for file in Path("jobs").iterdir()] == ["thesis.docx"]
    with pytest.raises(OutputError, match="is a file"):
        slurm.write_scripts(Path("jobs/thesis.docx"), chains("a"), options())


def task(command: Command) -> "subprocess.Popen[str]":
    """The script of that command, run as SLURM runs it."""
    slurm.write_scripts(Path("jobs"), study(Path("a study"), command), options())
    environment = os.environ | {"SLURM_ARRAY_TASK_ID": "0", "SLURM_JOB_ID": "42"}
    script = ["bash", "jobs/phantom.sbatch"]
    return subprocess.Popen(script, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(reached: Any) -> None:
    until = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(("sent", "queued"), [(signal.SIGUSR1, ["42"]), (signal.SIGTERM, [])])
def test_a_signal_to_the_script_reaches_the_command(place: Path, trace: Path, sent: int, queued: list[str]) -> None:
    running = task(first(Path("a study/slow")))
    wait_for(lambda: "begin slow" in trace.read_text())
    running.send_signal(sent)
    said_by_script, _ = running.communicate(timeout=30)
    assert running.returncode == 75
    assert said(trace, "stopped") == ["slow"]
    assert read_log(place, "all-requeued") == queued  # by SIGTERM a job is cancelled, or queued again by SLURM itself
    assert f"exit code 75 after {signal.Signals(sent).name}" in said_by_script
    assert Path("a study/logs/slow.log").read_text().endswith("saved\n== ended with exit code 75\n")


@pytest.mark.parametrize(("name", "code", "queued"), [("asked", 75, ["42"]), ("bad", 1, []), ("dead", 137, [])])
def test_only_what_was_stopped_is_queued_again(
    place: Path, trace: Path, name: str, code: int, queued: list[str]
) -> None:
    running = task(first(Path("a study") / name))
    running.communicate(timeout=30)
    assert running.returncode == code
    assert read_log(place, "all-requeued") == queued


def test_an_unknown_task_number_is_an_error(place: Path, trace: Path) -> None:
    slurm.write_scripts(Path("jobs"), chains("a"), options())
    done = subprocess.run(["bash", "jobs/phantom.sbatch"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "submit this by submit.sh" in done.stderr
