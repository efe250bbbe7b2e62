"""Results on stdout without markup; progress as plain lines if stderr is no terminal."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import write_png

from xrayaug.errors import UsageError
from xrayaug.runtime import console
from xrayaug.runtime.console import Section, Table

MARKUP_LIKE_NAMES = ("hand[red].png", "[/b].png", "a\\[b].png", ":smile:.png", "50%.png")


@pytest.mark.parametrize("name", MARKUP_LIKE_NAMES)
def test_cells_and_notes_have_no_markup(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    console.show([Table("files", ("name",), [(name,)], notes=[f"see {name}"])])
    shown = capsys.readouterr()
    assert f" {name} " in shown.out
    assert f"see {name}\n" in shown.out
    assert shown.err == ""


def test_long_notes_stay_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    note = "runs/" + "very-" * 80 + "long"
    console.show([Table("files", ("name",), [], notes=[note])])
    assert note in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_section_is_wrapped_between_words(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    words = [f"word{number} [a]" for number in range(60)] + ["more-real"]
    console.show([Section("Answer", [" ".join(words), "short"])])
    title, *lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert title == "Answer"
    assert max(len(line) for line in lines) < min(columns, 81)
    assert " ".join(" ".join(lines).split()) == " ".join([*words, "short"])


def test_a_long_path_in_a_section_stays_whole(capsys: pytest.CaptureFixture[str]) -> None:
    path = "runs/" + "very-" * 40 + "long"
    console.show([Section("Answer", [f"see {path}"])])
    assert path in capsys.readouterr().out


def test_an_error_is_one_line_with_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    console.error(UsageError("--size is 0", "it must be 8 or more"))
    assert capsys.readouterr().err == "error: --size is 0 (it must be 8 or more)\n"


def test_progress_off_a_terminal_is_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([0.0, 1.0, 11.0, 12.0, 20.0])
    monkeypatch.setattr("xrayaug.runtime.console.time.monotonic", lambda: next(seconds))
    with console.progress(40, "sample") as advance:
        advance(10)  # too soon for a line
        advance(12, "epoch [2]")
        advance(18)
    assert capsys.readouterr().err.splitlines() == [
        "sample: 22/40 images, 2.0 images/s, 0:09 left; epoch [2]",
        "sample: 40 images in 0:20, 2.0 images/s",
    ]


def test_progress_on_a_terminal_is_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with console.progress(2, "decode") as advance:
        advance(2, "file [1].png")
    shown = capsys.readouterr()
    assert "decode" in shown.err
    assert "2/2" in shown.err
    assert "file [1].png" in shown.err
    assert shown.out == ""


def test_progress_of_failed_work_prints_no_summary(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="disk"), console.progress(5, "sample"):
        raise RuntimeError("disk")
    assert capsys.readouterr().err == ""


PROGRAM = "from xrayaug.cli import main; main()"


def run_program(words: list[str], redirections: str = "", **environment: str) -> "subprocess.CompletedProcess[bytes]":
    """Run the program as a shell does, with redirections."""
    line = f"{shlex.join([sys.executable, '-c', PROGRAM, *words])} {redirections}"
    return subprocess.run(["sh", "-c", line], env=os.environ | environment, capture_output=True, check=False)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return a command line whose result is complete, so that it is quick, and whose tables are not all ASCII."""
    directory = tmp_path_factory.mktemp("streams")
    for place, name in enumerate(("normal", "abnormal")):
        for number in range(4):
            pixels = np.random.default_rng(10 * place + number).integers(0, 256, (8, 8)).astype(np.uint8)
            write_png(directory / "raw" / name / f"{number}.png", pixels)
    words = ["prepare", "--source", "folder", "--input", str(directory / "raw"), "--size", "8"]
    words += ["--out", str(directory / "hände ①")]
    assert run_program(words).returncode == 0
    return words


PLAIN_C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_only_paths_that_the_locale_cannot_encode_are_refused(prepared: list[str]) -> None:
    *words, out = prepared
    refused = run_program(prepared, **PLAIN_C)
    assert (refused.returncode, b"PYTHONUTF8=1" in refused.stderr) == (1, True)
    plain = run_program([*words, str(Path(out).with_name("plain"))], **PLAIN_C)
    assert (plain.returncode, b"Table 1" in plain.stdout) == (0, True), plain.stderr


@pytest.mark.parametrize(
    ("encoding", "more"),
    [
        ("ascii", []), ("ascii", ["--json"]), ("ascii", ["--help"]), ("ascii", ["--dry-run"]),
        ("ascii", ["--seed", "7"]), ("latin-1", []), ("latin-1", ["--json"]), ("latin-1", ["--seed", "7"]),
    ],
)  # fmt: skip
def test_characters_that_cannot_be_encoded_are_escaped(prepared: list[str], encoding: str, more: list[str]) -> None:
    finished = run_program([*prepared, *more], PYTHONIOENCODING=encoding)
    assert finished.returncode == (1 if "--seed" in more else 0), finished.stderr
    assert b"Traceback" not in finished.stderr
    if "--json" in more:
        assert json.loads(finished.stdout.decode("ascii"))["images"] == 8
    elif "--help" not in more:
        assert b"Table 1" in finished.stdout or b"holds another result" in finished.stderr


@pytest.mark.parametrize(
    ("more", "shell"),
    [
        *(([], shell) for shell in (">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full")),
        *(([flag], shell) for flag in ("--json", "--help") for shell in (">&-", "<&- >&- 2>&-")),
        *((["--overwrite"], shell) for shell in ("2>&-", "<&- >&- 2>&-", "2>/dev/full")),  # prints progress
    ],
)
def test_a_closed_stream_does_not_fail_the_command(prepared: list[str], shell: str, more: list[str]) -> None:
    finished = run_program([*prepared, *more], shell)
    assert (finished.returncode, b"Traceback" in finished.stderr) == (0, False), finished.stderr
    if "2>" in shell and ">&- 2" not in shell:
        assert b"Table 1" in finished.stdout or b"images" in finished.stdout or b"Usage" in finished.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
@pytest.mark.parametrize("more", [[], ["--json"], ["--help"], ["--version"]])
def test_a_full_standard_output_is_an_error_of_one_line(prepared: list[str], more: list[str]) -> None:
    words = more if more == ["--version"] else [*prepared, *more]
    finished = run_program(words, ">/dev/full")
    assert finished.returncode == 1
    errors = [line for line in finished.stderr.decode().splitlines() if "already complete" not in line]
    assert [line.partition(" (")[0] for line in errors] == [
        "error: standard output cannot be written: No space left on device"
    ]


def test_a_closed_pipe_is_no_traceback(prepared: list[str]) -> None:
    finished = run_program([*prepared, "--help"], "| true")
    assert b"Traceback" not in finished.stderr
    assert b"Exception" not in finished.stderr
