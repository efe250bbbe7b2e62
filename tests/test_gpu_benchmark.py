"""The benchmark for GPUs runs to its end on a processor, in small."""

import json
import runpy
import subprocess
import sys
from collections.abc import Callable
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


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Return a function that runs the program in this process and returns what it exits with."""
    monkeypatch.syspath_prepend(PROGRAM.parent)

    def run(*words: str) -> object:
        monkeypatch.setattr(sys, "argv", [str(PROGRAM), *words])
        with pytest.raises(SystemExit) as ending:
            runpy.run_path(str(PROGRAM), run_name="__main__")
        return ending.value.code

    return run


def test_a_section_that_does_not_pass_ends_with_exit_code_1(
    tmp_path: Path, run_here: Callable[..., object], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--out", str(tmp_path), "--device", "cpu", "--sections", "machine", "--minutes", "0"]
    assert run_here(*words) == 1
    shown = capsys.readouterr().out
    assert "| machine | the section | **no** |" in shown
    assert "no time left" in shown


def test_a_section_that_is_not_there_is_refused_with_those_that_are(
    tmp_path: Path, run_here: Callable[..., object]
) -> None:
    ended = run_here("--out", str(tmp_path), "--sections", "gan-none")
    assert str(ended).startswith("no section gan-none; there are gan-acgan, ")
