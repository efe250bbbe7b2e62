"""What every module in `sources/` must keep; it is found by listing, and needs a tiny tree here."""

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image

from xrayaug import sources
from xrayaug.dataset import LABELS, SPLITS
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


TREES: dict[str, Callable[[Path], None]] = {"mura": mura, "rsna": rsna, "folder": folder, "table": table}
every_source = pytest.mark.parametrize("name", sources.names())


def test_every_source_has_a_tree_here() -> None:
    assert TREES.keys() == set(sources.names())


@every_source
def test_each_tree_is_detected_by_its_source_alone(name: str, tmp_path: Path) -> None:
    TREES[name](tmp_path)
    assert [other for other in sources.names() if sources.load(other).detect(tmp_path)] == [name]


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


@every_source
def test_an_empty_or_missing_directory_is_no_set(name: str, tmp_path: Path) -> None:
    source = sources.load(name)
    for path in (tmp_path, tmp_path / "gone"):
        assert not source.detect(path)
        with pytest.raises(InputError):
            source.read(Prepare(input=path, out=tmp_path / "out"))


def test_a_link_to_a_directory_above_ends(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.png").write_bytes(b"")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert list(sources.walk(tmp_path)) == ["a/one.png"]


def test_a_name_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", os.fsdecode(b"h\xff.png"))
    with pytest.raises(InputError, match=r"not UTF-8: 'h\\udcff\.png'"):
        list(sources.walk(tmp_path))
