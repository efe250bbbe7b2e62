from pathlib import Path

import pytest
from PIL import Image

from xrayaug.data.sources import Listing, folder
from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.options import Prepare


def tree(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(root / file, format="PNG")
    return root


def read(path: Path, **options: object) -> Listing:
    return folder.read(Prepare(input=path, out=path / "out", **options))  # type: ignore[arg-type] # of any type


def splits_and_labels(listing: Listing) -> dict[str, tuple[str, str]]:
    return {record.file: (record.split, record.label) for record in listing.records}


def test_classes_without_splits(tmp_path: Path) -> None:
    listing = read(tree(tmp_path, "Normal/a.png", "Fractured/deep/er/b.JPG"))
    assert splits_and_labels(listing) == {"Normal/a.png": ("", "normal"), "Fractured/deep/er/b.JPG": ("", "abnormal")}
    record = listing.records[0]
    assert record.patient == record.study == "Fractured/deep/er/b"
    assert listing.notes == ["patients are unknown: each of the 2 images counts as a patient of its own"]
    assert {each.word: each.reading.label for each in listing.words} == {"Fractured": "abnormal", "Normal": "normal"}
    assert not record.patient_known


@pytest.mark.parametrize(
    ("train", "valid", "test"),
    [("train", "valid", "test"), ("Training", "VAL", "testing"), ("train", "validation", "Test")],
)
def test_splits_are_kept_as_given(tmp_path: Path, train: str, valid: str, test: str) -> None:
    tree(tmp_path, f"{train}/0/a.png", f"{train}/1/a.png", f"{valid}/0/b.png", f"{test}/1/x/c.png")
    assert folder.detect(tmp_path)
    assert splits_and_labels(read(tmp_path)) == {
        f"{train}/0/a.png": ("train", "normal"),
        f"{train}/1/a.png": ("train", "abnormal"),
        f"{valid}/0/b.png": ("valid", "normal"),
        f"{test}/1/x/c.png": ("test", "abnormal"),
    }


def test_the_abnormal_class_can_be_named(tmp_path: Path) -> None:
    tree(tmp_path, "cat/a.png", "dog/b.png")
    with pytest.raises(DataError, match="'cat' is neither normal nor abnormal"):
        read(tmp_path)
    assert splits_and_labels(read(tmp_path, abnormal_class="Dog")) == {
        "cat/a.png": ("", "normal"),
        "dog/b.png": ("", "abnormal"),
    }
    with pytest.raises(DataError, match="no class is called 'dgo'; there are cat, dog"):
        read(tmp_path, abnormal_class="dgo")


def test_a_flat_folder_needs_a_label(tmp_path: Path) -> None:
    tree(tmp_path, "a.png", "site/b.png")
    (tmp_path / "site" / "b.png").unlink()
    assert not folder.detect(tmp_path)
    with pytest.raises(DataError, match="lie in no directory of a class") as problem:
        read(tmp_path)
    assert "--label" in problem.value.hint
    tree(tmp_path, "site/b.png")
    assert splits_and_labels(read(tmp_path, label="abnormal")) == {
        "a.png": ("", "abnormal"),
        "site/b.png": ("", "abnormal"),
    }


def test_a_label_for_all_keeps_the_splits(tmp_path: Path) -> None:
    tree(tmp_path, "train/a.png", "test/b.png")
    assert splits_and_labels(read(tmp_path, label="normal")) == {
        "train/a.png": ("train", "normal"),
        "test/b.png": ("test", "normal"),
    }


def test_a_label_against_the_classes_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, "normal/a.png", "abnormal/b.png")
    with pytest.raises(DataError, match=r"--label is normal.* abnormal, normal"):
        read(tmp_path, label="normal")


def test_other_files_are_skipped_hidden_ones_not_seen_and_dicom_left_to_decoding(tmp_path: Path) -> None:
    tree(tmp_path, "normal/a.png", "stray.png", "normal/._a.png", "__MACOSX/normal/a.png")
    (tmp_path / "readme.txt").write_text("x")
    (tmp_path / "normal" / "b.DCM").write_bytes(b"x")
    listing = read(tmp_path)
    assert set(splits_and_labels(listing)) == {"normal/a.png", "normal/b.DCM"}
    assert listing.skipped == [("readme.txt", "not an image"), ("stray.png", "not in a class's directory")]


def test_classes_beside_splits_are_refused(tmp_path: Path) -> None:
    tree(tmp_path, "normal/a.png", "abnormal/b.png", "test/c.png")
    with pytest.raises(DataError, match="side by side: abnormal, normal"):
        read(tmp_path)


def test_doubled_directories_are_walked_through(tmp_path: Path) -> None:
    tree(tmp_path, "set/set/normal/a.png", "set/set/abnormal/b.png")
    assert folder.detect(tmp_path)
    listing = read(tmp_path)
    assert listing.root == tmp_path / "set" / "set"
    assert set(splits_and_labels(listing)) == {"normal/a.png", "abnormal/b.png"}


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(InputError, match="holds no image among 1 files"):
        read(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read(tmp_path / "gone")


def test_names_of_classes_may_be_written_in_many_ways(tmp_path: Path) -> None:
    tree(tmp_path, "Non_fractured/a.png", "Fractured/b.png")
    assert folder.detect(tmp_path)
    assert [record.label for record in read(tmp_path).records] == ["abnormal", "normal"]
    tree(tmp_path / "other", "normal/a.png", "Bone-Lesion/b.png")
    assert [r.label for r in read(tmp_path / "other", abnormal_class="bone lesion").records] == ["abnormal", "normal"]


def test_grades_can_be_parted(tmp_path: Path) -> None:
    tree(tmp_path, "train/0/a.png", "train/1/b.png", "train/2/c.png", "train/4/d.png")
    expected = {
        "train/0/a.png": "normal",
        "train/1/b.png": "normal",
        "train/2/c.png": "abnormal",
        "train/4/d.png": "abnormal",
    }
    for given in ({"abnormal_class": "2,4"}, {"normal_class": "0,1"}, {"normal_class": "1,0", "abnormal_class": "4,2"}):
        assert {file: label for file, (_, label) in splits_and_labels(read(tmp_path, **given)).items()} == expected


def test_patients_can_be_found_in_the_paths(tmp_path: Path) -> None:
    tree(tmp_path, "0/person1_virus_6.png", "0/person1_bacteria_7.png", "1/person22.png")
    listing = read(tmp_path, patient_pattern=r"person\d+")
    assert [record.patient for record in listing.records] == ["person1", "person1", "person22"]
    assert not [note for note in listing.notes if "patients" in note]
    assert [record.patient for record in read(tmp_path, patient_pattern=r"person(\d+)").records] == ["1", "1", "22"]
    with pytest.raises(DataError, match=r"finds no patient in 1/person22\.png"):
        read(tmp_path, patient_pattern=r"person(\d+)_")
    with pytest.raises(UsageError, match="is no regular expression"):
        read(tmp_path, patient_pattern="person(")
    with pytest.raises(UsageError, match="has 2 groups"):
        read(tmp_path, patient_pattern="(person)(1)")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            ["normal/patient1/study1/a.png", "normal/patient1/study2/b.png", "abnormal/patient2/c.png"],
            "name 2, such as",
        ),
        (["0/p10/p10000032/s1/a.png", "0/p10/p10000032/s2/b.png", "1/p11/p11000033/s1/c.png"], "such as p10000032"),
        (["0/x/a.png", "0/x/b.png", "1/y/c.png"], "3 images lie in 2 directories"),
        (["0/a.png", "0/b.png", "1/c.png"], ""),
        (["0/patient1.png", "0/patient2.png", "1/patient3.png"], ""),
    ],
)
def test_paths_that_seem_to_tell_patients_are_named(tmp_path: Path, files: list[str], said: str) -> None:
    (warnings := read(tree(tmp_path, *files)).warnings).append("")
    assert said in warnings[0]
    assert len(warnings) == 1 + bool(said)


@pytest.mark.parametrize("name", ["none", "uncertain"])
def test_a_class_whose_name_tells_no_label_is_left_out(tmp_path: Path, name: str) -> None:
    listing = read(tree(tmp_path, "fracture/a.png", f"{name}/b.png", "clear/c.png"), abnormal_class="fracture")
    assert {file for file, _ in splits_and_labels(listing).items()} == {"fracture/a.png", "clear/c.png"}
    assert listing.skipped[0][0] == f"{name}/b.png"
    assert f"'{name}'" in listing.warnings[0]


def test_masks_are_no_class_and_no_radiographs(tmp_path: Path) -> None:
    files = [f"{name}/{kind}/1.png" for name in ("Normal", "Fractured") for kind in ("images", "masks")]
    listing = read(tree(tmp_path, *files, "ManualMask/left/1.png", "Normal/images/1_mask.png"))
    assert set(splits_and_labels(listing)) == {"Normal/images/1.png", "Fractured/images/1.png"}
    assert {file for file, _ in listing.skipped} == {
        "Normal/masks/1.png", "Fractured/masks/1.png", "ManualMask/left/1.png", "Normal/images/1_mask.png"
    }  # fmt: skip
    assert all(reason.startswith("no radiograph by its name") for _, reason in listing.skipped)
    assert listing.lost() == []


def test_masks_beside_the_directory_of_the_classes_are_passed_over(tmp_path: Path) -> None:
    files = [f"{kind}/{name}/1.png" for name in ("normal", "abnormal") for kind in ("images", "masks")]
    listing = read(tree(tmp_path, *files))
    assert listing.root == tmp_path / "images"
    assert set(splits_and_labels(listing)) == {"normal/1.png", "abnormal/1.png"}
    assert str(tmp_path / "masks") in listing.warnings[0]


def test_pictures_with_a_suffix_that_is_not_read_are_lost_and_others_of_jpeg_read(tmp_path: Path) -> None:
    tree(tmp_path, "normal/a.jfif", "normal/b.jpe", "abnormal/c", "abnormal/d.ppm", "abnormal/e.pnm")
    (tmp_path / "abnormal" / "f.img").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "abnormal" / "BMI.txt").write_text("BMI of patients, P5 23")
    listing = read(tmp_path)
    assert set(splits_and_labels(listing)) == {
        "normal/a.jfif", "normal/b.jpe", "abnormal/d.ppm", "abnormal/e.pnm", "abnormal/f.img"
    }  # fmt: skip
    assert [(file, reason.rpartition(" ")[2]) for file, reason in listing.lost()] == [("abnormal/c", "PNG")]


def test_masks_without_a_radiograph_beside_them_are_read(tmp_path: Path) -> None:
    files = {"Normal/masks/1.png", "Normal/GT_1/2.png", "Normal/hand_seg1.png"}
    assert set(splits_and_labels(read(tree(tmp_path, *sorted(files), "Normal/notes.txt")))) == files
    with pytest.raises(InputError, match="1 of them seem to be masks"):
        read(tree(tmp_path / "other", "Normal/favicon.png"))
