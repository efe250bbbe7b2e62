import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import edit_manifest, grey, row, write_dataset, write_external

from xrayaug.data import dataset, phantoms
from xrayaug.data.dataset import Dataset, Row
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.stack import resize_bicubic
from xrayaug.evaluation import checks as study_checks
from xrayaug.evaluation.gather import facts
from xrayaug.evaluation.gather.runs import Run, distinguish_arms, make_run
from xrayaug.evaluation.results import Check
from xrayaug.options import Augment, Copies, Sample, TrainClassifier, TrainGan
from xrayaug.stages import augment
from xrayaug.storage import artifacts, builder
from xrayaug.storage.artifacts import Artifact


def real_rows(*, first: int = 0) -> list[Row]:
    """Two patients in each split, one image each, distinguished by pixels and by patients."""
    return [
        row(split=split, label=label, patient=f"p{number}", study="", file=f"{number}.png", sha256=f"sha{number}")
        for number, (split, label) in enumerate(
            ((split, label) for split in dataset.SPLITS for label in dataset.LABELS), start=first
        )
    ]


def run_on(
    data: Path, out: Path, *, seed: int = 0, epochs: int = 1, lr: float = 1e-4, train: str = "all", size: int = 224,
    **arm: Any,
) -> Run:  # fmt: skip
    options = TrainClassifier(data=data, out=out, epochs=epochs, seed=seed, lr=lr, batch_size=2, train=train, size=size)
    settings = {"percent": 0.0, "real_fraction": 1.0, "label": None, "added": 0, **arm}
    settings["label"] = "normal" if settings["added"] else None
    builder.build_artifact(options, "classifier-run", lambda _: {"arm": settings})
    opened = Dataset(artifacts.open_artifact(data))
    return make_run(out.name, artifacts.open_artifact(out), opened)


def make_gan(data: Path, out: Path, init: Path | None = None) -> Path:
    """Make a GAN run without weights."""
    builder.build_artifact(TrainGan(data=data, out=out, init=init), "gan-run", lambda _: {})
    return out


def make_arm(home: Path, gan_data: Path, real: Path, init: Path | None = None, *, size: int = 8, **result: Any) -> Path:
    """Make an arm of the real rows and one synthetic image of `size`, from a GAN that was trained on `gan_data`."""
    make_gan(gan_data, home / "gan", init)

    def sample(directory: Path) -> dict[str, Any]:
        made = write_dataset(home / "drawn", [row(patient="", study="", synthetic=True)], pixels=grey(1, size))
        for name in ("images.npy", "index.csv"):
            (directory / name).write_bytes((made / name).read_bytes())
        return {}

    builder.build_artifact(Sample(run=home / "gan", out=home / "synthetic"), "dataset", sample)

    def augment(directory: Path) -> dict[str, Any]:
        rows = [dataset.reference_row(each, "real") for each in dataset.open_dataset(real).rows]
        drawn = [dataset.reference_row(each, "synthetic") for each in dataset.open_dataset(home / "synthetic").rows]
        dataset.write_index(directory, rows + drawn)
        return result

    options = Augment(real=real, synthetic=(home / "synthetic",), percent=10, out=home / "arm")
    builder.build_artifact(options, "dataset", augment)
    return home / "arm"


def check_runs(runs: list[Run], *screenings: Artifact) -> dict[str, Check]:
    gathered = facts.gather_facts(distinguish_arms(runs), screenings)
    return {check.name: check for check in study_checks.check_study(gathered)}


def noise(count: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8), np.uint8)


@pytest.fixture
def real(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "real", real_rows(), pixels=noise(6))


def test_a_fair_comparison_passes_all_checks(real: Path, tmp_path: Path) -> None:
    checks = check_runs([run_on(real, tmp_path / f"run{seed}", seed=seed) for seed in range(3)])
    assert {name for name, check in checks.items() if not check.passed} == set()
    assert study_checks.find_critical_failure(list(checks.values())) is None


def test_few_seeds_and_unequal_training(real: Path, tmp_path: Path) -> None:
    more = [*real_rows(), *(row(patient="q", study="", file=f"q{n}", sha256=f"q{n}", copy=1) for n in range(4))]
    longer = run_on(write_dataset(tmp_path / "more", more), tmp_path / "b", percent=10.0, added=1)
    checks = check_runs([run_on(real, tmp_path / "a"), longer])
    assert {name for name, check in checks.items() if not check.passed} == {"seeds", "budget", "label shift"}
    assert "0: 1, 10: 3" in checks["budget"].sentence
    assert "0: 50.0 %, 10: 83.3 %" in checks["label shift"].sentence


def test_different_training_settings_are_critical(real: Path, tmp_path: Path) -> None:
    runs = [run_on(real, tmp_path / "a"), run_on(real, tmp_path / "b", percent=10.0, added=1, lr=0.5)]
    checks = check_runs(runs)
    assert "lr is 0.0001 and 0.5" in checks["recipe"].sentence
    assert study_checks.find_critical_failure(list(checks.values())) == checks["recipe"]
    longer = [run_on(real, tmp_path / "c"), run_on(real, tmp_path / "d", percent=10.0, added=1, epochs=2)]
    assert check_runs(longer)["recipe"].passed is True  # the duration is another check
    assert check_runs(longer)["budget"].passed is False


def test_an_option_left_out_of_a_manifest_has_its_default(real: Path, tmp_path: Path) -> None:
    """`train` and `views` are left out at their defaults: a run of the output layer differs from one without them."""
    whole = run_on(real, tmp_path / "a")
    head = run_on(real, tmp_path / "b", train="head", percent=10.0, added=1)
    assert "train" not in whole.artifact.options
    check = check_runs([whole, head])["recipe"]
    assert check.passed is False
    assert "train is all and head" in check.sentence
    edit_manifest(tmp_path / "a", lambda manifest: manifest["options"].update(train="all", views=4))
    written = replace(whole, artifact=artifacts.open_artifact(tmp_path / "a"))
    assert check_runs([whole, written])["recipe"].passed is True


def test_different_real_images_are_critical(real: Path, tmp_path: Path) -> None:
    """Two images of one arm have swapped splits, as after another seed of `prepare`; the test images are the same."""
    rows = real_rows()
    swapped = [replace(rows[0], split="valid"), rows[1], replace(rows[2], split="train"), *rows[3:]]
    other = write_dataset(tmp_path / "other", swapped, pixels=noise(6))
    whole, half = (run_on(real, tmp_path / f"run{at}", real_fraction=at) for at in (1.0, 0.5))
    mixed = run_on(other, tmp_path / "b", percent=10.0, added=1)
    check = check_runs([half, whole, mixed])["real images"]
    assert (check.passed, check.critical) == (False, True)
    assert "0 and 10 (4 images" in check.sentence
    assert check_runs([half, whole])["real images"].passed is True


def set_seed(manifest: dict[str, Any], seed: int) -> None:
    manifest["options"]["seed"] = seed


def draw_of(home: Path, *places: int) -> Path:
    """Make a dataset of all test and validation images and some of the training images."""
    rows = [each for place, each in enumerate(real_rows()) if each.split != "train" or place in places]
    return write_dataset(home, rows, pixels=noise(6)[: len(rows)])


def test_each_seed_may_have_a_draw_of_the_real_images_of_its_own(real: Path, tmp_path: Path) -> None:
    """Two draws of half of the training images, one for each seed; all real images are the same for both."""
    draws = [draw_of(tmp_path / f"draw{seed}", seed) for seed in (0, 1)]

    def run(data: Path, name: str, seed: int, **arm: Any) -> Run:
        return run_on(data, tmp_path / f"{name}-{seed}", seed=seed, real_fraction=0.5, **arm)

    baseline = [run(data, "base", seed) for seed, data in enumerate(draws)]
    arm = [run(data, "arm", seed, percent=10.0, added=1) for seed, data in enumerate(draws)]
    whole = [run_on(real, tmp_path / f"whole-{seed}", seed=seed) for seed in (0, 1)]
    check = check_runs([*baseline, *arm, *whole])["real images"]
    assert check.passed
    assert check.sentence.endswith(
        "those of arms 0, of 50% of the real images, 10, of 50% of the real images were drawn anew for each seed "
        "(2 draws)"
    )
    gathered = facts.gather_facts(distinguish_arms([*baseline, *arm, *whole]))
    assert [each.draws for each in gathered.arms] == [2, 2, None]
    assert check_runs([*baseline, *arm])["real images"].sentence.endswith(
        "those of every arm were drawn anew for each seed (2 draws)"
    )

    single = run(draws[0], "single", 0, percent=20.0, added=1)
    gathered = facts.gather_facts(distinguish_arms([*baseline, single]))
    assert [each.draws for each in gathered.arms] == [2, 1], "an arm of one seed has one of the draws"

    one = [run(draws[0], f"one-{percent}", 0, percent=percent, added=int(percent > 0)) for percent in (0.0, 10.0)]
    check = check_runs([*one, *whole])["real images"]
    assert (check.passed, "drawn" in check.sentence) == (True, False)
    gathered = facts.gather_facts(distinguish_arms([*one, *whole]))
    assert [each.draws for each in gathered.arms] == [1, 1, None]

    crossed = [run(data, "crossed", seed, percent=20.0, added=1) for seed, data in enumerate(reversed(draws))]
    failed = check_runs([*baseline, *crossed])["real images"]
    assert (failed.passed, failed.critical) == (False, True)

    third = run(draws[1], "base", 2)  # which has the draw of another seed
    failed = check_runs([*baseline, third])["real images"]
    again = draw_of(tmp_path / "again", 1)  # a draw with another seed, which is equal by chance
    for number, data in enumerate((*draws, again)):
        edit_manifest(data, partial(set_seed, seed=number))
    with_seeds = [run(data, "seeded", seed) for seed, data in enumerate((*draws, again))]
    assert check_runs(with_seeds)["real images"].sentence.endswith("(3 draws)")
    assert (failed.passed, failed.critical) == (False, True)
    assert "0, of 50% of the real images (seed 0) and 0, of 50% of the real images (seed 1)" in failed.sentence


def test_a_test_set_of_one_class_is_critical(tmp_path: Path) -> None:
    rows = [each for each in real_rows() if (each.split, each.label) != ("test", "abnormal")]
    checks = check_runs([run_on(write_dataset(tmp_path / "data", rows, pixels=noise(5)), tmp_path / "run")])
    assert "all test images are normal" in checks["test classes"].sentence
    assert study_checks.find_critical_failure(list(checks.values())) == checks["test classes"]


@pytest.mark.parametrize(
    ("synthetic", "network", "passed", "said"),
    [
        (20, 224, False, "10: 1 synthetic images of 20 px, real ones of 32 px, all read at 224 px); the controls"),
        (20, 24, False, "all read at 24 px"),
        (48, 224, False, "of 48 px, real ones of 32 px, all read at 224 px)"),
        (48, 32, True, "not the resolution that is read"),
        (32, 224, None, ""),
    ],
)
def test_an_arm_of_another_resolution_is_named(
    tmp_path: Path, synthetic: int, network: int, passed: bool | None, said: str
) -> None:
    real = write_dataset(tmp_path / "real", real_rows(), pixels=grey(6, 32))
    arm = make_arm(tmp_path, real, real, size=synthetic)
    given: dict[str, Any] = {"size": network, "percent": 10.0, "added": 1}
    runs = [run_on(arm, tmp_path / f"run-{control}", control=control, **given) for control in (None, "shuffle")]
    found = check_runs([run_on(real, tmp_path / "baseline", size=network), *runs])
    if passed is None:
        assert "resolution" not in found
        return
    check = found["resolution"]
    assert (check.passed, check.critical) == (passed, False)
    assert said in check.sentence
    assert ("the controls low-resolution" in check.sentence) == (synthetic < 32)
    assert "shuffle" not in check.sentence


def test_different_seeds_fail_the_pairing_check(real: Path, tmp_path: Path) -> None:
    runs = [run_on(real, tmp_path / "a"), run_on(real, tmp_path / "b", seed=1, percent=10.0, added=1)]
    assert check_runs(runs)["pairing"].passed is False


def test_a_test_patient_in_training_is_critical(tmp_path: Path) -> None:
    rows = real_rows()
    leaking = [*rows, row(patient=rows[-1].patient, study="", file="again.png", sha256="again")]
    checks = check_runs([run_on(write_dataset(tmp_path / "data", leaking, split_by="image"), tmp_path / "run")])
    assert "1 test patients and 0 test images" in checks["patients"].sentence
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
def test_the_training_data_of_the_generator(
    real: Path, tmp_path: Path, change: Callable[[list[Row]], list[Row]], expected: dict[str, bool]
) -> None:
    gan_data = write_dataset(tmp_path / "gan-data", change(real_rows()))
    checks = check_runs([run_on(make_arm(tmp_path, gan_data, real), tmp_path / "run", percent=10.0, added=1)])
    assert {split: checks[f"generator, {split}"].passed for split in expected} == expected
    assert checks["generator, test"].critical
    assert not checks["generator, validation"].critical
    assert checks["copies"].passed is None


def test_the_training_data_of_the_weights_that_the_generator_started_from(real: Path, tmp_path: Path) -> None:
    leaking = write_dataset(tmp_path / "leaking", [row(patient="x", study="", sha256=real_rows()[-1].sha256)])
    clean = write_dataset(tmp_path / "clean", [row(patient="other", study="")])
    first = make_gan(leaking, tmp_path / "first")
    second = make_gan(clean, tmp_path / "second", init=first)
    for name, init, passed in (("transferred", second, False), ("fresh", None, True)):
        arm = make_arm(tmp_path / name, clean, real, init=init)
        check = check_runs([run_on(arm, tmp_path / f"run-{name}", percent=10.0, added=1)])["generator, test"]
        assert check.passed is passed


@pytest.mark.parametrize("gone", ["first", "leaking"])
def test_a_leak_is_found_though_the_weights_that_the_generator_started_from_are_gone(
    real: Path, tmp_path: Path, gone: str
) -> None:
    leaking = write_dataset(tmp_path / "leaking", [row(patient="x", study="", sha256=real_rows()[-1].sha256)])
    clean = write_dataset(tmp_path / "clean", [row(patient="other", study="")])
    first = make_gan(clean if gone == "first" else leaking, tmp_path / "first")
    arm = make_arm(tmp_path / "arm", leaking if gone == "first" else clean, real, init=first)
    run = run_on(arm, tmp_path / "run", percent=10.0, added=1)
    (tmp_path / gone).rename(tmp_path / "moved")
    checks = check_runs([run])
    assert checks["generator"].passed is None
    assert gone in checks["generator"].sentence
    assert checks["generator, test"].passed is (False if gone == "first" else None)


def test_a_missing_generator_leaves_its_check_unknown(real: Path, tmp_path: Path) -> None:
    gan_data = write_dataset(tmp_path / "gan-data", [row(patient="other", study="")])
    arm = make_arm(tmp_path, gan_data, real)
    (tmp_path / "gan").rename(tmp_path / "moved")
    check = check_runs([run_on(arm, tmp_path / "run", percent=10.0, added=1)])["generator"]
    assert check.passed is None
    assert "gan" in check.sentence


def test_a_missing_generator_keeps_the_check_of_another_from_passing(real: Path, tmp_path: Path) -> None:
    arms = []
    for name in ("a", "b"):
        data = write_dataset(tmp_path / name / "gan-data", [row(patient=f"other-{name}", study="")])
        arms.append(make_arm(tmp_path / name, data, real))
    (tmp_path / "b" / "gan").rename(tmp_path / "moved")
    runs = [run_on(arm, tmp_path / f"run{at}", percent=10.0 + at, added=1) for at, arm in enumerate(arms)]
    assert check_runs(runs)["generator, test"].passed is None


def test_a_missing_generator_hides_no_leak_of_another(real: Path, tmp_path: Path) -> None:
    leaking = write_dataset(tmp_path / "a" / "gan-data", [row(patient="x", study="", sha256=real_rows()[-1].sha256)])
    clean = write_dataset(tmp_path / "b" / "gan-data", [row(patient="other", study="")])
    arms = [make_arm(tmp_path / "a", leaking, real), make_arm(tmp_path / "b", clean, real)]
    (tmp_path / "b" / "gan").rename(tmp_path / "moved")
    runs = [run_on(arm, tmp_path / f"run{at}", percent=10.0 + at, added=1) for at, arm in enumerate(arms)]
    checks = check_runs(runs)
    assert checks["generator"].passed is None
    assert checks["generator, test"].passed is False
    assert study_checks.find_critical_failure(list(checks.values())) == checks["generator, test"]


@pytest.mark.parametrize(("left_out", "passed"), [(3, None), (0, False)])
def test_flagged_copies_that_were_kept_fail_the_check(
    real: Path, tmp_path: Path, left_out: int, passed: bool | None
) -> None:
    """The screening that the arm was made with is not there any more, so what it compared with is unknown."""
    gan_data = write_dataset(tmp_path / "gan-data", [row(patient="other", study="")])
    arm = make_arm(tmp_path, gan_data, real, copies={"quarantined": 3, "left_out": left_out})
    check = check_runs([run_on(arm, tmp_path / "run", percent=10.0, added=1)])["copies"]
    assert check.passed is passed
    assert ("3 synthetic images" in check.sentence) == (passed is False)
    assert ("--keep-copies" in check.sentence) == (passed is False)
    assert ("is unknown" in check.sentence) == (passed is None)


def test_a_screening_passes_nothing_if_the_gan_run_is_not_there(real: Path, tmp_path: Path) -> None:
    gan_data = write_dataset(tmp_path / "gan-data", [row(patient="other", study="")])
    run = run_on(make_arm(tmp_path, gan_data, real), tmp_path / "run", percent=10.0, added=1)
    screening = screen(tmp_path / "synthetic", gan_data, tmp_path / "copies", [])
    assert check_runs([run], screening)["copies"].passed is True
    (tmp_path / "gan").rename(tmp_path / "moved")
    check = check_runs([run], screening)["copies"]
    assert check.passed is None
    assert "whether of the images that their generator was trained on is unknown" in check.sentence


def test_each_arm_is_held_to_the_screening_of_its_own_generator(real: Path, tmp_path: Path) -> None:
    arms, screenings = [], []
    for name, size, flagged in (("a", 8, []), ("b", 6, [0])):
        gan_data = write_dataset(tmp_path / name / "gan-data", [row(patient=name, study="")])
        arms.append(make_arm(tmp_path / name, gan_data, real, size=size))
        screenings.append(screen(tmp_path / name / "synthetic", gan_data, tmp_path / name / "copies", flagged))
    runs = [run_on(arm, tmp_path / f"run{at}", percent=10.0 + at, added=1) for at, arm in enumerate(arms)]
    assert "only 1 of 2 synthetic datasets" in check_runs(runs, screenings[0])["copies"].sentence
    assert check_runs(runs[:1], *screenings)["copies"].passed is True  # the flagged image is of the other arm
    assert check_runs(runs, *screenings)["copies"].sentence.startswith("1 synthetic images that the screening of")
    gathered = facts.gather_facts(distinguish_arms(runs[:1]), screenings)
    assert gathered.screening.unmatched == [(tmp_path / "b" / "copies").as_posix()]


def test_equal_names_of_patients_in_two_raw_sets_are_said(real: Path, tmp_path: Path) -> None:
    """The leak is taken for one, as the sets may name patients alike; within one raw set it surely is one."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "raw").write_bytes(b"another picture")
    rows = [row(split="test", patient="p0", study="", sha256="x", file="x.png")]
    other = write_dataset(tmp_path / "elsewhere" / "data", rows)
    run = run_on(real, tmp_path / "run")
    data = Dataset(artifacts.open_artifact(other))
    leaked = facts.gather_facts([run], tested=facts.TestedImages(data, data.select(split="test"))).leaked
    assert (leaked.images, leaked.patients, leaked.same_names) == (0, 1, 1)
    tested = facts.TestedImages(run.data, run.data.select(split="train"))
    assert facts.count_shared(tested, facts.TestedImages(data, data.rows)).same_names == 1
    again = facts.count_shared(tested, tested)
    assert (again.patients, again.same_names) == (2, 0)
    gathered = replace(facts.gather_facts([run]), leaked=leaked)
    check = study_checks.check_study(gathered)[0]
    assert check.passed is False
    assert "1 of the patients have equal names in different raw sets" in check.sentence


@pytest.mark.parametrize(("flagged", "passed"), [([], True), ([0], False)])
def test_a_screening_that_evaluate_is_given_counts(
    real: Path, tmp_path: Path, flagged: list[int], passed: bool
) -> None:
    gan_data = write_dataset(tmp_path / "gan-data", [row(patient="other", study="")])
    run = run_on(make_arm(tmp_path, gan_data, real), tmp_path / "run", percent=10.0, added=1)
    screening = screen(tmp_path / "synthetic", gan_data, tmp_path / "copies", flagged)
    check = check_runs([run], screening)["copies"]
    assert check.passed is passed
    assert ("1 synthetic images" in check.sentence) == (not passed)
    assert ("--copies" in check.sentence) == (not passed)


def test_a_screening_of_other_images_does_not_count(real: Path, tmp_path: Path) -> None:
    gan_data = write_dataset(tmp_path / "gan-data", [row(patient="other", study="")])
    run = run_on(make_arm(tmp_path, gan_data, real), tmp_path / "run", percent=10.0, added=1)
    other = write_dataset(tmp_path / "other", [row(patient="", study="", synthetic=True)], pixels=noise(1))
    assert check_runs([run], screen(other, real, tmp_path / "copies", []))["copies"].passed is None
    same = screen(tmp_path / "synthetic", real, tmp_path / "copies-of-these", [])
    (tmp_path / "synthetic").rename(tmp_path / "moved")
    assert check_runs([run], same)["copies"].passed is None


def screen(synthetic: Path, real: Path, out: Path, flagged: list[int]) -> Artifact:
    """Make a screening that flagged these images."""
    options = Copies(synthetic=synthetic, real=real, out=out)
    builder.build_artifact(options, "copies", lambda _: {"quarantined": flagged})
    return artifacts.open_artifact(out, "copies")


def by_file(names: list[str], **changes: Any) -> list[Row]:
    """Return the six rows as read from a folder: each image's patient has the name of its file."""
    return [
        replace(each, patient=name, file=f"{name}.png", **changes)
        for each, name in zip(real_rows(), names, strict=True)
    ]


@pytest.mark.parametrize("raw", ["the same", "another"])
def test_equal_file_names_mean_one_patient_only_within_a_raw_set(tmp_path: Path, raw: str) -> None:
    names = [f"normal/{number:04}" for number in range(6)]
    real = write_dataset(tmp_path / "real", by_file(names), pixels=noise(6))
    home = tmp_path / "elsewhere" if raw == "another" else tmp_path
    if raw == "another":
        home.mkdir()
        (home / "raw").write_bytes(b"another picture")
    held = [replace(each, split="train", sha256=f"other {each.sha256}") for each in by_file(names)]
    gan_data = write_dataset(home / "gan-data", held)
    checks = check_runs([run_on(make_arm(tmp_path, gan_data, real), tmp_path / "run", percent=10.0, added=1)])
    assert checks["generator, test"].passed is (None if raw == "another" else False)
    assert ("does not name patients" in checks["generator, test"].sentence) is (raw == "another")


def test_unknown_patients_leave_the_leakage_check_unknown(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", by_file([f"normal/{number:04}" for number in range(6)]))
    check = check_runs([run_on(data, tmp_path / "run")])["patients"]
    assert check.passed is None


@pytest.mark.parametrize("blank", [True, False])
def test_images_of_one_grey_level_are_no_copies_of_each_other(tmp_path: Path, blank: bool) -> None:
    rows = [replace(each, sha256="same") if place in (0, 5) else each for place, each in enumerate(real_rows())]
    pixels = noise(6)
    if blank:
        pixels[[0, 5]] = 7
    check = check_runs([run_on(write_dataset(tmp_path / "data", rows, pixels=pixels), tmp_path / "run")])["patients"]
    assert check.passed is blank


def make_arm_from(
    home: Path, real: Path, *, sets: Sequence[Path], screenings: Sequence[Path] = (), percent: float = 100.0
) -> Path:
    """Make an arm of the real rows (one of them is normal and for training) and images of synthetic datasets."""
    options = Augment(real=real, synthetic=tuple(sets), percent=percent, copies=tuple(screenings), out=home / "arm")
    augment.run(options)
    return home / "arm"


def make_screening(synthetic: Path, real: Path, *quarantined: int) -> Path:
    out = synthetic.with_name(f"copies-{synthetic.name}")
    result = {"verdict": "pass", "quarantined": list(quarantined)}
    builder.build_artifact(Copies(synthetic=synthetic, real=real, out=out), "copies", lambda _: result)
    return out


def check_arm(arm: Path, home: Path, *screenings: Artifact) -> dict[str, Check]:
    return check_runs([run_on(arm, home / "run", percent=100.0, added=1)], *screenings)


@pytest.mark.parametrize(
    ("leaked", "expected"),
    [("other", {"test": True, "validation": True}), ("sha4", {"test": False, "validation": True}),
     ("sha2", {"test": True, "validation": False})],
)  # fmt: skip
def test_a_declared_dataset_is_followed_like_that_of_a_run(
    real: Path, tmp_path: Path, leaked: str, expected: dict[str, bool]
) -> None:
    data = write_dataset(tmp_path / "declared", [row(patient="x", study="", sha256=leaked)])
    made = write_external(tmp_path, learnt_from=data)
    checks = check_arm(make_arm_from(tmp_path, real, sets=[made]), tmp_path)
    assert {split: checks[f"generator, {split}"].passed for split in expected} == expected
    assert "generator" not in checks
    for split in expected:
        assert checks[f"generator, {split}"].sentence.endswith(" (as declared by the user for ddpm)")
    failure = study_checks.find_critical_failure(list(checks.values()))
    assert failure == (checks["generator, test"] if not expected["test"] else None)


def test_images_of_a_declared_dataset_that_are_not_for_training_were_not_seen(real: Path, tmp_path: Path) -> None:
    rows = [row(patient="x", study="", sha256="other"), row(split="test", patient="y", study="", sha256="sha4")]
    made = write_external(tmp_path, learnt_from=write_dataset(tmp_path / "declared", rows))
    checks = check_arm(make_arm_from(tmp_path, real, sets=[made]), tmp_path)
    assert checks["generator, test"].passed is True


def test_a_patient_of_a_declared_dataset_is_found(real: Path, tmp_path: Path) -> None:
    rows = [row(patient=real_rows()[-1].patient, study="", sha256="other")]
    made = write_external(tmp_path, learnt_from=write_dataset(tmp_path / "declared", rows))
    checks = check_arm(make_arm_from(tmp_path, real, sets=[made]), tmp_path)
    assert "0 test images and 1 test patients" in checks["generator, test"].sentence
    assert checks["generator, test"].passed is False


def test_nothing_declared_is_unknown_and_never_a_yes(real: Path, tmp_path: Path) -> None:
    made = write_external(tmp_path)
    arm = make_arm_from(tmp_path, real, sets=[made], screenings=[make_screening(made, real)])
    checks = check_arm(arm, tmp_path)
    assert checks["generator"].passed is None
    assert "nothing was declared of ddpm" in checks["generator"].sentence
    assert not {"generator, test", "generator, validation"} & checks.keys()
    assert checks["copies"].passed is None
    assert "nothing was declared of ddpm" in checks["copies"].sentence


def test_none_passes_as_declared_by_the_user(real: Path, tmp_path: Path) -> None:
    made = write_external(tmp_path, learnt_from="none")
    arm = make_arm_from(tmp_path, real, sets=[made], screenings=[make_screening(made, real)])
    checks = check_arm(arm, tmp_path)
    for name in ("generator, test", "generator, validation", "copies"):
        assert checks[name].passed is True
        assert checks[name].sentence.endswith(" (as declared by the user for ddpm)")


def test_a_screening_for_copies_of_another_dataset_than_the_training_data_passes_nothing(
    real: Path, tmp_path: Path
) -> None:
    data = write_dataset(tmp_path / "declared", [row(patient="x", study="", sha256="other")])
    made = write_external(tmp_path, learnt_from=data)
    for name, screened_for, passed in (("right", data, True), ("wrong", real, None)):
        screening = make_screening(made, screened_for)
        arm = make_arm_from(tmp_path / name, real, sets=[made], screenings=[screening])
        check = check_arm(arm, tmp_path / name)["copies"]
        assert check.passed is passed
        assert ("of another dataset" in check.sentence) == (passed is None)
        shutil.rmtree(screening)


@pytest.mark.parametrize(("learnt_from", "passed"), [("none", True), (None, None)])
def test_what_was_declared_of_a_generator_behind_a_gan_run_is_said(
    real: Path, tmp_path: Path, learnt_from: str | None, passed: bool | None
) -> None:
    arm = make_arm(tmp_path, write_external(tmp_path / "made", learnt_from=learnt_from), real)
    checks = check_runs([run_on(arm, tmp_path / "run", percent=10.0, added=1)])
    assert checks["generator, test"].passed is passed
    said = "as declared by the user for ddpm" if passed else "nothing was declared of ddpm"
    assert said in checks["generator, test" if passed else "generator"].sentence


def test_an_unknown_generator_keeps_the_check_of_a_known_one_from_passing(real: Path, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "declared", [row(patient="x", study="", sha256="other")])
    sets = [write_external(tmp_path / "a", learnt_from=data), write_external(tmp_path / "b", "vae")]
    rows = [*real_rows(), row(patient="z", study="", file="z.png", sha256="z")]
    larger = write_dataset(tmp_path / "larger", rows, pixels=noise(7))
    checks = check_arm(make_arm_from(tmp_path, larger, sets=sets), tmp_path)
    assert "vae" in checks["generator"].sentence
    assert checks["generator, test"].passed is None
    leaking = write_dataset(tmp_path / "leaking", [row(patient="x", study="", sha256="sha4")])
    sets[0] = write_external(tmp_path / "c", learnt_from=leaking)
    checks = check_arm(make_arm_from(tmp_path / "second", larger, sets=sets), tmp_path / "second")
    assert checks["generator"].passed is None
    assert checks["generator, test"].passed is False


def test_a_declared_dataset_that_is_gone_makes_the_check_unknown(real: Path, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "declared", [row(patient="x", study="", sha256="other")])
    arm = make_arm_from(tmp_path, real, sets=[write_external(tmp_path, learnt_from=data)])
    data.rename(tmp_path / "moved")
    checks = check_arm(arm, tmp_path)
    assert checks["generator"].passed is None
    assert "declared" in checks["generator"].sentence
    assert "generator, test" not in checks


@pytest.mark.parametrize("learnt_from", [None, "none"])
def test_a_synthetic_image_that_is_a_test_image_is_critical(
    real: Path, tmp_path: Path, learnt_from: str | None
) -> None:
    made = write_external(tmp_path, learnt_from=learnt_from, sha256="sha4")
    check = check_arm(make_arm_from(tmp_path, real, sets=[made]), tmp_path)["copies of test images"]
    assert (check.passed, check.critical) == (False, True)
    assert "of 1 synthetic images of ddpm, 1 equal a test image" in check.sentence


@pytest.mark.parametrize("turned", [False, True])
def test_a_near_duplicate_of_a_test_image_is_critical(tmp_path: Path, *, turned: bool) -> None:
    hands = np.stack([phantoms.draw_hand(np.random.default_rng(n), 64, 64, abnormal=False) for n in range(7)])
    real = write_dataset(tmp_path / "real", real_rows(), pixels=hands[:6])
    picture = np.rot90(hands[5]) // 2 + 40 if turned else hands[6]
    made = write_external(tmp_path, pixels=resize_bicubic(np.ascontiguousarray(picture), (48, 48))[None])
    check = check_arm(make_arm_from(tmp_path, real, sets=[made]), tmp_path)["copies of test images"]
    assert check.passed is not turned
    assert check.critical
    assert ("1 are near duplicates" in check.sentence) is turned


def test_small_images_are_compared_by_their_pixels_alone(real: Path, tmp_path: Path) -> None:
    check = check_arm(make_arm_from(tmp_path, real, sets=[write_external(tmp_path)]), tmp_path)["copies of test images"]
    assert check.passed is None
    assert "too small" in check.sentence


def test_sampled_images_have_no_check_of_copies_of_test_images(real: Path, tmp_path: Path) -> None:
    gan_data = write_dataset(tmp_path / "gan-data", [row(patient="other", study="")])
    assert "copies of test images" not in check_arm(make_arm(tmp_path, gan_data, real), tmp_path)


def test_every_set_of_an_arm_must_be_screened(tmp_path: Path) -> None:
    rows = [*real_rows(), row(patient="z", study="", file="z.png", sha256="z")]
    real = write_dataset(tmp_path / "real", rows, pixels=noise(7))
    sets = [write_external(tmp_path / name, name, learnt_from="none") for name in ("ddpm", "vae")]
    screenings = [make_screening(each, real) for each in sets]
    half = make_arm_from(tmp_path / "half", real, sets=sets, screenings=screenings[1:])
    check = check_arm(half, tmp_path / "half")["copies"]
    assert check.passed is None
    assert "only 1 of 2 synthetic datasets" in check.sentence
    opened = artifacts.open_artifact(screenings[0])
    assert check_arm(half, tmp_path / "again", opened)["copies"].passed is True
    whole = make_arm_from(tmp_path / "whole", real, sets=sets, screenings=screenings)
    assert check_arm(whole, tmp_path / "whole")["copies"].passed is True


def test_flagged_images_of_the_second_of_several_sets_are_counted(tmp_path: Path) -> None:
    rows = [*real_rows(), row(patient="z", study="", file="z.png", sha256="z")]
    real = write_dataset(tmp_path / "real", rows, pixels=noise(7))
    sets = [write_external(tmp_path / name, name, learnt_from="none") for name in ("ddpm", "vae")]
    screenings = [make_screening(sets[0], real), make_screening(sets[1], real, 0)]
    arm = make_arm_from(tmp_path, real, sets=sets, screenings=screenings[:1])
    check = check_arm(arm, tmp_path, artifacts.open_artifact(screenings[1]))["copies"]
    assert check.passed is False
    assert check.sentence.startswith("1 synthetic images that the screening of --copies flagged")
    options = Augment(
        real=real, synthetic=tuple(sets), copies=tuple(screenings), keep_copies=True, percent=100, out=tmp_path / "kept"
    )
    augment.run(options)
    check = check_arm(tmp_path / "kept", tmp_path / "kept-run")["copies"]
    assert check.passed is False
    assert check.sentence.startswith("1 synthetic images that screening flagged")
