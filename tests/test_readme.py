"""The README, the tutorial and the page on the thesis agree with the program: their commands do what they say."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from faults.program import Program

from xrayaug import cli, stages
from xrayaug.data.dataset import COLUMNS, open_dataset
from xrayaug.options import COMMANDS
from xrayaug.storage import artifacts, manifests

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
THESIS = (ROOT / "docs" / "how-to" / "thesis.md").read_text(encoding="utf-8")
ARMS = (ROOT / "docs" / "how-to" / "arms.md").read_text(encoding="utf-8")
FILES_REFERENCE = (ROOT / "docs" / "reference" / "files.md").read_text(encoding="utf-8")
EXPERIMENT = (
    "xrayaug experiment --rsna raw/rsna --mura raw/mura --percents 0,50 --seeds 1 --gan-size 32 --gan-epochs 1 "
    "--gan-batch-size 20 --samples 40 --features random --classifier-arch squeezenet1_1 --classifier-weights none "
    "--classifier-size 32 --classifier-epochs 1 --classifier-batch-size 16 --out whole"
)
# A tiny study: what is added to the options of a page
TINY = (
    "--gan-epochs 1 --gan-batch-size 16 --samples 30 --features random --seeds 1 --classifier-arch squeezenet1_1 "
    "--classifier-weights none --classifier-size 32 --classifier-epochs 1 --classifier-batch-size 16 --resamples 100 "
    "--audit-images 0"
)
# Of the tutorial's commands, what the test replaces to be quick
SMALLER = {
    "--count 60 --height 100": "--count 30 --height 64 --workers 1",
    "--count 90 --height 100": "--count 60 --height 64 --workers 1",
}


def code_blocks(text: str, language: str) -> list[str]:
    """Return the contents of the fenced code blocks that are marked with `language`."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for marked, block in blocks if marked == language]


def run_in_process(lines: Iterable[str], directory: Path) -> None:
    """Run command lines one after the other; that is as a shell does, without starting Python each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("XDG_CACHE_HOME", str(directory / "cache"))
        for line in lines:
            program, *words = shlex.split(line)
            assert program == "xrayaug", line
            assert cli.app(words, standalone_mode=False) in (None, 0), line


def run_process(line: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line in a new interpreter, on one thread as this process does."""
    words = shlex.split(line)
    assert words[0] == "xrayaug", line
    threads = str(torch.get_num_threads())
    environment = os.environ | {"XDG_CACHE_HOME": str(directory / "cache"), "OMP_NUM_THREADS": threads}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", *words],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tutorial's study with fewer and smaller phantoms, run in an empty directory."""
    directory = tmp_path_factory.mktemp("study")
    commands = "".join(code_blocks(TUTORIAL, "sh"))
    for written, smaller in SMALLER.items():
        assert written in commands
        commands = commands.replace(written, smaller)
    run_in_process(commands.splitlines(), directory)
    return directory


@pytest.fixture(scope="module")
def printed(study: Path, xrayaug: Program) -> list[str]:
    """The commands of a study by `experiment`, as --dry-run prints them."""
    dry = xrayaug.run(shlex.split(f"{EXPERIMENT} --dry-run")[1:], study)
    assert dry.code == 0, dry.stderr
    assert not (study / "whole").exists()
    return dry.stdout.splitlines()


@pytest.fixture(scope="module")
def whole(study: Path, printed: list[str], xrayaug: Program) -> Path:
    """The study that `experiment` made, after its commands were printed."""
    assert printed
    ran = xrayaug.run(shlex.split(f"{EXPERIMENT} --jobs 2")[1:], study)
    assert ran.code == 0, ran.stderr
    return study / "whole"


def test_the_commands_of_the_tutorial_make_a_results_table(study: Path) -> None:
    metrics = json.loads((study / "evaluation" / "metrics.json").read_text())
    assert [arm["percent"] for arm in metrics["arms"]] == [0, 50]
    assert (study / "evaluation" / "figure7.png").stat().st_size > 1000
    assert (study / "evaluation" / "figure7.svg").read_text().startswith("<?xml")
    report = (study / "evaluation" / "report.html").read_text()
    for text in ("random features (not FID)", "Screening for copies", "xrayaug train-gan --data data/rsna"):
        assert text in report


def test_the_evaluation_chains_back_to_the_raw_set(study: Path) -> None:
    evaluation = artifacts.open_artifact(study / "evaluation", "evaluation")
    run = evaluation.open_input("runs/1", "classifier-run")
    arm = run.open_input("data", "dataset")
    assert arm.open_input("synthetic", "dataset").open_input("run", "gan-run").open_input("data", "dataset")
    assert arm.open_input("real", "dataset").open_input("input", "raw").path == study / "raw" / "mura"


def test_the_dose_is_half_of_the_real_normals(study: Path) -> None:
    arm = open_dataset(study / "arms" / "050")
    normals = len(arm.select(split="train", label="normal", synthetic=False))
    assert len(arm.select(synthetic=True)) == (normals + 1) // 2


def test_the_experiment_runs_the_commands_it_prints_and_then_finds_them_complete(
    study: Path, printed: list[str], whole: Path
) -> None:
    script = (whole / "commands.sh").read_text().splitlines()
    assert script[-len(printed) :] == printed
    again = run_process(f"{EXPERIMENT} --json", study)
    assert again.returncode == 0, again.stderr
    found = [line for line in again.stderr.splitlines() if "complete: " in line or "is already complete" in line]
    assert len(found) == len(printed)  # prepare finds that itself, since it looks at the raw files again
    assert [arm["percent"] for arm in json.loads(again.stdout)["arms"]] == [0, 50]


def test_the_printed_commands_run_one_by_one_give_the_same_study(
    study: Path, printed: list[str], whole: Path, tmp_path: Path
) -> None:
    """Every file has the same bytes, except those that hold times."""
    shutil.copytree(study / "raw", tmp_path / "raw")
    run_in_process(printed, tmp_path)
    timed = {"manifest.json", "log.jsonl", "commands.sh", "read-input.times", "evaluation.judgements.jsonl"}
    made = [file.relative_to(whole) for file in whole.rglob("*.*") if file.is_file()]
    made = [file for file in made if file.parts[0] != "logs"]  # only `experiment` writes logs
    compared = sorted(file for file in made if file.name not in timed)
    assert {file.suffix for file in compared} >= {".npy", ".csv", ".safetensors", ".json", ".png", ".svg", ".md"}
    one_by_one = tmp_path / "whole"
    differing = [str(file) for file in compared if (whole / file).read_bytes() != (one_by_one / file).read_bytes()]
    assert not differing


def test_the_thesis_is_the_study_that_the_experiment_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "xrayaug experiment --preset thesis --rsna raw/rsna --mura raw/MURA-v1.1 --out study"
    assert line in README
    assert line in THESIS
    run_in_process([f"{line} --dry-run"], tmp_path)
    commands = capsys.readouterr().out
    assert commands in code_blocks(THESIS, "")
    assert f"It runs {len(commands.splitlines())} commands" in README


def test_images_of_another_generator_are_judged_beside_those_of_the_gan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands of the page on arms, with phantoms of another seed in place of another generator's images."""
    (block,) = [each for each in code_blocks(ARMS, "") if "experiment --rsna" in each and "--synthetic" in each]
    make, study = block.replace("--size 64", "--size 32").splitlines()
    phantoms = "xrayaug phantom --layout mura --height 64 --workers 1"
    run_in_process(
        [f"{phantoms} --count 44 --test 0.4 --out raw/mine", f"{phantoms} --count 30 --seed 9 --out raw/other",
         "xrayaug prepare --source mura --input raw/mine --size 32 --workers 1 --out data/mine"],
        tmp_path,
    )  # fmt: skip
    for number, file in enumerate(sorted((tmp_path / "raw" / "other").rglob("*.png"))):
        label = "abnormal" if "positive" in file.parent.name else "normal"
        (tmp_path / "made" / "ddpm" / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "made" / "ddpm" / label / f"{number}.png")
    capsys.readouterr()
    run_in_process([make, f"{study} {TINY} --dry-run"], tmp_path)
    said = capsys.readouterr()
    assert "generator from elsewhere: ddpm (data/ddpm: 30 images; declared by the user" in " ".join(said.err.split())
    commands = [line for line in said.out.splitlines() if line.startswith("xrayaug")]
    run_in_process(commands, tmp_path)
    capsys.readouterr()
    run_in_process([f"{study} {TINY} --json"], tmp_path)
    result = json.loads(capsys.readouterr().out)
    verdicts = {each["arm"] for each in result["verdict"]["arms"]}
    assert {"50 mixed, of cgan", "50 mixed, of ddpm", "50 mixed duplicate, of ddpm"} <= verdicts
    assert "synthetic-ddpm to rsna" in result["distances"]
    made = artifacts.open_artifact(tmp_path / "study" / "arm-50-ddpm")
    assert made.open_input("synthetic").path == tmp_path / "data" / "ddpm"
    assert "ddpm" in (tmp_path / "study" / "evaluation" / "report.html").read_text()
    recorded = manifests.read(tmp_path / "study" / "manifest.json")["options"]
    assert (recorded["gan_arch"], recorded["synthetic"]) == ("cgan", ["data/ddpm"])


def test_the_readme_lists_every_command() -> None:
    assert set(COMMANDS) == set(re.findall(r"^\| `([a-z-]+)` \|", README, re.MULTILINE))


def test_every_stage_is_a_command() -> None:
    files = {file.stem for file in Path(stages.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == {name.replace("-", "_") for name in COMMANDS}


def test_the_reference_names_every_kind_and_every_field_of_a_manifest(study: Path) -> None:
    manifest = json.loads((study / "data" / "mura" / "manifest.json").read_text())
    assert {f"`{name}`" for name in (*manifests.KINDS, *manifest)} <= set(re.findall(r"`[^`]*`", FILES_REFERENCE))


def test_the_reference_names_every_column_of_an_index() -> None:
    assert {f"`{name}`" for name in COLUMNS} <= set(re.findall(r"`[^`]*`", FILES_REFERENCE))
