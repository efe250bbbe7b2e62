"""Evaluations of arms with images of generators from elsewhere: the reader study and the evidence of the report."""

from pathlib import Path
from typing import Any

import pytest
from builders import edit_manifest, row, write_dataset, write_external

from xrayaug.data import dataset
from xrayaug.data.arms import is_control
from xrayaug.data.dataset import Dataset
from xrayaug.errors import DataError
from xrayaug.evaluation.evidence import Evidence
from xrayaug.evaluation.gather import reader_images, report_sources
from xrayaug.evaluation.gather.report_sources import RequestedArtifacts
from xrayaug.evaluation.gather.runs import Run, distinguish_arms, make_run
from xrayaug.options import Augment, Copies, Evaluate, TrainClassifier
from xrayaug.stages import augment
from xrayaug.storage import artifacts, builder


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A dataset of two normal training images, and an image of each label in the other splits."""
    rows = [
        row(split=split, label=label, patient=f"{split}-{label}", study="", file=f"{split}-{label}.png")
        for split in dataset.SPLITS
        for label in dataset.LABELS
    ]
    return write_dataset(tmp_path / "real", [*rows, row(patient="more", study="", file="more.png")])


def run_on(home: Path, real: Path, *synthetic: Path, **changes: Any) -> Run:
    """Make an arm of the real images and one image of each synthetic dataset, and a run on it."""
    given: dict[str, Any] = {"percent": 50 * len(synthetic), **changes}
    augment.run(Augment(real=real, synthetic=synthetic, out=home / "arm", **given))
    arm = artifacts.open_artifact(home / "arm")
    options = TrainClassifier(data=arm.path, out=home / "run")
    builder.build_artifact(options, "classifier-run", lambda _: {"arm": arm.result["arm"]})
    return make_run(home.name, artifacts.open_artifact(home / "run"), Dataset(arm))


def gather(run: Run) -> Evidence:
    options = Evaluate(runs=(run.artifact.path,), out=run.artifact.path.with_name("out"))
    return report_sources.gather_evidence(options, [run], RequestedArtifacts(), {})


def test_labels_to_distrust_are_those_of_the_prepared_dataset(real: Path, tmp_path: Path) -> None:
    caution = "labels of mura: many positive studies show hardware"
    edit_manifest(real, lambda manifest: manifest["result"].update(notes=["patients are known", caution]))
    assert gather(run_on(tmp_path, real, write_external(tmp_path))).cautions == [caution]


def test_readers_see_the_declared_images(real: Path, tmp_path: Path) -> None:
    declared = write_dataset(
        tmp_path / "declared", [row(patient=f"q{n}", split=split) for n, split in enumerate(("train", "train", "test"))]
    )
    images = reader_images.gather_images(
        [run_on(tmp_path, real, write_external(tmp_path, learnt_from=declared))], "generator"
    )
    assert [each.row.patient for each in images.pools.real] == ["q0", "q1"]
    assert [each.row.source for each in images.pools.synthetic] == ["ddpm"]


def test_readers_see_what_each_of_several_generators_learnt_from(real: Path, tmp_path: Path) -> None:
    sets = []
    for name in ("ddpm", "vae"):
        declared = write_dataset(tmp_path / name / "declared", [row(patient=name)])
        sets.append(write_external(tmp_path / name, name, learnt_from=declared))
    images = reader_images.gather_images([run_on(tmp_path, real, *sets)], "generator")
    assert [each.row.patient for each in images.pools.real] == ["ddpm", "vae"]
    assert sorted(each.row.source for each in images.pools.synthetic) == ["ddpm", "vae"]


@pytest.mark.parametrize(
    ("learnt_from", "reason"), [(None, "is unknown"), ("none", "none of the images of this study")]
)
def test_without_images_to_show_the_arm_s_own_are_named(
    real: Path, tmp_path: Path, learnt_from: str | None, reason: str
) -> None:
    run = run_on(tmp_path, real, write_external(tmp_path, learnt_from=learnt_from))
    with pytest.raises(DataError, match=reason) as refused:
        reader_images.gather_images([run], "generator")
    assert "--reader-reals arm" in refused.value.hint
    assert len(reader_images.gather_images([run], "arm").pools.real) == 3


@pytest.mark.parametrize(
    ("learnt_from", "said"),
    [("declared", "was declared by the user"), ("none", "was declared by the user"), (None, "is unknown")],
)
def test_the_report_says_that_there_is_no_log_and_what_is_known(
    real: Path, tmp_path: Path, learnt_from: str | None, said: str
) -> None:
    declared = write_dataset(tmp_path / "declared", [row()]) if learnt_from == "declared" else learnt_from
    evidence = gather(run_on(tmp_path, real, write_external(tmp_path, learnt_from=declared)))
    assert evidence.gans == []
    (line,) = [each for each in evidence.missing["learning"] if "ddpm" in each]
    assert line.startswith("ddpm is a generator from elsewhere")
    assert line.endswith(said)


def test_the_report_has_the_commands_and_screenings_of_several_sets(real: Path, tmp_path: Path) -> None:
    sets = [write_external(tmp_path / name, name, learnt_from="none") for name in ("ddpm", "vae")]
    screenings = []
    for synthetic in sets:
        out = tmp_path / f"copies-{synthetic.name}"
        result = {"verdict": "pass", "quarantined": [], "judged": 1, "rule": synthetic.name}

        def build(directory: Path, result: dict[str, Any] = result) -> dict[str, Any]:
            (directory / "nearest.png").write_bytes(b"")
            return result

        builder.build_artifact(Copies(synthetic=synthetic, real=real, out=out), "copies", build)
        screenings.append(out)
    evidence = gather(run_on(tmp_path, real, *sets, copies=tuple(screenings), shares=(2, 3)))
    assert [each.rule for each in evidence.screenings] == ["ddpm", "vae"]
    commands = "\n".join(evidence.provenance.commands)
    assert "prepare --input ddpm/pixels --synthetic --generator ddpm --learnt-from none --out ddpm/ddpm" in commands
    assert "--synthetic ddpm/ddpm,vae/vae --shares 2,3 --percent 100" in commands
    assert "--copies copies-ddpm,copies-vae" in commands
    assert not any(line.startswith("#") for line in evidence.provenance.commands)


MIXED_LABELS = {"ddpm": "nan", "vae": "nna", "flow": "aan"}  # n for normal, a for abnormal


@pytest.fixture
def mixed(tmp_path: Path) -> dict[str, Path]:
    """Synthetic datasets of three images of both labels by the names of their generators; `flow` has other numbers."""
    words = {"n": "normal", "a": "abnormal"}
    return {
        name: write_external(tmp_path / name, name, learnt_from="none", sha256=name, labels=[words[x] for x in labels])
        for name, labels in MIXED_LABELS.items()
    }


@pytest.mark.parametrize("control", ["duplicate", "reweight", "classical"])
@pytest.mark.parametrize(
    ("compared", "of"),
    [(("ddpm", "vae"), None), (("ddpm", "flow"), "ddpm"), (("ddpm", "vae", "flow"), "ddpm"), (("ddpm",), None)],
)
def test_a_control_is_that_of_the_arms_whose_labels_it_has(
    real: Path, tmp_path: Path, mixed: dict[str, Path], *, compared: tuple[str, ...], of: str | None, control: str
) -> None:
    given: dict[str, Any] = {"percent": 150}
    arms = [run_on(tmp_path / f"arm-{name}", real, mixed[name], **given) for name in compared]
    alone = run_on(tmp_path / "control", real, mixed["ddpm"], control=control, **given)
    found = {run.name: run.arm for run in distinguish_arms([*arms, alone])}
    assert found["control"].generator == of
    controlled = [name for name in compared if is_control(found["control"], found[f"arm-{name}"])]
    assert controlled == [name for name in compared if name != "flow" and (of is None or name == of)]


def test_controls_of_two_generators_are_told_apart(real: Path, tmp_path: Path, mixed: dict[str, Path]) -> None:
    given: dict[str, Any] = {"percent": 150}
    arms = [run_on(tmp_path / f"arm-{name}", real, mixed[name], **given) for name in ("ddpm", "vae")]
    duplicates = [
        run_on(tmp_path / f"control-{name}", real, mixed[name], control="duplicate", **given)
        for name in ("ddpm", "vae")
    ]
    found = {run.name: run.arm for run in distinguish_arms([*arms, *duplicates])}
    assert [found[f"control-{name}"].generator for name in ("ddpm", "vae")] == ["ddpm", "vae"]


def test_a_control_of_images_that_are_gone_is_that_of_no_arm(
    real: Path, tmp_path: Path, mixed: dict[str, Path]
) -> None:
    arms = [run_on(tmp_path / f"arm-{name}", real, mixed[name], percent=150) for name in ("vae", "flow")]
    alone = run_on(tmp_path / "control", real, mixed["ddpm"], control="duplicate", percent=150)
    mixed["ddpm"].rename(tmp_path / "gone")
    found = {run.name: run.arm for run in distinguish_arms([*arms, alone])}
    assert str(found["control"].generator).startswith("an unknown generator (")
    assert not any(is_control(found["control"], found[f"arm-{name}"]) for name in ("vae", "flow"))


def test_the_name_of_several_generators_has_their_shares_where_they_differ(
    real: Path, tmp_path: Path, mixed: dict[str, Path]
) -> None:
    sets = mixed["ddpm"], mixed["vae"]
    names = {
        shares: run_on(tmp_path / f"run-{number}", real, *sets, shares=shares).arm.generator
        for number, shares in enumerate((None, (2.0, 2.0), (3.0, 1.0), (1, 3)))
    }
    assert list(names.values()) == ["ddpm+vae", "ddpm+vae", "ddpm:3+vae:1", "ddpm:1+vae:3"]
