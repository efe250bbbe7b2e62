"""A trace is written whole, only where asked for, and changes nothing."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from xrayaug.errors import OutputError
from xrayaug.training.profiling import PASSED_OVER, TRACED, Profile

CPU = torch.device("cpu")


def work(profile: Profile, steps: int) -> None:
    with profile:
        for _ in range(steps):
            torch.ones(8, 8) @ torch.ones(8, 8)
            profile.step(4)


def read(file: Path) -> Any:
    return json.loads(gzip.open(file).read() if file.suffix == ".gz" else file.read_bytes())


@pytest.mark.parametrize("name", ["trace.json", "new/trace.json.gz"])
@pytest.mark.parametrize(("steps", "traced"), [(PASSED_OVER + TRACED + 3, TRACED), (PASSED_OVER + 2, 2)])
def test_a_trace_holds_the_steps_after_the_first_few(
    tmp_path: Path, name: str, steps: int, traced: int, capsys: pytest.CaptureFixture[str]
) -> None:
    work(Profile(tmp_path / name, CPU), steps)
    events = read(tmp_path / name)["traceEvents"]
    assert sum(event.get("name") == "aten::matmul" for event in events) == traced
    said = capsys.readouterr()
    assert f"{traced} steps, {4 * traced} images" in said.err
    assert "aten::mm" in said.err
    assert not said.out
    assert [file.name for file in (tmp_path / name).parent.iterdir()] == [Path(name).name]


def test_no_trace_is_written_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work(Profile(None, CPU), PASSED_OVER + TRACED)
    assert not list(tmp_path.iterdir())
    assert not capsys.readouterr().err


def test_too_few_steps_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work(Profile(tmp_path / "trace.json", CPU), PASSED_OVER - 1)
    assert "no trace: it begins after 5 steps, and this process took 4" in capsys.readouterr().err


def test_a_file_in_the_way_is_kept_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        Profile(tmp_path / "trace.json", CPU)
    work(Profile(tmp_path / "trace.json", CPU, overwrite=True), PASSED_OVER + 1)
    assert "traceEvents" in read(tmp_path / "trace.json")


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"ends in neither \.json nor \.json\.gz"):
        Profile(tmp_path / "trace.txt", CPU)


def test_of_trainings_side_by_side_each_is_traced_for_as_many_steps(tmp_path: Path) -> None:
    """Five seeds would else be traced while they warm up, and none of what follows."""
    seeds, file = 5, tmp_path / "trace.json"
    profile = Profile(file, CPU, side_by_side=seeds)
    with profile:
        for step in range(seeds * (PASSED_OVER + TRACED + 1)):
            if step < seeds * PASSED_OVER:
                torch.ones(8, 8) + 1  # a warm-up
            else:
                torch.ones(8, 8) @ torch.ones(8, 8)
            profile.step(4)
    events = read(file)["traceEvents"]
    assert sum(event.get("name") == "aten::matmul" for event in events) == seeds * TRACED
    assert not any(event.get("name") == "aten::add" for event in events)
