"""A manifest is checked before anything in it is used."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from xrayaug.errors import ArtifactError
from xrayaug.storage import files, manifests
from xrayaug.storage.manifests import MANIFEST, check_files, read

HASH = "a" * 64
GOOD: dict[str, Any] = {
    "format": manifests.FORMAT,
    "kind": "dataset",
    "stage": "prepare",
    "options": {"seed": 0},
    "inputs": {"real": {"path": "../real", "sha256": HASH}},
    "files": {"png/0.png": {"bytes": 3, "sha256": HASH}},
    "result": {"size": 8, "spread": 0.5},
}


def write(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / MANIFEST).write_bytes(content)
    return tmp_path / MANIFEST


def test_a_valid_manifest_is_read(tmp_path: Path) -> None:
    manifests.write(tmp_path, GOOD)
    manifest = read(tmp_path / MANIFEST)
    assert {name: manifest[name] for name in GOOD} == GOOD


@pytest.mark.parametrize(("old", "new"), [("0.5", "0.7"), ('"seed": 0', '"seed": 1'), ("../real", "../fake")])
def test_a_digit_that_changed_is_found(tmp_path: Path, old: str, new: str) -> None:
    manifests.write(tmp_path, GOOD)
    file = tmp_path / MANIFEST
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ArtifactError, match="changed since it was sealed"):
        read(file)


def test_a_manifest_of_another_format_is_read_unchecked(tmp_path: Path) -> None:
    assert read(write(tmp_path, json.dumps(GOOD | {"format": 1}).encode()))["format"] == 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda m: m.update(kind="holiday"), "its kind is 'holiday'"),
        (lambda m: m.update(format=True), "'format' is missing or of another type"),
        (lambda m: m.pop("result"), "'result' is missing"),
        (lambda m: m["inputs"].update(real="../real"), "'inputs/real/path' is missing or of another type"),
        (lambda m: m["inputs"]["real"].update(path=""), "'inputs/real/path' is no path"),
        (lambda m: m["inputs"]["real"].update(path="a\0b"), "'inputs/real/path' is no path"),
        (lambda m: m["inputs"]["real"].update(sha256="A" * 64), "'inputs/real/sha256' is no sha256"),
        (lambda m: m["files"]["png/0.png"].update(sha256=HASH[1:]), "'files/png/0.png/sha256' is no sha256"),
        (lambda m: m["files"]["png/0.png"].update(bytes=-1), "bytes' is -1"),
        (lambda m: m["files"]["png/0.png"].update(bytes=3.0), "bytes' is missing or of another type"),
    ],
)
def test_a_field_of_another_form_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    manifest = json.loads(json.dumps(GOOD))
    change(manifest)
    with pytest.raises(ArtifactError, match=re.escape(complaint)):
        read(write(tmp_path, json.dumps(manifest).encode()))


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../a", "a/../b", "/etc/passwd", "a//b", "./a", "a/", "a\0b", MANIFEST, "a/../../b"]
)
def test_a_file_that_is_not_inside_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="which is not inside the artifact"):
        read(write(tmp_path, json.dumps(GOOD | {"files": {name: {"bytes": 3, "sha256": HASH}}}).encode()))


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (b"NaN", "NaN is no number"),
        (b"-Infinity", "-Infinity is no number"),
        (b"1e999", "1e999 is no number"),
        (b"9" * 5000, "is no number that we write"),
        (b"9" * 41, "is no number that we write"),
        (b"0." + b"1" * 5000, "is no number that we write"),
        (b"[" * 30 + b"]" * 30, "nested too deep"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"a": 1, "a": 2}', "a key is there twice"),
        (b'"\\ud800"', "is not JSON"),
        (b'"\xff"', "is not JSON"),
        (b'"\xed\xa0\x80"', "is not JSON"),
        (b"'single'", "is not JSON"),
    ],
)
def test_invalid_json_values_are_refused_in_one_line(tmp_path: Path, value: bytes, complaint: str) -> None:
    content = json.dumps(GOOD).encode().replace(b'"size": 8', b'"size": ' + value)
    with pytest.raises(ArtifactError, match=complaint) as refusal:
        read(write(tmp_path, content))
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"null", "{}".encode("utf-16")])
def test_a_manifest_that_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ArtifactError, match=r"is not JSON|is no JSON object"):
        read(write(tmp_path, content))


def test_a_manifest_above_the_size_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifests, "MAX_BYTES", 100)
    with pytest.raises(ArtifactError, match="more than 100"):
        read(write(tmp_path, json.dumps(GOOD).encode()))


def listed(file: Path) -> dict[str, Any]:
    return {"bytes": file.stat().st_size, "sha256": files.sha256_file(file)}


def test_a_link_that_leads_out_is_refused_though_its_content_is_right(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "images.npy").symlink_to("../secret")
    with pytest.raises(ArtifactError, match=r"images\.npy is a link to what is not inside"):
        check_files(tmp_path / "set", {"images.npy": listed(tmp_path / "secret")})


def test_a_directory_that_leads_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "0.png").write_text("x")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "png").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match="is a link to what is not inside"):
        check_files(tmp_path / "set", {"png/0.png": listed(tmp_path / "elsewhere" / "0.png")})


def test_an_artifact_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a").write_text("x")
    (tmp_path / "link").symlink_to("set")
    check_files(tmp_path / "link", {"a": listed(tmp_path / "set" / "a")})


@pytest.mark.parametrize("name", ["circle", "n" * 300])
def test_files_that_cannot_be_looked_up_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(ArtifactError, match=r"cannot be read|is missing"):
        check_files(tmp_path, {name: {"bytes": 0, "sha256": HASH}})
