"""An artifact is made whole or not at all, opened only if it is what it says, and never written over something else."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from builders import edit_manifest

from xrayaug import __version__, artifacts, files, manifests
from xrayaug.artifacts import Artifact, open_artifact
from xrayaug.errors import ArtifactError, InputError, OutputError
from xrayaug.manifests import MANIFEST
from xrayaug.options import COMMANDS, Augment, Phantom, Prepare, Sample
from xrayaug.production import produce

RESULT = {"images": 3, "mean": 0.5}


def build(directory: Path) -> dict[str, Any]:
    """Write two files, one in a directory of its own."""
    (directory / "images.npy").write_bytes(b"pixels")
    (directory / "png").mkdir()
    (directory / "png" / "0.png").write_bytes(b"a picture")
    return dict(RESULT)


def never(directory: Path) -> dict[str, Any]:
    """A build that must not be run."""
    raise AssertionError(f"{directory} was built again")


def breaks(directory: Path) -> dict[str, Any]:
    """A build that fails half-way."""
    (directory / "images.npy").write_bytes(b"half")
    raise RuntimeError("killed")


def phantom(out: Path, **changes: Any) -> Phantom:
    """A command without inputs."""
    return Phantom(**{"layout": "rsna", "count": 3, "out": out, **changes})


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A finished raw set."""
    produce(phantom(tmp_path / "made"), "raw", build)
    return tmp_path / "made"


@pytest.fixture
def chain(tmp_path: Path) -> tuple[Path, Path]:
    """A finished GAN run and the finished dataset that was sampled from it."""
    run, out = tmp_path / "tree" / "runs" / "gan", tmp_path / "tree" / "data" / "synthetic"
    produce(phantom(run), "gan-run", build)
    produce(Sample(run=run, out=out), "dataset", build)
    return run, out


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_manifest_says_how_it_was_made_and_what_it_holds(chain: tuple[Path, Path]) -> None:
    run, out = chain
    manifest = json.loads((out / MANIFEST).read_text())
    environment = manifest.pop("environment")
    assert manifest == {
        "format": manifests.FORMAT,
        "kind": "dataset",
        "stage": "sample",
        "version": __version__,
        "options": {"seed": 0, "count": 10000, "png": False},
        "inputs": {"run": {"path": "../../runs/gan", "sha256": sha256(run / MANIFEST)}},
        "files": {
            name: {"bytes": (out / name).stat().st_size, "sha256": sha256(out / name)}
            for name in ("images.npy", "png/0.png")
        },
        "result": RESULT,
    }
    assert environment.keys() >= {"python", "packages", "device", "started", "seconds"}


def test_produce_gives_the_result_of_the_manifest(tmp_path: Path) -> None:
    def with_tuple(_: Path) -> dict[str, Any]:
        return {"shape": (1, 2), "label": None}

    given = produce(phantom(tmp_path / "out"), "raw", with_tuple)
    assert given == {"shape": [1, 2], "label": None}
    assert given == open_artifact(tmp_path / "out", "raw").result


def test_two_runs_differ_in_nothing_but_the_environment(tmp_path: Path) -> None:
    manifests = []
    for name in ("first", "second"):
        produce(phantom(tmp_path / name), "raw", build)
        manifests.append(json.loads((tmp_path / name / MANIFEST).read_text()))
        manifests[-1].pop("environment")
    assert manifests[0] == manifests[1]


def test_what_breaks_never_looks_finished(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(RuntimeError, match="killed"):
        produce(phantom(out), "raw", breaks)
    assert not out.exists()
    assert not artifacts.is_artifact(tmp_path / "out.partial")
    with pytest.raises(ArtifactError, match=r"only .*out\.partial is there"):
        open_artifact(out, "raw")
    assert produce(phantom(out), "raw", build) == RESULT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_failed_overwrite_keeps_what_was_there(made: Path) -> None:
    with pytest.raises(RuntimeError, match="killed"):
        produce(phantom(made, count=4, overwrite=True), "raw", breaks)
    assert open_artifact(made, "raw").options["count"] == 3


def test_a_complete_command_is_not_run_again(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert produce(phantom(made), "raw", never) == RESULT
    assert produce(phantom(made, workers=7, dry_run=True, json=True), "raw", never) == RESULT
    assert "already complete" in capsys.readouterr().err


def test_every_difference_is_named(made: Path) -> None:
    with pytest.raises(OutputError) as refusal:
        produce(phantom(made, count=4, layout="mura"), "raw", never)
    assert "count was 3, is now 4" in refusal.value.message
    assert "layout was rsna, is now mura" in refusal.value.message
    assert "height" not in refusal.value.message
    assert "--overwrite" in refusal.value.hint


def test_inputs_that_changed_came_or_went_are_named(tmp_path: Path) -> None:
    real, other, synthetic, out = (tmp_path / name for name in ("real", "other", "synthetic", "arm"))
    for seed, path in enumerate((real, other, synthetic)):
        produce(phantom(path, seed=seed), "dataset", build)
    produce(Augment(real=real, percent=0, out=out), "dataset", build)
    with pytest.raises(OutputError, match="input real has another content; input synthetic is new"):
        produce(Augment(real=other, synthetic=synthetic, percent=0, out=out), "dataset", never)
    produce(Augment(real=real, synthetic=synthetic, percent=0, out=out, overwrite=True), "dataset", build)
    with pytest.raises(OutputError, match="input synthetic is no longer given"):
        produce(Augment(real=real, percent=0, out=out), "dataset", never)


def test_the_content_of_an_input_counts_and_not_its_path(chain: tuple[Path, Path]) -> None:
    run, out = chain
    shutil.copytree(run, run.with_name("copy"))
    assert produce(Sample(run=run.with_name("copy"), out=out), "dataset", never) == RESULT


def test_another_commands_result_is_refused(made: Path) -> None:
    (made.parent / "raw").mkdir()
    with pytest.raises(OutputError, match="made by phantom, not prepare"):
        produce(Prepare(input=made.parent / "raw", out=made), "dataset", never)


def test_overwrite_replaces_our_own_result(made: Path) -> None:
    produce(phantom(made, count=4, overwrite=True), "raw", build)
    assert open_artifact(made).options["count"] == 4
    assert [path.name for path in made.parent.iterdir()] == ["made"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("content", [{"thesis.docx": "years of work"}, {MANIFEST: '{"name": "a web extension"}'}])
def test_a_foreign_directory_is_refused_whatever_is_asked(
    tmp_path: Path, content: dict[str, str], overwrite: bool
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name, text in content.items():
        (out / name).write_text(text)
    with pytest.raises((OutputError, ArtifactError), match=r"not made by xrayaug|not an xrayaug manifest"):
        produce(phantom(out, overwrite=overwrite), "raw", never)
    assert {file.name: file.read_text() for file in out.iterdir()} == content


def test_overwrite_never_deletes_what_the_result_does_not_list(made: Path) -> None:
    (made / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"would delete .*notes\.txt"):
        produce(phantom(made, count=4, overwrite=True), "raw", never)
    assert (made / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_input_is_never_written_over(made: Path, overwrite: bool) -> None:
    for inside in (made, made / "png"):
        with pytest.raises(OutputError, match="holds the input"):
            produce(Prepare(input=inside, out=made, overwrite=overwrite), "dataset", never)
    assert open_artifact(made, "raw").result == RESULT


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="it is a file"):
        produce(phantom(tmp_path / "out"), "raw", never)


def test_an_empty_directory_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert produce(phantom(tmp_path / "out"), "raw", build) == RESULT


def test_a_missing_input_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        produce(Sample(run=tmp_path / "nowhere", out=tmp_path / "out"), "dataset", never)
    assert list(tmp_path.iterdir()) == []


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
def test_a_wrong_kind_is_explained_with_the_command_that_makes_one(made: Path, kind: str) -> None:
    if kind == "raw":
        assert open_artifact(made, kind).kind == kind
        return
    with pytest.raises(ArtifactError) as refusal:
        open_artifact(made, kind)
    assert refusal.value.message == f"{made} is a raw (made by phantom), expected a {kind}"
    assert refusal.value.hint == f"make one with: {manifests.KINDS[kind]}"


def test_another_format_is_refused(made: Path) -> None:
    edit_manifest(made, lambda manifest: manifest.update(format=99))
    with pytest.raises(ArtifactError, match=f"format 99, this xrayaug reads format {manifests.FORMAT}"):
        open_artifact(made, "raw")


@pytest.mark.parametrize("name", ["format", "kind", "stage", "options", "inputs", "files", "result"])
def test_a_manifest_without_a_field_is_refused(made: Path, name: str) -> None:
    edit_manifest(made, lambda manifest: manifest.pop(name))
    with pytest.raises(ArtifactError, match=f"'{name}' is missing"):
        open_artifact(made, "raw")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"a": 1}'])
def test_a_manifest_that_is_none_is_refused(made: Path, text: str) -> None:
    (made / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match=r"manifest\.json is not"):
        open_artifact(made, "raw")


def test_a_foreign_directory_is_explained(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(ArtifactError, match=r"no finished dataset: it holds holiday\.jpg") as refusal:
        open_artifact(tmp_path, "dataset")
    assert refusal.value.hint == "make one with: xrayaug prepare, sample or augment"


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
    produce(phantom(run, count=4, overwrite=True), "gan-run", build)
    with pytest.raises(ArtifactError, match="changed since"):
        open_artifact(out).open_input("run", "gan-run")


def test_an_unknown_input_is_named(made: Path) -> None:
    with pytest.raises(ArtifactError, match="names no input 'real'"):
        open_artifact(made).input("real")


def test_the_digest_of_a_raw_directory_follows_its_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"one")
    before = artifacts.digest(tmp_path / "a")
    assert artifacts.digest(tmp_path / "a") == before
    (tmp_path / "a" / "2.png").write_bytes(b"two")
    assert artifacts.digest(tmp_path / "a") != before


def test_text_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    files.write_text(file, "before\n")
    with pytest.raises(UnicodeEncodeError):
        files.write_text(file, "after \ud800")
    assert file.read_text() == "before\n"


def test_every_kind_has_a_command_that_makes_one() -> None:
    made = {word.strip(",") for line in manifests.KINDS.values() for word in line.split()} - {"xrayaug", "or"}
    assert made == set(COMMANDS)


def test_an_output_inside_a_raw_input_is_refused(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    with pytest.raises(OutputError, match="lies in the input"):
        produce(Prepare(input=raw, out=raw / "prepared"), "dataset", lambda _: {})
    assert not list(raw.iterdir())


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    def build(directory: Path) -> artifacts.Result:
        (directory / "half").write_text("written")
        raise InputError("no images")

    with pytest.raises(InputError):
        produce(Phantom(layout="rsna", count=1, out=tmp_path / "out"), "raw", build)
    assert not list(tmp_path.iterdir())


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
def test_what_a_manifest_says_is_held_to_its_bounds(
    kind: Any, value: Any, bounds: dict[str, Any], complaint: str
) -> None:
    said = Artifact(Path("a"), {"result": {"size": value}})
    with pytest.raises(ArtifactError, match=rf"manifest\.json: 'result/size' {complaint}"):
        said.said(kind, "result", "size", **bounds)


def test_what_a_manifest_says_within_its_bounds_is_given() -> None:
    said = Artifact(Path("a"), {"result": {"size": 8, "arch": "dcgan"}})
    assert said.said(int, "result", "size", minimum=8, maximum=8) == 8
    assert said.said(float, "result", "size") == 8
    assert said.said(str, "result", "arch", among=["dcgan"]) == "dcgan"


def test_only_a_listed_file_is_the_artifacts(made: Path) -> None:
    opened = open_artifact(made)
    assert opened.file("png/0.png") == made / "png" / "0.png"
    with pytest.raises(ArtifactError, match=r"lists no file 'notes\.txt'"):
        opened.file("notes.txt")


def test_the_digest_of_a_directory_takes_any_name(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"h\xff.png")).write_text("x")
    assert len(artifacts.digest(tmp_path)) == 64


def test_an_input_whose_name_is_too_long_is_refused(chain: tuple[Path, Path]) -> None:
    _, out = chain
    edit_manifest(out, lambda manifest: manifest["inputs"]["run"].update(path="n" * 5000))
    with pytest.raises(ArtifactError, match="cannot be read: File name too long"):
        open_artifact(out).open_input("run")
