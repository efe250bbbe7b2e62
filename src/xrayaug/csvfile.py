"""Other people's CSV files: any of the usual delimiters, encodings and line ends, columns found by name.

Spreadsheets save commas, semicolons or tabs, with or without a byte order mark; headers come in any case and order.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xrayaug.errors import DataError, InputError

SUFFIXES = frozenset({".csv", ".tsv"})
DELIMITERS = ",;\t"
HEAD_BYTES = 65536  # enough for any header


@dataclass(frozen=True)
class Line:
    """One line that is not blank: its number in the file, from 1, and its cells without the space around them."""

    number: int
    cells: tuple[str, ...]

    def cell(self, column: int | None) -> str:
        """The cell of that column; empty where the column is None or the line is too short."""
        return self.cells[column] if column is not None and column < len(self.cells) else ""


@dataclass(frozen=True)
class Sheet:
    """A CSV file whose first line names the columns."""

    path: Path
    header: tuple[str, ...]
    lines: list[Line]

    def column(self, names: Iterable[str]) -> int | None:
        """Where the first of `names` that is a column stands, whatever its case; None if none is.

        Raises:
            DataError: two columns bear the name.
        """
        for name in names:
            places = [place for place, title in enumerate(self.header) if title.lower() == name.strip().lower()]
            if len(places) > 1:
                raise DataError(f"{self.path} has {len(places)} columns called '{name}'", "rename all but one")
            if places:
                return places[0]
        return None


def read_lines(path: Path) -> list[Line]:
    """Every line of a CSV file that is not blank.

    Raises:
        InputError: the file cannot be read.
        DataError: it is no CSV.
    """
    try:
        return list(_parse(_decode(path.read_bytes())))
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as problem:
        raise DataError(f"{path} is no CSV file: {problem}") from None


def read_sheet(path: Path) -> Sheet:
    """A CSV file with a header line.

    Raises:
        InputError: the file cannot be read.
        DataError: it is no CSV, or empty.
    """
    lines = read_lines(path)
    if not lines:
        raise DataError(f"{path} is empty", "its first line must name the columns")
    return Sheet(path, lines[0].cells, lines[1:])


def header(path: Path) -> tuple[str, ...]:
    """The first line's cells; empty where there are none or the file is no CSV. Cheap: the rest is not read."""
    try:
        with path.open("rb") as stream:
            start = stream.read(HEAD_BYTES)
        return next((line.cells for line in _parse(_decode(start))), ())
    except (OSError, csv.Error, UnicodeDecodeError):
        return ()


def _parse(text: str) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    for cells in reader:
        stripped = tuple(cell.strip() for cell in cells)
        if any(stripped):
            yield Line(reader.line_num, stripped)


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # "Unicode text" of spreadsheets
        return data.decode("utf-16", errors="ignore" if len(data) == HEAD_BYTES else "strict")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _delimiter(text: str) -> str:
    """The delimiter that occurs most in the first line that is not blank; a comma where none does."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=first.count)  # of equals the first: the comma
