"""Files are complete or absent, and a log continues after a stop."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from peak import peak_of

from xrayaug.storage import files
from xrayaug.storage.files import Log


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights"
    files.write_bytes(file, b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_bytes(file, b"after")
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {"weights": b"before"}


def test_a_file_is_on_disk_before_it_bears_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    sync, replace = os.fsync, os.replace

    def syncing(descriptor: int) -> None:
        order.append("sync")
        sync(descriptor)

    def renaming(old: Path, new: Path) -> None:
        order.append("rename")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "replace", renaming)
    files.write_bytes(tmp_path / "new" / "file", b"content")
    assert order == ["sync", "sync", "rename", "sync"]  # the directory's own name; the content; its name
    assert (tmp_path / "new" / "file").read_bytes() == b"content"


def test_temporary_files_of_killed_processes_are_deleted(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in (".a.json.77.new", "deep/.b.png.78.new", "deep/kept.png", ".hidden"):
        (tmp_path / name).touch()
    files.delete_leftovers(tmp_path, deep=False)
    assert (tmp_path / "deep" / ".b.png.78.new").exists()
    files.delete_leftovers(tmp_path)
    left = [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()]
    assert sorted(left) == [".hidden", "deep/kept.png"]


def test_hashes_are_sha256(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert files.sha256_file(tmp_path / "file") == files.sha256_bytes(b"abc") == hashlib.sha256(b"abc").hexdigest()


def test_a_log_that_goes_on_forgets_what_came_after(tmp_path: Path) -> None:
    log = Log(tmp_path / "log.jsonl")
    for epoch in (1, 2, 3):
        log.append({"epoch": epoch})
    again = Log(tmp_path / "log.jsonl", log.lines[:1])
    again.append({"epoch": 2, "loss": 0.5})
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == again.lines == [{"epoch": 1}, {"epoch": 2, "loss": 0.5}]


def test_text_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    files.write_text(file, "before\n")
    with pytest.raises(UnicodeEncodeError):
        files.write_text(file, "after \ud800")
    assert file.read_text() == "before\n"


def test_lines_are_written_whole_or_not_at_all_and_never_all_in_memory(tmp_path: Path) -> None:
    file, count = tmp_path / "list.csv", 20_000

    def lines(last: str) -> Iterator[str]:
        for number in range(count):
            yield f"{number:099}\n"
        yield last

    assert peak_of(lambda: files.write_lines(file, lines("é\n"))) < 100 * count // 10
    written = "".join(lines("é\n"))
    assert file.read_text(encoding="utf-8") == written
    with pytest.raises(UnicodeEncodeError):
        files.write_lines(file, lines("\ud800"))
    assert file.read_text(encoding="utf-8") == written
    assert list(tmp_path.iterdir()) == [file]
