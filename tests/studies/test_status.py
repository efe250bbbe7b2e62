"""The status of a study is read from manifests, locks and logs; the remaining time from the durations so far."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders import build, edit_manifest
from stand_in import after, first, study

from xrayaug.options import Evaluate, TrainGan
from xrayaug.options.base import Command
from xrayaug.storage import builder, lock
from xrayaug.studies import logs, scheduler, status
from xrayaug.studies.planning import Study
from xrayaug.studies.status import CommandState, CommandStatus


def make(command: Command, **environment: Any) -> None:
    """Finish a command's artifact."""
    builder.build_artifact(command, "raw", build)
    edit_manifest(command.out, lambda manifest: manifest["environment"].update(environment))


def begin(study: Study, command: Command, code: int | None, said: str = "") -> None:
    """A run that left a log."""
    log = logs.log_path(study.out, command)
    logs.record_start(log, command.command_line())
    with log.open("a") as file:
        file.write(said)
    if code is not None:
        logs.record_end(log, code)


def states(whole: Study) -> list[tuple[CommandState, str]]:
    return [(each.state, each.note) for each in status.find_statuses(whole)]


@pytest.fixture
def pair(tmp_path: Path) -> Study:
    out = tmp_path / "study"
    return study(out, first(out / "raw"), after(out / "raw", out / "data"))


def test_nothing_has_begun(pair: Study) -> None:
    assert states(pair) == [("waiting", ""), ("waiting", "")]


def test_done_is_what_this_command_made(pair: Study) -> None:
    make(pair.commands[0], seconds=12.5)
    assert status.find_statuses(pair)[0] == CommandStatus(pair.commands[0], "done", "", 12.5)
    assert status.is_done(pair.commands[0])
    changed = replace(pair, commands=[replace(pair.commands[0], seed=7), pair.commands[1]])
    (state, note), _ = states(changed)
    assert state == "failed"
    assert note.endswith("holds another result: seed was 0, is now 7")
    assert not status.is_done(changed.commands[0])


def test_what_may_be_replaced_waits_when_its_inputs_changed(pair: Study) -> None:
    raw, data = pair.commands
    judged = replace(data, overwrite=True)
    whole = replace(pair, commands=[raw, judged])
    make(raw)
    make(judged)
    assert states(whole)[1] == ("done", "")
    edit_manifest(raw.out, lambda manifest: manifest["result"].update(images=4))
    assert states(whole)[1] == ("waiting", "")
    assert states(pair)[1][0] == "failed"
    assert "input input has another content" in states(pair)[1][1]


def test_running_is_what_is_locked(pair: Study) -> None:
    begin(pair, pair.commands[0], None, "drawing: 3/10 images, 1.0 images/s, 0:07 left\n")
    with lock.hold(pair.commands[0].out):
        seen = status.find_statuses(pair)[0]
    assert (seen.state, seen.note) == ("running", "drawing: 3/10 images, 1.0 images/s, 0:07 left")
    assert seen.seconds is not None
    assert seen.seconds >= 0
    assert states(pair)[0][0] == "waiting"


@pytest.mark.parametrize(
    ("code", "said", "state", "note"),
    [
        (1, "error: it has no images (look)\n", "failed", "it has no images (look) (exit code 1)"),
        (-9, "", "failed", "its log does not say why (killed by SIGKILL)"),
        (137, "3/10 images\n", "failed", "3/10 images (exit code 137)"),
        (75, "saving\n", "stopped", ""),
        (130, "", "stopped", ""),
        (None, "killed with all that would have noted it", "stopped", ""),
    ],
)
def test_the_status_of_an_unfinished_run(
    pair: Study, code: int | None, said: str, state: CommandState, note: str
) -> None:
    (pair.out / "raw.partial").mkdir(parents=True)
    begin(pair, pair.commands[0], code, said)
    assert states(pair)[0] == (state, note)


def test_looking_changes_nothing(pair: Study) -> None:
    make(pair.commands[0])
    begin(pair, pair.commands[1], 1, "error: no\n")
    before = {file: file.stat().st_mtime_ns for file in pair.out.rglob("*")}
    status.find_statuses(pair)
    assert {file: file.stat().st_mtime_ns for file in pair.out.rglob("*")} == before


def left(commands: Sequence[Command], known: Sequence[tuple[CommandState, float | None]], at_a_time: int) -> float:
    whole = study(Path("study"), *commands)
    return status.estimate_remaining_seconds(
        whole, [CommandStatus(c, s, "", t) for c, (s, t) in zip(commands, known, strict=True)], at_a_time
    )


def test_the_remaining_time() -> None:
    raws = [first(Path(name)) for name in "abcde"]
    chain = after(Path("e"), Path("f"))
    took: list[tuple[CommandState, float | None]] = [
        ("done", 10.0),
        ("done", 30.0),
        ("waiting", None),
        ("failed", None),
    ]
    assert left(raws[:4], took, 1) == 40  # two, each as long as those that are done on average
    assert left(raws[:4], took, 2) == 20
    running: list[tuple[CommandState, float | None]] = [("done", 20.0), ("running", 15.0), ("running", 99.0)]
    assert left(raws[:3], running, 2) == 5
    assert left([*raws, chain], [*took, ("waiting", None), ("waiting", None)], 2) == 40  # of prepare nothing is known


def test_a_dependent_command_starts_after_its_input() -> None:
    raw, other = first(Path("a")), first(Path("z"))
    data = [after(Path("a"), Path(name)) for name in "bcd"]
    known: list[tuple[CommandState, float | None]] = [
        ("done", 8.0), ("waiting", None), ("done", 100.0), ("waiting", None), ("waiting", None)
    ]  # fmt: skip
    assert left([other, raw, after(Path("z"), Path("y")), *data[:2]], known, 4) == 108


def test_commands_of_unknown_duration_are_named_and_stopped_runs_are_not_timed(pair: Study) -> None:
    make(pair.commands[0], seconds=3, stops=2)
    found = status.find_statuses(pair)
    assert found[0].seconds is None
    assert status.unknown_durations(found) == ["prepare"]
    assert status.count_states(found) == {"done": 1, "running": 0, "failed": 0, "stopped": 0, "waiting": 1}


def test_the_described_remaining_time_leaves_out_failed_commands_and_their_dependents() -> None:
    raws = [first(Path(name)) for name in "abc"]
    whole = study(Path("study"), *raws, after(Path("c"), Path("d")), after(Path("a"), Path("e")))

    def remaining(*known: tuple[CommandState, float | None]) -> str:
        pairs = zip(whole.commands, known, strict=True)
        statuses = [CommandStatus(command, state, "", took) for command, (state, took) in pairs]
        return status.describe_remaining(whole, statuses, 1)

    waiting: tuple[CommandState, None] = ("waiting", None)
    failed: tuple[CommandState, None] = ("failed", None)
    assert remaining(("done", 90), waiting, failed, waiting, ("done", 20)) == "about 1:30 left"
    assert remaining(("done", 90), waiting, waiting, waiting, waiting) == "at least 3:00 left"
    assert remaining(waiting, waiting, waiting, waiting, waiting) == "the remaining time is not known yet"
    assert remaining(("done", 90), ("done", 90), failed, waiting, ("done", 20)) == ""


def test_an_evaluation_is_done_once_the_reader_study_that_is_asked_for_is_in_it(tmp_path: Path) -> None:
    out = tmp_path / "study"
    judged = Evaluate(runs=(out / "raw",), reader_study=4, overwrite=True, out=out / "evaluation")
    whole = study(out, first(out / "raw"), judged)
    make(whole.commands[0])
    make(judged)
    assert states(whole)[1] == ("waiting", "")
    assert not scheduler.is_complete(judged)
    asked = {"images": 4, "reals": "generator"}
    edit_manifest(judged.out, lambda manifest: manifest["result"].update(reader_study=asked))
    assert states(whole)[1] == ("done", "")
    assert scheduler.is_complete(judged)
    assert not scheduler.is_complete(replace(judged, reader_study=6))
    assert not status.is_done(replace(judged, reader_reals="arm"))
    assert status.is_done(replace(judged, reader_study=None))


def test_a_training_is_complete_once_the_events_that_are_asked_for_are_beside_it(tmp_path: Path) -> None:
    make(first(tmp_path / "raw"))
    trained = TrainGan(data=tmp_path / "raw", out=tmp_path / "gan")
    make(trained)
    asked = replace(trained, tensorboard=True)
    assert scheduler.is_complete(trained)
    assert status.is_done(trained)
    assert not scheduler.is_complete(asked)
    assert not status.is_done(asked)
    (tmp_path / "gan.tensorboard").mkdir()
    assert scheduler.is_complete(asked)
    assert status.is_done(asked)
