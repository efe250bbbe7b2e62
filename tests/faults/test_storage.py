"""A full or failing disk and damaged files give an error of one line, and lose no valid file."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults import trees
from faults.killing import spread
from faults.program import Ended, Program
from faults.shim import Plan
from faults.specimens import SINGLE_COMMANDS, Reference, References

from xrayaug.storage import files

ERRORS = ("ENOSPC", "EDQUOT", "EROFS", "EIO", "ESTALE")
MOUNT = ["mount", "-t", "tmpfs", "-o", "size=1m", "none"]
KEEPING = ("train-gan", "train-classifier", "evaluate", "fid")  # checkpoints
Damage = Callable[[bytes], bytes]


def check_one_line(ended: Ended) -> None:
    assert ended.code == 1, ended.stderr
    assert len(ended.errors) == 1, ended.stderr
    assert "Traceback" not in ended.stderr


def check_goes_on(program: Program, reference: Reference, directory: Path) -> Ended:
    """Check that the same command ends with the bytes of the reference."""
    ended = program.run(reference.words, directory)
    assert ended.code == 0, ended.stderr
    check_result(reference, directory)
    shutil.rmtree(directory)
    return ended


def check_result(reference: Reference, directory: Path) -> None:
    out = directory / reference.words[-1]
    assert (trees.differences(trees.read(out), reference.tree), trees.leftovers(out)) == ([], [])


def fail_at(program: Program, reference: Reference, number: int, error: str) -> None:
    directory = program.new_directory(error)
    ended = program.run(reference.words, directory, Plan(at=number, act=error))
    if ended.code == 0:  # it had only to delete and to rename
        check_result(reference, directory)
    else:
        check_one_line(ended)
    assert not trees.unfinished_that_looks_finished(directory / reference.words[-1])
    check_goes_on(program, reference, directory)


@pytest.mark.parametrize("name", SINGLE_COMMANDS)
def test_a_failing_disk(name: str, xrayaug: Program, references: References) -> None:
    reference = references.get(name)
    _, middle, _ = spread(reference.ended.boundaries, 3)
    fail_at(xrayaug, reference, middle, ERRORS[SINGLE_COMMANDS.index(name) % len(ERRORS)])


@pytest.mark.faults
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("name", [*SINGLE_COMMANDS, "experiment-fid"])
def test_a_failing_disk_anywhere(name: str, error: str, xrayaug: Program, references: References) -> None:
    reference = references.get(name)
    for number in spread(reference.ended.boundaries, 2 if name in ("fid", "experiment-fid") else 5):
        fail_at(xrayaug, reference, number, error)


def test_pictures_on_a_disk_that_fails_are_not_left_out(xrayaug: Program, references: References) -> None:
    directory = xrayaug.new_directory("failing")
    reference = references.get("prepare")
    ended = xrayaug.run(reference.words, directory, Plan(unreadable="/normal/5.png"))
    check_one_line(ended)
    assert "Input/output error: ../raw/normal/5.png" in ended.errors[0]
    check_goes_on(xrayaug, reference, directory)


@pytest.mark.parametrize(
    ("name", "largest"), [("prepare", 700), ("prepare", 9000), ("sample", 30000), ("train-gan", 3000000)]
)
def test_a_limit_to_the_size_of_files(name: str, largest: int, xrayaug: Program, references: References) -> None:
    directory = xrayaug.new_directory("limited")
    reference = references.get(name)
    ended = xrayaug.run(reference.words, directory, largest_file=largest)
    check_one_line(ended)
    assert "File too large" in ended.errors[0]
    check_goes_on(xrayaug, reference, directory)


@pytest.fixture
def small_disk(xrayaug: Program) -> Iterator[Path]:
    """Mount a file system of one megabyte."""
    directory = xrayaug.new_directory("disk")
    if subprocess.run([*MOUNT, directory], check=False, capture_output=True).returncode:
        pytest.skip("mounting is not permitted")
    yield directory
    subprocess.run(["umount", directory], check=True)


@pytest.mark.parametrize("name", [pytest.param("train-gan", marks=pytest.mark.faults), "train-classifier"])
def test_a_full_disk(name: str, small_disk: Path, xrayaug: Program, references: References) -> None:
    reference = references.get(name)
    ended = xrayaug.run(reference.words, small_disk)
    check_one_line(ended)
    assert "No space left on device" in ended.errors[0]
    subprocess.run(["mount", "-o", "remount,size=100m", small_disk], check=True)
    assert xrayaug.run(reference.words, small_disk).code == 0
    check_result(reference, small_disk)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; EROFS stands for it")
def test_a_directory_that_may_not_be_written(xrayaug: Program, references: References) -> None:
    directory = xrayaug.new_directory("read-only")
    directory.chmod(0o555)
    check_one_line(xrayaug.run(references.get("augment").words, directory))
    directory.chmod(0o755)
    check_goes_on(xrayaug, references.get("augment"), directory)


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def halve(content: bytes) -> bytes:
    return content[: len(content) // 2]


def killed(name: str, xrayaug: Program, reference: Reference, *, share: float) -> Path:
    """Kill a run at a share of its write boundaries, and return its directory."""
    directory = xrayaug.new_directory(name)
    plan = Plan(at=round(reference.ended.boundaries * share))
    assert xrayaug.run(reference.words, directory, plan).was_killed
    return directory


def damage(file: Path, how: Damage) -> None:
    file.write_bytes(how(file.read_bytes()))


@pytest.mark.parametrize(
    ("name", "how"),
    [
        *((name, flip) for name in KEEPING),
        ("train-classifier", halve),
        *(pytest.param(name, halve, marks=pytest.mark.faults) for name in KEEPING if name != "train-classifier"),
    ],
)
def test_a_damaged_checkpoint(name: str, how: Damage, xrayaug: Program, references: References) -> None:
    reference = references.get(name)
    directory = killed(name, xrayaug, reference, share=0.7)
    *_, newest = sorted(directory.rglob("*.safetensors"))
    damage(newest, how)
    ended = check_goes_on(xrayaug, reference, directory)
    assert f"{newest.name} is damaged" in ended.stderr
    assert ".damaged" in ended.stderr


@pytest.mark.parametrize("name", [pytest.param("train-gan", marks=pytest.mark.faults), "train-classifier"])
def test_no_checkpoint_is_whole(name: str, xrayaug: Program, references: References) -> None:
    reference = references.get(name)
    directory = killed(name, xrayaug, reference, share=0.6)
    kept = list((directory / "out.partial" / "resume" / "checkpoints").glob("*.safetensors"))
    assert len(kept) > 1
    for file in kept:
        damage(file, flip)
    ended = check_goes_on(xrayaug, reference, directory)
    assert "none is left" in ended.stderr
    assert "begins anew" in ended.stderr


def test_damaged_statistics_in_the_cache(xrayaug: Program, references: References) -> None:
    reference = references.get("fid")
    directory = killed("fid", xrayaug, reference, share=0.7)
    cached = list(directory.rglob("*.npz"))
    assert cached
    for file in cached:
        damage(file, flip)
    assert "the cache is damaged" in check_goes_on(xrayaug, reference, directory).stderr


@pytest.mark.parametrize("name", ["prepare", "sample"])
@pytest.mark.parametrize("how", [flip, halve])
def test_damaged_pictures_under_the_journal(name: str, how: Damage, xrayaug: Program, references: References) -> None:
    reference = references.get(name)
    directory = killed(name, xrayaug, reference, share=0.6)
    damage(directory / "out.partial" / "images.npy", how)
    ended = check_goes_on(xrayaug, reference, directory)
    assert "is made again from there" in ended.stderr


@pytest.mark.parametrize("name", ["prepare", "sample"])
@pytest.mark.parametrize("how", [flip, halve])
def test_a_damaged_journal(name: str, how: Damage, xrayaug: Program, references: References) -> None:
    reference = references.get(name)
    directory = killed(name, xrayaug, reference, share=0.6)
    damage(directory / "out.partial" / "resume" / "images.jsonl", how)
    check_goes_on(xrayaug, reference, directory)


def test_another_command_is_refused_each_difference_named(xrayaug: Program, references: References) -> None:
    reference = references.get("train-classifier")
    directory = killed("train-classifier", xrayaug, reference, share=0.5)
    other = [*reference.words, "--epochs", "3", "--seed", "4", "--data", "../mura-prepared/out"]
    prepare_another(xrayaug, references)
    ended = xrayaug.run(other, directory)
    check_one_line(ended)
    for difference in ("epochs was 2, is now 3", "seed was 0, is now 4", "input data has another content"):
        assert difference in ended.stderr
    assert xrayaug.run([*other, "--overwrite"], directory).code == 0
    fresh = xrayaug.new_directory("fresh")
    assert xrayaug.run(other, fresh).code == 0
    assert trees.read(directory / "out") == trees.read(fresh / "out")


def prepare_another(xrayaug: Program, references: References) -> None:
    directory = xrayaug.directory / "mura-prepared"
    directory.mkdir()
    words = ["prepare", "--source", "mura", "--input", "../mura/out", "--size", "32", "--out", "out"]
    assert references.get("mura")
    ended = xrayaug.run(words, directory)
    assert ended.code == 0, ended.stderr


def test_a_refusal_disturbs_nothing(xrayaug: Program, references: References) -> None:
    reference = references.get("train-classifier")
    directory = killed("train-classifier", xrayaug, reference, share=0.5)
    check_one_line(xrayaug.run([*reference.words, "--seed", "3"], directory))
    check_goes_on(xrayaug, reference, directory)


def test_another_environment_is_named_and_recorded(xrayaug: Program, references: References) -> None:
    reference = references.get("prepare")
    directory = killed("prepare", xrayaug, reference, share=0.5)
    file = directory / "out.partial" / "resume" / "run.json"
    run = json.loads(file.read_bytes())
    run["sessions"][-1]["packages"]["torch"] = "1.0"
    run["sessions"][-1]["device"] = "cuda:7 (Abacus)"
    files.write_json(file, run)
    ended = xrayaug.run(reference.words, directory)
    assert ended.code == 0, ended.stderr
    recorded = json.loads((directory / "out" / "manifest.json").read_bytes())["environment"]["changes"]
    for change in ("device changed from cuda:7 (Abacus) to cpu", "torch changed from 1.0 to"):
        assert f"warning: since this run was stopped, {change}" in ended.stderr
        assert any(change in line for line in recorded)
    assert len(recorded) == 2
    check_result(reference, directory)


def test_a_damaged_record_of_the_run(xrayaug: Program, references: References) -> None:
    reference = references.get("augment")
    directory = killed("augment", xrayaug, reference, share=0.5)
    damage(directory / "out.partial" / "resume" / "run.json", halve)
    ended = xrayaug.run(reference.words, directory)
    check_one_line(ended)
    assert "delete out.partial to start again" in ended.stderr
    shutil.rmtree(directory / "out.partial")
    check_goes_on(xrayaug, reference, directory)
