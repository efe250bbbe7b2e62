"""The benchmark for GPUs runs to its end on a processor, in small."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


@pytest.mark.faults
def test_every_section_passes_on_a_processor(tmp_path: Path) -> None:
    words = [sys.executable, str(PROGRAM), "--out", str(tmp_path), "--device", "cpu", "--small", "--minutes", "60"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    rows = json.loads((tmp_path / "gpu.json").read_text())
    assert [row for row in rows if row["passed"] is False] == []
    assert done.returncode == 0
    assert {"commands", "nccl", "dcgan", "densenet", "rates", "gan-stylegan2"} <= {row["section"] for row in rows}
    assert "| machine | versions |" in (tmp_path / "gpu.md").read_text()


def test_a_section_that_does_not_pass_ends_with_exit_code_1(tmp_path: Path) -> None:
    words = [sys.executable, str(PROGRAM), "--out", str(tmp_path), "--device", "cpu", "--sections", "machine"]
    done = subprocess.run([*words, "--minutes", "0"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "| machine | the section | **no** |" in done.stdout
    assert "no time left" in done.stdout


def test_a_section_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    words = [sys.executable, str(PROGRAM), "--out", str(tmp_path), "--sections", "gan-none"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("no section gan-none; there are gan-acgan, ")
