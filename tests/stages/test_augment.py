"""Arms hold exactly the thesis's Table 4, nest, and leave everything but training as it is."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import grey, row, write_dataset, write_png
from PIL import Image

from xrayaug.data import arms
from xrayaug.data.dataset import LABELS, Dataset, Row, open_dataset
from xrayaug.errors import ArtifactError, DataError, UsageError
from xrayaug.options import Augment
from xrayaug.stages import augment
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import open_artifact

TABLE_3 = {"train": (3653, 1336), "valid": (406, 148), "test": (271, 189)}
TABLE_4 = [(0, 0, 3653), (10, 365, 4018), (50, 1827, 5480), (100, 3653, 7306)]  # percent, added, normals in all


def real_rows() -> list[Row]:
    """The thesis's real images, a patient each, as Table 3 counts them."""
    labels = [
        (split, label)
        for split, numbers in TABLE_3.items()
        for label, number in zip(("normal", "abnormal"), numbers, strict=True)
        for _ in range(number)
    ]
    return [
        row(split=split, label=label, patient=f"p{place}", study=f"p{place}/s1", file=f"{place}.png")
        for place, (split, label) in enumerate(labels)
    ]


def synthetic_rows(count: int, **changes: Any) -> list[Row]:
    return [row(**{"patient": "", "study": "", "source": "dcgan", "synthetic": True, **changes})] * count


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the thesis's sets as `real` and `synthetic`, and ten unlabelled images as `unlabelled`."""
    folder = tmp_path_factory.mktemp("sets")
    write_dataset(folder / "real", real_rows())
    write_dataset(folder / "synthetic", synthetic_rows(4000), pixels=grey(4000, 4))
    write_dataset(folder / "unlabelled", synthetic_rows(10, label=""))
    return folder


@pytest.fixture
def arm(sets: Path, tmp_path: Path) -> Callable[..., Dataset]:
    """`arm(percent, ...)`: the opened arm."""
    made = 0

    def make(percent: float, **changes: Any) -> Dataset:
        nonlocal made
        made += 1
        out = tmp_path / f"arm-{made}"
        given: dict[str, Any] = {"real": sets / "real", "synthetic": sets / "synthetic", "percent": percent}
        augment.run(Augment(**(given | {"out": out} | changes)))
        return open_dataset(out)

    return make


def synthetic_of(opened: Dataset) -> list[int]:
    return [each.row for each in opened.rows if each.synthetic]


@pytest.mark.parametrize(("percent", "added", "normals"), TABLE_4)
def test_table_4(arm: Callable[..., Dataset], percent: float, added: int, normals: int) -> None:
    opened = arm(percent)
    assert len(synthetic_of(opened)) == added
    assert len(opened.select(split="train", label="normal")) == normals
    assert opened.artifact.result["counts"]["train"] == {"normal": normals, "abnormal": 1336}
    assert augment.tables(opened.artifact.result)[0].rows == [
        (f"{percent}", f"{added:,}", f"{normals:,}", "1,336"),
    ]


def test_arms_nest_and_draw_without_replacement(arm: Callable[..., Dataset]) -> None:
    drawn = [synthetic_of(arm(percent)) for percent, *_ in TABLE_4]
    for smaller, larger in pairwise(drawn):
        assert larger[: len(smaller)] == smaller
    assert len(set(drawn[-1])) == len(drawn[-1])
    assert drawn[-1] != sorted(drawn[-1])


def test_the_seed_decides_which_images_are_drawn(arm: Callable[..., Dataset]) -> None:
    assert synthetic_of(arm(10)) == synthetic_of(arm(10))
    assert set(synthetic_of(arm(10))) != set(synthetic_of(arm(10, seed=1)))


def test_real_images_stay_as_they_are(arm: Callable[..., Dataset], sets: Path) -> None:
    def without_place(each: Row) -> dict[str, Any]:
        return {name: value for name, value in vars(each).items() if name != "image"}

    real = open_dataset(sets / "real").rows
    kept = [each for each in arm(50).rows if not each.synthetic]
    assert [without_place(each) for each in kept] == [without_place(each) for each in real]


def test_no_pixel_is_copied(arm: Callable[..., Dataset], sets: Path) -> None:
    opened = arm(10)
    assert sorted(file.name for file in opened.path.iterdir()) == ["index.csv", "manifest.json"]
    rows = [opened.rows[5], *[each for each in opened.rows if each.synthetic][:3]]
    np.testing.assert_array_equal(opened.pixels(rows, 4)[:, 0, 0], [each.row % 256 for each in rows])


def test_the_manifest_chains_to_both_sets(arm: Callable[..., Dataset], sets: Path) -> None:
    recorded = arm(10).artifact.manifest["inputs"]
    assert {name: entry["sha256"] for name, entry in recorded.items()} == {
        name: artifacts.digest(sets / name) for name in ("real", "synthetic")
    }


def test_a_dose_above_the_number_of_synthetic_images_is_an_error(arm: Callable[..., Dataset]) -> None:
    with pytest.raises(DataError, match=r"--percent 110 .*4018 .*4000") as refusal:
        arm(110)
    assert "4018" in refusal.value.hint


def test_a_dose_of_0_needs_no_synthetic_set(arm: Callable[..., Dataset]) -> None:
    opened = arm(0, synthetic=None)
    assert list(opened.artifact.manifest["inputs"]) == ["real"]
    assert len(opened.select(split="train", label="normal")) == 3653


def test_a_dose_without_a_synthetic_set_is_a_usage_error(arm: Callable[..., Dataset]) -> None:
    with pytest.raises(UsageError, match="--percent 10 needs --synthetic"):
        arm(10, synthetic=None)


def test_a_fraction_of_the_real_images_is_stratified_and_nests(arm: Callable[..., Dataset]) -> None:
    kept = {}
    for fraction in (0.1, 0.5):
        opened = arm(100, real_fraction=fraction)
        train = opened.select(split="train", synthetic=False)
        kept[fraction] = {each.patient for each in train}
        wanted = {0.1: {"normal": 365, "abnormal": 134}, 0.5: {"normal": 1827, "abnormal": 668}}[fraction]
        assert Counter(each.label for each in train) == wanted
        assert len(synthetic_of(opened)) == wanted["normal"]  # percent of the normals that are left
        assert [len(opened.select(split=split)) for split in ("valid", "test")] == [554, 460]
    assert kept[0.1] < kept[0.5]


def test_more_real_adds_images_of_left_out_patients(arm: Callable[..., Dataset]) -> None:
    baseline, dosed, control = (
        arm(0, real_fraction=0.1),
        arm(50, real_fraction=0.1),
        arm(50, real_fraction=0.1, control="more-real"),
    )
    added = [each for each in control.rows if each.is_added]
    kept = {each.sha256 or (each.image, each.row) for each in baseline.select(split="train")}
    assert Counter(each.label for each in added) == Counter(each.label for each in dosed.select(synthetic=True))
    assert not any(each.synthetic for each in control.rows)
    assert not kept & {each.sha256 or (each.image, each.row) for each in added}
    assert not {each.patient for each in added} & {each.patient for each in baseline.rows}


def test_a_fraction_keeps_patients_whole(tmp_path: Path) -> None:
    rows = [row(patient=f"p{patient}", file=f"{view}") for patient in range(20) for view in range(3)]
    write_dataset(tmp_path / "real", rows)
    augment.run(Augment(real=tmp_path / "real", percent=0, real_fraction=0.5, out=tmp_path / "arm"))
    views = Counter(each.patient for each in open_dataset(tmp_path / "arm").rows)
    assert set(views.values()) == {3}
    assert len(views) == 10


def test_label_sets_the_label_of_the_added_images(arm: Callable[..., Dataset]) -> None:
    opened = arm(1, label="abnormal")
    assert {each.label for each in opened.rows if each.synthetic} == {"abnormal"}
    assert opened.artifact.result["arm"]["label"] == "abnormal"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4000 synthetic images drawn as both labels by turns."""
    rows = [row(patient="", study="", source="cgan", synthetic=True, label=label) for label in LABELS] * 2000
    return write_dataset(tmp_path_factory.mktemp("both") / "synthetic", rows, pixels=grey(4000, 4))


@pytest.mark.parametrize("label", LABELS)
def test_label_selects_images_from_a_set_sampled_with_both_labels(
    arm: Callable[..., Dataset], both: Path, label: str
) -> None:
    opened, smaller = (arm(percent, synthetic=both, label=label) for percent in (50, 10))
    added = opened.select(synthetic=True)
    assert (len(added), {each.label for each in added}) == (1827, {label})
    assert {each.row % 2 for each in added} == {LABELS.index(label)}, "drawn as that label, not called so"
    assert opened.artifact.result["arm"]["label"] == label
    assert synthetic_of(opened)[:365] == synthetic_of(smaller)


def test_without_label_images_of_both_labels_are_drawn(arm: Callable[..., Dataset], both: Path, sets: Path) -> None:
    opened = arm(10, synthetic=both)
    assert synthetic_of(opened) == synthetic_of(arm(10))
    assert [each.label for each in opened.select(synthetic=True)] == [LABELS[row % 2] for row in synthetic_of(opened)]
    assert arms.read_arm(opened.artifact).settings.label == arms.MIXED


def test_a_dose_above_the_number_of_images_of_a_label_is_an_error(arm: Callable[..., Dataset], both: Path) -> None:
    with pytest.raises(DataError, match=r"3653 .*2000 .*abnormal"):
        arm(100, synthetic=both, label="abnormal")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """40 normal and 15 abnormal training images, and 60 synthetic ones drawn as both labels by turns."""
    home = tmp_path_factory.mktemp("small")
    labels = [("train", "normal")] * 40 + [("train", "abnormal")] * 15 + [("valid", "normal"), ("test", "abnormal")]
    rows = [row(split=split, label=label, patient=f"p{place}", file=f"{place}.png", sha256=f"{place}")
            for place, (split, label) in enumerate(labels)]  # fmt: skip
    drawn = [row(patient="", study="", source="cgan", synthetic=True, label=label) for label in LABELS] * 30
    return {"real": write_dataset(home / "real", rows), "synthetic": write_dataset(home / "synthetic", drawn)}


@pytest.mark.parametrize(("percent", "added"), [(100, 25), (50, 13), (10, 3)])
def test_balance_makes_the_class_counts_equal(
    arm: Callable[..., Dataset], small: dict[str, Path], percent: float, added: int
) -> None:
    """The percentage is of 25, the difference between the classes."""
    opened = arm(percent, **small, label="balance")
    assert opened.artifact.result["counts"]["train"] == {"normal": 40, "abnormal": 15 + added}
    assert {each.row % 2 for each in opened.select(synthetic=True)} == {1}, "drawn as abnormal"
    assert arms.read_arm(opened.artifact).settings.label == arms.BALANCE


def test_balance_draws_only_images_of_the_rarer_label(arm: Callable[..., Dataset], small: dict[str, Path]) -> None:
    with pytest.raises(DataError, match=r"50 .*30 .*abnormal"):
        arm(200, **small, label="balance")
    with pytest.raises(DataError, match="holds 0 to take for abnormal"):
        arm(10, label="balance")


def test_balance_adds_nothing_to_equal_classes(tmp_path: Path) -> None:
    write_dataset(tmp_path / "real", [row(), row(label="abnormal")])
    result = augment.run(Augment(real=tmp_path / "real", percent=100, label="balance", out=tmp_path / "arm"))
    assert (result["arm"]["added"], result["arm"]["label"]) == (0, None)


def counts_of(opened: Dataset) -> dict[str, int]:
    return {label: len(opened.select(split="train", label=label)) for label in LABELS}


@pytest.mark.parametrize("label", [None, "normal", "abnormal", "balance"])
@pytest.mark.parametrize("control", ["duplicate", "classical", "reweight", "shuffle"])
def test_a_control_has_the_size_and_class_counts_of_its_arm(
    arm: Callable[..., Dataset], small: dict[str, Path], control: str, label: str | None
) -> None:
    given: dict[str, Any] = {**small, "label": label}
    of = arm(50, **given)
    if control == "shuffle" and label is not None:
        with pytest.raises(DataError, match="synthetic images of both labels"):
            arm(50, control=control, **given)
        return
    opened = arm(50, control=control, **given)
    said, expected = (arms.read_arm(each.artifact).record for each in (opened, of))
    assert {name: said[name] for name in ("percent", "label", "real", "control")} == {
        name: expected[name] for name in ("percent", "label", "real")
    } | {"control": control}
    if control == "reweight":
        assert said["added"] == 0
        assert said["prior"] == counts_of(of) != counts_of(opened)
    else:
        assert said["added"] == expected["added"]
        assert counts_of(opened) == counts_of(of)
    assert [each for each in opened.rows if not each.is_added] == [each for each in of.rows if not each.is_added]


def test_duplicates_are_real_images_again(arm: Callable[..., Dataset], small: dict[str, Path]) -> None:
    opened, smaller = (arm(percent, real=small["real"], control="duplicate", synthetic=None) for percent in (150, 10))
    again = [each for each in opened.rows if each.is_added]
    assert Counter(each.copy for each in again) == {1: 40, 2: 20}
    assert {each.label for each in again} == {"normal"}
    itself = {(each.image, each.row): each for each in opened.rows if not each.is_added}
    assert all(vars(each) | {"copy": 0} == vars(itself[each.image, each.row]) for each in again)
    assert sorted(file.name for file in opened.path.iterdir()) == ["index.csv", "manifest.json"]
    assert [each for each in smaller.rows if each.is_added] == again[:4]
    (table,) = augment.tables(smaller.artifact.result)
    assert (table.columns[1], table.notes[0]) == ("Real images added again", "a control: duplicate")


def test_a_reweighted_control_shows_its_class_counts(arm: Callable[..., Dataset], small: dict[str, Path]) -> None:
    (table,) = augment.tables(arm(50, real=small["real"], control="reweight", synthetic=None).artifact.result)
    assert table.notes[-1] == "class counts in the loss: 60 normal and 15 abnormal"


def test_classical_copies_are_pictures_of_the_arms_own(tmp_path: Path) -> None:
    rows = [row(patient=f"p{place}", file=f"{place}.png", sha256=f"{place}", split=split)
            for place, split in enumerate(["train"] * 4 + ["valid"])]  # fmt: skip
    pictures = np.random.default_rng(0).integers(0, 256, (5, 16, 16), np.uint8)
    real = write_dataset(tmp_path / "real", rows, pixels=pictures)
    made = {}
    for percent in (50, 150):
        out = tmp_path / f"arm-{percent}"
        augment.run(Augment(real=real, percent=percent, control="classical", out=out))
        made[percent] = open_dataset(out)
    few, many = ([each for each in made[percent].rows if each.is_added] for percent in (50, 150))
    assert [(each.image, each.row, each.copy, each.sha256) for each in many] == [
        ("images.npy", place, 1 + place // 4, "") for place in range(6)
    ]
    assert {each.patient for each in many[:4]} == {f"p{place}" for place in range(4)}
    assert few == many[:2]
    pixels = made[150].pixels(many)
    np.testing.assert_array_equal(made[50].pixels(few), pixels[:2])
    assert len({each.tobytes() for each in (*pixels, *pictures)}) == 11
    assert sorted(made[150].artifact.manifest["files"]) == ["images.npy", "index.csv"]


@pytest.fixture
def two_sizes(tmp_path: Path) -> dict[str, Path]:
    """A real set of 16 px with 4 training images of both labels, and 8 synthetic images of 6 px."""
    rows = [row(patient=f"p{place}", file=f"{place}.png", sha256=f"{place}", split=split, label=LABELS[place % 2])
            for place, split in enumerate(["train"] * 4 + ["valid"])]  # fmt: skip
    pictures = np.random.default_rng(0).integers(0, 256, (5, 16, 16), np.uint8)
    return {
        "real": write_dataset(tmp_path / "real", rows, pixels=pictures),
        "synthetic": write_dataset(tmp_path / "synthetic", synthetic_rows(8), pixels=grey(8, 6)),
    }


def test_low_resolution_repeats_what_duplicate_does_at_the_size_of_synthetic_images(
    arm: Callable[..., Dataset], two_sizes: dict[str, Path]
) -> None:
    of, duplicate, low = (arm(150, **two_sizes, control=control) for control in (None, "duplicate", "low-resolution"))
    added, again = ([each for each in opened.rows if each.is_added] for opened in (low, duplicate))
    assert [(each.image, each.row, each.sha256) for each in added] == [("images.npy", place, "") for place in range(3)]
    assert [(each.file, each.label, each.copy) for each in added] == [
        (each.file, each.label, each.copy) for each in again
    ]
    assert counts_of(low) == counts_of(of) == counts_of(duplicate)
    sources = open_dataset(two_sizes["real"]).pixels([replace(each, image="images.npy") for each in again])
    expected = [np.asarray(Image.fromarray(each).resize((6, 6), Image.Resampling.BICUBIC)) for each in sources]
    np.testing.assert_array_equal(low.pixels(added), expected)
    assert (low.size, low.size_of(added[0])) == (16, 6)
    held_out = low.select(split="valid")
    np.testing.assert_array_equal(low.pixels(held_out), of.pixels(held_out))
    assert {each.image for each in low.rows if not each.is_added} == {"real/images.npy"}
    assert sorted(low.artifact.manifest["files"]) == ["images.npy", "index.csv"]


@pytest.mark.parametrize(
    ("control", "added_size", "note"),
    [
        (
            None,
            6,
            "images differ in size: 2 added of 6 px, 4 real of 16 px; compare --control low-resolution and duplicate",
        ),
        ("low-resolution", 6, "images differ in size: 2 added of 6 px, 4 real of 16 px"),
        ("duplicate", None, "share of normal"),
        ("reweight", None, "class counts"),
    ],
)
def test_sizes_that_differ_are_recorded_and_shown(
    arm: Callable[..., Dataset], two_sizes: dict[str, Path], control: str | None, added_size: int | None, note: str
) -> None:
    result = arm(100, **two_sizes, control=control).artifact.result
    assert result.get("added_size") == added_size
    (table,) = augment.tables(result)
    assert table.notes[-1].startswith(note)
    assert ("--control" in table.notes[-1]) == (control is None)


def test_equal_sizes_are_not_recorded(arm: Callable[..., Dataset], small: dict[str, Path]) -> None:
    result = arm(10, **small).artifact.result
    assert "added_size" not in result
    assert not any("size" in note for note in augment.tables(result)[0].notes)


def test_low_resolution_needs_smaller_synthetic_images(arm: Callable[..., Dataset], small: dict[str, Path]) -> None:
    with pytest.raises(DataError, match=r"smaller than the real ones: .* has 8 px, .* 8 px"):
        arm(10, **small, control="low-resolution")
    with pytest.raises(UsageError, match="--percent 10 needs --synthetic"):
        arm(10, real=small["real"], synthetic=None, control="low-resolution")
    with pytest.raises(UsageError, match="--percent 0 adds no images"):
        arm(0, **small, control="low-resolution")


def test_a_control_of_a_dose_of_0_is_a_usage_error(arm: Callable[..., Dataset], small: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match=r"--control duplicate .*--percent 0"):
        arm(0, **small, control="duplicate")


def test_shuffling_needs_synthetic_images(arm: Callable[..., Dataset], small: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="--percent 10 needs --synthetic"):
        arm(10, real=small["real"], control="shuffle", synthetic=None)
    opened, of = (arm(50, **small, control=control) for control in ("shuffle", None))
    assert synthetic_of(opened) == synthetic_of(of)
    labels = [[each.label for each in which.select(synthetic=True)] for which in (opened, of)]
    assert labels[0] != labels[1]


@pytest.mark.parametrize("control", ["reweight", "duplicate"])
def test_a_control_given_as_real_is_refused(arm: Callable[..., Dataset], small: dict[str, Path], control: str) -> None:
    with pytest.raises(DataError, match="is a control"):
        arm(0, real=arm(10, **small, control=control).path)


def test_images_without_a_label_need_one(arm: Callable[..., Dataset], sets: Path) -> None:
    with pytest.raises(DataError, match="bear no label"):
        arm(0.1, synthetic=sets / "unlabelled")
    opened = arm(0.1, synthetic=sets / "unlabelled", label="normal")
    assert len(opened.select(label="normal", synthetic=True)) == 4


def test_a_synthetic_set_given_as_real_is_refused(arm: Callable[..., Dataset], sets: Path) -> None:
    with pytest.raises(DataError, match="already holds synthetic images"):
        arm(0, real=sets / "synthetic", synthetic=None)


def test_an_arm_given_as_real_is_refused(arm: Callable[..., Dataset]) -> None:
    first = arm(10)
    with pytest.raises(DataError, match="already holds synthetic images"):
        arm(10, real=first.path)


def test_a_real_set_given_as_synthetic_adds_nothing(arm: Callable[..., Dataset], sets: Path) -> None:
    with pytest.raises(DataError, match="holds 0"):
        arm(10, synthetic=sets / "real")


def test_a_folder_of_another_generator_s_images_is_refused(arm: Callable[..., Dataset], tmp_path: Path) -> None:
    write_png(tmp_path / "made" / "seed0001.png", grey(1)[0])
    with pytest.raises(DataError, match="folder of images") as refused:
        arm(10, synthetic=tmp_path / "made")
    assert refused.value.hint.startswith(f"xrayaug prepare --synthetic --input {tmp_path / 'made'} ")


def test_a_set_without_training_images_is_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path / "real", [row(split="test")])
    with pytest.raises(DataError, match="no training images"):
        augment.run(Augment(real=tmp_path / "real", percent=0, out=tmp_path / "arm"))


def test_a_split_by_image_is_carried_on(tmp_path: Path) -> None:
    write_dataset(tmp_path / "real", [row(), row(split="test")], split_by="image")
    augment.run(Augment(real=tmp_path / "real", percent=0, out=tmp_path / "arm"))
    assert open_dataset(tmp_path / "arm").split_by == "image"


def test_a_missing_set_is_explained(sets: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no finished dataset: nothing there"):
        augment.plan(Augment(real=sets / "none", percent=0, out=tmp_path / "arm"))


def test_a_plan_writes_nothing(sets: Path, tmp_path: Path) -> None:
    options = Augment(real=sets / "real", synthetic=(sets / "synthetic",), percent=10, out=tmp_path / "arm")
    planned = augment.plan(options)
    assert list(tmp_path.iterdir()) == []
    assert planned == augment.run(options) == open_artifact(tmp_path / "arm").result
