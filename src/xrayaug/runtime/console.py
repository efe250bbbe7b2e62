"""What the user sees: results on stdout; progress, warnings and errors on stderr. The only importer of rich.

Of several processes of one run only the first is seen, but for an error, which whichever meets it reports.
"""

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

from xrayaug.errors import XrayaugError
from xrayaug.runtime.distributed import ranks

LINE_EVERY_SECONDS = 10.0  # of plain progress, where stderr is no terminal
PLAIN_WIDTH = 160  # columns, where stdout is no terminal


@dataclass(frozen=True)
class Table:
    """A result as rows of text; numbers are formatted by whoever made them."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default=())


class Stream(io.TextIOWrapper):
    """Standard output or error that never ends the program: what cannot be encoded is escaped, a failure is kept.

    Once writing has failed, what follows goes nowhere.
    """

    failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write text; see the class."""
        try:
            return super().write(text)
        except OSError as problem:
            self._give_up(problem)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered; see the class."""
        try:
            super().flush()
        except OSError as problem:
            self._give_up(problem)

    def _give_up(self, problem: OSError) -> None:
        self.failure = self.failure or problem
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())  # where what is still buffered goes, too
        os.close(nowhere)


def replace_streams() -> tuple[Stream, Stream]:
    """Put a `Stream` in the place of standard output and error, each, and open those that are closed, on nothing."""
    for descriptor in range(3):  # else the next file that is opened would be taken for the stream
        try:
            os.fstat(descriptor)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
            os.set_inheritable(descriptor, True)
    stdout, stderr = _wrap_stream(sys.stdout, 1), _wrap_stream(sys.stderr, 2)
    sys.stdout, sys.stderr = stdout, stderr
    return stdout, stderr


def _wrap_stream(stream: Any, descriptor: int) -> Stream:
    if stream is None:  # it was closed when Python began
        return Stream(open(descriptor, "wb", closefd=False), encoding="utf-8", errors="backslashreplace")
    by_line, at_once = stream.line_buffering, stream.write_through
    return Stream(stream.detach(), stream.encoding, "backslashreplace", None, by_line, at_once)


def as_json(value: Any) -> str:
    """A value as JSON that standard output can hold."""
    in_unicode = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    return json.dumps(value, ensure_ascii=not in_unicode)


def show(parts: Sequence[Table | str]) -> None:
    """Print tables, and plain lines ready to paste, to stdout."""
    for part in parts if ranks.is_first() else ():
        if isinstance(part, str):
            print(part)
        else:
            _draw(part, sys.stdout)


def show_on_stderr(table: Table) -> None:
    """Print a table to stderr: something to know while the command runs, no result."""
    if ranks.is_first():
        _draw(table, sys.stderr)


def _draw(table: Table, stream: TextIO) -> None:
    """Draw a table, its cells and notes as they stand: a file name may hold brackets."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    screen = Console(file=stream, width=None if stream.isatty() else PLAIN_WIDTH, highlight=False)
    drawn = RichTable(title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for index, column in enumerate(table.columns):
        drawn.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    for row in table.rows:
        drawn.add_row(*(Text(cell) for cell in row))
    screen.print(drawn)
    for note in table.notes:
        screen.print(Text(note), soft_wrap=True)


def info(line: str) -> None:
    """One line for the user to know, on stderr."""
    if ranks.is_first():
        print(line, file=sys.stderr, flush=True)


def warning(line: str) -> None:
    """Something the user should look at, on stderr."""
    info(f"warning: {line}")


def error(problem: XrayaugError) -> None:
    """One clear line and a hint, on stderr."""
    line = f"error: {problem.message}" + (f" ({problem.hint})" if problem.hint else "")
    print(line, file=sys.stderr, flush=True)


@contextmanager
def progress(total: int, label: str, unit: str = "images", *, done: int = 0) -> Iterator[Callable[..., None]]:
    """Show how far `total` has come: a bar on a terminal, a line every ten seconds elsewhere.

    Args:
        total: how many there are.
        label: what is being done.
        unit: of what.
        done: how many an earlier run has done.

    Yields:
        `advance(count, note="")`, to call as the work goes on.
    """
    if not ranks.is_first():
        yield lambda *_: None
    elif sys.stderr.isatty():
        with _bar(total, label, unit, done) as advance:
            yield advance
    else:
        with _lines(total, label, unit, done) as advance:
            yield advance


@contextmanager
def _bar(total: int, label: str, unit: str, before: int) -> Iterator[Callable[..., None]]:
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
    with bars.Progress(*columns, console=Console(file=sys.stderr)) as shown:
        task = shown.add_task(label, total=total, completed=before, rate="", note="")
        done = 0

        def advance(count: int, note: str = "") -> None:
            nonlocal done
            done += count
            rate = done / max(time.monotonic() - started, 1e-9)
            shown.update(task, advance=count, rate=f"{rate:.0f} {unit}/s", note=note)

        yield advance


@contextmanager
def _lines(total: int, label: str, unit: str, before: int) -> Iterator[Callable[..., None]]:
    started = last = time.monotonic()
    done = 0

    def advance(count: int, note: str = "") -> None:
        nonlocal done, last
        done += count
        now = time.monotonic()
        if now - last < LINE_EVERY_SECONDS:
            return
        last = now
        rate = done / (now - started)
        left = format_duration((total - before - done) / rate) if rate else "unknown time"
        said = f"{label}: {before + done}/{total} {unit}, {rate:.1f} {unit}/s, {left} left"
        info(f"{said}; {note}" if note else said)

    yield advance
    seconds = max(time.monotonic() - started, 1e-9)
    info(f"{label}: {done} {unit} in {format_duration(seconds)}, {done / seconds:.1f} {unit}/s")


def format_duration(seconds: float) -> str:
    """Seconds as a person reads them: ``1:23``, ``2:03:45``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
