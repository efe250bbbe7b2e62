"""A dataset is read as it was written; invalid rows and foreign arrays are refused."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from builders import edit_index, edit_manifest, grey, row, tamper, write_dataset

from xrayaug.data import dataset
from xrayaug.data.dataset import INDEX, Row, open_dataset, reference_row
from xrayaug.data.images.arrays import IMAGES
from xrayaug.errors import ArtifactError, DataError
from xrayaug.options import Augment
from xrayaug.storage import manifests
from xrayaug.storage.builder import build_artifact

HEADER = b"image,row,split,label,patient,study,source,synthetic\n"
ROWS = [
    row(patient="p1", study="p1/s1", file="a,b.png", sha256="ab", extra={"age": "120"}),
    row(patient="p1", study="p1/s2", label="abnormal", extra={"sex": 'quote " and, comma'}),
    row(patient="p2", split="valid", label="abnormal", file="Händ\n.png"),
    row(patient="p3", split="test"),
    row(patient="", study="", label="normal", source="dcgan", synthetic=True),
]


def test_rows_and_pixels_come_back(tmp_path: Path) -> None:
    opened = open_dataset(write_dataset(tmp_path / "set", ROWS))
    extras = [{"age": "120", "sex": ""}, {"age": "", "sex": 'quote " and, comma'}, *({"age": "", "sex": ""},) * 3]
    assert [{**vars(got), "extra": dict(got.extra)} for got in opened.rows] == [
        {**vars(each), "row": place, "extra": extra}
        for place, (each, extra) in enumerate(zip(ROWS, extras, strict=True))
    ]
    np.testing.assert_array_equal(opened.pixels(opened.rows), grey(5))
    np.testing.assert_array_equal(opened.pixels(opened.rows[3:0:-2]), grey(5)[3:0:-2])
    assert (opened.size, opened.split_by) == (8, "patient")


def test_anyone_can_read_it_with_numpy_and_csv(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "set", ROWS)
    images = np.load(path / IMAGES, mmap_mode="r")
    assert (images.dtype, images.shape) == (np.uint8, (5, 8, 8))
    header = (path / INDEX).read_text().splitlines()[0].split(",")
    assert header[:8] == ["image", "row", "split", "label", "patient", "study", "source", "synthetic"]


def test_rows_are_selected_by_split_label_and_origin(tmp_path: Path) -> None:
    opened = open_dataset(write_dataset(tmp_path / "set", ROWS))
    selected = {
        "train": opened.select(split="train"),
        "abnormal": opened.select(label="abnormal"),
        "synthetic": opened.select(synthetic=True),
        "real normal train": opened.select(split="train", label="normal", synthetic=False),
        "all": opened.select(),
    }
    assert {name: [each.row for each in rows] for name, rows in selected.items()} == {
        "train": [0, 1, 4],
        "abnormal": [1, 2],
        "synthetic": [4],
        "real normal train": [0],
        "all": [0, 1, 2, 3, 4],
    }


def test_pictures_of_another_size_are_resized(tmp_path: Path) -> None:
    pictures = np.zeros((2, 16, 16), np.uint8)
    pictures[1, :, 8:] = 200
    opened = open_dataset(write_dataset(tmp_path / "set", [row(), row()], pixels=pictures))
    small = opened.pixels(opened.rows, 4)
    assert small.shape == (2, 4, 4)
    assert not small[0].any()
    np.testing.assert_allclose(small[1], [[0, 0, 200, 200]] * 4, atol=15)
    np.testing.assert_array_equal(opened.pixels(opened.rows, 16), pictures)
    assert opened.pixels([], 4).shape == (0, 4, 4)


def test_counts_are_by_split_and_label() -> None:
    assert dataset.count_images(ROWS) == {
        "train": {"normal": 2, "abnormal": 1},
        "valid": {"abnormal": 1},
        "test": {"normal": 1},
    }


@pytest.mark.parametrize("outside", ["2", "99999999999999999999"])
def test_a_row_outside_its_array_is_refused(tmp_path: Path, outside: str) -> None:
    path = write_dataset(tmp_path / "set", [row(), row()])
    edit_index(path, 1, row=outside)
    with pytest.raises(ArtifactError, match=rf"line 3: row {outside} is outside images\.npy, which holds 2 images"):
        open_dataset(path)


@pytest.mark.parametrize(
    ("cell", "value", "complaint"),
    [
        ("split", "holdout", "the split is 'holdout'"),
        ("split", "", "the split is ''"),
        ("label", "broken", "the label is 'broken'"),
        ("label", "", "has no label"),
        ("row", "-1", "row must be a number"),
        ("row", "1.5", "row must be a number"),
        ("synthetic", "yes", "synthetic 0 or 1"),
    ],
)
def test_a_cell_that_cannot_stand_is_refused(tmp_path: Path, cell: str, value: str, complaint: str) -> None:
    path = write_dataset(tmp_path / "set", [row(), row()])
    edit_index(path, 1, **{cell: value})
    with pytest.raises((ArtifactError, DataError), match=complaint):
        open_dataset(path)


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_synthetic_image_outside_train_is_neither_written_nor_read(tmp_path: Path, split: str) -> None:
    synthetic = row(patient="", synthetic=True)
    with pytest.raises(DataError, match=f"synthetic.*'{split}'"):
        dataset.write_index(tmp_path, [row(patient="", split=split, synthetic=True)])
    path = write_dataset(tmp_path / "set", [synthetic, synthetic])
    edit_index(path, 1, split=split)
    with pytest.raises(DataError, match=f"synthetic.*'{split}'"):
        open_dataset(path)


def test_a_patient_in_two_splits_is_neither_written_nor_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^1 patients .* p0"):
        dataset.write_index(tmp_path, [row(), row(split="test")])
    path = write_dataset(tmp_path / "set", [row(), row()])
    edit_index(path, 1, split="valid")
    with pytest.raises(DataError, match="p0 the first"):
        open_dataset(path)


def test_a_patient_in_two_splits_may_stand_where_images_were_split(tmp_path: Path) -> None:
    rows = [row(), row(split="test")]
    assert open_dataset(write_dataset(tmp_path / "set", rows, split_by="image")).split_by == "image"
    assert dataset.count_leaking_patients(rows) == 1


def test_rows_without_a_patient_are_not_one_patient() -> None:
    dataset.check_splits([row(patient=""), row(patient="", split="test")], split_by="patient")


def write_arm(path: Path, *, real: Path, synthetic: Path | None = None) -> Path:
    """An arm whose rows are those of its inputs."""

    def build(directory: Path) -> dict[str, str]:
        rows = [reference_row(each, "real") for each in open_dataset(real).rows]
        rows += [reference_row(each, "synthetic") for each in open_dataset(synthetic).rows] if synthetic else []
        dataset.write_index(directory, rows)
        return {"split_by": "patient"}

    build_artifact(
        Augment(real=real, synthetic=(synthetic,) if synthetic else None, percent=0, out=path), "dataset", build
    )
    return path


def test_an_arm_of_an_arm_borrows_its_pixels(tmp_path: Path) -> None:
    real = write_dataset(tmp_path / "real", [row(), row(), row()])
    drawn = [row(patient="", synthetic=True)] * 2
    synthetic = write_dataset(tmp_path / "synthetic", drawn, pixels=grey(7, 16)[5:])
    arm = write_arm(tmp_path / "arms" / "one", real=real, synthetic=synthetic)
    arm_of_arm = write_arm(tmp_path / "two", real=arm)
    opened = open_dataset(arm_of_arm)
    assert {each.image for each in opened.rows} == {"real/real/images.npy", "real/synthetic/images.npy"}
    assert opened.pixels(opened.rows, 8)[:, 0, 0].tolist() == [0, 1, 2, 5, 6]
    assert sorted(file.name for file in arm_of_arm.iterdir()) == [INDEX, "manifest.json"]
    with pytest.raises(DataError, match="different sizes"):
        opened.pixels(opened.rows)


def test_an_arm_whose_pixels_changed_is_refused(tmp_path: Path) -> None:
    real = write_dataset(tmp_path / "real", [row(), row()])
    arm = write_arm(tmp_path / "arm", real=real)
    edit_index(real, 0, label="abnormal")
    with pytest.raises(ArtifactError, match=r"real changed since .*arm was made from it"):
        open_dataset(arm)


@pytest.mark.parametrize(
    "name",
    ["../secret.npy", "../images.npy", "real/../images.npy", "raw/images.npy", "real", "", ".", "real/index.csv"],
)
def test_an_array_that_is_none_of_its_own_is_refused(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "secret.npy", grey(2))
    np.save(tmp_path / "images.npy", grey(2))
    real = write_dataset(tmp_path / "real", [row(), row()])
    arm = write_arm(tmp_path / "arm", real=real)
    edit_index(arm, 1, image=name)
    with pytest.raises(ArtifactError, match=r"no array of its own or of an input|names no input"):
        open_dataset(arm)


def test_an_absolute_path_as_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / IMAGES, grey(2))
    path = write_dataset(tmp_path / "set", [row(), row()])
    edit_index(path, 1, image=str(tmp_path / IMAGES))
    with pytest.raises(ArtifactError, match="no array of its own"):
        open_dataset(path)


def test_an_input_that_is_no_dataset_lends_no_pixels(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "set", [row(), row()])  # its input is the raw set
    edit_index(path, 1, image="input/images.npy")
    with pytest.raises(ArtifactError, match="no finished dataset"):
        open_dataset(path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "lacks the columns image, row"),
        (b"image,row,split,label,patient,study,source,synthetic\n", "lists no images"),
        (b"image,row\nimages.npy,0\n", "lacks the columns split, label"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"a\0b", "NUL bytes"),
        (b'"' + b"x" * 200_000, "cannot be read"),
        (b'image"a"b,"\n"x"y', "cannot be read"),
        (HEADER[:-1] + b",label\n", "two columns of one name"),
        (HEADER + b"images.npy,0,train,normal,,,,0,more\n", "line 2 has 9 cells, not 8"),
        (HEADER + b"images.npy,0,train\n", "line 2 has 3 cells, not 8"),
        (HEADER + b"images.npy," + b"1" * 5000 + b",train,normal,,,,0\n", "row must be a number"),
        (HEADER + "images.npy,١,train,normal,,,,0\n".encode(), "row must be a number"),
    ],
)
def test_an_index_that_is_none_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = write_dataset(tmp_path / "set", [row(), row()])
    tamper(path, INDEX, lambda _: content)
    with pytest.raises(ArtifactError, match=complaint):
        open_dataset(path)


def test_an_unfinished_dataset_is_refused(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "set", [row()])
    (path / manifests.MANIFEST).unlink()
    with pytest.raises(ArtifactError, match="no finished dataset"):
        open_dataset(path)


def test_a_picture_that_is_there_twice_is_neither_written_nor_read(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "set", [row(), row(), row()])
    edit_index(path, 2, row="0")
    with pytest.raises(DataError, match=r"lines 2 and 4 .* 0 of images\.npy"):
        open_dataset(path)
    with pytest.raises(DataError, match="lines 2 and 3 are both picture 0"):
        dataset.write_index(tmp_path, [row(), row()])


@pytest.mark.parametrize("text", ["=1+1", "'=1", "-7", "\t@x", "\rr", "a\r\nb", "'tis", '"', "+", "Häⁿd"])
def test_text_that_a_spreadsheet_would_run_is_guarded_and_comes_back(tmp_path: Path, text: str) -> None:
    each = row(patient=text, file=text, extra={f"{text}!": text})
    path = write_dataset(tmp_path / "set", [each])
    (found,) = open_dataset(path).rows
    assert (found.patient, found.file, dict(found.extra)) == (text, text, {f"{text}!": text})
    cells = next(csv.DictReader(io.StringIO((path / INDEX).read_bytes().decode(), newline="")))
    runs = [cell for cell in (*cells, *cells.values()) if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert set(runs) <= {"-7"}  # a number is none that runs


@pytest.mark.parametrize("name", [IMAGES, INDEX])
def test_a_file_that_the_manifest_does_not_list_is_not_read(tmp_path: Path, name: str) -> None:
    path = write_dataset(tmp_path / "set", [row()])
    edit_manifest(path, lambda manifest: manifest["files"].pop(name))
    with pytest.raises(ArtifactError, match=rf"lists no file '{re.escape(name)}'"):
        open_dataset(path)


def test_an_array_that_is_a_link_out_of_the_dataset_is_refused(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "set", [row()])
    (path / IMAGES).rename(tmp_path / IMAGES)
    (path / IMAGES).symlink_to(tmp_path / IMAGES)
    with pytest.raises(ArtifactError, match=r"images\.npy is a link"):
        open_dataset(path)


@pytest.mark.parametrize("said", ["images", 7, None])
def test_an_unknown_split_by_in_the_manifest_is_refused(tmp_path: Path, said: object) -> None:
    path = write_dataset(tmp_path / "set", [row()])
    edit_manifest(path, lambda manifest: manifest["result"].update(split_by=said))
    with pytest.raises(ArtifactError, match="'result/split_by' is"):
        open_dataset(path)


def test_copies_stand_beside_the_picture_itself_in_training(tmp_path: Path) -> None:
    rows = [row(), row(copy=1), row(copy=2), row(row=1, label="abnormal")]
    path = write_dataset(tmp_path / "set", rows, pixels=grey(2), numbered=False)
    opened = open_dataset(path)
    assert [(each.row, each.copy, each.is_added) for each in opened.rows] == [
        (0, 0, False), (0, 1, True), (0, 2, True), (1, 0, False),
    ]  # fmt: skip
    assert opened.pixels(opened.rows)[:, 0, 0].tolist() == [0, 0, 0, 1]
    edit_index(path, 2, copy="1")
    with pytest.raises(DataError, match=r"lines 3 and 4 .* 0 of images\.npy"):
        open_dataset(path)
    edit_index(path, 2, copy="two")
    with pytest.raises(ArtifactError, match="line 4: copy must be a number"):
        open_dataset(path)


def test_a_dataset_without_copies_has_no_column_of_them(tmp_path: Path) -> None:
    path = write_dataset(tmp_path / "set", [row()])
    assert "copy" not in (path / INDEX).read_text().splitlines()[0].split(",")


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_copy_outside_train_is_refused(tmp_path: Path, split: str) -> None:
    with pytest.raises(DataError, match=f"copy.*'{split}'"):
        dataset.write_index(tmp_path, [row(split=split, copy=1)])


def test_a_row_says_where_its_pixels_are_and_what_it_is() -> None:
    lent = reference_row(row(row=7), "synthetic", label="abnormal")
    assert lent.image is reference_row(row(row=8), "synthetic").image  # in memory once, however many rows there are
    assert lent == Row("synthetic/images.npy", 7, "train", "abnormal", "p0", "p0/s1", "folder", False)
