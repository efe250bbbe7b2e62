"""An artifact that was made from raw files is complete only while the files that were read are unchanged."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import write_png

from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import OutputError
from xrayaug.options import Fid, Prepare
from xrayaug.stages import fid, prepare
from xrayaug.storage import artifacts, files, manifests
from xrayaug.storage.artifacts import open_artifact

RECORD, TIMES = "read-input.jsonl", "read-input.times"


def picture(number: int) -> Pixels:
    return np.random.default_rng(number).integers(0, 256, (8, 8)).astype(np.uint8)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Write twelve pictures and a list of their labels, and wait until their times are settled."""
    lines = ["file,label,patient"]
    for number in range(12):
        write_png(tmp_path / "raw" / "images" / f"{number:02}.png", picture(number))
        lines.append(f"images/{number:02}.png,{number % 2},p{number}")
    (tmp_path / "raw" / "labels.csv").write_text("\n".join(lines) + "\n")
    settle(tmp_path / "raw")
    return tmp_path / "raw"


def settle(directory: Path) -> None:
    """Wait until the times of what was just written are older than a tick."""
    time.sleep(2 * files.TICK / 1e9)
    assert all(files.stamp(path).ctime_ns for path in directory.rglob("*.png"))


def command(raw: Path, out: Path, **changes: Any) -> Prepare:
    return Prepare(**{"source": "table", "input": raw, "size": 8, "out": out, **changes})


def is_complete(options: Prepare, capsys: pytest.CaptureFixture[str]) -> bool:
    """Return whether the command finds its result complete; another result raises an error."""
    capsys.readouterr()
    prepare.run(options)
    return "already complete" in capsys.readouterr().err


def rewrite(file: Path, change: Callable[[str], str]) -> None:
    file.write_text(change(file.read_text()))


def test_the_digest_is_of_what_was_read(raw: Path, tmp_path: Path) -> None:
    prepare.run(command(raw, tmp_path / "out"))
    made = open_artifact(tmp_path / "out")
    first, *pictures = map(json.loads, (tmp_path / "out" / RECORD).read_text().splitlines())
    assert first == {"lists": {"labels.csv": files.sha256_file(raw / "labels.csv")}}
    assert [file for file, _, _ in pictures] == [f"images/{number:02}.png" for number in range(12)]
    assert all(size == (raw / file).stat().st_size for file, size, _ in pictures)
    assert made.manifest["inputs"]["input"]["sha256"] == files.sha256_file(tmp_path / "out" / RECORD)
    assert RECORD in made.manifest["files"]
    assert TIMES not in made.manifest["files"]


def test_a_corrected_label_of_the_same_length_is_found(raw: Path, tmp_path: Path) -> None:
    prepare.run(command(raw, tmp_path / "out"))
    rewrite(raw / "labels.csv", lambda text: text.replace("03.png,1", "03.png,0"))
    with pytest.raises(OutputError, match=r"another result: labels\.csv changed$"):
        prepare.run(command(raw, tmp_path / "out"))


def test_a_table_elsewhere_counts_by_its_content(raw: Path, tmp_path: Path) -> None:
    (raw / "labels.csv").rename(tmp_path / "list.csv")
    options = command(raw, tmp_path / "out", table=tmp_path / "list.csv")
    prepare.run(options)
    rewrite(tmp_path / "list.csv", lambda text: text.replace("03.png,1", "03.png,0"))
    with pytest.raises(OutputError, match=r"another result: list\.csv changed$"):
        prepare.run(options)


def test_a_table_given_as_the_input_stands_for_its_pictures_too(raw: Path, tmp_path: Path) -> None:
    options = command(raw / "labels.csv", tmp_path / "out")
    prepare.run(options)
    write_png(raw / "images" / "05.png", np.zeros((9, 9), np.uint8))
    with pytest.raises(OutputError, match=r"1 image changed: images/05\.png"):
        prepare.run(options)


def test_a_file_that_is_not_read_does_not_count(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare.run(command(raw, tmp_path / "out"))
    (raw / "README.txt").write_text("notes")
    write_png(raw / "images" / "unlisted.png", picture(99))
    assert is_complete(command(raw, tmp_path / "out"), capsys)


def same_size(file: Path, first: int = 1000) -> None:
    """Replace a picture with another in a file of the same size."""
    before = file.stat().st_size
    for number in range(first, first + 1000):
        write_png(file, picture(number))
        if file.stat().st_size == before:
            return
    raise AssertionError("no other picture is of that size")


def test_a_picture_of_equal_size_in_place_is_found(raw: Path, tmp_path: Path) -> None:
    prepare.run(command(raw, tmp_path / "out"))
    same_size(raw / "images" / "04.png")
    with pytest.raises(OutputError, match=r"1 image changed: images/04\.png$"):
        prepare.run(command(raw, tmp_path / "out"))


def test_a_picture_that_changed_right_after_it_was_read_is_found(raw: Path, tmp_path: Path) -> None:
    same_size(raw / "images" / "04.png")
    options = command(raw, tmp_path / "out")
    prepare.run(options)
    same_size(raw / "images" / "04.png", first=5000)
    with pytest.raises(OutputError, match=r"1 image changed: images/04\.png$"):
        prepare.run(options)


def test_touched_files_are_looked_at_again_and_once(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare.run(command(raw, tmp_path / "out"))
    for number in (1, 2, 3):
        os.utime(raw / "images" / f"{number:02}.png", ns=(1, 1))
    settle(raw)
    prepare.run(command(raw, tmp_path / "out"))
    said = capsys.readouterr().err
    assert "looking again at raw: 3 images" in said
    assert "already complete" in said
    prepare.run(command(raw, tmp_path / "out"))
    assert "looking again" not in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "", "0" * 64 + "\n1 2 3\n", "\xff"])
def test_times_that_are_lost_cost_time_alone(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    prepare.run(command(raw, tmp_path / "out"))
    times = tmp_path / "out" / TIMES
    times.unlink() if content is None else times.write_text(content, encoding="latin-1")
    assert is_complete(command(raw, tmp_path / "out"), capsys)
    same_size(raw / "images" / "04.png")
    times.unlink()
    with pytest.raises(OutputError, match=r"1 image changed: images/04\.png$"):
        prepare.run(command(raw, tmp_path / "out"))


def test_a_copied_study_is_the_same_study(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare.run(command(raw, tmp_path / "out"))
    for name in ("raw", "out"):
        shutil.copytree(tmp_path / name, tmp_path / "elsewhere" / name, copy_function=shutil.copyfile)
    assert is_complete(command(tmp_path / "elsewhere" / "raw", tmp_path / "elsewhere" / "out"), capsys)


def write_several(folder: Path) -> None:
    for number in (77, 78, 79):
        write_png(folder / f"{number}.png", picture(number))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: (raw / "normal" / "00.png").unlink(), r"1 image is gone: normal/00\.png"),
        (lambda raw: write_png(raw / "normal" / "a.png", picture(77)), r"1 image is new: normal/a\.png"),
        (lambda raw: (raw / "normal" / "00.png").rename(raw / "normal" / "x.png"),
         r"1 image is new: normal/x\.png; 1 image is gone: normal/00\.png"),
        (lambda raw: write_several(raw / "abnormal"),
         r"3 images are new, such as abnormal/77\.png"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("linked", ["folders", "files", "nothing"])
def test_added_and_removed_images_are_named_also_behind_links(
    tmp_path: Path, change: Callable[[Path], Any], said: str, linked: str
) -> None:
    pool, raw = tmp_path / "pool", tmp_path / "raw"
    for number in range(12):
        write_png(pool / ("normal", "abnormal")[number % 2] / f"{number:02}.png", picture(number))
    if linked == "folders":
        raw.mkdir()
        for folder in pool.iterdir():
            (raw / folder.name).symlink_to(folder)
    else:
        for file in pool.rglob("*.png"):
            (raw / file.parent.name).mkdir(parents=True, exist_ok=True)
            (raw / file.parent.name / file.name).symlink_to(file)
    prepare.run(command(raw, tmp_path / "out", source="folder"))
    change(raw)
    with pytest.raises(OutputError, match=f"another result: {said}$"):
        prepare.run(command(raw, tmp_path / "out", source="folder"))


def test_a_changed_target_of_a_linked_file_is_found(raw: Path, tmp_path: Path) -> None:
    file = raw / "images" / "04.png"
    file.rename(tmp_path / "target.png")
    file.symlink_to(tmp_path / "target.png")
    prepare.run(command(raw, tmp_path / "out"))
    same_size(tmp_path / "target.png")
    with pytest.raises(OutputError, match=r"1 image changed: images/04\.png$"):
        prepare.run(command(raw, tmp_path / "out"))


def test_an_unusable_picture_counts_as_such(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = (raw / "images" / "04.png").read_bytes()
    (raw / "images" / "04.png").write_bytes(bytes(len(good)))
    options = command(raw, tmp_path / "out", max_lost=0.1)
    assert prepare.run(options)["lost"] == 1
    assert is_complete(options, capsys)
    (raw / "images" / "04.png").write_bytes(good)
    with pytest.raises(OutputError, match=r"1 image changed: images/04\.png$"):
        prepare.run(options)


def test_other_settings_are_named_without_decoding(raw: Path, tmp_path: Path) -> None:
    prepare.run(command(raw, tmp_path / "out"))
    (tmp_path / "out" / TIMES).unlink()
    with pytest.raises(OutputError, match=r"invert was False, is now True$"):
        prepare.run(command(raw, tmp_path / "out", invert=True))


def test_overwrite_knows_the_times(raw: Path, tmp_path: Path) -> None:
    prepare.run(command(raw, tmp_path / "out"))
    assert prepare.run(command(raw, tmp_path / "out", seed=5, overwrite=True))["images"] == 12


def test_the_list_of_a_drawn_set_counts_too(tmp_path: Path) -> None:
    """The manifest of a raw set drawn by xrayaug is not part of what prepare reads."""
    raw = tmp_path / "raw"
    for number in range(4):
        write_png(raw / f"{number}.png", picture(number))
    (raw / "boneage-training-dataset.csv").write_text("id,boneage,male\n" + "".join(f"{n},10,1\n" for n in range(4)))
    manifests.write(
        raw,
        {
            "format": manifests.FORMAT,
            "kind": "raw",
            "stage": "phantom",
            "options": {},
            "inputs": {},
            "files": {},
            "result": {},
        },
    )
    prepare.run(command(raw, tmp_path / "out", source="rsna"))
    made = open_artifact(tmp_path / "out").manifest
    assert made["inputs"]["input"]["sha256"] == artifacts.digest(raw)
    rewrite(raw / "boneage-training-dataset.csv", lambda text: text.replace("0,10,1", "0,11,1"))
    with pytest.raises(OutputError, match=r"boneage-training-dataset\.csv changed$"):
        prepare.run(command(raw, tmp_path / "out", source="rsna"))


def folder(path: Path, first: int) -> Path:
    for number in range(4):
        write_png(path / f"{number}.png", picture(first + number))
    return path


def test_fid_remembers_what_it_read_of_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = folder(tmp_path / "a", 0), folder(tmp_path / "b", 10)
    options = Fid(a=a, b=b, features="random", dims="64", device="cpu", cache=tmp_path / "cache", out=tmp_path / "out")
    value = fid.run(options)["value"]
    (a / "README").write_text("notes")
    settle(a)
    os.utime(a / "1.png", ns=(1, 1))
    assert fid.run(options)["value"] == value
    assert "looking again at a" in capsys.readouterr().err
    same_size(b / "2.png")

    with pytest.raises(OutputError, match=r"1 image changed: 2\.png$"):
        fid.run(options)
