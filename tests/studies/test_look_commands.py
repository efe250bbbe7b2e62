"""The commands of a sequential study: each look adds seeds of the arms that go on, and of nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from builders import STUDY

from xrayaug.options import Evaluate, Experiment, Fid, TrainClassifier, TrainGan
from xrayaug.studies import look_commands, planning, sequential_plan
from xrayaug.studies.planning import Study

LOOKS = sequential_plan.check_looks((2, 3, 5))
OUT = Path("s")


def whole(**changes: Any) -> Study:
    given = {**STUDY, "seeds": None, "controls": ("duplicate",), "sequential": (2, 3, 5), "out": OUT, **changes}
    return planning.plan(Experiment(**given))


def select(study: Study, looks: int, ended: Mapping[str, int] | None = None) -> Study:
    return look_commands.select_looks(study, LOOKS[:looks], ended or {})


def seeds_of(study: Study) -> dict[str, list[int]]:
    """Return the seeds of every arm that is trained, by name."""
    found: dict[str, list[int]] = {}
    for run in (part for each in study.commands for part in each.parts() if isinstance(part, TrainClassifier)):
        name = run.out.name.removeprefix("classifier-").removesuffix(f"-seed-{run.seed}")
        found.setdefault(name, []).append(run.seed)
    return found


def evaluations(study: Study) -> list[Evaluate]:
    return [each for each in study.commands if isinstance(each, Evaluate)]


def test_the_arms_of_a_plan_have_roles() -> None:
    arms = [each.arm for each in look_commands.group_arms(whole())]
    assert {arm.name: arm.role for arm in arms} == {
        "0": "baseline", "50": "arm", "50-duplicate": "control", "100": "arm", "100-duplicate": "control",
    }  # fmt: skip


def test_without_an_arm_that_ends_all_arms_get_all_seeds() -> None:
    study = select(whole(), 3)
    assert seeds_of(study) == {name: [0, 1, 2, 3, 4] for name in ("0", "50", "50-duplicate", "100", "100-duplicate")}
    assert [len(each.runs) for each in evaluations(study)] == [10, 15, 25]


def test_an_arm_that_ended_gets_no_more_seeds_and_its_runs_stay_judged() -> None:
    study = select(whole(), 3, {"50": 1, "50-duplicate": 1})
    seeds = seeds_of(study)
    assert seeds["50"] == seeds["50-duplicate"] == [0, 1]
    assert seeds["0"] == seeds["100"] == seeds["100-duplicate"] == [0, 1, 2, 3, 4]
    last = evaluations(study)[-1]
    assert sum(run.name.startswith("classifier-50") for run in last.runs) == 4
    assert len(last.runs) == 19


def test_each_evaluation_reads_the_plan_and_the_look_before() -> None:
    study = select(whole(), 3)
    assert [each.out.name for each in evaluations(study)] == [f"evaluation-look-{number}" for number in (1, 2, 3)]
    assert {each.plan for each in evaluations(study)} == {OUT / "sequential-plan.json"}
    before = [None, OUT / "evaluation-look-1", OUT / "evaluation-look-2"]
    assert [each.previous_look for each in evaluations(study)] == before
    assert not any(each.overwrite for each in evaluations(study)), "a look that was taken is not replaced"
    assert study.evaluation == evaluations(study)[-1].out


def test_commands_of_fewer_looks_are_the_first_ones_of_more() -> None:
    study, ended = whole(), {"50": 1, "50-duplicate": 1}
    short, long = select(study, 2, ended), select(study, 3, ended)
    assert long.commands[: len(short.commands)] == short.commands
    assert select(study, 1).commands == short.commands[: len(select(study, 1).commands)]


def test_every_command_comes_after_what_it_reads() -> None:
    study = select(whole(), 3, {"50": 2})
    assert all(max(needed, default=-1) < number for number, needed in enumerate(study.needs()))


@pytest.mark.parametrize("changes", [{"classifier_train": "head"}, {"side_by_side": True}])
def test_seeds_that_are_trained_together_are_those_of_one_look(changes: dict[str, Any]) -> None:
    study = select(whole(**changes), 2, {"50": 1, "50-duplicate": 1})
    commands = [each for each in study.commands if isinstance(each, TrainClassifier)]
    baselines = [each for each in commands if each.out.name == "classifier-0-seed-{seed}"]
    assert [(each.seed, each.seeds) for each in baselines] == [(0, 2), (2, 1)]
    assert seeds_of(study)["50"] == [0, 1]


def test_the_first_phases_of_an_arm_that_ended_are_not_trained_either() -> None:
    study = whole(
        labels=("both",), schedules=("mixed", "pretrain"), classifier_epochs=2, budget="steps", controls=("none",)
    )
    assert "pretraining-100-both-only" in seeds_of(select(study, 1))
    seeds = seeds_of(select(study, 3, {"100-both-pretrain": 1}))
    assert seeds["pretraining-100-both-only"] == seeds["100-both-pretrain"] == [0, 1]
    assert seeds["100-both"] == seeds["50-both-pretrain"] == [0, 1, 2, 3, 4]


def test_gans_of_each_seed_are_trained_when_an_arm_needs_them() -> None:
    study = whole(gans="per-seed", percents=(0.0, 50.0), controls=("none",))
    counts = [sum(isinstance(each, TrainGan) for each in select(study, looks).commands) for looks in (1, 2, 3)]
    assert counts == [2, 3, 5]
    first = select(study, 1)
    assert evaluations(first)[0].fid == (
        OUT / "fid-synthetic-rsna", OUT / "fid-synthetic-cgan-2-rsna", OUT / "fid-rsna-mura",
    )  # fmt: skip
    over = select(study, 2, {"50": 1})
    assert sum(isinstance(each, TrainGan) for each in over.commands) == 2
    assert sum(isinstance(each, Fid) for each in over.commands) == 3


def test_what_makes_the_dataset_needs_no_gan() -> None:
    names = [each.out.name for each in look_commands.select_dataset(whole(), OUT / "mura").commands]
    assert names == ["raw-mura", "mura"]
    assert look_commands.select_dataset(whole(), Path("given")).commands == []


def test_trainings_are_counted() -> None:
    study = whole()
    assert look_commands.count_trainings(study) == 25
    assert look_commands.count_trainings(select(study, 1)) == 10
