"""Directories are walked completely, in order and to an end; what cannot be read is an error."""

import os
from pathlib import Path

import pytest
from PIL import Image

from xrayaug.data.parsing import directories, skip_reasons
from xrayaug.errors import InputError


def touch(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4)).save(root / file)


def test_files_at_any_depth_are_walked_in_order(tmp_path: Path) -> None:
    files = ["b/a.png", "b.png", "a/z/1.png", "a/10.png", "a/9.png", "a/z/0/2.png"]
    touch(tmp_path, *files)
    assert list(directories.walk(tmp_path)) == ["b.png", "a/10.png", "a/9.png", "a/z/1.png", "a/z/0/2.png", "b/a.png"]


def test_a_link_to_a_directory_above_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.png").write_bytes(b"")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert list(directories.walk(tmp_path)) == ["a/one.png"]


def test_a_directory_with_two_links_is_walked_twice(tmp_path: Path) -> None:
    touch(tmp_path, "pool/one.png")
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "x").symlink_to(tmp_path / "pool")
    assert list(directories.walk(tmp_path / "set")) == ["a/x/one.png", "b/x/one.png"]


def test_links_that_multiply_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "MAX_REVISITS", 10)
    for depth in range(5):
        (tmp_path / str(depth)).mkdir()
        for name in ("a", "b"):
            (tmp_path / str(depth) / name).symlink_to(tmp_path / str(depth + 1))
    (tmp_path / "5").mkdir()
    with pytest.raises(InputError, match="again and again"):
        list(directories.walk(tmp_path / "0"))


def test_hidden_and_system_directories_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a/one.png", "lost+found/two.png", "__MACOSX/three.png", ".hidden/four.png")
    assert list(directories.walk(tmp_path)) == ["a/one.png"]
    assert [path.name for path in directories.subdirectories(tmp_path)] == ["a"]


def test_a_broken_link_that_may_be_a_directory_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a/one.png")
    (tmp_path / "a" / "gone.png").symlink_to("nowhere.png")  # an image file, reported as missing when it is opened
    assert list(directories.walk(tmp_path)) == ["a/gone.png", "a/one.png"]
    (tmp_path / "a" / "siteB").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"a/siteB is a broken link to .*nowhere"):
        list(directories.walk(tmp_path))


@pytest.mark.parametrize("target", ["gone.png", "loop.png"])
def test_the_reason_of_a_missing_file_is_returned(tmp_path: Path, target: str) -> None:
    touch(tmp_path, "one.png")
    (tmp_path / "loop.png").symlink_to(target)
    assert directories.missing_reason(tmp_path / "one.png") == ""
    assert directories.missing_reason(tmp_path / "gone.png") == skip_reasons.MISSING
    assert directories.missing_reason(tmp_path / "loop.png") == f"{skip_reasons.BROKEN_LINK} to {target}"


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", os.fsdecode(b"h\xff.png"))
    with pytest.raises(InputError, match=r"not UTF-8: 'h\\udcff\.png'"):
        list(directories.walk(tmp_path))
