"""Images of generators from elsewhere become synthetic datasets, and arms take them like those that were sampled."""

import csv
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import grey, row, write_dataset, write_png

from xrayaug.data import sources
from xrayaug.data.dataset import Dataset, open_dataset
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import ArtifactError, DataError, InputError, UsageError, XrayaugError
from xrayaug.options import Augment, Copies, Prepare, TrainGan
from xrayaug.stages import augment, copies, prepare
from xrayaug.storage import artifacts, builder
from xrayaug.storage.artifacts import Result, open_artifact

SIZE = 32


def picture(number: int, size: int = SIZE) -> Pixels:
    return np.random.default_rng(number).integers(0, 256, (size, size), np.uint8)


def write_images(folder: Path, normal: int = 6, abnormal: int = 4, *, first: int = 0) -> Path:
    """Write images in one directory per class, and return the folder."""
    for number in range(normal + abnormal):
        label = "normal" if number < normal else "abnormal"
        write_png(folder / label / f"seed{number:04}.png", picture(first + number))
    return folder


def prepared(out: Path, images: Path, **changes: Any) -> Path:
    prepare.run(Prepare(**{"input": images, "synthetic": True, "size": SIZE, "out": out, **changes}))
    return out


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 40 patients: 24 training images, of which 16 are normal, and 16 test images."""
    rows = [
        row(split="train" if n < 24 else "test", label="abnormal" if n % 3 == 2 else "normal", patient=f"p{n}",
            study="", file=f"{n}.png", sha256=f"sha{n}")
        for n in range(40)
    ]  # fmt: skip
    pixels = np.stack([picture(1000 + n) for n in range(40)])
    return write_dataset(tmp_path_factory.mktemp("sets") / "real", rows, pixels=pixels)


@pytest.fixture(scope="module")
def stylegan(tmp_path_factory: pytest.TempPathFactory, real: Path) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    return prepared(folder / "set", write_images(folder / "stylegan3", 12, 8), learnt_from=str(real))


@pytest.fixture(scope="module")
def ddpm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    return prepared(folder / "set", write_images(folder / "made", 12, 8, first=100), generator="ddpm")


@pytest.fixture
def arm(real: Path, tmp_path: Path) -> Callable[..., Dataset]:
    """`arm(percent, ...)`: the opened arm."""
    made = 0

    def make(percent: float, **changes: Any) -> Dataset:
        nonlocal made
        made += 1
        augment.run(Augment(**{"real": real, "percent": percent, "out": tmp_path / f"arm-{made}", **changes}))
        return open_dataset(tmp_path / f"arm-{made}")

    return make


def screened(synthetic: Path, out: Path, *, quarantined: tuple[int, ...] = ()) -> Path:
    """Write a screening of a synthetic dataset."""
    result = {"verdict": "pass", "quarantined": list(quarantined)}
    builder.build_artifact(Copies(synthetic=synthetic, real=synthetic, out=out), "copies", lambda _: result)
    return out


# --- prepare --synthetic


def test_all_rows_are_synthetic_training_images_without_patients(stylegan: Path) -> None:
    data = open_dataset(stylegan)
    assert {(each.synthetic, each.split, each.patient, each.study, each.source) for each in data.rows} == {
        (True, "train", "", "", "stylegan3")
    }
    assert Counter(each.label for each in data.rows) == {"normal": 12, "abnormal": 8}
    assert all(len(each.sha256) == 64 for each in data.rows)


def test_the_manifest_records_the_generator_and_what_it_learnt_from(real: Path, stylegan: Path, ddpm: Path) -> None:
    made, other = open_artifact(stylegan), open_artifact(ddpm)
    assert made.result["generator"] == {"name": "stylegan3", "learnt_from": "declared"}
    assert made.manifest["inputs"]["learnt_from"]["sha256"] == artifacts.digest(real)
    assert other.result["generator"] == {"name": "ddpm", "learnt_from": "unknown"}
    assert "learnt_from" not in other.manifest["inputs"]
    assert "patients" not in made.result


def test_the_same_command_finds_the_set_complete_and_another_declaration_is_another_set(
    stylegan: Path, real: Path, tmp_path: Path
) -> None:
    images = stylegan.parent / "stylegan3"
    prepared(stylegan, images, learnt_from=str(real))
    with pytest.raises(XrayaugError, match="learnt_from was declared, is now none; input learnt_from is no longer"):
        prepared(stylegan, images, learnt_from="none")
    with pytest.raises(XrayaugError, match="generator was stylegan3, is now other"):
        prepared(stylegan, images, learnt_from=str(real), generator="other")


def test_real_datasets_do_not_record_the_options_of_synthetic_ones() -> None:
    options = Prepare(input=Path("raw"), out=Path("out"))
    assert not {"synthetic", "generator", "learnt_from"} & options.identity().keys()
    assert options.inputs() == {"input": Path("raw")}


def test_unknown_is_the_default(tmp_path: Path) -> None:
    images, out = write_images(tmp_path / "made"), tmp_path / "out"
    prepared(out, images)
    prepared(out, images, learnt_from="unknown")  # the same set
    assert open_artifact(out).result["generator"]["learnt_from"] == "unknown"


@pytest.mark.parametrize(("folder", "name"), [("images", "images"), ("a,b", "external"), ("x" * 61, "external")])
def test_the_directory_names_the_generator_where_it_can(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "labels.csv").touch()
    for path in (tmp_path / folder, tmp_path / folder / "labels.csv"):
        assert Prepare(input=path, out=tmp_path / "out").generator_name == name


def test_labels_are_read_from_a_list_and_its_columns_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    names = [f"images/{n}.png" for n in range(4)]
    for number, name in enumerate(names):
        write_png(folder / name, picture(number))
    lines = [f"{name},{'fracture' if n % 2 else 'healthy'},p1,{n}" for n, name in enumerate(names)]
    (folder / "labels.csv").write_text("\n".join(["file,finding,patient,step", *lines]))
    table = {"source": "table", "label_column": "finding", "abnormal_class": "fracture"}
    rows = open_dataset(prepared(tmp_path / "out", folder, **table)).rows
    assert [each.label for each in rows] == ["normal", "abnormal"] * 2
    assert [each.extra["step"] for each in rows] == ["0", "1", "2", "3"]
    assert {each.patient for each in rows} == {""}


def table_of(tmp_path: Path) -> Path:
    for number in range(2):
        write_png(tmp_path / "raw" / "images" / f"{number}.png", picture(number))
    lines = ["image,label", "images/0.png,normal", "images/1.png,abnormal"]
    (tmp_path / "raw" / "list.csv").write_text("\n".join(lines))
    return tmp_path / "raw"


def mura_of(tmp_path: Path) -> Path:
    for number, label in enumerate(("positive", "negative")):
        study = tmp_path / "raw" / "train" / "XR_HAND" / f"patient0000{number}" / f"study1_{label}"
        write_png(study / "image1.png", picture(number))
    return tmp_path / "raw"


def rsna_of(tmp_path: Path) -> Path:
    for number in range(2):
        write_png(tmp_path / "raw" / "boneage-training-dataset" / f"{number + 1}.png", picture(number))
    (tmp_path / "raw" / "boneage-training-dataset.csv").write_text("id,boneage,male\n1,180,False\n2,150,True\n")
    return tmp_path / "raw"


@pytest.mark.parametrize(
    ("source", "lay_out"),
    [("folder", lambda path: write_images(path / "raw")), ("table", table_of), ("mura", mura_of), ("rsna", rsna_of)],
)
def test_every_source_can_be_of_synthetic_images(
    tmp_path: Path, source: str, lay_out: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    out = prepared(tmp_path / "out", lay_out(tmp_path), source=source)
    assert {(each.synthetic, each.split, each.patient) for each in open_dataset(out).rows} == {(True, "train", "")}
    assert "patient" not in capsys.readouterr().err.replace("no MURA", "")
    assert source in sources.names()


def test_images_of_the_test_split_are_refused(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_images(tmp_path / "made" / split, 2, 2, first=len(split))
    with pytest.raises(DataError, match="4 of 8 images are in test or valid, such as test/") as refused:
        prepared(tmp_path / "out", tmp_path / "made")
    assert refused.value.hint == "point --input at the synthetic images for training"
    with pytest.raises(DataError, match="may only be in train"):
        prepare.plan(Prepare(input=tmp_path / "made", synthetic=True, out=tmp_path / "out"))
    prepared(tmp_path / "out", tmp_path / "made" / "train")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"synthetic": False, "learnt_from": "none"}, "--learnt-from describes synthetic images"),
        ({"synthetic": False, "generator": "ddpm"}, "--generator describes synthetic images"),
        ({"test": 0.2}, "--test does not apply to synthetic images"),
        ({"holdout": 0.1}, "--holdout does not apply"),
        ({"split_by": "image"}, "--split-by does not apply"),
        ({"patient_pattern": r"\d+"}, "--patient-pattern does not apply"),
        ({"patient_column": "mrn"}, "--patient-column does not apply"),
        ({"generator": "a,b"}, "'a,b' is no name"),
        ({"generator": ""}, "'' is no name"),
        ({"generator": "two\nlines"}, "is no name"),
    ],
)
def test_options_that_do_not_apply_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    images = write_images(tmp_path / "made")
    for act in (prepare.run, prepare.plan):
        with pytest.raises(UsageError, match=message):
            act(Prepare(**{"input": images, "synthetic": True, "size": SIZE, "out": tmp_path / "out", **changes}))
    assert not (tmp_path / "out").exists()


def test_holding_nothing_out_may_be_said(tmp_path: Path) -> None:
    prepared(tmp_path / "out", write_images(tmp_path / "made"), holdout=0.0, test=0.0)


def test_what_is_declared_must_be_a_dataset_of_real_training_images(
    tmp_path: Path, real: Path, stylegan: Path, arm: Callable[..., Dataset]
) -> None:
    images = write_images(tmp_path / "made")
    builder.build_artifact(TrainGan(data=real, out=tmp_path / "gan"), "gan-run", lambda _: {})
    held_out = write_dataset(tmp_path / "held-out", [row(split="test")])
    refusals: list[tuple[Path, type[XrayaugError], str]] = [
        (tmp_path / "nowhere", InputError, "is no prepared dataset: nothing there"),
        (images, InputError, "is no prepared dataset: it holds abnormal, normal"),
        (tmp_path / "gan", ArtifactError, "is of kind 'gan-run'"),
        (arm(0).path, DataError, "is an arm"),
        (stylegan, DataError, "holds synthetic images"),
        (held_out, DataError, "has no training images"),
    ]
    for path, error, message in refusals:
        for act in (prepare.run, prepare.plan):
            with pytest.raises(error, match=message):
                act(Prepare(input=images, synthetic=True, learnt_from=str(path), out=tmp_path / "out"))


def test_the_table_says_what_was_declared(stylegan: Path, ddpm: Path) -> None:
    for path, name, note in ((stylegan, "stylegan3", "declared by the user"), (ddpm, "ddpm", "is unknown")):
        *_, table = prepare.tables(open_artifact(path).result)
        assert table.rows == [(name, "12", "8", "20")]
        assert note in table.notes[0]


# --- augment


def test_an_arm_draws_from_such_a_set_as_from_a_sampled_one(
    arm: Callable[..., Dataset], stylegan: Path, tmp_path: Path
) -> None:
    sampled = write_dataset(
        tmp_path / "sampled",
        [row(patient="", study="", synthetic=True, label=each.label) for each in open_dataset(stylegan).rows],
        pixels=grey(20, SIZE),
    )
    drawn, expected = (
        [each.row for each in arm(50, synthetic=path).rows if each.synthetic] for path in (stylegan, sampled)
    )
    assert drawn == expected
    assert len(drawn) == 8


def test_images_of_another_generator_keep_their_own_label(
    real: Path, arm: Callable[..., Dataset], tmp_path: Path
) -> None:
    write_images(tmp_path / "made" / "normal", 12, 0, first=200)
    made = prepared(tmp_path / "set", tmp_path / "made" / "normal", label="normal")
    assert arm(25, synthetic=made, label="normal").artifact.result["arm"]["label"] == "normal"
    with pytest.raises(DataError, match="holds 0 to take for abnormal"):
        arm(25, synthetic=made, label="abnormal")


def test_unknown_training_data_are_said(
    arm: Callable[..., Dataset], stylegan: Path, ddpm: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arm(50, synthetic=stylegan)
    assert "unknown" not in capsys.readouterr().err
    arm(50, synthetic=ddpm)
    assert "what ddpm, the generator of" in capsys.readouterr().err


def numbers_of(opened: Dataset, name: str) -> list[int]:
    return [each.row for each in opened.rows if each.image == f"{name}/images.npy"]


def test_several_sets_share_the_dose_and_arms_nest(arm: Callable[..., Dataset], stylegan: Path, ddpm: Path) -> None:
    alone = arm(100, synthetic=stylegan)
    doses = [arm(percent, synthetic=(stylegan, ddpm)) for percent in (25, 50, 100)]
    assert [len(numbers_of(each, "synthetic/0")) for each in doses] == [2, 4, 8]
    assert [len(numbers_of(each, "synthetic/1")) for each in doses] == [2, 4, 8]
    for name in ("synthetic/0", "synthetic/1"):
        for smaller, larger in pairwise(numbers_of(each, name) for each in doses):
            assert larger[: len(smaller)] == smaller
    assert numbers_of(alone, "synthetic")[:8] == numbers_of(doses[-1], "synthetic/0")
    for less, more in pairwise([each for each in opened.rows if each.synthetic] for opened in doses):
        assert more[: len(less)] == less


def test_rows_of_several_sets_show_the_pictures_of_their_set(
    arm: Callable[..., Dataset], stylegan: Path, ddpm: Path
) -> None:
    opened = arm(100, synthetic=(stylegan, ddpm))
    for place, path in enumerate((stylegan, ddpm)):
        source = open_dataset(path)
        rows = [each for each in opened.rows if each.image == f"synthetic/{place}/images.npy"]
        np.testing.assert_array_equal(opened.pixels(rows), source.arrays["images.npy"][[each.row for each in rows]])
        assert {each.source for each in rows} == {source.artifact.result["generator"]["name"]}


def test_an_arm_of_an_arm_of_several_sets_keeps_its_pictures(
    arm: Callable[..., Dataset], stylegan: Path, ddpm: Path
) -> None:
    first = arm(100, synthetic=(stylegan, ddpm))
    second = arm(100, synthetic=first.path)
    rows = [each for each in second.rows if each.synthetic]
    assert {each.image for each in rows} == {f"synthetic/synthetic/{place}/images.npy" for place in (0, 1)}
    by_key = {(each.image, each.row): first.pixels([each])[0] for each in first.rows if each.synthetic}
    for each in rows:
        np.testing.assert_array_equal(second.pixels([each])[0], by_key[each.image.removeprefix("synthetic/"), each.row])


def test_shares_are_in_the_result_and_printed(arm: Callable[..., Dataset], stylegan: Path, ddpm: Path) -> None:
    opened = arm(100, synthetic=(stylegan, ddpm), shares=(3, 1))
    result = opened.artifact.result
    assert {name: (each["generator"], each["added"]) for name, each in result["synthetic"].items()} == {
        "synthetic/0": ("stylegan3", 12), "synthetic/1": ("ddpm", 4),
    }  # fmt: skip
    assert "drawn: 12 of stylegan3, 4 of ddpm" in augment.tables(result)[0].notes
    assert opened.artifact.options["shares"] == [3, 1]
    assert opened.artifact.manifest["inputs"].keys() == {"real", "synthetic/0", "synthetic/1"}


def test_equal_shares_are_the_default_and_one_set_is_recorded_as_before(
    arm: Callable[..., Dataset], stylegan: Path, ddpm: Path, tmp_path: Path
) -> None:
    made = arm(50, synthetic=(stylegan, ddpm))
    assert "shares" not in made.artifact.options
    real = made.artifact.input("real")
    same = Augment(real=real, synthetic=(stylegan, ddpm), shares=(0.5, 0.5), percent=50, out=made.path)
    assert augment.run(same) == made.artifact.result  # complete already
    one = arm(50, synthetic=stylegan, copies=screened(stylegan, tmp_path / "copies")).artifact
    assert one.manifest["inputs"].keys() == {"real", "synthetic", "copies"}
    assert "shares" not in one.options
    assert "synthetic" not in one.result


@pytest.mark.parametrize(
    ("shares", "message"),
    [((1.0,), "names 1 for 2"), ((1.0, 1.0, 1.0), "names 3 for 2"), ((1.0, 0.0), "no share"), ((1.0, -1.0), "no share"),
     ((1.0, float("inf")), "no share"), ((1.0, float("nan")), "no share")],
)  # fmt: skip
def test_shares_that_do_not_fit_are_refused(
    arm: Callable[..., Dataset], stylegan: Path, ddpm: Path, shares: tuple[float, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        arm(50, synthetic=(stylegan, ddpm), shares=shares)


def test_sets_that_do_not_go_together_are_refused(
    arm: Callable[..., Dataset], stylegan: Path, ddpm: Path, tmp_path: Path
) -> None:
    small = prepared(tmp_path / "small", stylegan.parent / "stylegan3", size=16)
    with pytest.raises(DataError, match=r"has images of 32 px, .* of 16 px"):
        arm(50, synthetic=(stylegan, small))
    with pytest.raises(UsageError, match="names one dataset twice"):
        arm(50, synthetic=(stylegan, ddpm, stylegan))
    with pytest.raises(DataError, match=f"asks for 24 synthetic images, {stylegan} holds 20") as refused:
        arm(300, synthetic=(stylegan, ddpm))
    assert refused.value.hint == "prepare at least 24"


def test_screenings_are_matched_with_their_sets_in_any_order(
    arm: Callable[..., Dataset], stylegan: Path, ddpm: Path, tmp_path: Path
) -> None:
    plain = arm(50, synthetic=(stylegan, ddpm))
    first = tuple(numbers_of(plain, f"synthetic/{place}")[0] for place in (0, 1))
    screenings = tuple(
        screened(path, tmp_path / f"copies-{place}", quarantined=(first[place],))
        for place, path in enumerate((stylegan, ddpm))
    )
    for given in (screenings, screenings[::-1]):
        opened = arm(50, synthetic=(stylegan, ddpm), copies=given)
        for place in (0, 1):
            assert first[place] not in numbers_of(opened, f"synthetic/{place}")
        assert opened.artifact.result["copies"] == {"quarantined": 2, "left_out": 2}
        each = opened.artifact.result["synthetic"]["synthetic/1"]
        assert each["copies"] == {"quarantined": 1, "left_out": 1}
    kept = arm(50, synthetic=(stylegan, ddpm), copies=screenings, keep_copies=True)
    assert numbers_of(kept, "synthetic/0") == numbers_of(plain, "synthetic/0")


def test_a_missing_screening_is_said(
    arm: Callable[..., Dataset], stylegan: Path, ddpm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    screening = screened(ddpm, tmp_path / "copies")
    opened = arm(50, synthetic=(stylegan, ddpm), copies=screening)
    assert f"no screening of {stylegan} for copies is given" in capsys.readouterr().err
    sets = opened.artifact.result["synthetic"]
    assert [name for name, each in sets.items() if "copies" in each] == ["synthetic/1"]
    with pytest.raises(UsageError, match=r"copies.* and .*again of --copies are both of"):
        arm(50, synthetic=(stylegan, ddpm), copies=(screening, screened(ddpm, tmp_path / "again")))
    with pytest.raises(DataError, match="is of another synthetic set"):
        arm(50, synthetic=stylegan, copies=screening)


def test_controls_count_the_images_of_several_sets(arm: Callable[..., Dataset], stylegan: Path, ddpm: Path) -> None:
    plain = arm(50, synthetic=(stylegan, ddpm))
    duplicate = arm(50, synthetic=(stylegan, ddpm), control="duplicate")
    assert duplicate.artifact.result["counts"] == plain.artifact.result["counts"]


# --- copies


@pytest.mark.parametrize(
    ("learnt_from", "warning"),
    [("real", ""), ("other", "another dataset"), ("none", "no image of this study"), ("unknown", "is unknown")],
)
def test_copies_warns_unless_it_compares_with_what_was_declared(
    real: Path, tmp_path: Path, learnt_from: str, warning: str
) -> None:
    other = write_dataset(tmp_path / "other", [row(patient=f"q{n}", study="", file=f"{n}") for n in range(4)])
    declared = {"real": str(real), "other": str(other)}.get(learnt_from, learnt_from)
    made = prepared(tmp_path / "set", write_images(tmp_path / "made"), generator="ddpm", learnt_from=declared)
    result = screen(made, real, tmp_path / "copies")
    found = [line for line in result["warnings"] if "ddpm" in line]
    assert [warning in line for line in found] == ([True] if warning else [])
    said = "declared" if learnt_from in ("real", "other") else learnt_from
    assert result["generator"] == {"name": "ddpm", "learnt_from": said}
    (*_, table) = copies.tables(result)
    assert ("what ddpm was trained on is as declared by the user" in table.notes) is (said == "declared")


def test_copies_finds_a_training_image_in_such_a_set(real: Path, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "made", 3, 3)
    write_png(folder / "normal" / "copy.png", picture(1005))  # of the real set's training split
    made = prepared(tmp_path / "set", folder, learnt_from=str(real))
    place = next(place for place, each in enumerate(open_dataset(made).rows) if each.file == "normal/copy.png")
    result = screen(made, real, tmp_path / "copies")
    assert place in result["quarantined"]
    with (tmp_path / "copies" / "copies.csv").open() as text:
        assert list(csv.DictReader(text))[place]["nearest_in_pixels"] == "5.png"


def screen(synthetic: Path, real: Path, out: Path) -> Result:
    return copies.run(Copies(synthetic=synthetic, real=real, features="radiomics", device="cpu", out=out))
