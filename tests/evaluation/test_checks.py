from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import edit_manifest, row, write_dataset

from xrayaug.data import dataset
from xrayaug.data.dataset import Dataset, Row
from xrayaug.data.images.arrays import Pixels
from xrayaug.evaluation import checks as study_checks
from xrayaug.evaluation.gather import facts
from xrayaug.evaluation.gather.runs import Run
from xrayaug.evaluation.results import Check
from xrayaug.options import Augment, Sample, TrainClassifier, TrainGan
from xrayaug.storage import artifacts, builder


def real_rows(*, first: int = 0) -> list[Row]:
    """Two patients in each split, one image each, which pixels and patients tell apart."""
    return [
        row(split=split, label=label, patient=f"p{number}", study="", file=f"{number}.png", sha256=f"sha{number}")
        for number, (split, label) in enumerate(
            ((split, label) for split in dataset.SPLITS for label in dataset.LABELS), start=first
        )
    ]


def run_on(data: Path, out: Path, *, seed: int = 0, epochs: int = 1, lr: float = 1e-4, **arm: Any) -> Run:
    options = TrainClassifier(data=data, out=out, epochs=epochs, seed=seed, lr=lr, batch_size=2)
    said = {"percent": 0.0, "real_fraction": 1.0, "label": "normal" if arm.get("added") else None, "added": 0, **arm}
    builder.build_artifact(options, "classifier-run", lambda _: {"arm": said})
    opened = Dataset(artifacts.open_artifact(data))
    return Run(out.name, artifacts.open_artifact(out), opened, opened.select(split="test"))


def fed_by(home: Path, learnt_from: Path, real: Path, **result: Any) -> Path:
    """An arm of the real rows and of one image that a GAN drew, which learnt from that dataset."""
    builder.build_artifact(TrainGan(data=learnt_from, out=home / "gan"), "gan-run", lambda _: {})

    def sample(directory: Path) -> dict[str, Any]:
        made = write_dataset(home / "drawn", [row(patient="", study="", synthetic=True)])
        for name in ("images.npy", "index.csv"):
            (directory / name).write_bytes((made / name).read_bytes())
        return {}

    builder.build_artifact(Sample(run=home / "gan", out=home / "synthetic"), "dataset", sample)

    def augment(directory: Path) -> dict[str, Any]:
        rows = [dataset.reference_row(each, "real") for each in dataset.open_dataset(real).rows]
        drawn = [dataset.reference_row(each, "synthetic") for each in dataset.open_dataset(home / "synthetic").rows]
        dataset.write_index(directory, rows + drawn)
        return result

    options = Augment(real=real, synthetic=home / "synthetic", percent=10, out=home / "arm")
    builder.build_artifact(options, "dataset", augment)
    return home / "arm"


def found(runs: list[Run]) -> dict[str, Check]:
    return {check.name: check for check in study_checks.check_study(facts.gather_facts(runs))}


def noise(count: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8), np.uint8)


@pytest.fixture
def real(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "real", real_rows(), pixels=noise(6))


def test_a_sound_comparison(real: Path, tmp_path: Path) -> None:
    checks = found([run_on(real, tmp_path / f"run{seed}", seed=seed) for seed in range(3)])
    assert {name for name, check in checks.items() if not check.passed} == set()
    assert study_checks.find_critical_failure(list(checks.values())) is None


def test_few_seeds_and_unequal_training(real: Path, tmp_path: Path) -> None:
    more = [*real_rows(), *(row(patient="q", study="", file=f"q{n}", sha256=f"q{n}", copy=1) for n in range(4))]
    longer = run_on(write_dataset(tmp_path / "more", more), tmp_path / "b", percent=10.0, added=1)
    checks = found([run_on(real, tmp_path / "a"), longer])
    assert {name for name, check in checks.items() if not check.passed} == {"seeds", "budget", "label shift"}
    assert checks["budget"].sentence == "optimiser steps, by arm: 0: 1, 10: 3"
    assert checks["label shift"].sentence == "normal training images, by arm: 0: 50.0%, 10: 83.3%"


def test_arms_that_were_trained_by_other_settings_do_not_compare(real: Path, tmp_path: Path) -> None:
    runs = [run_on(real, tmp_path / "a"), run_on(real, tmp_path / "b", percent=10.0, added=1, lr=0.5)]
    checks = found(runs)
    assert checks["recipe"].sentence == "runs were trained differently: lr is 0.0001 and 0.5"
    assert study_checks.find_critical_failure(list(checks.values())) == checks["recipe"]
    edit_manifest(tmp_path / "b", lambda manifest: manifest["options"].pop("lr"))  # as before there was such a setting
    runs[1] = replace(runs[1], artifact=artifacts.open_artifact(tmp_path / "b"))
    assert found(runs)["recipe"].passed is True
    longer = [run_on(real, tmp_path / "c"), run_on(real, tmp_path / "d", percent=10.0, added=1, epochs=2)]
    assert found(longer)["recipe"].passed is True  # how long is another check
    assert found(longer)["budget"].passed is False


def test_arms_of_other_real_images_do_not_compare(real: Path, tmp_path: Path) -> None:
    """As when one was made of a set that was prepared with another seed: the test images are the same all the same."""
    rows = real_rows()
    swapped = [replace(rows[0], split="valid"), rows[1], replace(rows[2], split="train"), *rows[3:]]
    other = write_dataset(tmp_path / "other", swapped, pixels=noise(6))
    whole, half = (run_on(real, tmp_path / f"run{at}", real_fraction=at) for at in (1.0, 0.5))
    mixed = run_on(other, tmp_path / "b", percent=10.0, added=1)
    check = found([half, whole, mixed])["real images"]
    assert (check.passed, check.critical) == (False, True)
    assert check.sentence.endswith("arms 0 and 10 (4 images are in one alone)")
    assert found([half, whole])["real images"].passed is True


def test_a_test_set_of_one_class_is_grave(tmp_path: Path) -> None:
    rows = [each for each in real_rows() if (each.split, each.label) != ("test", "abnormal")]
    checks = found([run_on(write_dataset(tmp_path / "data", rows, pixels=noise(5)), tmp_path / "run")])
    assert (
        checks["test classes"].sentence
        == "all test images are normal: whether the classes are told apart is not tested"
    )
    assert study_checks.find_critical_failure(list(checks.values())) == checks["test classes"]


def test_different_seeds_do_not_pair(real: Path, tmp_path: Path) -> None:
    runs = [run_on(real, tmp_path / "a"), run_on(real, tmp_path / "b", seed=1, percent=10.0, added=1)]
    assert found(runs)["pairing"].passed is False


def test_a_test_patient_in_training_is_grave(tmp_path: Path) -> None:
    rows = real_rows()
    leaking = [*rows, row(patient=rows[-1].patient, study="", file="again.png", sha256="again")]
    checks = found([run_on(write_dataset(tmp_path / "data", leaking, split_by="image"), tmp_path / "run")])
    assert checks["patients"].sentence.startswith("1 test patients and 0 test images")
    assert study_checks.find_critical_failure(list(checks.values())) == checks["patients"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda rows: [row(patient="other", study="", sha256="other")], {"test": True, "validation": True}),
        (lambda rows: [row(patient="x", study="", sha256=rows[-1].sha256)], {"test": False, "validation": True}),
        (lambda rows: [row(patient=rows[-1].patient, study="")], {"test": False, "validation": True}),
        (lambda rows: [row(patient="x", study="", sha256=rows[2].sha256)], {"test": True, "validation": False}),
    ],
    ids=["others", "a test image", "a test patient", "a validation image"],
)
def test_what_the_generator_learnt_from(
    real: Path, tmp_path: Path, change: Callable[[list[Row]], list[Row]], expected: dict[str, bool]
) -> None:
    learnt_from = write_dataset(tmp_path / "gan-data", change(real_rows()))
    checks = found([run_on(fed_by(tmp_path, learnt_from, real), tmp_path / "run", percent=10.0, added=1)])
    assert {split: checks[f"generator, {split}"].passed for split in expected} == expected
    assert checks["generator, test"].critical
    assert not checks["generator, validation"].critical
    assert checks["copies"].passed is None


def test_a_generator_that_is_gone_cannot_be_told(real: Path, tmp_path: Path) -> None:
    learnt_from = write_dataset(tmp_path / "gan-data", [row(patient="other", study="")])
    arm = fed_by(tmp_path, learnt_from, real)
    (tmp_path / "gan").rename(tmp_path / "moved")
    check = found([run_on(arm, tmp_path / "run", percent=10.0, added=1)])["generator"]
    assert check.passed is None
    assert "cannot be told" in check.sentence


def test_a_generator_that_is_gone_hides_no_leak_of_another(real: Path, tmp_path: Path) -> None:
    leaking = write_dataset(tmp_path / "a" / "gan-data", [row(patient="x", study="", sha256=real_rows()[-1].sha256)])
    clean = write_dataset(tmp_path / "b" / "gan-data", [row(patient="other", study="")])
    arms = [fed_by(tmp_path / "a", leaking, real), fed_by(tmp_path / "b", clean, real)]
    (tmp_path / "b" / "gan").rename(tmp_path / "moved")
    runs = [run_on(arm, tmp_path / f"run{at}", percent=10.0 + at, added=1) for at, arm in enumerate(arms)]
    checks = found(runs)
    assert checks["generator"].passed is None
    assert checks["generator, test"].passed is False
    assert study_checks.find_critical_failure(list(checks.values())) == checks["generator, test"]


@pytest.mark.parametrize(("left_out", "holds"), [(3, True), (0, False)])
def test_copies_that_were_set_aside_and_kept_all_the_same(
    real: Path, tmp_path: Path, left_out: int, holds: bool
) -> None:
    learnt_from = write_dataset(tmp_path / "gan-data", [row(patient="other", study="")])
    arm = fed_by(tmp_path, learnt_from, real, copies={"quarantined": 3, "left_out": left_out})
    check = found([run_on(arm, tmp_path / "run", percent=10.0, added=1)])["copies"]
    assert check.passed is holds
    assert check.sentence.startswith("synthetic images were screened" if holds else "3 synthetic images that screening")


def by_file(names: list[str], **changes: Any) -> list[Row]:
    """The six rows as a folder gives them: each image's patient is called what its file is."""
    return [
        replace(each, patient=name, file=f"{name}.png", **changes)
        for each, name in zip(real_rows(), names, strict=True)
    ]


@pytest.mark.parametrize("raw", ["the same", "another"])
def test_files_of_one_name_are_of_one_patient_in_one_raw_set_alone(tmp_path: Path, raw: str) -> None:
    names = [f"normal/{number:04}" for number in range(6)]
    real = write_dataset(tmp_path / "real", by_file(names), pixels=noise(6))
    home = tmp_path / "elsewhere" if raw == "another" else tmp_path
    if raw == "another":
        home.mkdir()
        (home / "raw").write_bytes(b"another picture")
    held = [replace(each, split="train", sha256=f"other {each.sha256}") for each in by_file(names)]
    learnt_from = write_dataset(home / "gan-data", held)
    checks = found([run_on(fed_by(tmp_path, learnt_from, real), tmp_path / "run", percent=10.0, added=1)])
    assert checks["generator, test"].passed is (raw == "another")


def test_whether_patients_leak_is_not_known_where_patients_are_not(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", by_file([f"normal/{number:04}" for number in range(6)]))
    check = found([run_on(data, tmp_path / "run")])["patients"]
    assert check.passed is None
    assert "does not say which images are of one patient" in check.sentence


@pytest.mark.parametrize("blank", [True, False])
def test_pictures_of_one_grey_are_no_copies_of_each_other(tmp_path: Path, blank: bool) -> None:
    rows = [replace(each, sha256="same") if place in (0, 5) else each for place, each in enumerate(real_rows())]
    pixels = noise(6)
    if blank:
        pixels[[0, 5]] = 7
    check = found([run_on(write_dataset(tmp_path / "data", rows, pixels=pixels), tmp_path / "run")])["patients"]
    assert check.passed is blank
