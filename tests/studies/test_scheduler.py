"""Commands side by side: each after what it reads, on a device of its own; stops reach all, failures those who read."""

import sys
import time
from pathlib import Path
from typing import Any, cast

import pytest
import stand_in
from stand_in import after, first, said, study

from xrayaug.runtime import parallel, stopping
from xrayaug.runtime.stopping import Stopped
from xrayaug.studies import logs, scheduler
from xrayaug.studies.planning import Study
from xrayaug.studies.scheduler import Outcome, Resources, Scheduler


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(scheduler.THREADS, raising=False)
    return stand_in.install(tmp_path, monkeypatch)


def names(outcome: Outcome) -> tuple[list[str], list[str]]:
    return [failure.command.out.name for failure in outcome.failed], [each.out.name for each in outcome.not_run]


def two_chains(out: Path) -> Study:
    """A second one for each of two firsts."""
    return study(
        out, first(out / "a"), first(out / "b"), after(out / "a", out / "after-a"), after(out / "b", out / "after-b")
    )


def test_each_command_runs_after_its_inputs_and_two_at_a_time(tmp_path: Path, trace: Path) -> None:
    assert names(Scheduler(two_chains(tmp_path / "study"), Resources(jobs=2)).run()) == ([], [])
    events = [line for line in trace.read_text().splitlines() if line.split()[0] in ("begin", "end")]
    running, most = 0, 0
    for event in events:
        running += 1 if event.startswith("begin") else -1
        most = max(most, running)
    assert most == 2
    assert events.index("end a") < events.index("begin after-a")
    assert events.index("end b") < events.index("begin after-b")


def test_one_at_a_time_runs_in_order_and_shows_the_output(
    tmp_path: Path, trace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = two_chains(tmp_path / "study")
    Scheduler(whole, Resources()).run()
    assert said(trace, "begin") == ["a", "b", "after-a", "after-b"]
    assert said(trace, "threads") == ["a none", "b none", "after-a none", "after-b none"]
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines()[:3] == [
        f"[1/4] {whole.commands[0].command_line()}", "working on a", f"[2/4] {whole.commands[1].command_line()}"
    ]  # fmt: skip
    assert "results" not in shown.err, "which the study's own would be drowned by"
    log = logs.log_path(whole.out, whole.commands[0]).read_text().splitlines()
    assert log[1:] == ["working on a", "results of a", "== ended with exit code 0"]


def test_of_parallel_commands_only_starts_and_ends_are_shown_and_the_rest_is_logged(
    tmp_path: Path, trace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = two_chains(tmp_path / "study")
    Scheduler(whole, Resources(jobs=2, devices=("cuda:0", "cuda:1"))).run()
    shown = capfd.readouterr()
    assert shown.out == ""
    first_line, *lines = shown.err.splitlines()
    assert str(whole.out / "logs") in first_line
    begun = [line for line in lines if line.startswith("[")]
    ended = [line for line in lines if line.startswith("done: ")]
    assert len(begun) + len(ended) == len(lines) == 8
    assert begun[0] == f"[1/4] phantom {whole.out / 'a'}"  # computes on no device
    said_of = [line.split(" in 0:00; ") for line in ended]
    assert {of for of, _ in said_of} == {f"done: {each.name} {each.out}" for each in whole.commands}
    assert [so_far.split(", ")[0] for _, so_far in said_of] == [f"{number} of 4 done" for number in range(1, 5)]
    assert said_of[-1][1] == "4 of 4 done"
    log = logs.log_path(whole.out, whole.commands[0]).read_text().splitlines()
    assert log[0].startswith(logs.BEGAN)
    (words,) = (line for line in said(trace, "words") if line.endswith("/a"))  # b may have begun before it
    assert log[0].endswith(" ".join(words.split()[2:]))
    assert log[1:] == ["working on a", "results of a", "== ended with exit code 0"]


def test_warnings_of_several_are_counted_and_a_device_named(
    tmp_path: Path, trace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    trained = [stand_in.trained(out / "data", out / name) for name in ("warned", "a")]
    Scheduler(study(out, *trained), Resources(jobs=2, devices=("cuda:0",))).run()
    lines = capfd.readouterr().err.splitlines()
    assert f"[1/2] train-classifier {out / 'warned'} on cuda:0" in lines
    (ended,) = (line for line in lines if line.startswith(f"done: train-classifier {out / 'warned'}"))
    assert f", warnings: 2, see {out / 'logs' / 'warned.log'}; " in ended


def test_commands_that_do_not_need_a_failed_one_go_on(
    tmp_path: Path, trace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    whole = study(
        out, first(out / "bad"), after(out / "bad", out / "waits"), after(out / "waits", out / "waits-too"),
        first(out / "dead"), first(out / "good"), after(out / "good", out / "after-good"),
    )  # fmt: skip
    outcome = Scheduler(whole, Resources(jobs=2)).run()
    assert names(outcome) == (["bad", "dead"], ["waits", "waits-too"])
    assert said(trace, "end") == ["good", "after-good"]
    assert outcome.failed[0].error == "bad has no patients (look at index.csv)"
    assert "exit code 1" in str(outcome.failed[0])
    assert "killed by SIGKILL" in str(outcome.failed[1])
    warnings = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: failed: ")]
    assert warnings[0].startswith(
        f"warning: failed: phantom {out / 'bad'}: bad has no patients (look at index.csv) (exit"
    )
    assert f"; its log: {out / 'logs' / 'bad.log'}; " in warnings[0]
    assert "; 0 of 6 done, 1 failed, " in warnings[0]


def test_each_gets_the_device_on_which_the_fewest_run(tmp_path: Path, trace: Path) -> None:
    out = tmp_path / "study"
    trained = [stand_in.trained(out / "data", out / name) for name in ("a", "b", "c", "d")]
    Scheduler(study(out, *trained), Resources(jobs=4, devices=("cuda:0", "cuda:1"))).run()
    given = [line.split("--device ")[1].split()[0] for line in said(trace, "words")]
    assert sorted(given) == ["cuda:0", "cuda:0", "cuda:1", "cuda:1"]


def test_commands_without_a_device_option_get_none(tmp_path: Path, trace: Path) -> None:
    out = tmp_path / "study"
    plain, trained = [first(out / "a"), first(out / "c")], [stand_in.trained(out / "data", out / x) for x in ("b", "d")]
    mixed = [plain[0], trained[0], plain[1], trained[1]]
    Scheduler(study(out, *mixed), Resources(jobs=4, devices=("cuda:0", "cuda:1"))).run()
    given = [line.split("--device ")[1].split()[0] for line in said(trace, "words") if "--device" in line]
    assert sorted(given) == ["cuda:0", "cuda:1"]


def test_the_processors_are_shared_unless_threads_are_set(
    tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "available_cpus", lambda: 8)
    Scheduler(study(tmp_path / "one", first(tmp_path / "one" / "a")), Resources(jobs=3)).run()
    monkeypatch.setenv(scheduler.THREADS, "5")
    Scheduler(study(tmp_path / "two", first(tmp_path / "two" / "b")), Resources(jobs=3)).run()
    assert said(trace, "threads") == ["a 2", "b 5"]
    assert all("--workers 2" in line for line in said(trace, "words"))


def test_a_stop_reaches_all_that_run(tmp_path: Path, trace: Path) -> None:
    out = tmp_path / "study"
    whole = study(out, first(out / "slow-a"), first(out / "slow-b"), first(out / "later"))
    with pytest.raises(Stopped, match="max-minutes") as stop, stopping.handle_signals(max_minutes=0.4 / 60):
        Scheduler(whole, Resources(jobs=2)).run()
    assert stop.value.exit_code == 75
    assert sorted(said(trace, "stopped")) == ["slow-a", "slow-b"]
    assert sorted(said(trace, "begin")) == ["slow-a", "slow-b"]
    endings = [logs.last_run(logs.log_path(out, command)) for command in whole.commands]
    assert [ending and (ending.code, ending.last_line) for ending in endings] == [(75, "saved"), (75, "saved"), None]


def test_a_stop_of_one_alone_stops_all(tmp_path: Path, trace: Path) -> None:
    out = tmp_path / "study"
    with pytest.raises(Stopped, match="phantom was stopped"):
        Scheduler(study(out, first(out / "slow"), first(out / "asked")), Resources(jobs=2)).run()
    assert said(trace, "stopped") == ["slow"]


def test_whatever_ends_the_study_nothing_is_left_running(
    tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "study"
    runner = Scheduler(study(out, first(out / "slow")), Resources())
    look, looks = runner._poll, iter(range(10))

    def failing() -> None:
        look()
        if next(looks) == 5:
            raise OSError("the disk is full")

    monkeypatch.setattr(runner, "_poll", failing)
    with pytest.raises(OSError, match="disk is full"):
        runner.run()
    assert said(trace, "stopped") == ["slow"]


def test_the_remaining_time_is_estimated_from_finished_commands(tmp_path: Path) -> None:
    out = tmp_path / "study"
    whole = study(out, first(out / "a"), first(out / "b"), first(out / "c"), after(out / "c", out / "d"))
    log = logs.log_path(out, whole.commands[2])
    logs.record_start(log, "xrayaug phantom")
    logs.record_end(log, 1)  # it failed before, and is run again
    runner = Scheduler(whole, Resources(jobs=2))
    process = cast(Any, None)
    a, b = (
        scheduler._Running(number, whole.commands[number], process, out, 0, None, time.monotonic() - 60)
        for number in (0, 1)
    )
    runner.running, runner.done = [b], {0}
    # the minute of c; of prepare nothing is known
    assert runner._describe_progress(a, "done") == "1 of 4 done, at least 1:00 left"
    runner.running, runner.failed = [], [scheduler.Failure(whole.commands[1], 1, "no")]
    assert runner._describe_progress(b, "failed") == "1 of 4 done, 1 failed, at least 1:00 left"


def test_a_terminals_only_command_draws_its_own_bar(
    tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    whole = study(tmp_path / "study", first(tmp_path / "study" / "a"))
    Scheduler(whole, Resources()).run()
    shown = capfd.readouterr().err
    assert "working on a\n" in shown
    assert "results" not in shown
    log = logs.log_path(whole.out, whole.commands[0]).read_text()
    assert "results of a\n" in log
    assert "working" not in log
