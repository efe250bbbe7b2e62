"""Sequential studies: the plan is locked, told arms end, looks are logged, and nothing else goes through."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from builders import arm_of, build, edit_manifest, row, train, write_dataset

from xrayaug.data.dataset import open_dataset
from xrayaug.errors import ArtifactError, DataError, OutputError, UsageError
from xrayaug.evaluation.report import page
from xrayaug.options import Augment, Evaluate, Experiment, Sample, TrainClassifier, TrainGan
from xrayaug.options.base import Command
from xrayaug.stages import evaluate, experiment
from xrayaug.stats import sequential
from xrayaug.storage import artifacts, builder, files, manifests
from xrayaug.studies import scheduler, sequential_plan, sequential_study
from xrayaug.studies.planning import Study
from xrayaug.studies.scheduler import Failure, Outcome
from xrayaug.studies.sequential_plan import ArmInPlan, SequentialPlan

MakeDataset = Callable[..., Path]  # conftest's fixture
KINDS: dict[type[Command], str] = {
    TrainGan: "gan-run", Sample: "dataset", Augment: "dataset", TrainClassifier: "classifier-run",
}  # fmt: skip


@dataclass
class Stub:
    """Stands for the scheduler: makes empty artifacts, and evaluations that tell the arms of a look."""

    told: dict[int, dict[str, str]]  # verdicts by look and arm, other than "cannot tell"
    fails_at: str = ""  # name of a result
    made: list[str] = field(default_factory=list)  # names of results, in order

    def run(self, study: Study) -> Outcome:
        for command in study.commands:
            if not scheduler.is_complete(command):
                if command.out.name == self.fails_at:
                    return Outcome([Failure(command, 1, "enough")], [])
                for part in command.parts():
                    if not artifacts.is_artifact(part.out):
                        self.make(part)
        return Outcome([], [])

    def make(self, part: Command) -> None:
        self.made.append(part.out.name)
        if not isinstance(part, Evaluate):
            builder.build_artifact(part, KINDS[type(part)], build)
            return
        plan = sequential_plan.read(part.plan or Path())
        before = part.previous_look and artifacts.open_artifact(part.previous_look).result["verdict"]
        number = before["sequential"]["number"] + 1 if before else 1
        verdicts = {arm["arm"]: arm["verdict"] for arm in before["arms"]} if before else {}
        names = [run.name.removeprefix("classifier-").rsplit("-seed-", 1)[0] for run in part.runs]
        verdicts = {name: "cannot-tell" for name in names if name != "0"} | verdicts | self.told.get(number, {})
        stopped = [name for name, each in verdicts.items() if each != "cannot-tell"]
        stopped += [f"{name}-duplicate" for name in stopped]
        all_stopped = number == len(plan.looks) or {"50", "100"} <= set(stopped)
        result = {
            "runs": [{"run": str(run), "arm_name": name} for run, name in zip(part.runs, names, strict=True)],
            "arms": [],
            "verdict": {
                "sequential": {"number": number, "stopped": [*verdicts, "0"] if all_stopped else stopped},
                "arms": [{"arm": name, "verdict": each} for name, each in verdicts.items()],
            },
        }
        builder.build_artifact(part, "evaluation", lambda _: result)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    made = Stub({1: {"50": "hurts"}, 2: {}})
    monkeypatch.setattr(scheduler.Scheduler, "run", lambda self: made.run(self.study))
    return made


def hands(out: Path, *, test: int = 3) -> Path:
    rows = [row(label=label, patient=f"{label}{place}") for label in ("normal", "abnormal") for place in range(4)]
    tested = [row(split="test", patient=f"t{place}", sha256=f"{place}") for place in range(test)]
    return write_dataset(out, [*rows, *tested])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return hands(tmp_path / "data")


def options(data: Path, **changes: Any) -> Experiment:
    given: dict[str, Any] = {
        "rsna": data, "mura": data, "percents": (0.0, 50.0, 100.0), "controls": ("duplicate",), "gan_arch": ("cgan",),
        "features": "none", "samples": 40, "sequential": (2, 3, 5), "out": data.parent / "study", **changes,
    }  # fmt: skip
    return Experiment(**given)


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "sequential-looks.jsonl").read_text().splitlines()]


def trained(stub: Stub, arm: str) -> list[str]:
    return [name for name in stub.made if name.startswith(f"classifier-{arm}-seed")]


def test_an_arm_that_is_told_gets_no_more_seeds(data: Path, stub: Stub) -> None:
    result = experiment.run(options(data))
    assert [len(trained(stub, arm)) for arm in ("0", "50", "50-duplicate", "100", "100-duplicate")] == [5, 2, 2, 5, 5]
    assert [entry["ended"] for entry in log_of(data.parent / "study")][:2] == [["50", "50-duplicate"]] * 2
    assert [entry["look"] for entry in log_of(data.parent / "study")] == [1, 2, 3]
    assert result["verdict"]["sequential"]["number"] == 3
    manifest = artifacts.open_artifact(data.parent / "study").manifest
    assert manifest["options"]["sequential"] == [2, 3, 5]


def test_a_study_ends_with_the_look_at_which_its_last_arm_is_told(data: Path, stub: Stub) -> None:
    stub.told = {1: {"50": "hurts"}, 2: {"100": "helps"}}
    result = experiment.run(options(data))
    assert result["verdict"]["sequential"]["number"] == 2
    assert not any("seed-3" in name or "look-3" in name for name in stub.made)


def test_the_plan_is_locked_before_any_classifier_is_trained(data: Path, stub: Stub) -> None:
    stub.fails_at = "classifier-0-seed-0"
    with pytest.raises(Exception, match="not complete"):
        experiment.run(options(data))
    plan = sequential_plan.read(data.parent / "study" / "sequential-plan.json")
    assert (plan.seeds, plan.metric, plan.margin, plan.family) == ((2, 3, 5), "auroc", 0.02, 2)
    assert [arm.name for arm in plan.arms] == ["0", "50", "50-duplicate", "100", "100-duplicate"]
    assert plan.test == sequential_plan.digest_images(open_dataset(data).select(split="test"))
    assert plan.test["images"] == 3
    assert not trained(stub, "0")


@pytest.mark.parametrize(
    "name", ["gan", "classifier-0-seed-1", "evaluation-look-1", "classifier-100-seed-2", "evaluation-look-3"]
)
def test_a_study_that_stopped_anywhere_goes_on_to_the_same_end(tmp_path: Path, stub: Stub, name: str) -> None:
    whole, stopped = hands(tmp_path / "one" / "data"), hands(tmp_path / "two" / "data")
    expected = experiment.run(options(whole))
    made, stub.made = stub.made, []
    stub.fails_at = name
    with pytest.raises(Exception, match="not complete"):
        experiment.run(options(stopped))
    stub.fails_at = ""
    assert experiment.run(options(stopped))["verdict"] == expected["verdict"]
    assert stub.made == made
    assert (tmp_path / "two/study/commands.sh").read_text() == (
        (tmp_path / "one/study/commands.sh").read_text().replace(str(tmp_path / "one"), str(tmp_path / "two"))
    )


def test_a_finished_study_is_left_as_it_is(data: Path, stub: Stub) -> None:
    experiment.run(options(data))
    before, stub.made = (data.parent / "study" / "sequential-looks.jsonl").read_bytes(), []
    experiment.run(options(data))
    assert stub.made == []
    assert (data.parent / "study" / "sequential-looks.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"margin": 0.03}, "--margin was 0.02, is now 0.03"),
        ({"metric": "accuracy"}, "--metric was auroc, is now accuracy"),
        ({"per": "patient"}, "--per was image, is now patient"),
        ({"sequential": (2, 3, 8)}, r"the looks \(--sequential\) were 2,3,5, now 2,3,8"),
        ({"percents": (0.0, 100.0)}, "the arms were 0,50,50-duplicate,100,100-duplicate, now 0,100,100-duplicate"),
        ({"controls": ("none",)}, "the arms were"),
    ],
)
def test_a_plan_cannot_be_changed_once_it_is_locked(data: Path, stub: Stub, changes: dict[str, Any], said: str) -> None:
    stub.fails_at = "classifier-0-seed-0"
    with pytest.raises(Exception, match="not complete"):
        experiment.run(options(data))
    for do in (experiment.run, experiment.plan, lambda given: experiment.run(replace(given, status=True))):
        with pytest.raises(OutputError, match=said) as refused:
            do(options(data, **changes))
        assert "\n" not in refused.value.message


def test_parts_that_are_asked_for_late_are_of_the_last_look(data: Path, stub: Stub) -> None:
    """The second look has the hash of the first, and the log those of both: nothing is added to the first."""
    out = data.parent / "study"
    experiment.run(options(data))
    looks = sequential_study.open_study(options(data, checklist=True, planted=True, reader_study=4), locks=False)
    asked = [each for each in looks.select().commands if isinstance(each, Evaluate)]
    assert [(each.out.name, each.checklist, each.planted, each.reader_study) for each in asked] == [
        ("evaluation-look-1", False, False, None),
        ("evaluation-look-2", False, False, None),
        ("evaluation-look-3", True, True, 4),
    ]
    added: dict[str, object] = {"checklists": {}, "planted": {}, "reader_study": {}}
    edit_manifest(out / "evaluation-look-3", lambda manifest: manifest["result"].update(added))
    looks.record()


def test_other_test_images_are_another_plan(data: Path, stub: Stub) -> None:
    stub.fails_at = "classifier-0-seed-0"
    with pytest.raises(Exception, match="not complete"):
        experiment.run(options(data))
    other = hands(data.parent / "other", test=4)
    with pytest.raises(OutputError, match=r"the test images were 3 with the sha256 .*, now 4"):
        experiment.run(options(other, rsna=data))


def test_a_plan_that_was_edited_is_refused(data: Path, stub: Stub) -> None:
    experiment.run(options(data))
    file = data.parent / "study" / "sequential-plan.json"
    file.write_text(file.read_text().replace('"margin": 0.02', '"margin": 0.03'))
    with pytest.raises(ArtifactError, match="changed since it was locked"):
        experiment.run(options(data))


def test_a_plan_that_was_edited_and_sealed_again_does_not_fit_the_log(data: Path, stub: Stub) -> None:
    experiment.run(options(data))
    file = data.parent / "study" / "sequential-plan.json"
    changed = replace(sequential_plan.read(file), margin=0.03)
    file.unlink()
    sequential_plan.write(file, changed)
    with pytest.raises(ArtifactError, match="line 1 changed since it was written"):
        experiment.run(options(data, margin=0.03))


@pytest.mark.parametrize("gone", [["sequential-plan.json"], ["sequential-plan.json", "sequential-looks.jsonl"]])
def test_a_plan_that_was_deleted_is_not_made_again(data: Path, stub: Stub, gone: list[str]) -> None:
    experiment.run(options(data))
    for name in gone:
        (data.parent / "study" / name).unlink()
    with pytest.raises(ArtifactError, match=r"sequential-plan.json is missing, but looks at this study were taken"):
        experiment.run(options(data, margin=0.05))


def test_a_log_that_was_edited_is_refused(data: Path, stub: Stub) -> None:
    experiment.run(options(data))
    file = data.parent / "study" / "sequential-looks.jsonl"
    file.write_text(file.read_text().replace('"50": "hurts"', '"50": "helps"'))
    for do in (experiment.run, lambda given: experiment.run(replace(given, status=True))):
        with pytest.raises(ArtifactError, match="line 1 changed since it was written"):
            do(options(data))


def test_an_evaluation_that_was_changed_after_the_look_is_refused(data: Path, stub: Stub) -> None:
    stub.fails_at = "evaluation-look-3"
    with pytest.raises(Exception, match="not complete"):
        experiment.run(options(data))
    look = data.parent / "study" / "evaluation-look-2"
    edit_manifest(look, lambda manifest: manifest["result"]["arms"].append({"name": "50"}))
    stub.fails_at = ""
    with pytest.raises(ArtifactError, match="another result than the one that was looked at at look 2"):
        experiment.run(options(data))


def test_a_sequential_study_is_not_continued_without_its_looks(data: Path, stub: Stub) -> None:
    experiment.run(options(data))
    for do in (experiment.run, experiment.plan):
        with pytest.raises(OutputError, match="holds a sequential study") as refused:
            do(options(data, sequential=None, seeds=8))
        assert "--sequential 2,3,5" in refused.value.hint


def test_a_study_that_was_judged_is_not_planned_afterwards(data: Path, stub: Stub) -> None:
    (data.parent / "study").mkdir()
    (data.parent / "study" / "commands.sh").touch()  # as an unplanned study leaves it
    (data.parent / "study" / f"evaluation{files.JUDGEMENTS_ENDING}").touch()
    with pytest.raises(OutputError, match="judged before without a plan"):
        experiment.run(options(data))


def test_seeds_and_looks_exclude_each_other(data: Path) -> None:
    for do in (experiment.run, experiment.plan):
        with pytest.raises(UsageError, match="--seeds and --sequential"):
            do(options(data, seeds=3))


def test_looks_need_an_arm(data: Path) -> None:
    with pytest.raises(UsageError, match="looks at arms, and there is none"):
        experiment.plan(options(data, percents=(0.0,)))


def test_a_dry_run_shows_the_plan_and_writes_nothing(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = experiment.plan(options(data))
    assert not (data.parent / "study").exists()
    assert planned["sequential"]["trainings_at_most"] == 25
    assert [look["seeds"] for look in planned["sequential"]["looks"]] == [2, 3, 5]
    assert planned["power"]["seeds"] == 5
    said = " ".join(capsys.readouterr().err.split())
    assert "sequential plan: 2 seeds at 0.008, 3 seeds at 0.01, 5 seeds at 0.032 (5 % in all); at most 25" in said
    assert planned["commands"][-1].endswith("evaluation-look-1")


def test_a_status_says_at_which_look_a_study_is(data: Path, stub: Stub) -> None:
    status = experiment.run(options(data, status=True))
    assert status["sequential"]["looks_taken"] == 0
    assert not (data.parent / "study").exists()
    stub.fails_at = "evaluation-look-2"
    with pytest.raises(Exception, match="not complete"):
        experiment.run(options(data))
    found = experiment.run(options(data, status=True))
    assert found["sequential"]["looks_taken"] == 1
    assert "next is look 2 of 3: 3 seeds, level 0.01, 1 of 2 arms go on" in found["sequential"]["progress"]
    (table,) = experiment.tables(found)
    assert any("next is look 2 of 3" in note for note in table.notes)  # type: ignore[union-attr]


def test_slurm_gets_the_jobs_of_one_look_at_a_time(data: Path, stub: Stub) -> None:
    given = options(data, slurm=data.parent / "jobs")
    first = experiment.run(given)
    assert first["tasks"] == {"train-gan": 1, "sample": 1, "augment": 5, "train-classifier": 10, "evaluate": 1}
    submit = (data.parent / "jobs" / "submit.sh").read_text()
    assert "when these jobs have ended, write those of the next look: xrayaug experiment" in submit
    study = data.parent / "study"
    again = experiment.run(given)
    assert again["tasks"] == first["tasks"]
    run_jobs(stub, given)
    assert experiment.run(given)["tasks"] == {"train-classifier": 3, "evaluate": 1}
    assert len(log_of(study)) == 1
    run_jobs(stub, given)
    assert experiment.run(given)["tasks"] == {"train-classifier": 6, "evaluate": 1}
    run_jobs(stub, given)
    assert experiment.run(given)["tasks"] == {"experiment": 1}, "which completes the study"
    assert "next look" not in (data.parent / "jobs" / "submit.sh").read_text()
    assert len(log_of(study)) == 3
    made, stub.made = stub.made, []
    assert experiment.run(options(data))["verdict"]["sequential"]["number"] == 3
    assert not stub.made and made


def run_jobs(stub: Stub, given: Experiment) -> None:
    """Make what the job scripts would."""
    from xrayaug.studies import sequential_study

    stub.run(sequential_study.open_study(given, locks=False).select())


def test_slurm_gets_what_need_not_wait_before_the_dataset_is_there(tmp_path: Path) -> None:
    raw = tmp_path / "raw.csv"
    raw.write_text("")
    given = options(raw, mura_source="table", rsna_source="table", slurm=tmp_path / "jobs")
    found = experiment.run(given)
    assert found["tasks"] == {"prepare": 2, "train-gan": 1, "sample": 1, "augment": 5}
    assert not (tmp_path / "study" / "sequential-plan.json").exists()


# Evaluations of looks, of networks that are trained.


@pytest.fixture(scope="module")
def runs(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Two arms of three seeds, by arm."""
    home = tmp_path_factory.mktemp("study")
    ten = make_dataset(home / "arm10", synthetic=1, result={"arm": arm_of(10.0, 1)})
    none = make_dataset(home / "arm0", result={"arm": arm_of(0.0, 0)})
    return {
        name: [train(data, home / f"{data.name}-{seed}", seed) for seed in range(3)]
        for name, data in (("10", ten), ("0", none))
    }


@pytest.fixture(autouse=True)
def _unreported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "render", lambda *_: "")


def judged(runs: Mapping[str, list[Path]], seeds: int, out: Path, **changes: Any) -> Evaluate:
    chosen = [run for of_arm in runs.values() for run in of_arm[:seeds]]
    return Evaluate(runs=tuple(chosen), out=out, device="cpu", batch_size=5, resamples=100, audit_images=0, **changes)


@pytest.fixture
def plan(runs: Mapping[str, list[Path]], tmp_path: Path) -> Path:
    looks = sequential.plan_looks((2, 3))
    test = open_dataset(artifacts.open_artifact(runs["0"][0]).input("data")).select(split="test")
    made = SequentialPlan(
        seeds=(2, 3), levels=tuple(look.level for look in looks), rule=sequential.RULE, first_seed=0, metric="auroc",
        per="image", margin=0.02, against="baseline", calibrate="none", primary=None,
        arms=(ArmInPlan("0", "baseline"), ArmInPlan("10", "arm")), family=1,
        test=sequential_plan.digest_images(test), also={},
    )  # fmt: skip
    sequential_plan.write(tmp_path / "plan.json", made)
    return tmp_path / "plan.json"


def test_looks_are_judged_one_after_the_other(runs: Mapping[str, list[Path]], plan: Path, tmp_path: Path) -> None:
    first = evaluate.run(judged(runs, 2, tmp_path / "look-1", plan=plan))["verdict"]
    assert (first["sequential"]["number"], first["sequential"]["stopped"]) == (1, [])
    assert first["arms"][0]["look"]["level"] == pytest.approx(0.05 * 4 / 9)
    second = evaluate.run(judged(runs, 3, tmp_path / "look-2", plan=plan, previous_look=tmp_path / "look-1"))["verdict"]
    assert second["sequential"]["stopped"] == ["0", "10"]
    assert second["arms"][0]["look"]["level"] == pytest.approx(0.05 * 5 / 9)
    assert json.loads((tmp_path / "look-2" / "verdict.json").read_text())["sequential"] == second["sequential"]
    assert "earlier" not in second
    assert not (tmp_path / f"look-2{files.JUDGEMENTS_ENDING}").exists()


def test_what_is_no_look_of_the_plan_is_refused(runs: Mapping[str, list[Path]], plan: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 3 seeds, and look 1 of the plan is at 2"):
        evaluate.run(judged(runs, 3, tmp_path / "out", plan=plan))
    with pytest.raises(UsageError, match=r"--margin is 0\.05, and .* was locked with 0.02"):
        evaluate.run(judged(runs, 2, tmp_path / "out", plan=plan, margin=0.05))
    with pytest.raises(UsageError, match="--previous-look is for a sequential study alone"):
        evaluate.run(judged(runs, 2, tmp_path / "out", previous_look=tmp_path))
    with pytest.raises(ArtifactError, match="no such file"):
        evaluate.run(judged(runs, 2, tmp_path / "out", plan=tmp_path / "none.json"))
    only = judged({"0": runs["0"]}, 2, tmp_path / "out", plan=plan)
    with pytest.raises(DataError, match="the runs are of 0 arms, and the plan was locked with 1"):
        evaluate.run(only)
    evaluate.run(judged(runs, 2, tmp_path / "unplanned"))
    with pytest.raises(DataError, match=r"no look of .* that another one follows"):
        evaluate.run(judged(runs, 3, tmp_path / "out", plan=plan, previous_look=tmp_path / "unplanned"))


def test_other_test_images_than_those_of_the_plan_are_refused(
    runs: Mapping[str, list[Path]], plan: Path, tmp_path: Path
) -> None:
    other = replace(sequential_plan.read(plan), test={"images": 16, "sha256": "ab" * 32})
    sequential_plan.write(tmp_path / "other.json", other)
    with pytest.raises(DataError, match="the test images are not those of"):
        evaluate.run(judged(runs, 2, tmp_path / "out", plan=tmp_path / "other.json"))


def test_a_study_that_is_grown_by_hand_says_so(runs: Mapping[str, list[Path]], tmp_path: Path) -> None:
    out = tmp_path / "evaluation"
    assert "earlier" not in evaluate.run(judged(runs, 2, out))["verdict"]
    grown = evaluate.run(judged(runs, 3, out, overwrite=True))["verdict"]
    assert [(each["seeds"], each["metric"]) for each in grown["earlier"]] == [(2, "auroc")]
    assert grown["earlier"][0]["started"].startswith("20")
    again = evaluate.run(judged(runs, 3, out, overwrite=True))["verdict"]
    assert again["earlier"] == grown["earlier"], "the same judgement is no other look"


def test_another_question_after_the_first_answer_is_said_too(runs: Mapping[str, list[Path]], tmp_path: Path) -> None:
    out = tmp_path / "evaluation"
    evaluate.run(judged(runs, 3, out))
    changed = evaluate.run(judged(runs, 3, out, overwrite=True, metric="accuracy"))["verdict"]
    assert [(each["seeds"], each["metric"]) for each in changed["earlier"]] == [(3, "auroc")]


def test_other_runs_resamples_and_places_are_no_second_look(runs: Mapping[str, list[Path]], tmp_path: Path) -> None:
    out = tmp_path / "evaluation"
    one = {name: paths[:2] for name, paths in runs.items()}
    evaluate.run(judged(one, 2, out))
    assert "earlier" not in evaluate.run(replace(judged(one, 2, out, overwrite=True), resamples=150))["verdict"]
    assert "earlier" not in evaluate.run(judged(runs, 3, tmp_path / "elsewhere"))["verdict"]
    others = {name: paths[2:] for name, paths in runs.items()}
    assert "earlier" not in evaluate.run(judged(others, 1, out, overwrite=True))["verdict"]


def test_a_finished_evaluation_of_before_the_record_counts(runs: Mapping[str, list[Path]], tmp_path: Path) -> None:
    out = tmp_path / "evaluation"
    evaluate.run(judged(runs, 2, out))
    (tmp_path / f"evaluation{files.JUDGEMENTS_ENDING}").unlink()
    assert len(evaluate.run(judged(runs, 3, out, overwrite=True))["verdict"]["earlier"]) == 1


def test_a_damaged_evaluation_can_still_be_replaced(runs: Mapping[str, list[Path]], tmp_path: Path) -> None:
    out = tmp_path / "evaluation"
    evaluate.run(judged(runs, 2, out))
    (out / "predictions.csv").write_text("")
    assert len(evaluate.run(judged(runs, 3, out, overwrite=True))["verdict"]["earlier"]) == 1


def test_predictions_that_get_more_seeds_are_told_apart_too(runs: Mapping[str, list[Path]], tmp_path: Path) -> None:
    evaluate.run(judged(runs, 3, tmp_path / "source"))
    lines = (tmp_path / "source" / "predictions.csv").read_text().splitlines(keepends=True)
    seed = lines[0].split(",").index("seed")
    for name, seeds in (("two.csv", "01"), ("three.csv", "012")):
        kept = [line for line in lines[1:] if line.split(",")[seed] in seeds]
        (tmp_path / name).write_text("".join([lines[0], *kept]))

    def judge(name: str) -> Any:
        given = Evaluate(predictions=(tmp_path / name,), out=tmp_path / "out", resamples=100, overwrite=True)
        return evaluate.run(given)["verdict"]

    assert "earlier" not in judge("two.csv")
    assert [each["seeds"] for each in judge("three.csv")["earlier"]] == [2]


def test_a_record_that_was_edited_is_refused(runs: Mapping[str, list[Path]], tmp_path: Path) -> None:
    out = tmp_path / "evaluation"
    evaluate.run(judged(runs, 2, out))
    record = tmp_path / f"evaluation{files.JUDGEMENTS_ENDING}"
    record.write_text(record.read_text().replace('"auroc"', '"kappa"'))
    with pytest.raises(ArtifactError, match="line 1 changed since it was written"):
        evaluate.run(judged(runs, 3, out, overwrite=True))


def test_an_evaluation_that_a_plan_does_not_name_is_as_it_was(runs: Mapping[str, list[Path]], tmp_path: Path) -> None:
    evaluate.run(judged(runs, 3, tmp_path / "out"))
    manifest = manifests.read(tmp_path / "out" / manifests.MANIFEST)
    assert not {"plan", "previous_look"} & (manifest["options"].keys() | manifest["inputs"].keys())
    assert not {"sequential", "earlier"} & manifest["result"]["verdict"].keys()
    assert "look" not in manifest["result"]["verdict"]["arms"][0]
