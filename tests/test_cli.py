"""The command line: help, exit codes, what goes to stdout and what to stderr."""

import importlib
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import get_type_hints

import pytest
from builders import MakeDataset
from typer.testing import CliRunner

import xrayaug
from xrayaug import cli
from xrayaug.options import COMMANDS, PRESETS
from xrayaug.options import help as option_help
from xrayaug.options.base import Panel, flag_name, format_value
from xrayaug.runtime import console
from xrayaug.runtime.stopping import Stopped
from xrayaug.storage import artifacts

HEAVY = ("torch", "numpy", "scipy", "matplotlib", "PIL")
SECONDS = 0.5  # that --help may take

# A tiny study by the words of a user, in order; {} is its directory
STUDY = {
    "phantom": "--layout rsna --count 12 --height 40 --workers 1 --out {}/raw",
    "prepare": "--source rsna --input {}/raw --size 32 --workers 1 --out {}/rsna",
    "train-gan": "--data {}/rsna --epochs 1 --batch-size 6 --latent 4 --device cpu --out {}/gan",
    "sample": "--run {}/gan --count 10 --device cpu --out {}/synthetic",
    "fid": "{}/synthetic {}/rsna --features random --dims 64 --cache {}/cache --device cpu --out {}/fid",
    "augment": "--real {}/hands --synthetic {}/synthetic --percent 50 --out {}/arm",
    "train-classifier": "--data {}/arm --arch resnet18 --weights none --size 32 --epochs 1 --device cpu --out {}/run",
    "predict": "{}/run --data {}/rsna --device cpu --out {}/predicted",
    "evaluate": "{}/run --device cpu --out {}/evaluation",
    "export": "{}/arm --format webdataset --out {}/exported",
    "experiment": "--preset demo --out {}/study",
}
RUN = [name for name in STUDY if name != "experiment"]  # which the pipeline test runs


def words(name: str, folder: Path) -> list[str]:
    return [name, *(word.replace("{}", str(folder)) for word in STUDY[name].split())]


@dataclass(frozen=True)
class Answer:
    """Exit code and output of a command line."""

    exit_code: int
    stdout: str
    stderr: str
    exception: BaseException | None


def run(*argv: str, **environment: str) -> Answer:
    found = CliRunner(env=environment).invoke(cli.app, list(argv), prog_name="xrayaug")
    return Answer(found.exit_code, found.stdout, found.stderr, found.exception)


@pytest.fixture(scope="module")
def study(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("study") / "hands").parent


@pytest.fixture(scope="module")
def answers(study: Path) -> dict[str, Answer]:
    """The answer of each command of the study, run in order with --json."""
    return {name: run(*words(name, study), "--json") for name in RUN}


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def fresh(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run code in an interpreter of its own."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)


HELP_AND_MODULES = """
import sys
sys.argv = ["xrayaug", *{argv}]
from xrayaug.cli import main
try:
    main()
finally:
    print(*sorted({{name.split(".")[0] for name in sys.modules}}), file=sys.stderr)
"""


@pytest.mark.parametrize("argv", [["--help"], ["train-gan", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(argv: list[str]) -> None:
    answer = fresh(HELP_AND_MODULES.format(argv=argv))
    assert answer.returncode == 0
    assert "xrayaug" in answer.stdout
    assert not set(HEAVY) & set(answer.stderr.split())


def test_completion_offers_the_commands_and_loads_nothing_heavy() -> None:
    code = HELP_AND_MODULES.format(argv=[])
    answer = fresh(code, _XRAYAUG_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="xrayaug ")
    assert all(name in answer.stdout for name in COMMANDS)
    assert not set(HEAVY) & set(answer.stderr.split())


def test_help_answers_at_once() -> None:
    def seconds() -> float:
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "xrayaug", "--help"], capture_output=True, check=True)
        return time.monotonic() - started

    assert any(seconds() < SECONDS for _ in range(12)), "a busy machine is given twelve tries"


def test_commands_and_stages_bear_the_same_names() -> None:
    stages = {file.stem for file in (Path(xrayaug.__file__).parent / "stages").glob("*.py")} - {"__init__"}
    assert {name.replace("-", "_") for name in COMMANDS} == stages
    assert list(COMMANDS) == [command.name for command in COMMANDS.values()]
    for stage in stages:
        module = importlib.import_module(f"xrayaug.stages.{stage}")
        assert all(callable(getattr(module, name)) for name in ("run", "plan", "tables"))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_shows_its_example_and_every_flag(name: str) -> None:
    answer = run(name, "--help", COLUMNS="500")
    assert answer.exit_code == 0
    assert COMMANDS[name].example in " ".join(answer.stdout.split())
    for field in COMMANDS[name].option_fields():
        if not field.metadata["positional"]:
            assert f"--{field.name.replace('_', '-')}" in answer.stdout


def help_text(name: str, columns: int, *argv: str) -> str:
    answer = run(name, *argv, "--help", COLUMNS=str(columns))
    assert answer.exit_code == 0
    return answer.stdout


def help_rows(shown: str) -> dict[str, str]:
    """Return the text of every flag in a help, as one line."""
    rows: dict[str, list[str]] = {}
    flag = ""
    for line in shown.splitlines():
        start = re.match(r"│ (?:-h, )?(--[a-z0-9-]+)", line)
        flag = start[1] if start else flag
        if line.startswith("│") and flag:
            rows.setdefault(flag, []).append(line.strip("│ "))
    return {flag: " ".join(" ".join(lines).split()) for flag, lines in rows.items()}


@pytest.mark.parametrize("columns", [80, 100])
@pytest.mark.parametrize("name", COMMANDS)
def test_help_texts_have_room(name: str, columns: int) -> None:
    lines = help_text(name, columns).splitlines()
    assert {len(line) for line in lines if line[:1] in ("│", "╭", "╰")} == {columns}
    # a continued line begins where the column of help texts does
    indents = [len(line) - len(line[1:].lstrip()) for line in lines if re.match(r"│ {8}", line)]
    assert columns - max(indents) - len(" │") >= 40


def test_help_is_at_most_100_columns_wide() -> None:
    assert max(map(len, help_text("prepare", 200).splitlines())) == console.MAX_HELP_WIDTH == 100
    assert max(map(len, run("--help", COLUMNS="200").stdout.splitlines())) == console.MAX_HELP_WIDTH


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_standard_placeholders(name: str) -> None:
    shown, hints = help_text(name, 100), get_type_hints(COMMANDS[name])
    assert not re.search(r"[<{](bool|path|int|float|str|list|runs)\b", shown)
    rows = help_rows(shown)
    for field in COMMANDS[name].option_fields():
        kind = option_help.value_type(hints[field.name])
        if not field.metadata["positional"]:
            placeholder = {int: "INT", float: "FLOAT", bool: ""}.get(kind, r"[A-Za-z0-9|,.]+")
            pattern = " / ".join(option_help.flags(field)) + rf" {placeholder} *".rstrip()
            assert re.match(pattern, rows[flag_name(field.name)])


def test_help_of_arguments_and_numbers() -> None:
    assert "xrayaug evaluate [OPTIONS] RUN..." in help_text("evaluate", 80)
    assert "xrayaug fid [OPTIONS] A B" in help_text("fid", 80)
    assert help_rows(help_text("fid", 80))["--dims"].startswith("--dims INT ")
    assert "is used. [required]" in help_text("train-gan", 80)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_its_options_in_panels_the_common_ones_first(name: str) -> None:
    shown = help_text(name, 100)
    titles = [line.strip("╭─╮ ") for line in shown.splitlines() if line.startswith("╭")]
    used = {field.metadata["panel"] for field in COMMANDS[name].option_fields() if not field.metadata["positional"]}
    assert [title for title in titles if title != "Arguments"] == [panel.value for panel in Panel if panel in used]
    panels = dict(zip(titles, shown.split("╭")[1:], strict=True))
    for field in COMMANDS[name].option_fields():
        if not field.metadata["positional"]:
            panel = panels[field.metadata["panel"].value]
            assert re.search(rf"^│ {flag_name(field.name)} ", panel, re.MULTILINE), field.name


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_default_and_every_choice(name: str) -> None:
    shown = help_text(name, 100)
    rows, hints = help_rows(shown), get_type_hints(COMMANDS[name])
    for field in COMMANDS[name].option_fields():
        if field.metadata["positional"]:
            continue
        row = rows[flag_name(field.name)]
        if field.default is MISSING:
            assert row.endswith("[required]")
        elif field.default is not False:
            default = field.metadata["default_text"] if field.default is None else format_value(field.default)
            default = "on" if field.default is True else default
            assert row.endswith(f"[default: {default}]")
        if field.metadata["maximum"] is not None:
            assert f"{field.metadata['maximum']:g}]" in row
        assert all(choice in row for choice in option_help.choices(field, hints[field.name]))


def test_help_shows_the_defaults_that_other_options_decide() -> None:
    recipe = importlib.import_module("xrayaug.networks.gans.stylegan2").recipe(128)
    rows = help_rows(help_text("train-gan", 100, "--arch", "stylegan2"))
    assert rows["--latent"].endswith(f"[default: {recipe.latent} for stylegan2]")
    assert rows["--r1"].endswith(f"[default: {format_value(recipe.r1)} for stylegan2 at 128 pixels]")
    assert not any("for dcgan;" in row for row in rows.values())
    rows = help_rows(help_text("experiment", 100, "--preset=demo"))
    assert rows["--samples"].endswith(f"[default: demo: {PRESETS['demo'].samples}]")
    assert not any("thesis: " in row for row in rows.values())


def test_version() -> None:
    assert run("--version").stdout == f"xrayaug {xrayaug.__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_wrong_usage(name: str) -> None:
    answer = run(name, "--no-such-option")
    assert answer.exit_code == 2
    assert "--no-such-option" in answer.stderr
    assert answer.stdout == ""


def test_an_unknown_command_is_wrong_usage() -> None:
    assert run("make-coffee").exit_code == 2


@pytest.mark.parametrize(
    ("name", "flag", "value"),
    [
        ("prepare", "--size", "0"),
        ("prepare", "--holdout", "1"),
        ("train-gan", "--lr", "nan"),
        ("train-gan", "--seed", "-1"),
        ("augment", "--percent", "-1"),
        ("sample", "--count", "0"),
        ("train-gan", "--device", "cuda:99"),
        ("sample", "--device", "gpu"),
        ("experiment", "--percents", "0;10"),
        ("train-gan", "--epochs", "many"),
        ("train-gan", "--arch", "hand-drawn"),
        ("fid", "--dims", "65"),
    ],
)
def test_a_bad_value_is_one_line(answers: dict[str, Answer], study: Path, name: str, flag: str, value: str) -> None:
    given = [word for word in words(name, study) if flag != "--device" or word not in ("--device", "cpu")]
    answer = run(*given, "--overwrite", flag, value)
    assert answer.exit_code == 2
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"error: {flag}")
    assert value in line


@pytest.mark.parametrize(("flag", "value"), [("--size", "big"), ("--fit", "stretch"), ("--source", "kaggle")])
def test_a_value_of_another_type_is_wrong_usage(tmp_path: Path, flag: str, value: str) -> None:
    answer = run("prepare", "--input", str(tmp_path), "--out", str(tmp_path / "out"), flag, value)
    assert answer.exit_code == 2
    assert f"{flag} is {value} (it must be" in answer.stderr


INPUTS = {
    "prepare": "rsna", "train-gan": "data", "sample": "gan", "fid": "synthetic", "augment": "hands",
    "train-classifier": "arm", "predict": "run", "evaluate": "run", "export": "arm",
}  # fmt: skip


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["run", "dry run"])
@pytest.mark.parametrize("name", INPUTS)
def test_a_missing_input_is_one_line(tmp_path: Path, name: str, dry: list[str]) -> None:
    answer = run(*words(name, tmp_path / "nowhere"), *dry)
    assert answer.exit_code == 1
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith("error: ")
    assert str(tmp_path / "nowhere") in line
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", RUN)
def test_json_is_one_object_and_nothing_else(answers: dict[str, Answer], study: Path, name: str) -> None:
    answer = answers[name]
    assert answer.exit_code == 0, answer.stderr
    out = Path(words(name, study)[-1])
    look_at = {"look_at": [str(out / file) for file in ("report.html", "table5.md")]} if name == "evaluate" else {}
    assert json.loads(answer.stdout) == artifacts.open_artifact(out).result | look_at
    assert len(answer.stdout.splitlines()) == 1


@pytest.mark.parametrize("name", RUN)
def test_the_same_command_again_is_complete(answers: dict[str, Answer], study: Path, name: str) -> None:
    again = run(*words(name, study), "--json")
    assert again.exit_code == 0, again.stderr
    assert again.stdout == answers[name].stdout
    assert "already complete" in again.stderr


@pytest.mark.parametrize("name", RUN)
def test_results_are_tables_on_stdout(answers: dict[str, Answer], study: Path, name: str) -> None:
    shown = run(*words(name, study))
    assert shown.exit_code == 0, shown.stderr
    assert len(shown.stdout.splitlines()) > 3


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
@pytest.mark.parametrize("name", STUDY)
def test_a_dry_run_writes_nothing(answers: dict[str, Answer], study: Path, name: str, form: list[str]) -> None:
    before = files(study)
    argv = [word.replace(f"{study}/cache", f"{study}/other-cache") for word in words(name, study)[:-1]]
    answer = run(*argv, str(study / "new" / "out"), "--dry-run", *form)
    assert answer.exit_code == 0, answer.stderr
    assert answer.stdout.strip()
    if form:
        assert isinstance(json.loads(answer.stdout), dict)
    assert files(study) == before


def test_a_verdict_that_is_not_the_demanded_one_is_an_exit_code(answers: dict[str, Answer], study: Path) -> None:
    assert answers["evaluate"].exit_code == 0
    answer = run(*words("evaluate", study), "--fail-unless", "helps")
    assert answer.exit_code == 1
    assert f"Look first at: {study / 'evaluation' / 'report.html'}" in answer.stdout
    last_line = answer.stderr.splitlines()[-1]
    assert re.match("error: .*helps.*50: cannot tell", last_line)


def test_an_out_that_holds_another_result_is_one_line(answers: dict[str, Answer], study: Path) -> None:
    answer = run(*words("sample", study), "--seed", "5")
    assert answer.exit_code == 1
    (line,) = answer.stderr.splitlines()
    assert "seed was 0, is now 5" in line
    assert "--overwrite" in line


def test_an_out_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = run(*words("phantom", tmp_path / "file"))
    assert answer.exit_code == 1
    (line,) = answer.stderr.splitlines()
    assert line.startswith("error: ")
    assert str(tmp_path / "file") in line


@pytest.mark.parametrize("flag", ["--input", "--out"])
def test_a_name_that_the_locale_does_not_know_is_one_line(tmp_path: Path, flag: str) -> None:
    given = {"--input": str(tmp_path), "--out": str(tmp_path / "out")} | {flag: str(tmp_path / "sü")}
    (tmp_path / "sü").mkdir()
    argv = [sys.executable, "-m", "xrayaug", "prepare", *(word for pair in given.items() for word in pair)]
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = subprocess.run(argv, env=os.environ | ascii_only, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert flag in line
    assert "PYTHONUTF8=1" in line


@pytest.mark.parametrize(
    ("raised", "code"),
    [(Stopped("SIGTERM", 75), 75), (Stopped("Ctrl-C", 130), 130), (BrokenPipeError, 1), (MemoryError, 1)],
)
def test_an_interruption_has_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException | type[BaseException], code: int
) -> None:
    def interrupted(_: object) -> None:
        raise raised

    monkeypatch.setattr("xrayaug.stages.phantom.run", interrupted)
    answer = run(*words("phantom", tmp_path))
    assert answer.exit_code == code
    assert len(answer.stderr.splitlines()) <= 1


def test_a_bug_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def buggy(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("xrayaug.stages.phantom.run", buggy)
    assert isinstance(run(*words("phantom", tmp_path)).exception, ZeroDivisionError)
