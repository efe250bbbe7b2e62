"""The study is the commands that it prints, with the thesis's numbers in them."""

import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import stand_in
import typer.main
from builders import STUDY, build, edit_manifest, row, write_dataset, write_external

from xrayaug import cli
from xrayaug.data import arms
from xrayaug.data.dataset import LABELS
from xrayaug.data.phantoms import layouts
from xrayaug.errors import DataError, OutputError, UsageError, VerdictError, XrayaugError
from xrayaug.evaluation import serialization
from xrayaug.evaluation.results import ArmVerdict, PriorShift, Question, Verdict
from xrayaug.networks.gans import Recipe
from xrayaug.options import (
    Augment,
    Copies,
    Evaluate,
    Experiment,
    Fid,
    Phantom,
    Prepare,
    Sample,
    TrainClassifier,
    TrainGan,
)
from xrayaug.options.base import Command
from xrayaug.runtime import console
from xrayaug.stages import experiment
from xrayaug.storage import builder
from xrayaug.storage.manifests import MANIFEST
from xrayaug.studies import planning
from xrayaug.studies.scheduler import Failure, Outcome, Resources, Scheduler

OUT = Path("my study")


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    """Filled with the options of every line that `read` parses."""
    seen: list[Command] = []
    monkeypatch.setattr(cli, "run", seen.append)
    return seen


def thesis(out: Path = OUT, **changes: Any) -> Experiment:
    return Experiment(**{"rsna": Path("raw/rsna"), "mura": Path("raw/MURA-v1.1"), "out": out, **changes})


def demo(out: Path = OUT, **changes: Any) -> Experiment:
    return Experiment(**{**STUDY, "out": out, **changes})


def read(options: Experiment, parsed: list[Command]) -> list[Command]:
    """The commands that the printed lines are."""
    program = typer.main.get_command(cli.app)
    for line in experiment.plan(options)["commands"]:
        name, *words = shlex.split(line)
        assert name == "xrayaug"
        program(words, standalone_mode=False)
    return parsed


def of(kind: type[Command], commands: list[Command]) -> list[Any]:
    return [command for command in commands if isinstance(command, kind)]


@pytest.mark.parametrize(
    "options",
    [
        thesis(),
        thesis(seed=3, device="cpu", workers=2, percents=(0.0, 12.5), seeds=1, fid_weights=Path("in ception.pth")),
        thesis(features="random", split_by="patient", classifier_weights="my weights.pth", gan_size=64),
        demo(),
        demo(features="none", samples=700),
        demo(
            real_fractions=(0.1, 1.0),
            labels=("normal", "both"),
            controls=("reweight", "shuffle"),
            budget="steps",
            percents=(0.0, 50.0),
        ),
    ],
    ids=["thesis", "thesis, changed", "thesis, other classifier", "demo", "demo, changed", "demo, by design"],
)
def test_the_printed_lines_are_the_commands(options: Experiment, parsed: list[Command]) -> None:
    assert read(options, parsed) == planning.plan(options).commands


def test_the_thesiss_numbers(parsed: list[Command]) -> None:
    commands = read(thesis(), parsed)
    names = [command.name for command in commands]
    assert names == [
        *("prepare", "prepare", "train-gan", "sample", "fid", "fid"),
        *["augment"] * 4,
        *["train-classifier"] * 20,
        "evaluate",
    ]
    rsna, mura = of(Prepare, commands)
    assert (rsna.source, rsna.size, rsna.fit, rsna.input) == ("rsna", 128, "squash", Path("raw/rsna"))
    assert (mura.source, mura.part, mura.size, mura.fit, mura.split_by) == ("mura", "hand", 224, "squash", "image")
    assert mura.holdout is None  # a tenth, where there are two classes
    (gan,) = of(TrainGan, commands)
    assert (gan.arch, gan.epochs, gan.data) == ("dcgan", 100, OUT / "rsna")
    assert {getattr(gan, field.name) for field in fields(Recipe)} == {None}  # dcgan's own, which is the thesis's
    (sampled,) = of(Sample, commands)
    assert (sampled.count, sampled.run) == (10_000, OUT / "gan")
    assert [(fid.a, fid.b, fid.features, fid.dims) for fid in of(Fid, commands)] == [
        (OUT / "synthetic", OUT / "rsna", "inception", "2048"),
        (OUT / "rsna", OUT / "mura", "inception", "2048"),
    ]
    assert [(arm.percent, arm.real, arm.synthetic, arm.real_fraction) for arm in of(Augment, commands)] == [
        (percent, OUT / "mura", (OUT / "synthetic",), 1.0) for percent in (0, 10, 50, 100)
    ]
    for run in of(TrainClassifier, commands):
        assert (run.arch, run.weights, run.size, run.batch_size) == ("densenet169", "imagenet", 224, 8)
        assert (run.recipe.lr, run.flip) == (1e-4, True)
        assert run.rotation > 0


def test_every_dose_has_as_many_classifiers_of_different_seeds(parsed: list[Command]) -> None:
    commands = read(thesis(), parsed)
    trained = of(TrainClassifier, commands)
    arms = {arm.out: arm.percent for arm in of(Augment, commands)}
    assert sorted((arms[run.data], run.seed) for run in trained) == [
        (percent, seed) for percent in (0, 10, 50, 100) for seed in range(5)
    ]
    (judged,) = of(Evaluate, commands)
    assert judged.runs == tuple(run.out for run in trained)
    assert len(set(judged.runs)) == 20


def test_arms_share_one_seed_so_that_they_nest(parsed: list[Command]) -> None:
    assert {arm.seed for arm in of(Augment, read(thesis(seed=4), parsed))} == {4}


@pytest.mark.parametrize("options", [thesis(), demo()], ids=["thesis", "demo"])
def test_every_input_is_raw_or_made_by_an_earlier_command(options: Experiment) -> None:
    made = {options.rsna, options.mura}
    for command in planning.plan(options).commands:
        assert set(command.inputs().values()) <= made
        assert command.out not in made
        made.add(command.out)


def test_the_demo_draws_its_own_raw_set(parsed: list[Command]) -> None:
    commands = read(Experiment(preset="demo", out=OUT), parsed)
    (drawn,) = of(Phantom, commands)
    assert drawn.layout == "mura"  # a conditional generator needs both labels
    assert {prepared.input for prepared in of(Prepare, commands)} == {drawn.out}
    assert {fid.features for fid in of(Fid, commands)} == {"imagenet"}  # whose weights are installed
    assert {(run.weights, run.train) for run in of(TrainClassifier, commands)} == {("imagenet", "head")}
    (sampled,) = of(Sample, commands)
    dose = max(arm.percent * arm.real_fraction for arm in of(Augment, commands))
    training = [image for image in layouts.list_records(drawn) if image.split == "train"]
    assert sampled.count >= sum(image.label == "normal" for image in training) * dose / 100  # for the highest dose


@pytest.mark.parametrize(
    ("changes", "named"), [({"classifier_train": "foo"}, "foo"), ({"classifier_weights": "none"}, "head")]
)
def test_layers_that_cannot_be_trained_are_refused_before_anything_runs(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        experiment.plan(Experiment(**{"preset": "demo", "out": OUT, **changes}))


def test_sets_of_two_layouts_are_drawn_apart(parsed: list[Command]) -> None:
    rsna, mura = of(Phantom, read(demo(), parsed))
    assert (rsna.layout, mura.layout) == ("rsna", "mura")
    assert rsna.seed != mura.seed
    assert rsna.out != mura.out


def test_a_plan_writes_nothing_and_shows_bare_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = experiment.plan(demo(tmp_path / "study"))
    assert list(tmp_path.iterdir()) == []
    console.show(experiment.tables(planned))
    assert capsys.readouterr().out.splitlines() == planned["commands"]


@pytest.mark.parametrize(
    ("changes", "missing"),
    [({"rsna": None}, "--rsna is"), ({"mura": None}, "--mura is"), ({"rsna": None, "mura": None}, "--rsna and --mura")],
)
def test_a_missing_raw_set_is_a_usage_error(changes: dict[str, Any], missing: str) -> None:
    with pytest.raises(UsageError, match=missing) as refusal:
        experiment.plan(thesis(**changes))
    assert "--preset demo" in refusal.value.hint


def test_the_demo_refuses_real_sets() -> None:
    with pytest.raises(UsageError, match="draws its own phantoms"):
        experiment.plan(demo(rsna=Path("raw/rsna")))


@pytest.mark.parametrize("percents", [(-1.0,), (float("nan"),)])
def test_an_invalid_dose_is_a_usage_error(percents: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="--percent is"):
        experiment.plan(thesis(percents=percents))


def test_a_foreign_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(OutputError, match=r"holds something else: thesis\.docx"):
        experiment.run(demo(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.docx"]


def test_a_command_that_fails_keeps_the_study_from_its_end(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = thesis(tmp_path / "study", rsna=tmp_path / "nowhere", mura=tmp_path / "nowhere")
    with pytest.raises(XrayaugError, match="0 of 31 commands are done, 2 failed at 'prepare' first"):
        experiment.run(options)
    said = capfd.readouterr()
    lines = said.err.splitlines()
    first = next(line for line in lines if not line.startswith("warning: "))
    assert first.startswith("[1/31] xrayaug prepare --input")
    assert "nowhere does not exist" in said.err
    assert said.out == ""
    assert not (tmp_path / "study" / MANIFEST).exists()
    script = (tmp_path / "study" / "commands.sh").read_text()
    assert [line for line in script.splitlines() if line.startswith("xrayaug")] == experiment.plan(options)["commands"]
    subprocess.run(["sh", "-n", tmp_path / "study" / "commands.sh"], check=True)


def test_copies_are_screened_for_where_it_is_asked(parsed: list[Command]) -> None:
    commands = read(demo(screen=True), parsed)
    names = [command.name for command in commands]
    (screened,) = of(Copies, commands)
    assert names.index("sample") < names.index("copies") < names.index("augment")
    assert (screened.synthetic, screened.real, screened.features) == (OUT / "synthetic", OUT / "rsna", "random")
    assert {arm.copies for arm in of(Augment, commands)} == {(OUT / "copies",)}
    assert not of(Copies, planning.plan(thesis()).commands)


def test_every_dose_has_its_controls_and_every_fraction_its_baseline(parsed: list[Command]) -> None:
    commands = read(
        demo(
            percents=(0.0, 50.0), real_fractions=(0.25, 1.0), labels=("normal", "both", "balance"),
            controls=("duplicate", "shuffle"), budget="steps",
        ),
        parsed,
    )  # fmt: skip
    arms = of(Augment, commands)
    assert [arm.out.name for arm in arms] == [
        *("arm-0-real-0.25", "arm-50-normal-real-0.25", "arm-50-normal-duplicate-real-0.25"),
        *("arm-50-both-real-0.25", "arm-50-both-duplicate-real-0.25", "arm-50-both-shuffle-real-0.25"),
        *("arm-50-balance-real-0.25", "arm-50-balance-duplicate-real-0.25"),
        *("arm-0", "arm-50-normal", "arm-50-normal-duplicate"),
        *("arm-50-both", "arm-50-both-duplicate", "arm-50-both-shuffle"),
        *("arm-50-balance", "arm-50-balance-duplicate"),
    ]
    assert [(arm.label, arm.control, arm.real_fraction) for arm in arms[8:14]] == [
        (None, None, 1.0), ("normal", None, 1.0), ("normal", "duplicate", 1.0), (None, None, 1.0),
        (None, "duplicate", 1.0), (None, "shuffle", 1.0),
    ]  # fmt: skip
    trained = of(TrainClassifier, commands)
    assert {run.budget for run in trained} == {"steps"}
    assert {arm.out: [run.seed for run in trained if run.data == arm.out] for arm in arms} == {
        arm.out: [0, 1] for arm in arms
    }
    assert trained[2].out.name == "classifier-50-normal-real-0.25-seed-0"


def test_low_resolution_is_a_control_of_every_dose(parsed: list[Command]) -> None:
    given = [arm for arm in of(Augment, read(thesis(controls=("low-resolution",)), parsed)) if arm.control]
    assert [(arm.out.name, arm.control, arm.synthetic) for arm in given] == [
        (f"arm-{percent}-low-resolution", "low-resolution", (OUT / "synthetic",)) for percent in (10, 50, 100)
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"gan_size": 224}, "224 px, the real ones 224 px, read at 224 px"),
        ({"classifier_size": 128}, "128 px, the real ones 128 px, read at 128 px"),
        ({"prepared": 96}, "128 px, the real ones 96 px, read at 224 px"),
        ({"prepared": 512, "classifier_size": 64}, "128 px, the real ones 512 px, read at 64 px"),
    ],
)
def test_low_resolution_needs_synthetic_images_of_a_lower_resolution(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    if "prepared" in changes:
        data = hands(tmp_path / "data", normal=4, abnormal=4)
        edit_manifest(data, lambda content: content["result"].update(size=changes["prepared"]))
        changes = {**changes, "mura": data}
        del changes["prepared"]
    with pytest.raises(UsageError, match=said):
        planning.plan(thesis(tmp_path / "study", controls=("low-resolution",), **changes))


JUDGING: dict[str, Any] = {
    "metric": "kappa", "per": "patient", "margin": 0.05, "by": "part", "calibrate": "temperature", "resamples": 200,
    "audit_images": 0, "reader_study": 20, "reader_reals": "arm",
}  # fmt: skip


def test_how_the_runs_are_judged_is_passed_on(parsed: list[Command]) -> None:
    (judged,) = of(Evaluate, read(thesis(**JUDGING, fail_unless="helps"), parsed))
    assert {name: getattr(judged, name) for name in JUDGING} == JUDGING
    assert judged.fail_unless is None  # the study's own: an unwelcome verdict is no command that failed


@pytest.mark.parametrize("name", [*JUDGING, "fail_unless"])
def test_options_passed_on_to_evaluate_are_declared_as_there(name: str) -> None:
    ours, theirs = (
        next(field for field in fields(command) if field.name == name) for command in (Experiment, Evaluate)
    )
    assert (ours.type, ours.default) == (theirs.type, theirs.default)
    assert {**ours.metadata, "help": ""} == {**theirs.metadata, "help": ""}


def test_a_study_ends_with_its_verdict_which_may_be_demanded(capsys: pytest.CaptureFixture[str]) -> None:
    shift = PriorShift(0.5, 0.5, False, False, None, "")
    arm = ArmVerdict("50", None, "0", "cannot-tell", "one seed shows nothing", None, [], shift, [])
    control = replace(arm, arm="50 duplicate", control="duplicate", verdict="helps")
    verdict = Verdict(Question("auroc", "image", 0.02, 0), "half", 0.95, True, [], [arm, control])
    result = {
        "arms": [],
        "distances": {},
        "look_at": ["s/report.html"],
        "verdict": serialization.to_dict(verdict),
    }
    console.show(experiment.tables(result))
    shown = capsys.readouterr().out
    assert "Arm 50: cannot tell. One seed shows nothing.\n" in shown
    assert shown.endswith(": s/report.html\n")
    experiment.demand(demo(), result)
    with pytest.raises(VerdictError, match=r"helps.*50: cannot tell"):
        experiment.demand(demo(fail_unless="helps"), result)
    experiment.demand(demo(fail_unless="helps"), {"commands": []})
    helping = replace(verdict, arms=[replace(arm, verdict="helps")])
    experiment.demand(demo(fail_unless="helps"), result | {"verdict": serialization.to_dict(helping)})


def test_only_the_first_paths_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = Verdict(Question("auroc", "image", 0.02, 0), "half", 0.95, True, [], [])
    paths = [f"s/{number}.html" for number in range(8)]
    result = {"arms": [], "distances": {}, "look_at": paths, "verdict": serialization.to_dict(verdict)}
    console.show(experiment.tables(result))
    shown = capsys.readouterr().out
    assert [path for path in paths if path in shown] == paths[:3]
    assert "Distances" not in shown, "a table without rows"


def test_one_label_cannot_be_shuffled() -> None:
    with pytest.raises(UsageError, match="--controls shuffle needs images of both labels"):
        experiment.plan(demo(controls=("shuffle",), labels=("normal", "balance")))


def mura_of(out: Path, studies: int) -> Path:
    """A raw set as MURA lies on disk, of as many test studies of two images; no image can be read."""
    for split in ("train", "valid"):
        for number in range(studies):
            study = out / split / "XR_HAND" / f"patient{number:05}" / "study1_positive"
            study.mkdir(parents=True)
            for name in ("image1.png", "image2.png"):
                (study / name).write_bytes(b"")
    return out


def test_a_plan_prints_the_power_analysis_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = experiment.plan(thesis(mura=mura_of(tmp_path / "MURA-v1.1", studies=6)))
    found = planned["power"]
    assert (found["images"], found["studies"], found["patients"]) == (12, 6, 6)
    assert (found["seeds"], found["comparisons"]) == (5, 3)
    message = " ".join(capsys.readouterr().err.split())
    assert all(part in message for part in ("12 test images", "6 patients", "6 studies", "5 seeds"))


def test_a_plan_without_test_images_says_that_its_power_is_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert experiment.plan(thesis(mura=tmp_path / "nowhere"))["power"] is None
    said = " ".join(capsys.readouterr().err.split())
    assert "power: unknown" in said
    assert re.search(r"nowhere cannot be prepared like this.* xrayaug prepare .*--dry-run", said)


def test_a_prepared_set_is_counted_without_the_raw_one(tmp_path: Path) -> None:
    rows = [row(), row(split="test", patient="p1"), row(split="test", patient="p1"), row(split="test", patient="p2")]
    write_dataset(tmp_path / "study" / "mura", rows)
    found = experiment.plan(thesis(tmp_path / "study"))["power"]
    assert (found["images"], found["patients"]) == (3, 2)


def hands(out: Path, *, normal: int, abnormal: int) -> Path:
    """A prepared set of as many training images of either label, each of a patient of its own, and one test image."""
    labels = ["normal"] * normal + ["abnormal"] * abnormal
    rows = [row(label=label, patient=f"p{number}") for number, label in enumerate(labels)]
    return write_dataset(out, [*rows, row(split="test", patient="another")])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"samples": 19}, "arm-100 needs 20 synthetic images, and --samples 19 draws 19"),
        ({"gan_arch": "cgan", "labels": ("abnormal",), "samples": 39}, "needs 20 abnormal .* --samples 39 draws 19"),
        ({"real_fractions": (0.5,), "controls": ("more-real",), "percents": (0.0, 310.0), "samples": 40},
         "more-real needs 31 real images.* leaves out 20"),
        ({"real_fractions": (0.5,), "controls": ("more-real",), "percents": (0.0, 110.0), "gan_label": "normal"},
         "more-real needs 11 normal real images.* leaves out 10"),
        ({"real_fractions": (0.5,), "controls": ("more-real",), "percents": (0.0, 110.0), "labels": ("abnormal",)},
         "more-real needs 11 abnormal real images.* leaves out 10"),
    ],
)  # fmt: skip
def test_doses_that_cannot_be_met_are_refused_before_anything_runs(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    data = hands(tmp_path / "data", normal=20, abnormal=20)
    options = thesis(tmp_path / "study", **{"rsna": data, "mura": data, "percents": (0.0, 100.0), **changes})
    for do in (experiment.plan, experiment.run):
        with pytest.raises(DataError, match=named):
            do(options)
    assert not (tmp_path / "study").exists()


def test_labels_that_a_conditional_generator_will_draw_are_known(tmp_path: Path) -> None:
    data = hands(tmp_path / "data", normal=20, abnormal=8)
    given: dict[str, Any] = {
        "rsna": data, "mura": data, "gan_arch": "cgan", "samples": 40, "real_fractions": (0.5,),
        "controls": ("more-real",), "percents": (0.0, 140.0),
    }  # fmt: skip
    drawn = Counter(LABELS[place % 2] for place in arms.draw_order(40, 0)[:14])
    assert drawn == {"normal": 9, "abnormal": 5}
    with pytest.raises(DataError, match=r"more-real needs 5 abnormal real images.* leaves out 4"):
        experiment.plan(thesis(tmp_path / "study", **given))
    screened = experiment.plan(thesis(tmp_path / "study", **given, screen=True))  # copies change which are drawn
    assert screened["commands"]


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": 20},
        {"gan_arch": "cgan", "labels": ("abnormal",), "samples": 40},
        {"labels": ("balance",), "samples": 1},  # the classes are equal already
        {"real_fractions": (0.5,), "controls": ("more-real",), "percents": (0.0, 100.0)},
        {"real_fractions": (0.5,), "controls": ("more-real",), "percents": (0.0, 120.0), "rsna": Path("nowhere"),
         "rsna_source": "folder"},  # of which label is not known
    ],
)  # fmt: skip
def test_doses_that_may_be_met_are_not_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    data = hands(tmp_path / "data", normal=20, abnormal=20)
    learnt_from = hands(tmp_path / "both" if "gan_arch" in changes else tmp_path / "normal", normal=20,
                        abnormal=20 if "gan_arch" in changes else 0)  # fmt: skip
    given: dict[str, Any] = {"rsna": learnt_from, "mura": data, "percents": (0.0, 100.0), **changes}
    assert experiment.plan(thesis(tmp_path / "study", **given))["commands"]


LABELS_NEEDED = {
    "dcgan": "dcgan draws images without labels, as it learns normal and abnormal ones, and arm-50 needs labels",
    "dcgan,cgan": "dcgan draws images without labels",
    "cgan": "cgan needs images of both labels, and the training images of .* are all normal",
}


@pytest.mark.parametrize("archs", LABELS_NEEDED)
def test_generators_that_do_not_fit_the_labels_of_their_set_are_refused_before_anything_runs(
    tmp_path: Path, archs: str
) -> None:
    data = hands(tmp_path / "data", normal=20, abnormal=0 if archs == "cgan" else 20)
    options = thesis(tmp_path / "study", rsna=data, mura=data, percents=(0.0, 50.0), gan_arch=tuple(archs.split(",")))
    for do in (experiment.plan, experiment.run):
        with pytest.raises(DataError, match=LABELS_NEEDED[archs]) as refused:
            do(options)
    assert ("--gan-label" in refused.value.hint) is (archs == "dcgan")
    assert not (tmp_path / "study").exists()
    if archs != "cgan":
        assert experiment.plan(replace(options, labels=("normal",)))["commands"]


@pytest.mark.parametrize(
    ("changes", "labels", "said"),
    [
        ({"percents": (0.0, 110.0)}, "n" * 12 + "a" * 8, "arm-110-ddpm needs 22 synthetic images, and .* holds 20"),
        ({"labels": ("abnormal",), "percents": (0.0, 50.0)}, "n" * 12 + "a" * 8,
         "arm-50-abnormal-ddpm needs 10 abnormal synthetic images, and .* holds 8"),
        ({"labels": ("normal",)}, "n" * 19, "arm-100-normal-ddpm needs 20 synthetic images, and .* holds 19"),
        ({"labels": ("abnormal",)}, "n" * 30, "arm-100-abnormal-ddpm needs 20 abnormal synthetic images"),
        ({"controls": ("more-real",), "real_fractions": (0.5,), "percents": (0.0, 140.0)}, "n" * 2 + "a" * 12,
         "more-real needs 12 abnormal real images.* leaves out 10"),
        ({}, "-" * 20, "arm-100-ddpm needs labels, and images of .* bear none"),
        ({}, "n" * 20, ""),
        ({"labels": ("abnormal",)}, "a" * 20, ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("archs", [("none",), ("cgan",)])
def test_what_images_from_elsewhere_lack_is_refused_before_anything_runs(
    tmp_path: Path, *, changes: dict[str, Any], labels: str, said: str, archs: tuple[str, ...]
) -> None:
    data = hands(tmp_path / "data", normal=20, abnormal=20)
    words = {"n": "normal", "a": "abnormal", "-": ""}
    made = write_external(tmp_path / "made", labels=[words[letter] for letter in labels])
    given = {"rsna": None if archs == ("none",) else data, "mura": data, "percents": (0.0, 100.0), **changes}
    options = thesis(tmp_path / "study", gan_arch=archs, synthetic=(made,), **given)
    if not said:
        assert experiment.plan(options)["commands"]
        return
    for do in (experiment.plan, experiment.run):
        with pytest.raises(DataError, match=said):
            do(options)
    assert not (tmp_path / "study").exists()


def test_a_generator_from_elsewhere_is_named_at_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, made = hands(tmp_path / "data", normal=4, abnormal=4), write_external(tmp_path / "made")
    experiment.plan(thesis(mura=data, rsna=None, gan_arch=("none",), synthetic=(made,), percents=(0.0, 25.0)))
    said = " ".join(capsys.readouterr().err.split())
    assert f"generator from elsewhere: ddpm ({made}: 1 images; what it was trained on is unknown)" in said


def test_the_power_of_the_demo_is_that_of_the_phantoms_it_draws(tmp_path: Path) -> None:
    options = Experiment(preset="demo", out=tmp_path / "study")
    before = experiment.plan(options)["power"]
    assert before is not None
    commands = planning.plan(options).commands
    drawn = next(command for command in commands if isinstance(command, Phantom))
    images = [file for file in layouts.list_records(drawn) if file.split == "test"]
    assert (before["images"], before["patients"]) == (len(images), len({image.patient for image in images}))
    assert before["images"] > 100


def small(out: Path, **changes: Any) -> Experiment:
    """A study whose commands the stand-in takes a moment for."""
    return demo(out, **{"seeds": 1, "percents": (0.0, 50.0), "features": "none", **changes})


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return stand_in.install(tmp_path, monkeypatch)


def test_failed_commands_are_listed_with_their_last_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], trace: Path
) -> None:
    out = tmp_path / "study"
    failing = small(out)
    program = Path(sys.executable)
    program.write_text(program.read_text().replace("bad*)", "mura)"))
    with pytest.raises(XrayaugError, match="5 of 11 commands are done, 1 failed at 'prepare'") as problem:
        experiment.run(replace(failing, jobs=2))
    assert "run the same command again" in problem.value.hint
    said = capfd.readouterr()
    assert said.out == ""
    listed = [line for line in said.err.splitlines() if line.startswith("failed: ")]
    assert len(listed) == 1
    assert "mura has no patients (look at index.csv) (exit code 1); its log: " in listed[0]
    assert any(
        line.startswith("not run") and "arm-0, arm-50, classifier-0-seed-0" in line for line in said.err.splitlines()
    )
    assert not (out / MANIFEST).exists()


def test_a_directory_with_logs_is_still_the_studys(tmp_path: Path, trace: Path) -> None:
    out = tmp_path / "study"
    (out / "logs").mkdir(parents=True)
    with pytest.raises(XrayaugError, match="study"):  # the stand-in makes no artifacts
        experiment.run(small(out))
    assert len(stand_in.said(trace, "end")) == 11


@pytest.mark.parametrize(
    ("changes", "resources"),
    [
        ({}, Resources(1, ())),
        ({"jobs": 3}, Resources(3, ())),
        ({"devices": ("cuda:0", "cuda:1")}, Resources(2, ("cuda:0", "cuda:1"))),
        ({"devices": ("cuda:0", "cuda:1"), "jobs": 4}, Resources(4, ("cuda:0", "cuda:1"))),
    ],
)
def test_the_number_of_parallel_commands_and_their_devices(
    changes: dict[str, Any], resources: Resources, tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def run(runner: Scheduler) -> Outcome:
        seen.append(runner.resources)
        return Outcome([Failure(runner.study.commands[0], 1, "enough")], [])

    monkeypatch.setattr(Scheduler, "run", run)
    with pytest.raises(XrayaugError, match="not complete"):
        experiment.run(small(tmp_path / "study", **changes))
    assert seen == [resources]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "cpu", "devices": ("cuda:0",)}, "--device and --devices"),
        ({"slurm": Path("jobs"), "status": True}, "--slurm and --status"),
        ({"slurm": Path("jobs"), "devices": ("cuda:0",)}, "--slurm and --devices"),
    ],
)
def test_options_that_exclude_each_other(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    for do in (experiment.run, experiment.plan):
        with pytest.raises(UsageError, match=message):
            do(small(tmp_path / "study", **changes))
    assert list(tmp_path.iterdir()) == []


def test_a_status_writes_nothing_and_says_what_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = experiment.run(small(tmp_path / "study", status=True))
    assert list(tmp_path.iterdir()) == []
    assert found["counts"]["waiting"] == len(found["status"]) == 11
    console.show(experiment.tables(json.loads(json.dumps(found))))
    shown = capsys.readouterr().out
    assert "11 waiting" in shown
    assert "augment, evaluate, phantom, prepare, sample, train-classifier, train-gan is not known" in shown


def test_a_status_counts_what_is_done_and_what_is_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = small(tmp_path / "study", status=True)
    done = planning.plan(options).commands[0]
    builder.build_artifact(done, "raw", build)
    edit_manifest(done.out, lambda manifest: manifest["environment"].update(seconds=90))
    found = experiment.run(options)
    assert found["status"][0] == {
        "command": "phantom", "out": str(done.out), "state": "done", "seconds": 90.0, "note": ""
    }  # fmt: skip
    assert found["remaining_seconds"] == 90  # the other phantoms
    console.show(experiment.tables(found))
    assert "about 1:30 left with 1 at a time; the duration of augment, " in capsys.readouterr().out


def test_job_scripts_are_written_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = experiment.run(small(tmp_path / "study", slurm=tmp_path / "jobs"))
    assert found["tasks"]["train-classifier"] == 2
    assert (tmp_path / "jobs" / "submit.sh").is_file()
    assert [file.name for file in (tmp_path / "study").iterdir()] == ["commands.sh"]
    console.show(experiment.tables(found))
    assert f"submit them: bash {tmp_path / 'jobs' / 'submit.sh'}" in capsys.readouterr().out
