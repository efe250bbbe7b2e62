from pathlib import Path

import pytest
from PIL import Image

from xrayaug.data.sources import Listing, rsna
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare

TRAINING = "boneage-training-dataset"


def images(directory: Path, *ids: object) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for number in ids:
        Image.new("L", (4, 4)).save(directory / f"{number}.png")


def kaggle(root: Path) -> Path:
    """The training set as Kaggle has it: directories doubled."""
    images(root / TRAINING / TRAINING, 1377, 1378)
    (root / f"{TRAINING}.csv").write_text("id,boneage,male\n1378,12,True\n1377,180,False\n")
    return root


def read(path: Path) -> Listing:
    return rsna.read(Prepare(input=path, out=path / "out"))


def test_the_training_set(tmp_path: Path) -> None:
    listing = read(kaggle(tmp_path))
    assert [(r.file, r.patient, r.study) for r in listing.records] == [
        (f"{TRAINING}/{TRAINING}/1378.png", "1378", "1378"),
        (f"{TRAINING}/{TRAINING}/1377.png", "1377", "1377"),
    ]
    assert {(r.label, r.split) for r in listing.records} == {("normal", "")}
    assert listing.records[0].extra == {"boneage_months": "12", "male": "1"}
    assert listing.records[1].extra == {"boneage_months": "180", "male": "0"}
    assert (listing.skipped, listing.notes) == ([], [])


def test_all_three_sets_and_their_splits(tmp_path: Path) -> None:
    kaggle(tmp_path)
    images(tmp_path / "boneage-validation-dataset-1", 1386)
    images(tmp_path / "boneage-test-dataset", 4360)
    (tmp_path / "Validation Dataset.csv").write_text("Image ID,male,Bone Age (months)\n1386,TRUE,30.0\n")
    (tmp_path / "boneage-test-dataset.csv").write_text("Case ID,Sex\n4360,M\n")
    found = {r.patient: (r.split, dict(r.extra)) for r in read(tmp_path).records}
    assert found["1386"] == ("valid", {"boneage_months": "30", "male": "1"})
    assert found["4360"] == ("test", {"male": "1"})
    assert found["1377"][0] == ""


@pytest.mark.parametrize("csv_place", [".", TRAINING, f"{TRAINING}/{TRAINING}"])
def test_the_csv_may_lie_anywhere_near(tmp_path: Path, csv_place: str) -> None:
    kaggle(tmp_path)
    (tmp_path / f"{TRAINING}.csv").rename(tmp_path / csv_place / "train.csv")
    assert rsna.detect(tmp_path)
    assert len(read(tmp_path).records) == 2


@pytest.mark.parametrize("written", ["1377", "1377.0", "1377.png", "01377", " 1377 "])
def test_ids_come_in_several_forms(tmp_path: Path, written: str) -> None:
    images(tmp_path, 1377)
    (tmp_path / "a.csv").write_text(f"note, MALE ,Id,BoneAge\nx,false,{written},24\n")
    record = read(tmp_path).records[0]
    assert (record.patient, record.extra) == ("1377", {"boneage_months": "24", "male": "0"})


def test_images_only_on_disk_or_only_in_the_csv_are_skipped(tmp_path: Path) -> None:
    kaggle(tmp_path)
    images(tmp_path / TRAINING / TRAINING, 9999, "cover")
    path = tmp_path / f"{TRAINING}.csv"
    path.write_text(path.read_text() + "5,60,True\n,70,True\n")
    listing = read(tmp_path)
    assert len(listing.records) == 2
    assert dict(listing.skipped) == {
        "5.png": "listed but not on disk",
        f"{TRAINING}.csv line 5": "names no image",
        f"{TRAINING}/{TRAINING}/9999.png": "not in the CSV",
        f"{TRAINING}/{TRAINING}/cover.png": "not in the CSV",
    }


def test_none_of_the_listed_images_on_disk_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,boneage,male\n1,60,True\n")
    with pytest.raises(InputError, match=r"none of the images that a\.csv lists"):
        read(tmp_path)


def test_ids_that_repeat_are_noted_or_refused(tmp_path: Path) -> None:
    kaggle(tmp_path)
    path = tmp_path / f"{TRAINING}.csv"
    path.write_text(path.read_text() + "1377,180,False\n")
    assert read(tmp_path).notes == [f"{TRAINING}.csv: 1 lines repeat an id, with the same values"]
    path.write_text(path.read_text() + "1377,181,False\n")
    with pytest.raises(DataError, match="line 5: the id 1377 is there twice"):
        read(tmp_path)


def test_of_two_files_of_an_id_that_in_the_set_s_directory_is_read(tmp_path: Path) -> None:
    kaggle(tmp_path)
    images(tmp_path / "a-copy", 1377)
    listing = read(tmp_path)
    assert {r.file for r in listing.records} == {f"{TRAINING}/{TRAINING}/{n}.png" for n in (1377, 1378)}
    assert listing.skipped == [
        ("a-copy/1377.png", f"another file of the same id is read: {TRAINING}/{TRAINING}/1377.png")
    ]
    assert listing.notes == ["1 images are further files of an id; that in the set's own directory is read"]


def test_an_id_in_two_sets_needs_two_files(tmp_path: Path) -> None:
    images(tmp_path / "images", 7)
    (tmp_path / "a.csv").write_text("id,boneage,male\n7,60,True\n")
    (tmp_path / "b.csv").write_text("Case ID,Sex\n7,M\n")
    with pytest.raises(DataError, match="the id 7 is in the CSV files of two sets"):
        read(tmp_path)


def test_without_a_csv_the_images_are_read_alone(tmp_path: Path) -> None:
    images(tmp_path / TRAINING / TRAINING, 1377, 1378)
    images(tmp_path / "boneage-test-dataset", 4360)
    images(tmp_path / "spare", 1377)
    assert rsna.detect(tmp_path)
    listing = read(tmp_path)
    assert {(r.patient, r.split) for r in listing.records} == {("1377", ""), ("1378", ""), ("4360", "test")}
    assert "age and sex are unknown" in listing.notes[1]
    assert listing.skipped[0][0] == "spare/1377.png"
    alone = read(tmp_path / "boneage-test-dataset")
    assert [(r.patient, r.split) for r in alone.records] == [("4360", "test")]


def test_a_directory_without_an_rsna_csv_is_refused(tmp_path: Path) -> None:
    images(tmp_path / "normal", 1)
    (tmp_path / "a.csv").write_text("file,label\nnormal/1.png,0\n")
    assert not rsna.detect(tmp_path)
    with pytest.raises(InputError, match="no CSV with the columns id and boneage"):
        read(tmp_path)
    with pytest.raises(InputError, match="is a file"):
        read(tmp_path / "a.csv")


def test_a_long_run_of_zeros_is_read_at_once(tmp_path: Path) -> None:
    images(tmp_path, 7)
    zeros = "0" * 130_000
    (tmp_path / "a.csv").write_text(f"id,boneage,male\n{zeros}7,12,True\n{zeros}x,12,True\n000,12,True\n")
    assert [record.patient for record in read(tmp_path).records] == ["7"]
