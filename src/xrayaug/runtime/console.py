"""Console output: results on stdout; progress, warnings and errors on stderr. The only module that imports rich.

In a run of several processes only rank 0 prints, except for errors, which any rank may report.
"""

import io
import json
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

from xrayaug.errors import XrayaugError
from xrayaug.runtime.distributed import ranks

PROGRESS_SECONDS = 10.0  # between lines of progress, if stderr is no terminal
UNDEFINED = "--"  # a cell of a table that has no value
PLAIN_WIDTH = 160  # characters of a line, if stdout is no terminal
MAX_HELP_WIDTH = 100  # columns; longer lines are hard to read
MAX_TEXT_WIDTH = 80  # columns of paragraphs
MAX_TERM_WIDTH = 34  # columns of flags and placeholders in help; leaves 40 for the text on a terminal of 80


@dataclass(frozen=True)
class Table:
    """Result as rows of text, with numbers already formatted."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default=())


@dataclass(frozen=True)
class Section:
    """Result as a title and paragraphs of text, which are wrapped between words."""

    title: str
    paragraphs: Sequence[str]


@dataclass(frozen=True)
class HelpEntry:
    """An option, an argument or a command in `--help`."""

    term: str  # flags, or the name of an argument or a command
    metavar: str  # placeholder for the value; empty if there is none
    text: str
    note: str = ""  # default or "required"


def format_number(value: float | None, form: str = ".3f") -> str:
    """Return a cell of a table: a number, or the sign for one that is undefined."""
    return UNDEFINED if value is None else f"{value:{form}}"


class OutputStream(io.TextIOWrapper):
    """Standard output or error that raises nothing: characters that cannot be encoded are escaped.

    The first failure to write is stored in `failure`; everything written after it is discarded.
    """

    failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write text; a failure is stored."""
        try:
            return super().write(text)
        except OSError as problem:
            self._discard_output(problem)
            return len(text)

    def flush(self) -> None:
        """Write the buffer; a failure is stored."""
        try:
            super().flush()
        except OSError as problem:
            self._discard_output(problem)

    def _discard_output(self, problem: OSError) -> None:
        self.failure = self.failure or problem
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, self.fileno())  # for the rest of the buffer, too
        os.close(devnull)


def replace_streams() -> tuple[OutputStream, OutputStream]:
    """Replace standard output and error by an `OutputStream` each; closed standard streams are opened on devnull."""
    for descriptor in range(3):  # otherwise the next file that is opened would get the descriptor
        try:
            os.fstat(descriptor)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
            os.set_inheritable(descriptor, True)
    stdout, stderr = _wrap_stream(sys.stdout, 1), _wrap_stream(sys.stderr, 2)
    sys.stdout, sys.stderr = stdout, stderr
    return stdout, stderr


def _wrap_stream(stream: Any, descriptor: int) -> OutputStream:
    if stream is None:  # it was closed when Python started
        return OutputStream(open(descriptor, "wb", closefd=False), encoding="utf-8", errors="backslashreplace")
    line_buffering, write_through = stream.line_buffering, stream.write_through
    return OutputStream(stream.detach(), stream.encoding, "backslashreplace", None, line_buffering, write_through)


def as_json(value: Any) -> str:
    """Return a value as JSON, in ASCII unless standard output is UTF-8."""
    in_unicode = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    return json.dumps(value, ensure_ascii=not in_unicode)


def show(parts: Sequence[Table | Section | str]) -> None:
    """Print tables, sections and plain lines to stdout."""
    for part in parts if ranks.is_first() else ():
        if isinstance(part, str):
            print(part)
        elif isinstance(part, Section):
            _print_section(part, sys.stdout)
        else:
            _print_table(part, sys.stdout)


def show_on_stderr(table: Table) -> None:
    """Print a table to stderr: information that is no result."""
    if ranks.is_first():
        _print_table(table, sys.stderr)


def _print_table(table: Table, stream: TextIO) -> None:
    """Print a table with rich, but without markup in cells and notes: a file name may contain brackets."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    rich_console = Console(file=stream, width=None if stream.isatty() else PLAIN_WIDTH, highlight=False)
    rich_table = RichTable(title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for index, column in enumerate(table.columns):
        rich_table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    for row in table.rows:
        rich_table.add_row(*(Text(cell) for cell in row))
    rich_console.print(rich_table)
    for note in table.notes:  # wrapped between words on a terminal, one line each elsewhere
        rich_console.print(Text(note), soft_wrap=not stream.isatty())
    if table.notes:
        rich_console.print()


def _print_section(section: Section, stream: TextIO) -> None:
    """Print a section as wide as the terminal but at most `MAX_TEXT_WIDTH`, with a blank line below."""
    from rich.console import Console
    from rich.text import Text

    rich_console = Console(file=stream, width=None if stream.isatty() else MAX_TEXT_WIDTH, highlight=False)
    rich_console.width = min(rich_console.width, MAX_TEXT_WIDTH)
    rich_console.print(Text(section.title, "bold"))
    for paragraph in section.paragraphs:
        lines = textwrap.wrap(
            paragraph, rich_console.width - 1, initial_indent="  ", subsequent_indent="    ", break_long_words=False,
            break_on_hyphens=False,
        )  # fmt: skip
        for line in lines:
            rich_console.print(Text(line), soft_wrap=True)
    rich_console.print()


def info(line: str) -> None:
    """Print one line of information on stderr."""
    if ranks.is_first():
        print(line, file=sys.stderr, flush=True)


def warning(line: str) -> None:
    """Print a warning on stderr."""
    info(f"warning: {line}")


def error(problem: XrayaugError) -> None:
    """Print an error and its hint in one line on stderr."""
    line = f"error: {problem.message}" + (f" ({problem.hint})" if problem.hint else "")
    print(line, file=sys.stderr, flush=True)


def show_help(usage: str, paragraphs: Sequence[str], panels: Mapping[str, Sequence[HelpEntry]], epilog: str) -> None:
    """Print the help of a command, as wide as the terminal but at most `MAX_HELP_WIDTH`.

    Args:
        usage: the command line, without "Usage:".
        paragraphs: the description.
        panels: the entries by the title of their panel, in order; their terms are aligned within a panel.
        epilog: a last paragraph; may be empty.
    """
    from rich.console import Console
    from rich.padding import Padding
    from rich.panel import Panel
    from rich.table import Table as RichTable
    from rich.text import Text

    rich_console = Console(file=sys.stdout, highlight=False)
    rich_console.width = min(rich_console.width, MAX_HELP_WIDTH)
    for paragraph in (f"Usage: {usage}", *paragraphs):
        rich_console.print(Padding(Text(paragraph), (1, 1, 0, 1)))
    rich_console.print()
    for title, entries in panels.items():
        grid = RichTable.grid(padding=(0, 2, 0, 0), expand=True)
        grid.add_column(no_wrap=True, max_width=MAX_TERM_WIDTH)
        grid.add_column(ratio=1)
        for entry in entries:
            term = Text.assemble((entry.term, "bold cyan"), " " if entry.metavar else "", (entry.metavar, "yellow"))
            grid.add_row(term, Text.assemble(entry.text, " " if entry.note else "", (entry.note, "dim")))
        rich_console.print(Panel(grid, title=title, title_align="left", border_style="dim"))
    if epilog:
        rich_console.print(Padding(Text(epilog), 1))


def is_terminal() -> bool:
    """Return whether errors are shown on a terminal, rather than written to a file or read by a program."""
    return sys.stderr.isatty()


@contextmanager
def progress(total: int, label: str, unit: str = "images", *, done: int = 0) -> Iterator[Callable[..., None]]:
    """Show the progress of work: a bar on a terminal, a line every ten seconds elsewhere.

    Args:
        total: number of units of work.
        label: name of the work.
        unit: name of the units.
        done: number of units that an earlier run has done.

    Yields:
        `advance(count, note="")`, to call after every `count` units.
    """
    if not ranks.is_first():
        yield lambda *_: None
    elif sys.stderr.isatty():
        with _progress_bar(total, label, unit, done) as advance:
            yield advance
    else:
        with _progress_lines(total, label, unit, done) as advance:
            yield advance


@contextmanager
def _progress_bar(total: int, label: str, unit: str, before: int) -> Iterator[Callable[..., None]]:
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TimeRemainingColumn(),
        bars.TextColumn("{task.fields[note]}", markup=False),
    )
    started = time.monotonic()
    with bars.Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task(label, total=total, completed=before, rate="", note="")
        done = 0

        def advance(count: int, note: str = "") -> None:
            nonlocal done
            done += count
            rate = done / max(time.monotonic() - started, 1e-9)
            bar.update(task, advance=count, rate=f"{rate:.0f} {unit}/s", note=note)

        yield advance


@contextmanager
def _progress_lines(total: int, label: str, unit: str, before: int) -> Iterator[Callable[..., None]]:
    started = last = time.monotonic()
    done = 0

    def advance(count: int, note: str = "") -> None:
        nonlocal done, last
        done += count
        now = time.monotonic()
        if now - last < PROGRESS_SECONDS:
            return
        last = now
        rate = done / (now - started)
        left = format_duration((total - before - done) / rate) if rate else "unknown time"
        line = f"{label}: {before + done}/{total} {unit}, {rate:.1f} {unit}/s, {left} left"
        info(f"{line}; {note}" if note else line)

    yield advance
    seconds = max(time.monotonic() - started, 1e-9)
    info(f"{label}: {done} {unit} in {format_duration(seconds)}, {done / seconds:.1f} {unit}/s")


def format_duration(seconds: float) -> str:
    """Return seconds in minutes or hours: ``1:23``, ``2:03:45``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
