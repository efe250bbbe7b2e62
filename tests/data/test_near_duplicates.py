"""Near copies stay in one split, are counted, and are refused if the splits of the set itself separate them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import write_png

from xrayaug.data.dataset import open_dataset
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import DataError
from xrayaug.options import Prepare
from xrayaug.stages import prepare
from xrayaug.storage.artifacts import open_artifact

HASH = "5f1e0c7a9b3d4e5f60718293a4b5c6{:02}"
NONE = {"pictures": 0, "images": 0, "by_name": 0, "by_content": 0, "across_splits": 0, "with_both_labels": 0}


def noise(seed: int, size: int = 40) -> Pixels:
    return np.random.default_rng(seed).integers(0, 200, (size, size)).astype(np.uint8)


def command(raw: Path, out: Path, **changes: Any) -> Prepare:
    return Prepare(**{"input": raw, "source": "folder", "size": 32, "out": out, **changes})


def write_set(root: Path, count: int = 12) -> Path:
    """Two classes of pictures that have no copies."""
    for number in range(count):
        write_png(root / ("normal" if number % 2 else "abnormal") / f"{number}.png", noise(number))
    return root


def splits_of(out: Path, part: str) -> set[str]:
    """The splits of the images whose files' names hold `part`."""
    found = {row.split for row in open_dataset(out).rows if part in row.file}
    assert found
    return found


def test_a_set_without_near_copies_is_split_as_ever(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_set(tmp_path / "raw", 40)
    result = prepare.run(command(raw, tmp_path / "out", test=0.3))
    exact = prepare.run(command(raw, tmp_path / "exact", test=0.3, duplicates="exact"))
    assert (result["near_copies"], exact["near_copies"]) == (NONE | {"threshold": 0.97}, NONE | {"threshold": None})
    for name in ("index.csv", "images.npy"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "exact" / name).read_bytes()
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize("size", [16, 32])
def test_copies_by_name_stay_together(tmp_path: Path, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(20):
        for copy in range(3):
            picture = np.random.default_rng(number).permuted(noise(number), axis=copy % 2)  # no content tells
            write_png(tmp_path / f"raw/normal/{number:02}_jpg.rf.{HASH.format(copy)}.png", picture + np.uint8(copy))
    result = prepare.run(command(tmp_path / "raw", tmp_path / "out", test=0.3, holdout=0.2, size=size))
    assert {len(splits_of(tmp_path / "out", f"{number:02}_jpg")) for number in range(20)} == {1}
    assert splits_of(tmp_path / "out", "jpg") == {"train", "valid", "test"}
    assert (result["near_copies"]["pictures"], result["near_copies"]["images"]) == (20, 60)
    said = capsys.readouterr().err
    assert "60 images are near copies of 20 pictures by their names, such as normal/00_jpg.rf" in said
    assert (
        prepare.plan(command(tmp_path / "raw", tmp_path / "plan", test=0.3, holdout=0.2))["counts"] == result["counts"]
    )


def test_copies_by_content_stay_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_set(tmp_path / "raw", 60)
    for number in range(0, 60, 4):
        write_png(raw / f"abnormal/{1000 + number}.png", np.ascontiguousarray(np.rot90(noise(number))))
    result = prepare.run(command(raw, tmp_path / "out", test=0.4))
    for number in range(0, 60, 4):
        assert (
            len({*splits_of(tmp_path / "out", f"/{number}.png"), *splits_of(tmp_path / "out", f"{1000 + number}")}) == 1
        )
    near = result["near_copies"]
    assert (near["pictures"], near["by_content"], near["by_name"], near["across_splits"]) == (15, 15, 0, 0)
    assert "30 images are near copies of 15 pictures by their content" in capsys.readouterr().err
    assert open_artifact(tmp_path / "out").result["near_copies"] == near


@pytest.mark.parametrize(("name", "turned"), [("5", True), ("0_mirror", False)])
def test_near_copies_across_the_set_s_own_splits_are_refused(tmp_path: Path, name: str, turned: bool) -> None:
    for place, split in enumerate(("train", "test")):
        for number in range(4):
            write_png(
                tmp_path / "raw" / split / "normal" / f"{number}{split[0] * place}.png", noise(10 * place + number)
            )
    copy = noise(0)[:, ::-1] if turned else noise(99)
    write_png(tmp_path / f"raw/test/normal/{name}.png", np.ascontiguousarray(copy))
    with pytest.raises(DataError, match="1 pictures are in two splits") as refusal:
        prepare.run(command(tmp_path / "raw", tmp_path / "out"))
    assert {"train/normal/0.png (train)", f"test/normal/{name}.png (test)"} == set(
        refusal.value.message.removeprefix("1 pictures are in two splits: ").split(" is a near copy of ")
    )
    result = prepare.run(command(tmp_path / "raw", tmp_path / "out", duplicates="warn"))
    assert result["near_copies"]["across_splits"] == 1
    assert prepare.run(command(tmp_path / "raw", tmp_path / "all", duplicates="exact"))["images"] == 9


def test_possible_names_are_held_to_the_pictures(tmp_path: Path) -> None:
    raw = write_set(tmp_path / "raw")
    write_png(raw / "normal/scan.png", noise(100))
    write_png(raw / "normal/scan (1).png", noise(101))
    blended = (0.7 * noise(100).astype(float) + 0.3 * noise(102)).astype(np.uint8)  # alike, but no near copy
    write_png(raw / "normal/scan (2).png", blended)
    near = prepare.run(command(raw, tmp_path / "out"))["near_copies"]
    assert (near["by_name"], near["by_content"], near["images"]) == (1, 0, 2)


def test_equal_pictures_are_no_near_copies(tmp_path: Path) -> None:
    raw = write_set(tmp_path / "raw")
    write_png(raw / "abnormal/0_copy.png", noise(0))
    result = prepare.run(command(raw, tmp_path / "out"))
    assert (result["duplicates"]["pictures"], result["near_copies"]["pictures"]) == (1, 0)


def test_near_copies_with_both_labels_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = write_set(tmp_path / "raw")
    write_png(raw / "normal/other.png", np.ascontiguousarray(noise(0)[::-1]))
    assert prepare.run(command(raw, tmp_path / "out"))["near_copies"]["with_both_labels"] == 1
    assert "near copies of 1 pictures have both labels" in capsys.readouterr().err


def test_names_of_copies_in_another_split_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split in ("train", "test"):
        write_png(tmp_path / f"raw/{split}/normal/{split}.png", noise(len(split)))
    write_png(tmp_path / "raw/train/normal/7.png", noise(7))
    write_png(tmp_path / "raw/test/normal/aug_7.png", noise(8))
    assert prepare.run(command(tmp_path / "raw", tmp_path / "out"))["near_copies"]["pictures"] == 0
    said = capsys.readouterr().err
    assert "1 images are named as copies" in said
    assert "test/normal/aug_7.png (test) of train/normal/7.png (train)" in said
