"""Equal pictures are counted and warned of; across splits they are refused, unless the user says otherwise."""

from pathlib import Path

import pytest

from xrayaug.data import duplicates
from xrayaug.data.dataset import Row
from xrayaug.errors import DataError
from xrayaug.options import Prepare

OPTIONS = Prepare(input=Path("raw"), out=Path("out"))


def row(file: str, sha256: str, label: str = "normal") -> Row:
    """`train/a.png` of the split that the path begins with."""
    return Row("images.npy", 0, Path(file).parent.name, label, file, file, "folder", False, file, sha256)


OTHERS = [row("train/x.png", "x"), row("valid/y.png", "y"), row("test/z.png", "z")]


def test_copies_within_a_split_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row("train/a.png", "1"), *OTHERS, row("train/b.png", "1"), row("train/c.png", "1")]
    assert duplicates.report(rows, OPTIONS, set()) == {"pictures": 1, "across_splits": 0, "with_both_labels": 0}
    assert "1 pictures occur more than once, such as train/a.png and train/b.png" in capsys.readouterr().err


def test_a_set_without_duplicates_gives_no_warning(capsys: pytest.CaptureFixture[str]) -> None:
    assert duplicates.report(OTHERS, OPTIONS, set()) == {"pictures": 0, "across_splits": 0, "with_both_labels": 0}
    assert capsys.readouterr().err == ""


def test_copies_with_both_labels_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row("train/a.png", "1"), row("train/b.png", "1", "abnormal")]
    assert duplicates.report(rows, OPTIONS, set())["with_both_labels"] == 1
    assert "1 of them have both labels" in capsys.readouterr().err


@pytest.mark.parametrize("other", ["valid", "test"])
def test_copies_across_splits_are_an_error(other: str) -> None:
    with pytest.raises(DataError, match=rf"train/a\.png \(train\) is {other}/b\.png \({other}\)"):
        duplicates.report([*OTHERS, row("train/a.png", "1"), row(f"{other}/b.png", "1")], OPTIONS, set())


def test_copies_across_splits_may_be_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    lenient = Prepare(input=Path("raw"), duplicates="warn", out=Path("out"))
    rows = [row("train/a.png", "1"), row("test/b.png", "1")]
    assert duplicates.report(rows, lenient, set())["across_splits"] == 1
    assert "warning: 1 pictures are in two splits" in capsys.readouterr().err


def test_copies_torn_apart_by_a_split_by_image_are_only_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    """The thesis's split, which scores its classifier on neither."""
    by_image = Prepare(input=Path("raw"), split_by="image", out=Path("out"))
    assert duplicates.report([row("train/a.png", "1"), row("valid/b.png", "1")], by_image, set())["across_splits"] == 1
    assert "scores will be too high" in capsys.readouterr().err
    with pytest.raises(DataError, match="are in two splits"):
        duplicates.report([row("train/a.png", "1"), row("test/b.png", "1")], by_image, set())


def test_neither_blank_pictures_nor_unread_ones_are_copies() -> None:
    rows = [
        row(f"{split}/{number}.png", sha256) for split in ("train", "test") for number, sha256 in enumerate(["b", ""])
    ]
    assert duplicates.find_repeated(rows, set()) == {"b"}
    assert duplicates.find_repeated(rows, {"b"}) == set()
