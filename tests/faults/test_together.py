"""Several processes share a command's work: the same bytes as one; one of them is killed; one goes on alone.

The processes learn of each other from the variables that torchrun sets; one test lets torchrun itself do it.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from builders import MakeDataset, write_classifier
from faults.program import ONE_THREAD, Ended, Program

from xrayaug.options import Sample, TrainGan
from xrayaug.runtime.stopping import STOPPED_EARLY
from xrayaug.sampling import sampler
from xrayaug.stages import sample, train_gan

ENDS_WITHIN = 60.0  # seconds, once a process is dead
MANY = 40 * sampler.BATCH_SIZE
FID = ["--batch-size", "7", "--device", "cpu", "--json"]


@pytest.fixture(scope="module")
def inputs(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a real dataset, a GAN run trained on it, its samples and a classifier run."""
    folder = tmp_path_factory.mktemp("ranks")
    make_dataset(folder / "real", studies=6)
    learnt = TrainGan(data=folder / "real", epochs=1, latent=4, batch_size=24, device="cpu", out=folder / "gan")
    train_gan.run(learnt)
    sample.run(Sample(run=folder / "gan", count=50, device="cpu", out=folder / "drawn"))
    write_classifier(folder / "classifier", folder / "real", arch="squeezenet1_1")
    return folder


def together(xrayaug: Program, words: list[str], cwd: Path, count: int) -> Ended:
    """Run a command as `count` processes; check that all succeed and that only rank 0 prints anything."""
    first, *others = [process.wait() for process in xrayaug.start_together(words, cwd, count)]
    assert [ended.code for ended in (first, *others)] == [0] * count, first.stderr
    assert {ended.stdout + ended.stderr for ended in others} <= {""}
    return first


def contents(out: Path) -> dict[str, Any]:
    """Return every file of an artifact, and its manifest without environment and seal."""
    found: dict[str, Any] = {file.name: file.read_bytes() for file in out.iterdir()}
    manifest = json.loads(found.pop("manifest.json"))
    return found | {"manifest": {key: manifest[key] for key in manifest.keys() - {"environment", "seal"}}}


@pytest.mark.parametrize("by", ["discriminator", "classifier"])
def test_samples_are_the_same_bytes_for_1_2_and_4_processes(
    xrayaug: Program, inputs: Path, tmp_path: Path, by: str
) -> None:
    judge = by if by == "discriminator" else str(inputs / by)
    counts = (1, 2, 4) if by == "discriminator" else (1, 2)
    words = ["sample", "--run", str(inputs / "gan"), "--count", "270", "--reject", "0.2", "--device", "cpu"]
    for count in counts:
        together(xrayaug, [*words, "--reject-by", judge, "--out", str(tmp_path / str(count))], tmp_path, count)
    one, *more = [contents(tmp_path / str(count)) for count in counts]
    assert len(one["images.npy"]) > 270 * 32 * 32
    assert all(each == one for each in more)


def test_distances_are_the_same_number_for_1_2_and_4_processes(xrayaug: Program, inputs: Path, tmp_path: Path) -> None:
    """Compare all metrics, and the distance alone, for which no features are kept."""
    found: dict[str, list[Any]] = {"fid": [], "fid,kid,prdc": []}
    for metrics, values in found.items():
        for count in (1, 2, 4) if metrics == "fid" else (1, 2):
            cache = tmp_path / f"{metrics}-{count}"
            words = ["fid", str(inputs / "real"), str(inputs / "drawn"), *FID, "--features", str(inputs / "classifier")]
            ended = together(xrayaug, [*words, "--metrics", metrics, "--cache", str(cache)], tmp_path, count)
            values.append(json.loads(ended.stdout))
            (stored, other) = sorted((cache / "fid").glob("*.npz"))
            values[-1]["statistics"] = [stored.read_bytes(), other.read_bytes()]
        assert values[0]["a"]["n"] == 72
        assert all(each == values[0] for each in values)
    assert found["fid"][0]["value"] == found["fid,kid,prdc"][0]["value"]


def test_copies_are_found_by_two_as_by_one(xrayaug: Program, inputs: Path, tmp_path: Path) -> None:
    words = [
        "copies",
        str(inputs / "drawn"),
        "--real",
        str(inputs / "real"),
        *FID,
        "--features",
        str(inputs / "classifier"),
    ]
    for count in (1, 2):
        together(xrayaug, [*words, "--out", str(tmp_path / str(count))], tmp_path, count)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_a_killed_process_ends_all_and_one_goes_on(xrayaug: Program, inputs: Path, tmp_path: Path) -> None:
    words = [
        "sample",
        "--run",
        str(inputs / "gan"),
        "--count",
        str(MANY),
        "--device",
        "cpu",
        "--checkpoint-every",
        "10m",
    ]
    first, second = xrayaug.start_together([*words, "--out", "killed"], tmp_path, 2)
    written = tmp_path / "killed.partial" / "images.npy"
    first.wait_until(lambda: written.exists() and written.stat().st_size > 0)
    second.send(signal.SIGKILL)
    ended = first.wait(ENDS_WITHIN)
    assert ended.code == 1
    (error,) = ended.errors
    assert "rank 1 died" in error
    assert "run the same command again" in error
    assert not (tmp_path / "killed").exists()
    alone = xrayaug.run([*words, "--out", "killed"], tmp_path)
    assert "going on after" in alone.stderr  # though it was not time to save when the process died
    assert xrayaug.run([*words, "--out", "alone"], tmp_path).code == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "alone")


def test_training_ends_when_a_process_dies_and_one_goes_on_alone(
    xrayaug: Program, inputs: Path, tmp_path: Path
) -> None:
    words = ["train-gan", "--data", str(inputs / "real"), "--width", "0.05", "--latent", "4", "--batch-size", "5"]
    words += ["--epochs", "12", "--sync-bn", "--on-collapse", "warn", "--checkpoint-every", "5", "--device", "cpu"]
    words += ["--out", "killed"]
    first, second = xrayaug.start_together(words, tmp_path, 2)
    first.wait_until(lambda: any((tmp_path / "killed.partial").glob("resume/checkpoints/*.safetensors")))
    second.send(signal.SIGKILL)
    ended = first.wait(ENDS_WITHIN)
    assert ended.code == 1
    (error,) = ended.errors
    assert "rank 1 died" in error
    assert not (tmp_path / "killed").exists()
    alone = xrayaug.run(words, tmp_path)
    assert alone.code == 0, alone.stderr
    assert "going on after" in alone.stderr
    assert "device changed from 2 processes, each on cpu" in alone.stderr
    log = (tmp_path / "killed" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in log] == list(range(1, 13))


@pytest.mark.parametrize("asked", [pytest.param(0, marks=pytest.mark.faults), 1])
def test_any_process_that_is_asked_to_stop_stops_all_and_one_goes_on(
    xrayaug: Program, inputs: Path, tmp_path: Path, asked: int
) -> None:
    """Stop a distance; the features so far are in the cache."""
    words = ["fid", str(inputs / "gan-many"), str(inputs / "drawn"), *FID, "--features", str(inputs / "classifier")]
    if not (inputs / "gan-many").exists():
        sample.run(Sample(run=inputs / "gan", count=1000, device="cpu", out=inputs / "gan-many"))
    running = xrayaug.start_together(words, tmp_path, 2)
    running[0].wait_for("reading gan-many")
    running[asked].send(signal.SIGTERM)
    first, second = [each.wait(ENDS_WITHIN) for each in running]
    assert (first.code, second.code) == (STOPPED_EARLY, STOPPED_EARLY), first.stderr + second.stderr
    assert "stopped (SIGTERM)" in first.stderr
    alone = xrayaug.run(words, tmp_path)
    assert "going on after" in alone.stderr
    fresh = xrayaug.run([*words, "--cache", "another"], tmp_path)
    results = [json.loads(ended.stdout) for ended in (alone, fresh)]
    for side in ("a", "b"):  # the smaller one may have been finished before the stop
        assert {result[side].pop("cached") for result in results} <= {True, False}
    assert results[0] == results[1]


def test_an_error_of_rank_0_is_printed_once(xrayaug: Program, inputs: Path, tmp_path: Path) -> None:
    """Rank 0 reports the refusal; the others end with it, silent."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "else.txt").write_text("mine", encoding="utf-8")
    words = ["sample", "--run", str(inputs / "gan"), "--count", "3", "--device", "cpu", "--out", "taken"]
    first, second = [each.wait(ENDS_WITHIN) for each in xrayaug.start_together(words, tmp_path, 2)]
    assert (first.code, second.code) == (1, 1)
    assert "was not made by xrayaug" in first.errors[0]
    assert second.stderr == ""


def test_torchrun_starts_it(inputs: Path, tmp_path: Path) -> None:
    """`--` precedes the module, since torchrun would take `--run` for an abbreviation of an option of its own."""
    program = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--"]
    words = ["xrayaug", "sample", "--run", str(inputs / "gan"), "--count", "50", "--device", "cpu"]
    ended = subprocess.run(
        [*program, *words, "--out", "drawn", "--json"],
        cwd=tmp_path,
        env=os.environ | ONE_THREAD,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["images"] == 50
    assert (tmp_path / "drawn" / "images.npy").read_bytes() == (inputs / "drawn" / "images.npy").read_bytes()
