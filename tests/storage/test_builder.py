"""An artifact is made whole or not at all, once, and never written over something else."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from builders import RESULT, build, phantom

from xrayaug import __version__
from xrayaug.errors import ArtifactError, InputError, OutputError
from xrayaug.options import Augment, Phantom, Prepare, Sample, TrainClassifier, TrainGan
from xrayaug.runtime.distributed import ranks
from xrayaug.storage import artifacts, builder, manifests
from xrayaug.storage.artifacts import open_artifact
from xrayaug.storage.builder import build_artifact
from xrayaug.storage.manifests import MANIFEST


def never(directory: Path) -> dict[str, Any]:
    """Raise an error, as a build that must not run."""
    raise AssertionError(f"{directory} was built again")


def breaks(directory: Path) -> dict[str, Any]:
    """Write half a file and fail, as a build that is killed."""
    (directory / "images.npy").write_bytes(b"half")
    raise RuntimeError("killed")


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_manifest_says_how_it_was_made_and_what_it_holds(chain: tuple[Path, Path]) -> None:
    run, out = chain
    manifest = json.loads((out / MANIFEST).read_text())
    environment = manifest.pop("environment")
    assert len(manifest.pop(manifests.SEAL)) == 64
    options = manifest.pop("options")
    assert options == Sample(run=run, out=out).identity()
    assert (options["seed"], options["count"], options["png"]) == (0, 10000, False)
    assert manifest == {
        "format": manifests.FORMAT,
        "kind": "dataset",
        "stage": "sample",
        "version": __version__,
        "inputs": {"run": {"path": "../../runs/gan", "sha256": sha256(run / MANIFEST)}},
        "files": {
            name: {"bytes": (out / name).stat().st_size, "sha256": sha256(out / name)}
            for name in ("images.npy", "png/0.png")
        },
        "result": RESULT,
    }
    assert environment.keys() >= {"python", "packages", "device", "started", "seconds"}


def test_build_artifact_returns_the_result_in_the_manifest(tmp_path: Path) -> None:
    def with_tuple(_: Path) -> dict[str, Any]:
        return {"shape": (1, 2), "label": None}

    result = build_artifact(phantom(tmp_path / "out"), "raw", with_tuple)
    assert result == {"shape": [1, 2], "label": None}
    assert result == open_artifact(tmp_path / "out", "raw").result


def test_two_runs_differ_in_nothing_but_the_environment(tmp_path: Path) -> None:
    manifests_read = []
    for name in ("first", "second"):
        build_artifact(phantom(tmp_path / name), "raw", build)
        manifests_read.append(json.loads((tmp_path / name / MANIFEST).read_text()))
        assert manifests_read[-1].pop("environment")
        assert manifests_read[-1].pop(manifests.SEAL)
    assert manifests_read[0] == manifests_read[1]


def test_a_failed_build_does_not_look_finished(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(RuntimeError, match="killed"):
        build_artifact(phantom(out), "raw", breaks)
    assert not out.exists()
    assert not artifacts.is_artifact(tmp_path / "out.partial")
    with pytest.raises(ArtifactError, match=r"only .*out\.partial is there"):
        open_artifact(out, "raw")
    assert build_artifact(phantom(out), "raw", build) == RESULT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_failed_overwrite_keeps_what_was_there(made: Path) -> None:
    with pytest.raises(RuntimeError, match="killed"):
        build_artifact(phantom(made, count=4, overwrite=True), "raw", breaks)
    assert open_artifact(made, "raw").options["count"] == 3


def test_a_complete_command_is_not_run_again(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_artifact(phantom(made), "raw", never) == RESULT
    assert build_artifact(phantom(made, workers=7, dry_run=True, json=True), "raw", never) == RESULT
    assert "already complete" in capsys.readouterr().err


def test_every_difference_is_named(made: Path) -> None:
    with pytest.raises(OutputError) as refusal:
        build_artifact(phantom(made, count=4, layout="mura"), "raw", never)
    assert "count was 3, is now 4" in refusal.value.message
    assert "layout was rsna, is now mura" in refusal.value.message
    assert "height" not in refusal.value.message
    assert "--overwrite" in refusal.value.hint


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        ({"train": "head"}, {},
         ["train was head, is now all", "epochs was 30, is now 10", "lr was 0.003, is now 0.0001",
          "patience was 5, is now 1"]),
        ({}, {"train": "last-2"}, ["train was all, is now last-2"]),
        ({"train": "head"}, {"train": "head", "views": 8}, ["views was 4, is now 8"]),
    ],
)  # fmt: skip
def test_a_difference_names_the_value_that_applies(
    before: dict[str, Any], now: dict[str, Any], lines: list[str]
) -> None:
    made, asked = (TrainClassifier(data=Path("d"), out=Path("o"), **changes) for changes in (before, now))
    found = builder.option_differences({"options": made.identity()}, asked)
    assert sorted(found) == sorted(lines)


def test_an_option_without_a_value_is_described() -> None:
    made, asked = (TrainGan(data=Path("d"), out=Path("o"), only_label=label) for label in (None, "normal"))
    (line,) = builder.option_differences({"options": made.identity()}, asked)
    assert line.startswith("only_label was ")
    assert "None" not in line


def test_inputs_that_changed_came_or_went_are_named(tmp_path: Path) -> None:
    real, other, synthetic, out = (tmp_path / name for name in ("real", "other", "synthetic", "arm"))
    for seed, path in enumerate((real, other, synthetic)):
        build_artifact(phantom(path, seed=seed), "dataset", build)
    build_artifact(Augment(real=real, percent=0, out=out), "dataset", build)
    with pytest.raises(OutputError, match=r"input real .*; input synthetic "):
        build_artifact(Augment(real=other, synthetic=(synthetic,), percent=0, out=out), "dataset", never)
    build_artifact(Augment(real=real, synthetic=(synthetic,), percent=0, out=out, overwrite=True), "dataset", build)
    with pytest.raises(OutputError, match="input synthetic is no longer given"):
        build_artifact(Augment(real=real, percent=0, out=out), "dataset", never)


def test_the_content_of_an_input_counts_and_not_its_path(chain: tuple[Path, Path]) -> None:
    run, out = chain
    shutil.copytree(run, run.with_name("copy"))
    assert build_artifact(Sample(run=run.with_name("copy"), out=out), "dataset", never) == RESULT


def test_another_commands_result_is_refused(made: Path) -> None:
    (made.parent / "raw").mkdir()
    with pytest.raises(OutputError, match="made by phantom, not prepare"):
        build_artifact(Prepare(input=made.parent / "raw", out=made), "dataset", never)


def test_overwrite_replaces_our_own_result(made: Path) -> None:
    build_artifact(phantom(made, count=4, overwrite=True), "raw", build)
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
        build_artifact(phantom(out, overwrite=overwrite), "raw", never)
    assert {file.name: file.read_text() for file in out.iterdir()} == content


def test_overwrite_never_deletes_what_the_result_does_not_list(made: Path) -> None:
    (made / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"would delete .*notes\.txt"):
        build_artifact(phantom(made, count=4, overwrite=True), "raw", never)
    assert (made / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_input_is_never_written_over(made: Path, overwrite: bool) -> None:
    for inside in (made, made / "png"):
        with pytest.raises(OutputError, match=re.escape(f"the input {inside}")):
            build_artifact(Prepare(input=inside, out=made, overwrite=overwrite), "dataset", never)
    assert open_artifact(made, "raw").result == RESULT


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="it is a file"):
        build_artifact(phantom(tmp_path / "out"), "raw", never)


def test_an_empty_directory_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert build_artifact(phantom(tmp_path / "out"), "raw", build) == RESULT


def test_a_link_to_an_empty_directory_is_filled_where_it_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scratch" / "run").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    link = tmp_path / "home" / "deep"
    link.symlink_to("../scratch/run")
    monkeypatch.chdir(tmp_path)
    assert build_artifact(phantom(Path("home/deep")), "raw", build) == RESULT
    assert build_artifact(phantom(link), "raw", never) == RESULT
    assert build_artifact(phantom(link, count=4, overwrite=True), "raw", build) == RESULT
    assert link.is_symlink()
    assert open_artifact(tmp_path / "scratch" / "run").options["count"] == 4
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["0.png", "images.npy", "manifest.json"]


def test_inputs_are_found_through_a_link_and_from_where_it_leads(tmp_path: Path) -> None:
    run, link, target = tmp_path / "runs" / "gan", tmp_path / "out", tmp_path / "far" / "away" / "out"
    build_artifact(phantom(run), "gan-run", build)
    target.parent.mkdir(parents=True)
    link.symlink_to(target)  # its target does not exist yet
    build_artifact(Sample(run=run, out=link), "dataset", build)
    for place in (link, target):
        assert open_artifact(place).open_input("run", "gan-run").path.resolve() == run.resolve()


def test_a_directory_may_be_named_by_dots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "study").mkdir()
    monkeypatch.chdir(tmp_path / "study")
    build_artifact(phantom(Path("../made/.")), "raw", build)
    monkeypatch.chdir(tmp_path / "made")
    assert build_artifact(phantom(Path()), "raw", never) == RESULT
    monkeypatch.chdir(tmp_path / "made" / "png")
    assert build_artifact(phantom(Path("..")), "raw", never) == RESULT
    monkeypatch.chdir(tmp_path / "made")
    assert open_artifact(Path()).result == RESULT


def refused(out: Path, tmp_path: Path) -> OutputError:
    """Return the error by which a path is refused before any work; nothing is written."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError) as refusal:
        build_artifact(phantom(out), "raw", never)
    assert sorted(tmp_path.rglob("*")) == before
    return refusal.value


def test_places_where_nothing_can_come_to_lie_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("here", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "gone").symlink_to("no/such/place")
    (tmp_path / "link").symlink_to("here")
    monkeypatch.chdir(tmp_path / "here")
    for out in (Path(), tmp_path / "here", Path("../here"), tmp_path / "link"):
        assert "is the working directory" in refused(out, tmp_path).message
    assert "holds" in refused(Path(".."), tmp_path).message
    assert "does not exist" in refused(Path("../new/.."), tmp_path).message
    assert refused(Path("/"), tmp_path).message.startswith("--out / ")
    assert "is a link in a circle" in refused(tmp_path / "circle", tmp_path).message
    assert "is a link to" in refused(tmp_path / "gone", tmp_path).message
    assert "is no directory" in refused(tmp_path / "file" / "out", tmp_path).message
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "other")
    refusal = refused(tmp_path / "other", tmp_path)
    assert "is a mount point" in refusal.message
    assert str(tmp_path / "other" / "result") in refusal.hint


@pytest.mark.parametrize("out", ["x" * 238, "ü" * 119, "y" * 256 + "/out"])
def test_a_name_that_is_too_long_is_refused(tmp_path: Path, out: str) -> None:
    assert "a name of more than 2" in refused(tmp_path / out, tmp_path).message


def test_the_longest_name_can_be_made(tmp_path: Path) -> None:
    out = tmp_path / ("x" * 237)
    assert build_artifact(phantom(out), "raw", build)
    assert build_artifact(phantom(out, seed=2, overwrite=True), "raw", build)


def test_a_device_in_the_way_is_refused(tmp_path: Path) -> None:
    assert "it is no directory" in refused(Path("/dev/null"), tmp_path).message


def test_a_directory_that_may_not_be_written_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so `os.access` is replaced."""
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)
    for out in (tmp_path / "out", tmp_path / "new" / "out"):
        assert f"{tmp_path} may not be written to" in refused(out, tmp_path).message


def test_a_directory_mounted_on_another_of_its_file_system_is_known() -> None:
    lines = Path("/proc/self/mountinfo")
    if not lines.exists():
        pytest.skip("only Linux tells")
    for line in lines.read_text().splitlines():
        place = Path(line.split(" ")[4])
        if "\\" not in str(place) and place.is_dir():
            assert builder._is_mount_point(place), place


def test_a_missing_input_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        build_artifact(Sample(run=tmp_path / "nowhere", out=tmp_path / "out"), "dataset", never)
    assert list(tmp_path.iterdir()) == []


def test_an_output_inside_a_raw_input_is_refused(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    with pytest.raises(OutputError, match="lies in the input"):
        build_artifact(Prepare(input=raw, out=raw / "prepared"), "dataset", lambda _: {})
    assert not list(raw.iterdir())


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    def build(directory: Path) -> artifacts.Result:
        (directory / "half").write_text("written")
        raise InputError("no images")

    with pytest.raises(InputError):
        build_artifact(Phantom(layout="rsna", count=1, out=tmp_path / "out"), "raw", build)
    assert not list(tmp_path.iterdir())


def test_a_process_that_is_not_the_first_takes_part_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    messages: list[Any] = [None, {"made": 1}]
    monkeypatch.setattr(ranks, "is_first", lambda: False)
    monkeypatch.setattr(ranks, "broadcast", lambda _: messages.pop(0))
    options = Prepare(input=tmp_path, out=out)
    assert build_artifact(options, "dataset", lambda directory: {"at": directory.name}) == {"at": "out.partial"}
    assert build_artifact(options, "dataset", lambda directory: {"at": directory.name}) == {"made": 1}
    assert not list(tmp_path.iterdir())


def test_the_first_process_tells_the_others_to_build_or_that_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []

    def broadcast(value: Any) -> Any:
        sent.append(value)
        return value

    monkeypatch.setattr(ranks, "broadcast", broadcast)
    raw = tmp_path / "raw"
    raw.touch()
    for _ in range(2):
        build_artifact(Prepare(input=raw, out=tmp_path / "out"), "dataset", lambda _: {"made": 1})
    assert sent == [None, {"made": 1}]
