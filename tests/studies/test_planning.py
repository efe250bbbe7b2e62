"""Tests of the commands of a study and of their dependencies."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import STUDY, row, write_dataset, write_png
from planned import graph, lines

from xrayaug.errors import UsageError
from xrayaug.options import Experiment, Phantom, Prepare
from xrayaug.stages import phantom, prepare
from xrayaug.stats.power import PowerAnalysis
from xrayaug.studies import planned_images, planning, study_settings


def estimate_power(options: Experiment) -> PowerAnalysis | None:
    """Return the power analysis of a study on the images that its plan knows."""
    study, settings = planning.plan(options), study_settings.resolve_settings(options)
    return planned_images.estimate_power(study, settings, planned_images.list_images(study, settings))


def test_the_dependencies_of_the_demo() -> None:
    found = graph(seeds=1, percents=(0.0, 50.0), screen=True)
    assert found["raw-rsna"] == set()
    assert found["rsna"] == {"raw-rsna"}
    assert found["gan"] == {"rsna"}
    assert found["fid-rsna-mura"] == {"rsna", "mura"}
    assert found["copies"] == {"synthetic", "rsna"}
    assert found["arm-50"] == {"mura", "synthetic", "copies"}
    assert found["classifier-50-seed-0"] == {"arm-50"}
    distances = {"fid-synthetic-rsna", "fid-rsna-mura"}
    assert found["evaluation"] == {"classifier-0-seed-0", "classifier-50-seed-0", *distances}


def test_attacks_on_privacy_are_for_every_generator_and_the_report() -> None:
    found = graph(seeds=2, percents=(0.0, 50.0), gans="per-seed", audit_privacy=True)
    attacks = {name for name in found if name.startswith("privacy")}
    assert len(attacks) == 2
    assert found["privacy"] == {"synthetic", "rsna"}
    assert found["evaluation"] > attacks
    assert not [name for name in graph(seeds=2, percents=(0.0, 50.0)) if name.startswith("privacy")]


def test_a_command_that_trains_several_seeds_makes_all_of_them() -> None:
    found = graph(seeds=3, percents=(0.0, 50.0), side_by_side=True)
    assert found["evaluation"] >= {"classifier-0-seed-{seed}", "classifier-50-seed-{seed}"}


def test_sets_of_another_layout_are_read_as_such() -> None:
    given: dict[str, Any] = {"rsna_source": "folder", "mura_source": "table", "test": 0.25, "gan_label": "normal"}
    study = planning.plan(Experiment(rsna=Path("a"), mura=Path("b.csv"), out=Path("s"), **given))
    lines = [command.command_line() for command in study.commands]
    assert [line.split(" --out ")[-1] for line in lines[:3]] == ["s/rsna", "s/mura", "s/gan"]
    for line, source in zip(lines[:2], ("folder", "table"), strict=True):
        assert f"--source {source} " in line
        assert "--test 0.25" in line
    assert "--only-label normal" in lines[2]


def test_the_part_and_the_findings_are_passed_to_the_sets_that_have_them(tmp_path: Path) -> None:
    given: dict[str, Any] = {"rsna": tmp_path / "raw", "mura": tmp_path / "other", "out": tmp_path / "s"}

    def prepared(**options: Any) -> list[tuple[str, str, tuple[str, ...] | None]]:
        study = planning.plan(Experiment(**given, **options))
        return [(each.source, each.part, each.finding) for each in study.commands if isinstance(each, Prepare)]

    assert prepared() == [("rsna", "hand", None), ("mura", "hand", None)]
    assert prepared(part="all") == [("rsna", "hand", None), ("mura", "all", None)]
    chosen = prepared(mura_source="chexpert", rsna_source="chexpert", finding=("Edema",))
    assert chosen == [("chexpert", "hand", ("Edema",))] * 2
    assert prepared(mura_source="chexpert", finding=("Edema",)) == [
        ("rsna", "hand", None),
        ("chexpert", "hand", ("Edema",)),
    ]
    with pytest.raises(UsageError, match="--part does nothing: no raw set is MURA"):
        prepared(mura_source="chexpert", part="all")
    with pytest.raises(UsageError, match="--finding does nothing: no raw set is a public set with findings"):
        prepared(finding=("Edema",))
    plain, by_part = Experiment(**given), Experiment(**given, part="all", finding=("Edema",))
    assert not {"part", "finding"} & plain.identity().keys()
    assert {"part": "all", "finding": ["Edema"]}.items() <= by_part.identity().items()


def test_a_prepared_set_is_used_as_it_is(tmp_path: Path) -> None:
    rows = [row(patient=f"p{number}", split=split) for number, split in enumerate(("train", "train", "test", "test"))]
    data = write_dataset(tmp_path / "data", rows)
    given: dict[str, Any] = {"mura": data, "out": tmp_path / "s"}
    both = planning.plan(Experiment(rsna=data, **given))
    names = [command.name for command in both.commands]
    assert names[:5] == ["train-gan", "sample", "fid", "augment", "augment"]
    assert names.count("fid") == 1
    assert all(data in command.inputs().values() for command in both.commands[:1] + both.commands[2:5])
    options = Experiment(rsna=tmp_path / "raw", gan_size=32, test=0.2, **given)
    one = planning.plan(options)
    assert [command.name for command in one.commands[:2]] == ["prepare", "train-gan"]
    assert [fid.name for fid in one.distances] == ["fid-synthetic-rsna", "fid-rsna-mura"]
    found = estimate_power(options)
    assert found is not None
    for idle in ({"gan_size": 32}, {"test": 0.2}, {"split_by": "image"}):
        with pytest.raises(UsageError, match="prepared"):
            planning.plan(Experiment(rsna=data, **given, **idle))


def test_the_power_counts_the_test_images_that_a_raw_set_without_splits_would_get(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    lines = ["image,label,patient"]
    for number in range(40):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16), dtype=np.uint8)
        write_png(raw / f"{number}.png", pixels)
        lines.append(f"{number}.png,{number % 2},p{number // 4}")
    table = raw / "labels.csv"
    table.write_text("\n".join(lines))
    sets: dict[str, Any] = {"rsna": table, "mura": table, "rsna_source": "table", "mura_source": "table"}
    options = Experiment(out=tmp_path / "s", split_by="patient", **sets, test=0.3)
    study = planning.plan(options)
    analysis = estimate_power(options)
    assert analysis is not None
    prepares = [command for command in study.commands if isinstance(command, Prepare)]
    tests = [count for name, count in prepare.run(prepares[1])["images_by_part"]["all"].items() if "test" in name]
    assert analysis.images == sum(tests) == 12
    assert analysis.patients == 3
    untested = Experiment(out=tmp_path / "t", **sets)
    assert estimate_power(untested) is None


def test_the_images_of_phantoms_that_are_still_to_be_drawn_are_known(tmp_path: Path) -> None:
    """Their split, labels, patients and studies are those of the dataset that is made of them."""
    options = Experiment(preset="demo", workers=1, out=tmp_path / "s")
    study, settings = planning.plan(options), study_settings.resolve_settings(options)
    small = [
        replace(each, count=40, height=40) if isinstance(each, Phantom) else each for each in study.commands
    ]  # fmt: skip
    study = replace(study, commands=small)
    planned = [image.row for image in planned_images.list_images(study, settings)]
    phantom.run(next(each for each in small if isinstance(each, Phantom)))
    listed = [image.row for image in planned_images.list_images(study, settings)]
    for each in small:
        if isinstance(each, Prepare) and each.out == settings.classifier_data:
            prepare.run(replace(each, size=32))
    made = [image.row for image in planned_images.list_images(study, settings)]
    assert len(made) == 40
    facts = [
        [(each.file, each.split, each.label, each.patient, each.study) for each in rows]
        for rows in (planned, listed, made)
    ]
    assert facts[0] == facts[1] == facts[2]


def test_several_generators_are_trained_and_compared_in_one_study() -> None:
    given: dict[str, Any] = {"gan_arch": ("cgan", "acgan"), "percents": (0.0, 50.0), "seeds": 1, "screen": True}
    found = graph(**given, controls=("duplicate", "shuffle"))
    assert found["gan"] == found["gan-acgan"] == {"rsna"}
    assert found["synthetic-acgan"] == {"gan-acgan"}
    assert found["copies-acgan"] == {"synthetic-acgan", "rsna"}
    assert found["fid-synthetic-acgan-rsna"] == {"synthetic-acgan", "rsna"}
    assert found["arm-50"] == {"mura", "synthetic", "copies"}
    assert found["arm-50-acgan"] == found["arm-50-shuffle-acgan"] == {"mura", "synthetic-acgan", "copies-acgan"}
    assert found["classifier-50-acgan-seed-0"] == {"arm-50-acgan"}
    runs = {name for name in found if name.startswith("classifier")}
    measured = {name for name in found if name.startswith("fid")}
    assert found["evaluation"] == runs | measured
    first = {name: line for name, line in lines(**given | {"gan_arch": ("cgan",)}).items() if name != "evaluation"}
    assert first.items() <= lines(**given).items(), "a generator is added to a study that is complete"


PRETRAINING: dict[str, Any] = {
    "gan_arch": ("cgan",), "percents": (0.0, 50.0), "seeds": 1, "schedules": ("mixed", "pretrain"),
    "classifier_epochs": 5,
}  # fmt: skip


def test_pretraining_is_followed_by_training_on_the_real_images() -> None:
    found = graph(**PRETRAINING, controls=("duplicate", "reweight"), real_fractions=(0.5,))
    assert found["arm-50-only-real-0.5"] == found["arm-50-duplicate-only-real-0.5"] == {"mura", "synthetic"}
    assert found["classifier-50-only-real-0.5-seed-0"] == {"arm-50-only-real-0.5"}
    second = "classifier-50-pretrain-real-0.5-seed-0"
    assert found[second] == {"arm-0-real-0.5", "classifier-50-only-real-0.5-seed-0"}
    control = "classifier-50-duplicate-pretrain-real-0.5-seed-0"
    assert found[control] == {"arm-0-real-0.5", "classifier-50-duplicate-only-real-0.5-seed-0"}
    assert found["evaluation"] >= {second, control}
    assert (
        not {"classifier-50-only-real-0.5-seed-0", "classifier-50-duplicate-only-real-0.5-seed-0"}
        & (found["evaluation"])
    )
    assert "arm-50-reweight-real-0.5" in found
    assert "arm-50-reweight-only-real-0.5" not in found
    alone = graph(**PRETRAINING | {"schedules": ("synthetic-only", "pretrain")})
    assert alone["evaluation"] >= {"classifier-50-only-seed-0", "classifier-50-pretrain-seed-0"}
    assert "arm-50" not in alone


@pytest.mark.parametrize("side_by_side", [False, True])
def test_two_phases_share_the_epochs_of_a_budget_of_steps(side_by_side: bool) -> None:
    given = PRETRAINING | {"side_by_side": side_by_side, "seeds": 2}
    found = lines(**given, budget="steps")
    name = "{seed}" if side_by_side else "1"
    assert "--epochs 2 " in found[f"pretraining-50-only-seed-{name}"]
    second = found[f"classifier-50-pretrain-seed-{name}"]
    assert "--epochs 3 " in second
    assert f"pretraining-50-only-seed-{name}" in second
    assert graph(**given, budget="steps")[f"classifier-50-pretrain-seed-{name}"] == {
        "arm-0", f"pretraining-50-only-seed-{name}",
    }  # fmt: skip
    with pytest.raises(UsageError, match="shares the epochs between two phases"):
        lines(**given | {"classifier_epochs": 1}, budget="steps")
    in_full = lines(**given, budget="epochs")
    assert all("--epochs 5 " in line for name, line in in_full.items() if name.startswith("classifier"))


def test_arms_are_counted_as_they_are_compared() -> None:
    cases: list[tuple[dict[str, Any], int]] = [
        ({}, 2),
        ({"schedules": ("pretrain",)}, 1),
        ({"controls": ("duplicate",)}, 2),
        ({"gan_arch": ("cgan", "acgan"), "schedules": ("mixed", "synthetic-only", "pretrain")}, 6),
    ]
    for changes, comparisons in cases:
        study = planning.plan(Experiment(**{**STUDY, **PRETRAINING, "out": Path("s"), **changes}))
        assert study.count_comparisons() == comparisons


def test_events_for_tensorboard_are_asked_of_all_trainings() -> None:
    given = PRETRAINING | {"gan_arch": ("cgan", "acgan"), "budget": "steps"}
    trainings = ("gan", "classifier", "pretraining")
    for name, line in lines(**given, tensorboard=True).items():
        assert ("--tensorboard" in line) is name.startswith(trainings)
    assert not any("--tensorboard" in line for line in lines(**given).values())
