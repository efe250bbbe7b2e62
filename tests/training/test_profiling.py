"""A trace is written whole, only where asked for, and changes nothing."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from xrayaug.errors import OutputError
from xrayaug.training.profiling import SKIPPED_STEPS, TRACED_STEPS, Profile

CPU = torch.device("cpu")


def work(profile: Profile, steps: int) -> None:
    with profile:
        for _ in range(steps):
            torch.ones(8, 8) @ torch.ones(8, 8)
            profile.step(4)


def read(file: Path) -> Any:
    return json.loads(gzip.open(file).read() if file.suffix == ".gz" else file.read_bytes())


@pytest.mark.parametrize("name", ["trace.json", "new/trace.json.gz"])
@pytest.mark.parametrize(
    ("steps", "traced"), [(SKIPPED_STEPS + TRACED_STEPS + 3, TRACED_STEPS), (SKIPPED_STEPS + 2, 2)]
)
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


def test_no_trace_is_written_by_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work(Profile(None, CPU), SKIPPED_STEPS + TRACED_STEPS)
    assert not list(tmp_path.iterdir())
    assert not capsys.readouterr().err


def test_too_few_steps_for_a_trace_give_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work(Profile(tmp_path / "trace.json", CPU), SKIPPED_STEPS - 1)
    warning = capsys.readouterr().err
    assert "no trace" in warning
    assert f"after {SKIPPED_STEPS} steps" in warning
    assert f"took {SKIPPED_STEPS - 1}" in warning


def test_a_file_in_the_way_is_kept_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_text("mine")
    with pytest.raises(OutputError, match=r"trace\.json exists"):
        Profile(tmp_path / "trace.json", CPU)
    work(Profile(tmp_path / "trace.json", CPU, overwrite=True), SKIPPED_STEPS + 1)
    assert "traceEvents" in read(tmp_path / "trace.json")


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"trace\.txt .*\.json or \.json\.gz"):
        Profile(tmp_path / "trace.txt", CPU)


def test_each_of_several_interleaved_runs_is_traced_for_as_many_steps(tmp_path: Path) -> None:
    """Otherwise five seeds would be traced while they warm up, and not afterwards."""
    seeds, file = 5, tmp_path / "trace.json"
    profile = Profile(file, CPU, concurrent_runs=seeds)
    with profile:
        for step in range(seeds * (SKIPPED_STEPS + TRACED_STEPS + 1)):
            if step < seeds * SKIPPED_STEPS:
                torch.ones(8, 8) + 1  # a warm-up
            else:
                torch.ones(8, 8) @ torch.ones(8, 8)
            profile.step(4)
    events = read(file)["traceEvents"]
    assert sum(event.get("name") == "aten::matmul" for event in events) == seeds * TRACED_STEPS
    assert not any(event.get("name") == "aten::add" for event in events)
