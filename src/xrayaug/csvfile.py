"""Other people's CSV files: any of the usual delimiters, encodings and line ends, columns found by name. And our own.

Spreadsheets save commas, semicolons or tabs, with or without a byte order mark; headers come in any case and order.
They also run a cell that begins as a formula does, so of the text that we write such cells begin with an apostrophe
(OWASP, "CSV Injection").
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from xrayaug.errors import DataError, InputError

SUFFIXES = frozenset({".csv", ".tsv"})
DELIMITERS = ",;\t"
HEAD_BYTES = 65536  # enough for any header
MOST_BYTES = 64 << 20  # the lists of sets of 400,000 images are smaller
MOST_CELLS = 8_000_000  # each line counting as one more: a cell of two bytes takes sixty in memory

FORMULA = re.compile(r"'*[=+\-@\t\r]")  # with the apostrophes of text that has been guarded already
GUARDED = re.compile(r"'+[=+\-@\t\r]")
QUOTED = re.compile(r'[",\r\n]')


@dataclass(frozen=True, slots=True)
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
        DataError: it is no CSV, or larger than any list of images.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise DataError(f"{path} has more than {MOST_BYTES:,} bytes", "leave out what is no list of images")
        return _bounded(_parse(data), path)
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
        return next((line.cells for line in _parse(start)), ())
    except (OSError, csv.Error, UnicodeDecodeError):
        return ()


def dump(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV with commas and line feeds; text that begins as a formula does is guarded, numbers are not."""
    return "".join(lines(rows))


def lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The lines of `dump`, for where they are many."""
    return (",".join(_written(cell) for cell in row) + "\n" for row in rows)


def guarded(text: str) -> str:
    """Text that no spreadsheet runs as a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """What `guarded` was given."""
    return text[1:] if GUARDED.match(text) else text


def _written(cell: object) -> str:
    text = "" if cell is None else guarded(cell) if isinstance(cell, str) else str(cell)
    # By hand, since Python's writer leaves a carriage return unquoted, which its reader takes for the row's end.
    return '"' + text.replace('"', '""') + '"' if QUOTED.search(text) else text


def _bounded(lines: Iterable[Line], path: Path) -> list[Line]:
    kept = []
    cells = 0
    for line in lines:
        cells += len(line.cells) + 1
        if cells > MOST_CELLS:
            raise DataError(f"{path} has more than {MOST_CELLS:,} cells", "leave out what is no list of images")
        kept.append(line)
    return kept


def _parse(data: bytes) -> Iterator[Line]:
    """The lines that are not blank.

    Raises:
        csv.Error: it is no CSV.
        UnicodeDecodeError: it is no text.
    """
    encoding, errors = _encoding(data)
    # Decoded piece by piece: a whole text in memory, of four bytes a character, is the largest thing here.
    with io.TextIOWrapper(io.BytesIO(data), encoding, errors, newline="") as text:
        delimiter = _delimiter(next((line for line in text if line.strip()), ""))
        text.seek(0)
        reader = csv.reader(text, delimiter=delimiter)
        for cells in reader:
            stripped = tuple(cell.strip() for cell in cells)
            if any("\0" in cell for cell in stripped):
                raise csv.Error("it holds NUL bytes")
            if any(stripped):
                yield Line(reader.line_num, stripped)


def _encoding(data: bytes) -> tuple[str, str]:
    """How the bytes are to be decoded, and what to do with those that cannot be."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # "Unicode text" of spreadsheets
        return "utf-16", "ignore" if len(data) == HEAD_BYTES else "strict"
    try:
        data.decode()
    except UnicodeDecodeError:
        return "latin-1", "strict"
    return "utf-8-sig", "strict"


def _delimiter(line: str) -> str:
    """The delimiter that occurs most in the first line that is not blank; a comma where none does."""
    return max(DELIMITERS, key=line.count)  # of equals the first: the comma
