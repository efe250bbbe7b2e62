"""Contract tests of every module in `sources/`, found by listing; each needs a small tree here."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from data.images import dicom_files as made
from data.sources import imitations
from PIL import Image

from xrayaug.data import sources
from xrayaug.data.dataset import LABELS, SPLITS
from xrayaug.errors import InputError
from xrayaug.options import Prepare


def touch(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(root / file)


def mura(root: Path) -> None:
    touch(root, "MURA-v1.1/train/XR_HAND/patient00001/study1_positive/image1.png")
    touch(root, "MURA-v1.1/valid/XR_HAND/patient00002/study1_negative/image1.png")


def rsna(root: Path) -> None:
    touch(root, "boneage-training-dataset/boneage-training-dataset/1377.png")
    (root / "boneage-training-dataset.csv").write_text("id,boneage,male\n1377,180,False\n")


def folder(root: Path) -> None:
    touch(root, "train/normal/a.png", "train/abnormal/b.png", "test/normal/c.png")


def table(root: Path) -> None:
    touch(root, "images/a.png", "images/b.png")
    (root / "labels.csv").write_text("image,label,split\nimages/a.png,normal,train\nimages/b.png,abnormal,test\n")


def dicom(root: Path) -> None:
    for number in range(2):
        made.save(root / f"S{number}" / "IM1", made.make(made.gradient(), AccessionNumber=f"A{number}"))
    (root / "labels.csv").write_text("AccessionNumber,label\nA0,normal\nA1,abnormal\n")


TREES: dict[str, Callable[[Path], None]] = {
    "mura": mura,
    "rsna": rsna,
    "folder": folder,
    "table": table,
    "dicom": dicom,
    **imitations.MAKERS,
}
every_source = pytest.mark.parametrize("name", sources.names())


def test_every_source_has_a_tree_here() -> None:
    assert TREES.keys() == set(sources.names())


@every_source
def test_each_tree_is_detected_by_its_source_alone(name: str, tmp_path: Path) -> None:
    TREES[name](tmp_path)
    assert [other for other in sources.names() if sources.detect(other, tmp_path)] == [name]


@every_source
def test_records_keep_their_promises(name: str, tmp_path: Path) -> None:
    TREES[name](tmp_path)
    listing = sources.load(name).read(Prepare(input=tmp_path, out=tmp_path / "out"))
    assert listing.records
    assert listing.root.is_relative_to(tmp_path)
    assert len({record.file for record in listing.records}) == len(listing.records)
    for record in listing.records:
        path = PurePosixPath(record.file)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert (listing.root / path).is_file()
        assert record.label in LABELS
        assert record.split in (*SPLITS, "")
        assert record.patient
        assert record.study


TRAIN, VALID, TEST, ANY = "train", "valid", "test", ""
COUNTS = {  # (normal, abnormal) of each split of a tree, and the number of skipped files or lines
    "cbis-ddsm": ({TRAIN: (1, 2), TEST: (2, 0)}, 0),
    "chest-xray-pneumonia": ({TRAIN: (2, 2), VALID: (1, 1), TEST: (1, 1)}, 0),
    "chexpert": ({TRAIN: (3, 3), TEST: (1, 1)}, 1),
    "covid-radiography": ({ANY: (2, 6)}, 0),
    "dicom": ({ANY: (1, 1)}, 0),
    "folder": ({TRAIN: (1, 1), TEST: (1, 0)}, 0),
    "fracatlas": ({ANY: (2, 1)}, 0),
    "grazpedwri-dx": ({ANY: (1, 1)}, 3),
    "knee-kl": ({TRAIN: (1, 2), VALID: (1, 0), TEST: (1, 1)}, 1),
    "mimic-cxr-jpg": ({TRAIN: (2, 0), VALID: (0, 1), TEST: (1, 0)}, 1),
    "montgomery": ({ANY: (1, 2)}, 0),
    "mura": ({TRAIN: (0, 1), TEST: (1, 0)}, 0),
    "nih-chestxray14": ({TRAIN: (1, 3), TEST: (0, 1)}, 0),
    "padchest": ({ANY: (2, 2)}, 2),
    "rsna": ({ANY: (1, 0)}, 0),
    "rsna-pneumonia": ({ANY: (1, 1)}, 1),
    "shenzhen": ({ANY: (2, 1)}, 0),
    "table": ({TRAIN: (1, 0), TEST: (0, 1)}, 0),
    "vindr-cxr": ({TRAIN: (1, 2), TEST: (1, 1)}, 0),
}


@every_source
def test_images_of_each_split_and_label_are_counted(name: str, tmp_path: Path) -> None:
    TREES[name](tmp_path)
    listing = sources.load(name).read(Prepare(input=tmp_path, out=tmp_path / "out"))
    found = Counter((record.split, record.label) for record in listing.records)
    counted = {split: (found[split, "normal"], found[split, "abnormal"]) for split, _ in found}
    assert (counted, len(listing.skipped)) == COUNTS[name]


@every_source
def test_an_empty_or_missing_directory_is_no_set(name: str, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone"):
        assert not sources.detect(name, path)
        with pytest.raises(InputError):
            sources.load(name).read(Prepare(input=path, out=tmp_path / "out"))


NO_RIGHTS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


def as_one_who_may_not(words: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run Python as a user whom the rights of files bind, which root else is not."""
    if NO_RIGHTS and not shutil.which(NO_RIGHTS[0]):
        pytest.skip("root may read everything, and there is no setpriv")
    return subprocess.run([*NO_RIGHTS, sys.executable, *words], capture_output=True, text=True, check=False)


READ = """
import sys
from pathlib import Path
from xrayaug.data import sources
from xrayaug.errors import InputError
from xrayaug.options import Prepare
try:
    source = sources.load(sys.argv[1])
    sources.drop_missing_files(source.read(Prepare(input=sys.argv[2], out="out", label=sys.argv[3] or None)))
except InputError as problem:
    print(problem.message)
"""


@pytest.mark.parametrize("rights", [0o000, 0o644, 0o311])
@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mura", "MURA-v1.1/train"),
        ("mura", "MURA-v1.1/train/XR_HAND/patient00001"),
        ("rsna", "boneage-training-dataset/boneage-training-dataset"),
        ("folder", "train/abnormal"),
        ("folder", "train"),
        ("table", "images"),
    ],
)
def test_a_folder_that_may_not_be_read_is_an_error_that_names_it(
    tmp_path: Path, name: str, folder: str, rights: int
) -> None:
    TREES[name](tmp_path)
    if name == "table" and rights == 0o311:
        return  # what is listed by its path can be opened there
    (tmp_path / folder).chmod(rights)
    found = as_one_who_may_not(["-c", READ, name, str(tmp_path), ""])
    (tmp_path / folder).chmod(0o755)
    assert f"{folder}" in found.stdout, found
    assert "cannot be read: Permission denied" in found.stdout, found


@every_source
def test_the_lists_that_were_read_are_reported(name: str, tmp_path: Path) -> None:
    TREES[name](tmp_path)
    if name == "mura":
        (tmp_path / "train_image_paths.csv").write_text(
            "MURA-v1.1/train/XR_HAND/patient00001/study1_positive/image1.png\n"
        )
    (tmp_path / "unread.csv").write_text("nothing,of,use\n")
    listing = sources.load(name).read(Prepare(input=tmp_path, out=tmp_path / "out"))
    expected = {
        "mura": ["train_image_paths.csv"],
        "rsna": ["boneage-training-dataset.csv"],
        "table": ["labels.csv"],
        "folder": [],
        "cbis-ddsm": [
            "calc_case_description_test_set.csv",
            "mass_case_description_test_set.csv",
            "mass_case_description_train_set.csv",
        ],
        "chexpert": ["train.csv", "valid.csv"],
        "dicom": ["labels.csv"],
        "fracatlas": ["dataset.csv"],
        "grazpedwri-dx": ["dataset.csv"],
        "mimic-cxr-jpg": [f"mimic-cxr-2.0.0-{kind}.csv.gz" for kind in ("chexpert", "metadata", "split")],
        "nih-chestxray14": ["Data_Entry_2017_v2020.csv", "test_list.txt", "train_val_list.txt"],
        "padchest": ["PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz"],
        "rsna-pneumonia": ["stage_2_train_labels.csv", "stage_2_detailed_class_info.csv"],
        "vindr-cxr": ["image_labels_test.csv", "image_labels_train.csv"],
    }
    assert [path.name for path in listing.lists] == expected.get(name, [])
