"""The documentation agrees with the program and with itself: options, commands, links, anchors and named files."""

import dataclasses
import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from xrayaug.options import COMMANDS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "benchmarks" / "README.md", *DOCS.rglob("*.md")],
)  # fmt: skip
MAX_README_BYTES = 10_000
FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"^(?:[A-Z_]+=\S+ )*(?:torchrun .*?-m (?:-- )?|srun .*?-m (?:-- )?)?xrayaug ([a-z][a-z-]*)\b(.*)$")
PACKAGE = ROOT / "src" / "xrayaug"
OUTSIDE_PACKAGE = ("tests", "benchmarks", "completions", "docs", "src")
NAMED_PATH = re.compile(r"`((?:[a-z_][a-z0-9_-]*/)+(?:[a-z_0-9]+\.(?:py|md|svg|html|json))?)`")
NAMED_MODULE = re.compile(r"`(?:[a-z_]+/)*([a-z_0-9]+\.py)`")
OTHERS_TOOLS = {"dataset_tool.py"}  # of StyleGAN3, with which benchmarks compare

IDS = [str(page.relative_to(ROOT)) for page in PAGES]


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as GitHub and MyST name them."""
    prose = FENCE.sub("", text_of(page))
    anchors: list[str] = []
    for title in re.findall(r"^#+ (.+)$", prose, re.MULTILINE):
        plain = (
            re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()).strip().replace(" ", "-")
        )
        repeated = sum(anchor == plain or anchor.rpartition("-")[0] == plain for anchor in anchors)
        anchors.append(f"{plain}-{repeated}" if repeated and plain in anchors else plain)
    return frozenset(anchors)


def command_lines(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the subcommand and the words of every `xrayaug` command in the code blocks of a page."""
    for _, block in FENCE.findall(text_of(page)):
        for line in block.replace("\\\n", " ").splitlines():
            if match := COMMAND.match(line.strip()):
                yield match[1], shlex.split(match[2], comments=True)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= MAX_README_BYTES


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_reference", DOCS / "generate_reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_reference_is_what_the_program_generates(generator: ModuleType) -> None:
    assert (DOCS / "reference" / "commands.md").read_text(encoding="utf-8") == generator.page(), "run: make reference"


def test_the_command_reference_has_every_option(generator: ModuleType) -> None:
    for command in COMMANDS.values():
        assert {option.name for option in generator.options_of(command)} == {
            field.name for field in dataclasses.fields(command)
        }


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    prose = FENCE.sub("", text_of(page))
    for target in LINK.findall(prose):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.is_relative_to(ROOT) and linked.is_file(), f"{target} is not there"
        if anchor:
            assert anchor in anchors_of(linked), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_and_their_options_are_known(page: Path) -> None:
    for name, words in command_lines(page):
        assert name in COMMANDS, name
        flags = {"--" + field.name.replace("_", "-") for field in dataclasses.fields(COMMANDS[name])}
        flags |= {"--no-" + flag[2:] for flag in flags} | {"--help"}
        used = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert used <= flags, f"xrayaug {name}: {used - flags}"


def test_the_code_blocks_are_read() -> None:
    assert {name for page in PAGES for name, _ in command_lines(page)} == set(COMMANDS)


def test_every_page_of_the_site_is_in_a_table_of_contents() -> None:
    listed = {
        line.strip()
        for language, block in FENCE.findall(text_of(DOCS / "index.md"))
        if language == "{toctree}"
        for line in block.splitlines()
        if line and not line.startswith(":")
    }
    assert listed == {page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md")} - {"index"}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_modules_and_files_of_the_repository_that_are_named_exist(page: Path) -> None:
    modules = {file.name for room in ("src", *OUTSIDE_PACKAGE) for file in (ROOT / room).rglob("*.py")}
    assert set(NAMED_MODULE.findall(text_of(page))) <= modules | OTHERS_TOOLS
    for named in NAMED_PATH.findall(text_of(page)):
        first = named.split("/")[0]
        if first in OUTSIDE_PACKAGE:
            assert (ROOT / named).exists(), named
        elif named.endswith(".py"):
            assert (PACKAGE / named).exists() or (page.parent / named).exists(), named
