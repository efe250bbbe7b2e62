"""An artifact is opened only if its files match its manifest."""

from pathlib import Path
from typing import Any

import pytest
from builders import build, edit_manifest, phantom

from xrayaug.errors import ArtifactError, InputError
from xrayaug.options import COMMANDS
from xrayaug.storage import artifacts, manifests
from xrayaug.storage.artifacts import Artifact, open_artifact
from xrayaug.storage.builder import build_artifact
from xrayaug.storage.manifests import MANIFEST


@pytest.mark.parametrize("content", [b"pixelz", b"", b"more pixels"])
def test_a_changed_file_is_found_when_opened(made: Path, content: bytes) -> None:
    (made / "images.npy").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"images\.npy changed since it was made"):
        open_artifact(made, "raw")


def test_a_missing_file_is_found_when_opened(made: Path) -> None:
    (made / "png" / "0.png").unlink()
    with pytest.raises(ArtifactError, match=r"0\.png is missing"):
        open_artifact(made, "raw")


@pytest.mark.parametrize("kind", manifests.KINDS)
def test_an_artifact_of_another_kind_is_refused_with_the_command_that_makes_the_kind(made: Path, kind: str) -> None:
    if kind == "raw":
        assert open_artifact(made, kind).kind == kind
        return
    with pytest.raises(ArtifactError) as refusal:
        open_artifact(made, kind)
    assert all(fact in refusal.value.message for fact in (str(made), "raw", "phantom", kind))
    assert manifests.KINDS[kind] in refusal.value.hint


def test_another_format_is_refused(made: Path) -> None:
    edit_manifest(made, lambda manifest: manifest.update(format=99))
    with pytest.raises(ArtifactError, match=f"format 99.* {manifests.FORMAT}$"):
        open_artifact(made, "raw")


@pytest.mark.parametrize("name", ["format", "kind", "stage", "options", "inputs", "files", "result"])
def test_a_manifest_without_a_field_is_refused(made: Path, name: str) -> None:
    edit_manifest(made, lambda manifest: manifest.pop(name))
    with pytest.raises(ArtifactError, match=f"'{name}' is missing"):
        open_artifact(made, "raw")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"a": 1}'])
def test_an_invalid_manifest_file_is_refused(made: Path, text: str) -> None:
    (made / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match=r"manifest\.json is not"):
        open_artifact(made, "raw")


def test_a_directory_of_other_files_is_refused_with_the_name_of_one(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(ArtifactError, match=r"holiday\.jpg") as refusal:
        open_artifact(tmp_path, "dataset")
    assert "xrayaug prepare" in refusal.value.hint


def test_inputs_are_found_after_the_whole_tree_moved(chain: tuple[Path, Path], tmp_path: Path) -> None:
    run, out = chain
    tree = tmp_path / "tree"
    tree.rename(tmp_path / "moved")
    moved = open_artifact(tmp_path / "moved" / out.relative_to(tree), "dataset")
    assert moved.open_input("run", "gan-run").path == tmp_path / "moved" / run.relative_to(tree)


def test_inputs_are_found_from_any_working_directory(chain: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    run, out = chain
    for directory in (out, run, out.parent):
        monkeypatch.chdir(directory)
        relative = Path("../../data/synthetic") if directory != out.parent else Path("synthetic")
        assert open_artifact(relative).open_input("run").path.resolve() == run


def test_an_input_made_anew_is_found_out(chain: tuple[Path, Path]) -> None:
    run, out = chain
    build_artifact(phantom(run, count=4, overwrite=True), "gan-run", build)
    with pytest.raises(ArtifactError, match="changed since"):
        open_artifact(out).open_input("run", "gan-run")


def test_an_unknown_input_is_named(made: Path) -> None:
    with pytest.raises(ArtifactError, match="names no input 'real'"):
        open_artifact(made).input("real")


def test_every_kind_has_a_command_that_makes_one() -> None:
    made = {word.strip(",") for line in manifests.KINDS.values() for word in line.split()} - {"xrayaug", "or"}
    assert made == set(COMMANDS)


@pytest.mark.parametrize(
    ("kind", "value", "bounds", "complaint"),
    [
        (int, 10**9, {"minimum": 8, "maximum": 4096}, "is 1000000000, must be from 8 to 4096"),
        (int, -1, {"minimum": 8}, "is -1, must be from 8 to inf"),
        (float, 1.5, {"maximum": 1}, "is 1.5, must be from -inf to 1"),
        (str, "wgan", {"among": ("dcgan", "other")}, "is wgan, must be one of dcgan, other"),
        (int, "8", {}, "is missing or of another type"),
        (int, True, {}, "is missing or of another type"),
        (int, 8.0, {}, "is missing or of another type"),
        (dict, [], {}, "is missing or of another type"),
    ],
)
def test_a_manifest_value_outside_its_type_or_bounds_is_refused(
    kind: Any, value: Any, bounds: dict[str, Any], complaint: str
) -> None:
    artifact = Artifact(Path("a"), {"result": {"size": value}})
    with pytest.raises(ArtifactError, match=rf"manifest\.json: 'result/size' {complaint}"):
        artifact.get(kind, "result", "size", **bounds)


def test_a_manifest_value_within_its_bounds_is_returned() -> None:
    artifact = Artifact(Path("a"), {"result": {"size": 8, "arch": "dcgan"}})
    assert artifact.get(int, "result", "size", minimum=8, maximum=8) == 8
    assert artifact.get(float, "result", "size") == 8
    assert artifact.get(str, "result", "arch", among=["dcgan"]) == "dcgan"


def test_only_a_listed_file_is_the_artifacts(made: Path) -> None:
    opened = open_artifact(made)
    assert opened.file("png/0.png") == made / "png" / "0.png"
    with pytest.raises(ArtifactError, match=r"lists no file 'notes\.txt'"):
        opened.file("notes.txt")


def test_an_input_whose_name_is_too_long_is_refused(chain: tuple[Path, Path]) -> None:
    _, out = chain
    edit_manifest(out, lambda manifest: manifest["inputs"]["run"].update(path="n" * 5000))
    with pytest.raises(ArtifactError, match="cannot be read: File name too long"):
        open_artifact(out).open_input("run")


def test_a_directory_without_a_manifest_has_no_digest(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.png").touch()
    with pytest.raises(InputError, match=r"holds a\.png"):
        artifacts.digest(tmp_path / "raw")
