"""The README is held to the program: its commands run, its files exist, its study is the one that is printed."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from xrayaug import stages
from xrayaug.data.dataset import COLUMNS, open_dataset
from xrayaug.options import COMMANDS
from xrayaug.storage import artifacts, manifests

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
EXPERIMENT = (
    "xrayaug experiment --rsna raw/rsna --mura raw/mura --percents 0,50 --seeds 1 --gan-size 32 --gan-epochs 1 "
    "--gan-batch-size 30 --samples 60 --features random --classifier-arch squeezenet1_1 --classifier-weights none "
    "--classifier-size 32 --classifier-epochs 1 --classifier-batch-size 16 --out whole"
)


def xrayaug(line: str, directory: Path) -> subprocess.CompletedProcess[str]:
    words = shlex.split(line)
    assert words[0] == "xrayaug", line
    environment = os.environ | {"XDG_CACHE_HOME": str(directory / "cache")}
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
    """The README's command-by-command study, run in an empty directory."""
    directory = tmp_path_factory.mktemp("study")
    (lines,) = [text.splitlines() for language, text in BLOCKS if language == "sh"]
    for line in lines:
        finished = xrayaug(line, directory)
        assert finished.returncode == 0, f"{line}\n{finished.stderr}"
    return directory


@pytest.fixture(scope="module")
def printed(study: Path) -> list[str]:
    """The commands that the same study by `experiment` is made of, as --dry-run prints them."""
    dry = xrayaug(f"{EXPERIMENT} --dry-run", study)
    assert dry.returncode == 0, dry.stderr
    assert not (study / "whole").exists()
    return dry.stdout.splitlines()


@pytest.fixture(scope="module")
def whole(study: Path, printed: list[str]) -> Path:
    """The study that `experiment` made; printed before."""
    assert printed
    ran = xrayaug(EXPERIMENT, study)
    assert ran.returncode == 0, ran.stderr
    return study / "whole"


def test_the_commands_of_the_readme_make_a_results_table(study: Path) -> None:
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


def test_the_experiment_runs_the_same_commands_and_then_finds_them_complete(
    study: Path, printed: list[str], whole: Path
) -> None:
    script = (whole / "commands.sh").read_text().splitlines()
    assert script[-len(printed) :] == printed
    again = xrayaug(f"{EXPERIMENT} --json", study)
    assert again.returncode == 0, again.stderr
    said = [line for line in again.stderr.splitlines() if "complete: " in line or "is already complete" in line]
    assert len(said) == len(printed)  # prepare finds that itself, since it looks at the raw files again
    assert [arm["percent"] for arm in json.loads(again.stdout)["arms"]] == [0, 50]


def test_the_lines_run_by_hand_give_the_same_study(study: Path, whole: Path, tmp_path: Path) -> None:
    """Every file byte for byte, but for times."""
    shutil.copytree(study / "raw", tmp_path / "raw")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"XDG_CACHE_HOME": str(study / "cache"), "PATH": path}
    subprocess.run(["sh", whole / "commands.sh"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    timed = {"manifest.json", "log.jsonl", "commands.sh", "read-input.times"}
    made = [file.relative_to(whole) for file in whole.rglob("*.*") if file.is_file()]
    made = [file for file in made if file.parts[0] != "logs"]  # of what runs by hand say there is no log
    compared = sorted(file for file in made if file.name not in timed)
    assert {file.suffix for file in compared} >= {".npy", ".csv", ".safetensors", ".json", ".png", ".svg", ".md"}
    by_hand = tmp_path / "whole"
    differing = [str(file) for file in compared if (whole / file).read_bytes() != (by_hand / file).read_bytes()]
    assert not differing


def test_the_thesis_in_the_readme_is_what_the_experiment_prints(tmp_path: Path) -> None:
    line = "xrayaug experiment --preset thesis --rsna raw/rsna --mura raw/MURA-v1.1 --out study"
    assert line in README
    printed = xrayaug(f"{line} --dry-run", tmp_path).stdout
    assert any(text == printed for _, text in BLOCKS)


def test_every_command_in_the_readme_is_known() -> None:
    named = set(re.findall(r"^xrayaug ([a-z-]+)", README, re.MULTILINE))
    assert named <= set(COMMANDS)
    assert set(COMMANDS) == set(re.findall(r"^\| `([a-z-]+)` \|", README, re.MULTILINE))


def test_every_option_in_the_readme_is_known() -> None:
    for line in re.findall(r"^xrayaug ((?:.*\\\n)*.*)", README, re.MULTILINE):
        command, *words = shlex.split(line.replace("\\\n", " "))
        flags = {knob.name.replace("_", "-") for knob in COMMANDS[command].knobs()}
        assert {word[2:] for word in words if word.startswith("--")} <= flags, line


def test_every_stage_is_a_command() -> None:
    files = {file.stem for file in Path(stages.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == {name.replace("-", "_") for name in COMMANDS}


def test_the_design_names_every_kind_and_every_field_of_a_manifest(study: Path) -> None:
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    manifest = json.loads((study / "data" / "mura" / "manifest.json").read_text())
    assert {f"`{name}`" for name in (*manifests.KINDS, *manifest)} <= set(re.findall(r"`[^`]*`", design))


def test_the_readme_names_every_column_of_an_index() -> None:
    assert {f"`{name}`" for name in COLUMNS} <= set(re.findall(r"`[^`]*`", README))
