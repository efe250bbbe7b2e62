"""What distinguishes the arms of an evaluation: generator, schedule and initial weights, and what is compared."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import edit_index, grey, row, write_dataset

from xrayaug.data import arms
from xrayaug.data.arms import ArmSettings
from xrayaug.data.dataset import LABELS, open_dataset
from xrayaug.errors import DataError
from xrayaug.evaluation import checks as study_checks
from xrayaug.evaluation import control_contrasts, dose_lines, serialization
from xrayaug.evaluation.gather import facts
from xrayaug.evaluation.gather.predicting_runs import open_predicting_runs
from xrayaug.evaluation.gather.runs import Run, open_runs
from xrayaug.evaluation.generator_design import CHECK
from xrayaug.evaluation.report import page
from xrayaug.evaluation.results import ArmResult, Check
from xrayaug.options import Augment, Evaluate, Predict, Sample, TrainClassifier
from xrayaug.runtime.console import Section
from xrayaug.stages import augment, evaluate, predict, train_classifier
from xrayaug.storage import builder

MakeDataset = Callable[..., Path]  # conftest's fixture
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def home(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the set `real`, and `a` and `b`, synthetic images of two generators."""
    folder = tmp_path_factory.mktemp("sets")
    make_dataset(folder / "real")
    for number, (name, arch) in enumerate((("a", "cgan"), ("b", "acgan"), ("c", "cgan"))):
        rows = [row(label=LABELS[place % 2], patient="", study="", source=arch, synthetic=True) for place in range(40)]
        drawn = write_dataset(folder / f"drawn-{name}", rows, pixels=grey(40) + np.uint8(number))
        builder.build_artifact(Sample(run=drawn, out=folder / name), "dataset", copy_of(drawn, arch))
    return folder


def copy_of(drawn: Path, arch: str) -> Callable[[Path], dict[str, Any]]:
    def build(directory: Path) -> dict[str, Any]:
        for name in ("images.npy", "index.csv"):
            (directory / name).write_bytes((drawn / name).read_bytes())
        return {"arch": arch, "split_by": "patient"}

    return build


@pytest.fixture
def trained(home: Path, tmp_path: Path) -> Make:
    """`trained(...)`: the path of a run on an arm; with `then`, of one on that set that goes on from it."""
    made = count()

    def train(data: Path, **changes: Any) -> Path:
        out = tmp_path / f"run-{next(made)}"
        quick: dict[str, Any] = {
            "arch": "squeezenet1_1", "weights": "none", "size": 32, "epochs": 2, "batch_size": 8, "device": "cpu",
        }  # fmt: skip
        train_classifier.run(TrainClassifier(data=data, out=out, **(quick | changes)))
        return out

    def make(
        *, then: Path | None = None, training: dict[str, Any] | None = None, seed: int = 0, **changes: Any
    ) -> Path:
        out = tmp_path / f"arm-{next(made)}"
        given: dict[str, Any] = {"real": home / "real", "synthetic": home / "a", "percent": 100}
        augment.run(Augment(**(given | {"out": out} | changes)))
        run = train(out, seed=seed, **(training or {}))
        return run if then is None else train(then, seed=seed, init=run, **(training or {}))

    return make


def names(runs: Sequence[Run]) -> list[str]:
    return [run.arm_name for run in runs]


def check(runs: Sequence[Run]) -> dict[str, Check]:
    return {each.name: each for each in study_checks.check_study(facts.gather_facts(runs))}


def test_arms_without_real_images_and_in_two_phases_have_the_baseline_of_the_real_images(
    home: Path, trained: Make
) -> None:
    pretrained = {"then": home / "real", "synthetic_only": True}
    paths = [
        trained(percent=0), trained(), trained(synthetic_only=True), trained(**pretrained),
        trained(**pretrained, control="duplicate"), trained(**pretrained, control="classical"),
    ]  # fmt: skip
    runs = open_runs(paths)
    assert names(runs) == [
        "0",
        "100 mixed",
        "100 mixed, synthetic only",
        "100 mixed, synthetic only, then real",
        "100 mixed classical, added images only, then real",
        "100 mixed duplicate, added images only, then real",
    ]
    settings = [run.arm for run in runs]
    assert all([arms.is_baseline(each, of) for each in settings].index(True) == 0 for of in settings)
    controls = [[name for name, each in zip(names(runs), settings, strict=True) if arms.is_control(each, of)]
                for of in settings]  # fmt: skip
    assert controls == [[], [], [], names(runs)[4:], [], []]
    found = check(runs)
    assert found["recipe"].passed
    assert found["real images"].passed
    assert "100 mixed, synthetic only: 2, 100 mixed, synthetic only, then real: 6 (2 and then 4)" in (
        found["budget"].sentence
    )
    assert found["generator"].passed is None, "the synthetic images of the first phase are known to have a generator"
    assert found["copies"].passed is None


def test_two_phases_that_share_the_steps_take_those_of_the_baseline(home: Path, trained: Make) -> None:
    steps = {"budget": "steps"}
    longer = trained(percent=0, training=steps | {"epochs": 4})
    paths = [longer, trained(synthetic_only=True, percent=400, then=home / "real", training=steps)]
    budget = check(open_runs(paths))["budget"]
    assert budget.passed
    assert budget.sentence.endswith("0: 8, 400 mixed, synthetic only, then real: 8 (4 and then 4)")


def test_the_first_phases_must_be_trained_alike(home: Path, trained: Make) -> None:
    pretrained = {"then": home / "real", "synthetic_only": True}
    first = trained(synthetic_only=True, control="duplicate", training={"lr": 0.01})
    other = first.parent / "other"
    train_classifier.run(
        TrainClassifier(data=home / "real", init=first, out=other, arch="squeezenet1_1", weights="none", size=32,
                        epochs=2, batch_size=8, device="cpu")
    )  # fmt: skip
    recipe = check(open_runs([trained(percent=0), trained(**pretrained), other]))["recipe"]
    assert (recipe.passed, recipe.critical) == (False, True)
    assert "in the first phase, lr is" in recipe.sentence


def test_pretraining_on_real_images_that_the_baseline_lacks_is_critical(
    home: Path, trained: Make, tmp_path: Path
) -> None:
    """Half of the real images are in the arms; in the end, the first phase repeats one of the other half too."""
    half = tmp_path / "half"
    augment.run(Augment(real=home / "real", percent=0, real_fraction=0.5, out=half))
    given: dict[str, Any] = {"synthetic_only": True, "control": "duplicate", "percent": 400, "real_fraction": 0.5}
    baseline, pretrained = open_runs([trained(percent=0, real_fraction=0.5), trained(**given, then=half)])
    assert check([baseline, pretrained])["real images"].passed
    kept = {each.file for each in baseline.data.rows}
    foreign = next(each for each in open_dataset(home / "real").select(split="train") if each.file not in kept)
    first = pretrained.phases[0]
    place = next(place for place, each in enumerate(first.data.rows) if each.copy)
    edit_index(first.data.path, place, file=foreign.file)
    changed = replace(pretrained, first_phase=replace(first, data=open_dataset(first.data.path)))
    real = check([baseline, changed])["real images"]
    assert (real.passed, real.critical) == (False, True)
    assert "1 images are in only one of them" in real.sentence


def test_test_images_in_the_first_phase_are_found(home: Path, trained: Make, make_dataset: MakeDataset) -> None:
    """The first phase was trained on another set, in which the test patients are for training."""
    leaky = make_dataset(home.parent / "leaky")
    swap = {"train": "test", "test": "train"}
    for place, each in enumerate(open_dataset(leaky).rows):
        edit_index(leaky, place, split=swap.get(each.split, each.split))
    found = check(open_runs([trained(percent=0), trained(real=leaky, then=home / "real")]))
    assert found["patients"].passed is False
    assert found["real images"].passed is False


def test_generators_are_named_only_where_they_differ(home: Path, trained: Make) -> None:
    baseline, one, other = trained(percent=0), trained(), trained(synthetic=home / "b")
    again = trained(control="duplicate")
    assert names(open_runs([baseline, one, again])) == ["0", "100 mixed", "100 mixed duplicate"]
    runs = open_runs([baseline, one, other, again, trained(generator="mine"), trained(control="shuffle")])
    assert names(runs) == [
        "0", "100 mixed, of acgan", "100 mixed, of cgan", "100 mixed, of mine", "100 mixed duplicate",
        "100 mixed shuffle, of cgan",
    ]  # fmt: skip
    own, *_, duplicate, shuffle = [run.arm for run in runs[1:]]
    assert arms.is_control(duplicate, own)
    assert not arms.is_control(shuffle, own)
    assert arms.is_control(shuffle, runs[2].arm)


def test_runs_of_one_arm_share_a_generator_or_have_one_each(home: Path, trained: Make) -> None:
    """The sets `a` and `c` are of generators of one architecture, and so of one name."""
    one, other = trained(), trained(synthetic=home / "c", seed=1)
    runs = open_runs([trained(percent=0), one, other])
    assert names(runs) == ["0", "100 mixed", "100 mixed"]
    found = check(runs)
    assert CHECK not in check(open_runs([one]))
    assert found[CHECK].passed
    assert found[CHECK].sentence.endswith("(100 mixed: 2 GANs of one kind)")
    pooled = check(open_runs([one, other, trained(synthetic=home / "c", seed=2)]))[CHECK]
    assert (pooled.passed, pooled.critical) == (False, True)
    assert pooled.sentence.endswith("a (seed 0); c (seeds 1, 2)")
    with pytest.raises(DataError, match="same arm and seed 0") as refused:
        open_runs([one, trained(synthetic=home / "c")])
    assert "--generator NAME" in str(refused.value.hint)


def test_an_arm_of_two_datasets_gets_no_verdict_and_one_of_a_generator_each_says_how_many(
    home: Path, trained: Make, tmp_path: Path
) -> None:
    """Two of three runs have images of one dataset; then each of two has those of its own. Controls have one."""
    zero = [trained(percent=0, seed=seed) for seed in range(3)]
    own = [trained(synthetic=home / name, seed=seed) for seed, name in enumerate("ac")]
    again = trained(synthetic=home / "c", seed=2)
    duplicates = [trained(control="duplicate", seed=seed) for seed in range(2)]
    settings: dict[str, Any] = {"resamples": 200, "device": "cpu", "audit_images": 20}
    result = evaluate.run(Evaluate(runs=(*zero, *own, again), out=tmp_path / "pooled", **settings))
    assert result["verdict"]["valid"] is False
    (arm,) = result["verdict"]["arms"]
    assert arm["verdict"] == "cannot-tell"
    assert "a (seed 0); c (seeds 1, 2)" in arm["reason"]
    assert "generators" not in arm
    out = tmp_path / "own"
    result = evaluate.run(Evaluate(runs=(*zero[:2], *own, *duplicates), out=out, **settings))
    assert result["verdict"]["valid"]
    assert {each["arm"]: each["generators"] for each in result["verdict"]["arms"]} == {
        "100 mixed": 2, "100 mixed duplicate": 0,
    }  # fmt: skip
    assert [(each["arm"], each["images"]) for each in result["audits"]] == [("100 mixed", "a"), ("100 mixed", "c")]
    shortcut = next(each for each in result["verdict"]["checks"] if each["name"] == "shortcut")
    assert "100 mixed, c: " in shortcut["sentence"]
    answer = " ".join(line for part in evaluate.tables(result) if isinstance(part, Section) for line in part.paragraphs)
    assert answer.count("over 2 GANs of this kind") == 1
    predicted = tmp_path / "predicted"
    made = predict.run(Predict(runs=(*zero[:2], *own), data=home / "real", device="cpu", out=predicted))
    assert made["generators"] == {"100 mixed, of cgan": 2}
    (again_judged,) = evaluate.run(Evaluate(predictions=(predicted,), resamples=200, out=tmp_path / "again"))[
        "verdict"
    ]["arms"]
    assert again_judged["generators"] == 2
    with pytest.raises(DataError, match="not each run of a generator of its own"):
        open_predicting_runs((*own, again))
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "images added, over 2 GANs of this kind" in report
    assert "Synthetic images trained on as normal, of 2 generators in turn" in report


def test_initial_weights_have_a_baseline_each(home: Path, trained: Make) -> None:
    file = {"weights": str(trained(percent=0, seed=7) / "weights.safetensors")}
    runs = open_runs([trained(percent=0), trained(), trained(percent=0, training=file), trained(training=file)])
    start = runs[0].settings["weights"]
    assert start.startswith("a file with sha256 ")
    zero, other_zero, dose, other_dose = (run.arm for run in runs)
    assert names(runs) == [f"0, from {start}", "0, from none", f"100 mixed, from {start}", "100 mixed, from none"]
    assert arms.is_baseline(zero, dose)
    assert arms.is_baseline(other_zero, other_dose)
    assert not arms.is_baseline(zero, other_dose)
    assert not arms.is_baseline(other_zero, dose)
    assert check(runs)["recipe"].passed


def test_a_first_phase_of_another_seed_is_not_paired(home: Path, trained: Make) -> None:
    first = trained(synthetic_only=True, seed=1)
    other = first.parent / "other"
    train_classifier.run(
        TrainClassifier(data=home / "real", init=first, out=other, arch="squeezenet1_1", weights="none", size=32,
                        epochs=1, batch_size=8, device="cpu")
    )  # fmt: skip
    pairing = check(open_runs([trained(percent=0), other]))["pairing"]
    assert pairing.passed is False
    assert pairing.sentence.endswith("runs start from runs of other seeds: 100 mixed, synthetic only, then real")


def test_an_evaluation_of_all_schedules(home: Path, trained: Make, tmp_path: Path) -> None:
    pretrained: dict[str, Any] = {"then": home / "real", "synthetic_only": True}
    paths = [
        trained(**changes, seed=seed)
        for changes in (
            {"percent": 0},
            {},
            {"synthetic_only": True},
            pretrained,
            {"then": home / "real"},
            pretrained | {"control": "duplicate"},
        )
        for seed in (0, 1)
    ]
    out = tmp_path / "evaluation"
    result = evaluate.run(Evaluate(runs=tuple(paths), resamples=200, device="cpu", out=out))
    judged = {arm["arm"]: (arm["baseline"], [each["control"] for each in arm["controls"]])
              for arm in result["verdict"]["arms"]}  # fmt: skip
    assert judged == {
        "100 mixed": ("0", []),
        "100 mixed, synthetic only": ("0", []),
        "100 mixed, synthetic only, then real": ("0", ["duplicate"]),
        "100 mixed, then real": ("0", []),
        "100 mixed duplicate, added images only, then real": ("0", []),
    }
    schedules = [arm.get("schedule") for arm in result["arms"]]
    assert schedules == [None, None, "synthetic-only", "pretrain", "mixed-pretrain", "pretrain"]
    reasons = {audit["arm"]: audit.get("reason") for audit in result["audits"]}
    assert list(reasons) == [name for name in judged if "duplicate" not in name]
    assert [reasons[name] is None for name in reasons] == [True, False, False, True]
    assert [audit["dims"] > 0 for audit in result["audits"]] == [True, False, False, True]
    shortcut = next(check for check in result["verdict"]["checks"] if check["name"] == "shortcut")
    assert "only: not computed, because it trains on synthetic images alone" in shortcut["sentence"]
    assert "then real: not computed, because it never trains on real and synthetic" in shortcut["sentence"]
    with (out / "table5.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [each["arm"] for each in rows if each["level"] == "image"] == ["0", *judged]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "8 images alone, and then the real ones" in page
    assert "--init" in page
    assert "--synthetic-only" in page


def result_of(**settings: Any) -> ArmResult:
    arm = replace(ArmSettings(1.0, 10.0, "normal", 5, None), **settings)
    return ArmResult(arms.name_arm(arm), arm, [0], {}, {}, None, {}, {})


def test_figure_7_has_a_line_for_each_schedule_and_generator() -> None:
    zero = result_of(percent=0.0, label=None, added=0)
    variants: list[dict[str, Any]] = [{"generator": "a"}, {"generator": "b"}, {"schedule": "pretrain"}]
    dosed = [result_of(**each, percent=percent) for each in variants for percent in (20.0, 10.0)]
    half = result_of(control="shuffle", real_fraction=0.5, generator="a")
    control = result_of(control="duplicate")
    lines = dose_lines.group_into_lines([zero, *dosed, control, half])
    assert {name: [arm.name for arm in line] for name, line in lines.items()} == {
        "normal images added, of a": ["0", "10, of a", "20, of a"],
        "normal images added, of b": ["0", "10, of b", "20, of b"],
        "normal images added, synthetic only, then real": [
            "0", "10, synthetic only, then real", "20, synthetic only, then real",
        ],
        "duplicate, a control": ["10 duplicate"],
        "shuffle, a control to 50 % of the real ones, of a": ["10 shuffle, of a, of 50% of the real images"],
    }  # fmt: skip


def test_a_baseline_is_on_the_lines_of_its_own_initial_weights() -> None:
    zeros = [result_of(percent=0.0, label=None, added=0, weights=each) for each in ("none", "imagenet")]
    lines = dose_lines.group_into_lines([*zeros, result_of(weights="none"), result_of(weights="imagenet")])
    assert {name: [arm.name for arm in line] for name, line in lines.items()} == {
        "normal images added, from imagenet": ["0, from imagenet", "10, from imagenet"],
        "normal images added, from none": ["0, from none", "10, from none"],
    }


def test_settings_at_their_defaults_are_left_out_of_results() -> None:
    plain = ArmSettings(1.0, 10.0, "normal", 5, None)
    for settings, keys in [
        (plain, set()),
        (replace(plain, schedule="pretrain"), {"schedule"}),
        (replace(plain, generator="a", weights="none"), {"generator", "weights"}),
    ]:
        written = serialization.to_dict(settings)
        assert written.keys() - {"real_fraction", "percent", "label", "added", "control"} == keys
        assert serialization.from_dict(ArmSettings, written) == settings


@pytest.mark.parametrize(
    ("control", "schedule", "said"),
    [
        ("duplicate", "mixed", "adding duplicates of real images"),
        ("classical", "pretrain", "pretraining on classically augmented copies of real images"),
        ("shuffle", "synthetic-only", "training on synthetic images with shuffled labels alone"),
        ("more-real", "mixed-pretrain", "adding as many further real images in the first phase"),
        ("reweight", "mixed", "reweighting the classes"),
        ("copies", None, "the control 'copies'"),  # named by the user
    ],
)
def test_what_a_control_does_is_said_of_its_schedule(control: str, schedule: str | None, said: str) -> None:
    assert control_contrasts.describe_control_use(control, schedule) == said


def test_a_sentence_and_a_use_for_every_control_and_schedule() -> None:
    for control in arms.CONTROLS:
        for schedule in arms.SCHEDULES:
            assert control_contrasts.describe_control_use(control, schedule)
    assert set(page.USES) == set(arms.SCHEDULES)
