"""Reading of CSV files in the usual delimiters, encodings and line ends, with columns found by name; and writing.

Spreadsheet programs save commas, semicolons or tabs, with or without a byte order mark or a first line `sep=;`, and
headers come in any case and order. They also run a cell that begins like a formula, so an apostrophe is put before
such text when it is written (OWASP, "CSV Injection").
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, cast

from xrayaug.errors import DataError, InputError
from xrayaug.storage import csv_dialects
from xrayaug.storage.csv_dialects import HEAD_BYTES, UTF_16_MARKS

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
WORKBOOK_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".ods")
WORKBOOK_STARTS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # magic bytes of .xlsx and .xls
FOREIGN_STARTS = {
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"version https://git-lfs": "a Git LFS pointer",
}
GZIP = b"\x1f\x8b"
MAX_BYTES = 64 << 20  # lists of 400,000 images are smaller
MAX_CELLS = 8_000_000  # plus one for each line; a cell of two bytes takes sixty in memory
TOO_MANY_CELLS = "put cells with a delimiter in quotes, name all columns, and let no line end in a delimiter more"

FORMULA = re.compile(r"'*[=+\-@\t\r]")  # also text that was escaped already
NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")  # may begin like a formula, but is none
SWALLOWED_LINE = re.compile(r"\n[^\n,;\t]+\.(?:png|jpe?g|tiff?|bmp|dcm|dicom|webp|gif)[\"']?[,;\t]", re.IGNORECASE)
TEXT_FORMULA = re.compile(r'="(.*)"')
ESCAPED_FORMULA = re.compile(r"'+[=+\-@\t\r]")
QUOTED = re.compile(r'[",\r\n]')
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # not allowed in a title
TITLE_MARKS = re.compile(r"[\s_.-]+")


def is_csv(path: Path) -> bool:
    """Return whether a file name has one of the suffixes of lists that can be read here."""
    return path.name.lower().endswith(SUFFIXES)


def is_workbook(path: Path) -> bool:
    """Return whether a file name has a suffix of spreadsheet programs, whose files must be exported first."""
    return path.name.lower().endswith(WORKBOOK_SUFFIXES)


def normalize_title(title: str) -> str:
    """Return the form in which column titles are compared: `Patient ID`, `patient_id` and `PatientID` are equal."""
    return TITLE_MARKS.sub("", title).casefold()


class EncodingError(DataError):
    """A CSV file whose bytes are no text in its encoding."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank: its number in the file, from 1, and its cells, stripped of surrounding space."""

    number: int
    cells: tuple[str, ...]

    def cell(self, column: int | None) -> str:
        """Return the cell in a column; an empty string if the column is None or the line is too short."""
        return self.cells[column] if column is not None and column < len(self.cells) else ""


@dataclass(frozen=True)
class Sheet:
    """A CSV file whose first line names the columns."""

    path: Path
    header: tuple[str, ...]
    lines: list[Line]
    notes: list[str] = field(default_factory=list)  # remarks for the user on how the file was read

    def column(self, names: Iterable[str]) -> int | None:
        """Return the index of the column that has the first of `names` that any has, ignoring case; None if none has.

        Raises:
            DataError: two columns have the name.
        """
        for name in names:
            places = [place for place, title in enumerate(self.header) if title.casefold() == name.strip().casefold()]
            if not places:
                key = normalize_title(name)
                places = [place for place, title in enumerate(self.header) if normalize_title(title) == key]
            if len(places) > 1:
                raise DataError(f"{self.path} has {len(places)} columns called '{name}'", "rename all but one")
            if places:
                return places[0]
        return None

    def check_cells(self, lines: Iterable[Line], columns: Iterable[int | None]) -> None:
        """Check that no line ends before one of these columns, so that its cell is missing rather than empty.

        Spreadsheet programs leave out delimiters after the last cell that is not empty, but a line may also be cut off.

        Raises:
            DataError: a line does.
        """
        needed = [column for column in columns if column is not None]
        for line in lines:
            for column in needed:
                if column >= len(line.cells):
                    raise ends_early(f"{self.path} line {line.number}", self.header[column])


def ends_early(location: str, title: str) -> DataError:
    """Return the error of a line that ends before a column whose meaning counts."""
    return DataError(
        f"{location} ends before column '{title}'",
        "if that cell is empty, write the missing delimiters, or move the column to the front and save the list again; "
        "if the line is cut off, copy the list anew",
    )


def describe_short_lines(name: str, count: int) -> list[str]:
    """Return a note on the lines of a list that have fewer cells than its first; none if there are no such lines."""
    if not count:
        return []
    lines = f"{count:,} lines have" if count > 1 else "1 line has"
    return [f"{name}: {lines} fewer cells than the header; those missing at the end are taken as empty"]


class Cells(Mapping[str, str]):
    """Mapping from column names to the cells of one line; all lines share the names."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: Mapping[str, int], values: Sequence[str]) -> None:
        self._names = names
        self._values = values

    def __getitem__(self, name: str) -> str:
        place = self._names[name]
        return self._values[place] if place < len(self._values) else ""

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"Cells({dict(self)})"


def read_lines(path: Path) -> list[Line]:
    """Return every line of a CSV file that is not blank.

    Raises:
        InputError: the file cannot be read.
        DataError: the file is no CSV file, or larger than any list of images.
    """
    return _read(path)[0]


def read_sheet(path: Path, encoding: str | None = None) -> Sheet:
    """Read a CSV file whose first line names the columns. Lines may have fewer cells; a note says how many do.

    Args:
        path: the file; it may be compressed by gzip.
        encoding: encoding of the text; None detects it.

    Raises:
        InputError: the file cannot be read.
        DataError: the file is no CSV file or empty, or a line has more cells than the first.
        UsageError: there is no such encoding.
    """
    lines, guessed = _read(path, encoding)
    if not lines:
        raise DataError(f"{path} is empty", "its first line must name the columns")
    width = len(lines[0].cells)
    titles = lines[0].cells
    while not titles[-1]:
        titles = titles[:-1]
    for line in lines[1:]:
        if any(line.cells[len(titles) :]) or len(line.cells) > width:
            raise DataError(
                f"{path} line {line.number} has {len(line.cells)} cells, its first line names {len(titles)} columns",
                TOO_MANY_CELLS,
            )
        if any(SWALLOWED_LINE.search(cell) for cell in line.cells):
            raise DataError(
                f"{path}: a quote in the lines before {line.number} holds other lines",
                "remove the stray quotation mark",
            )
    short = sum(len(line.cells) < len(titles) for line in lines[1:])
    notes = [f"{path.name} is not UTF-8: {guessed}"] if guessed else []
    return Sheet(path, titles, lines[1:], [*notes, *describe_short_lines(path.name, short)])


def iterate(
    path: Path, lines: int, encoding: str | None = None, *, allow_short: bool = False
) -> Iterator[tuple[list[int], list[list[str]]]]:
    """Yield the cells of a CSV file of any length, so many lines at a time, with the number of each line.

    The first line, which names the columns, comes alone. Blank lines are left out. A first cell may follow spaces, and
    cells are as they are written otherwise.

    Args:
        path: the file; it may be compressed by gzip.
        lines: number of lines at a time.
        encoding: encoding of the text; None means UTF-8, or UTF-16 with a byte order mark.
        allow_short: yield lines with fewer cells than the first as they are; False refuses them.

    Raises:
        InputError: the file cannot be read.
        DataError: the file is empty, no CSV file or no text in the encoding, or a line has more or fewer cells than the
            first.
        UsageError: there is no such encoding.
    """
    width = 0
    with _translate_errors(path, encoding), _open_text(path, encoding) as text:
        delimiter, is_declared = csv_dialects.find_delimiter(text)
        reader = csv.reader(text, delimiter=delimiter, strict=True, skipinitialspace=True)
        numbers: list[int] = []
        cells: list[list[str]] = []
        for line in reader:
            if not line or (not line[0] and not any(line)) or (is_declared and reader.line_num == 1):
                continue
            if width and (len(line) > width or (len(line) < width and not allow_short)):
                raise DataError(
                    f"{path} line {reader.line_num} has {len(line)} cells, its first line names {width} columns",
                    TOO_MANY_CELLS
                    if len(line) > width
                    else "a line may be cut off; if its last cells are empty, write their delimiters",
                )
            numbers.append(reader.line_num)
            cells.append(line)
            if not width or len(cells) == lines:
                yield numbers, cells
                numbers, cells = [], []
            width = width or len(line)
        if not width:
            raise DataError(f"{path} is empty", "its first line must name the columns")
        if cells:
            yield numbers, cells


def guess_encoding(path: Path) -> tuple[str, str]:
    """Return the encoding that a file seems to have and a word that shows it; two empty strings for Unicode.

    Raises:
        InputError: the file cannot be read.
    """
    with _translate_errors(path):
        return csv_dialects.guess_encoding(_read_bytes(path, MAX_BYTES))


@contextmanager
def _open_text(path: Path, encoding: str | None) -> Iterator[TextIO]:
    """Open a CSV file, gzip or not, as text in an encoding; None means UTF-16 if it begins like that, else UTF-8."""
    start = _read_bytes(path, HEAD_BYTES)
    _check_start(path, start)
    if encoding:
        codec = csv_dialects.find_codec(encoding)
    else:
        codec = "utf-16" if start.startswith(UTF_16_MARKS) else "utf-8-sig"
    with path.open("rb") as file:
        is_gzip = file.read(len(GZIP)) == GZIP
    if is_gzip:
        with gzip.open(path, "rt", encoding=codec, newline="") as text:
            yield cast(TextIO, text)
    else:
        with path.open(encoding=codec, newline="") as text:
            yield text


def read_header(path: Path, encoding: str | None = None) -> tuple[str, ...]:
    """Return the cells of the first line; an empty tuple if the file is no CSV file. The rest is not read."""
    try:
        return read_first_line(path, encoding)
    except InputError:
        return ()


def read_first_line(path: Path, encoding: str | None = None) -> tuple[str, ...]:
    """Return the cells of the first line that is not blank. The rest of the file is not read.

    Raises:
        InputError: the file cannot be read.
        DataError: the file is empty, or no CSV file.
        UsageError: there is no such encoding.
    """
    with _translate_errors(path, encoding):
        start = _read_bytes(path, HEAD_BYTES)
        _check_start(path, start)
        if len(start) == HEAD_BYTES and not start.startswith(UTF_16_MARKS):
            start = start[: start.rfind(b"\n") + 1]  # do not cut a character in two
            if not start:
                raise DataError(f"{path} is no CSV file: its first line has more than {HEAD_BYTES:,} bytes")
        cells = next((line.cells for line in _parse(start, encoding)), ())
    if not cells:
        raise DataError(f"{path} is empty", "its first line must name the columns")
    if CONTROL.search("".join(cells)):
        raise DataError(f"{path} is no CSV file: its first line holds control characters")
    return cells


def dump(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV with commas and line feeds. Text that begins like a formula is escaped, numbers are not."""
    return "".join(format_lines(rows))


def format_lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Yield the lines of `dump` one by one, which saves memory if there are many."""
    return (format_cells(row) + "\n" for row in rows)


def format_cells(row: Iterable[object]) -> str:
    """Return the cells of a row, or of a part of one, as `dump` writes them, without the end of the line."""
    return ",".join(_format_cell(cell) for cell in row)


def escape_formula(text: str) -> str:
    """Return text with an apostrophe before it if a spreadsheet program would run it as a formula."""
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def unescape_formula(text: str) -> str:
    """Return the text that `escape_formula` was given."""
    return text[1:] if ESCAPED_FORMULA.match(text) else text


def _format_cell(cell: object) -> str:
    text = "" if cell is None else escape_formula(cell) if isinstance(cell, str) else str(cell)
    # Python's writer leaves a carriage return unquoted, and its reader takes that for the end of the row.
    return '"' + text.replace('"', '""') + '"' if QUOTED.search(text) else text


def _collect_lines(lines: Iterable[Line], path: Path) -> list[Line]:
    kept = []
    cells = 0
    for line in lines:
        cells += len(line.cells) + 1
        if cells > MAX_CELLS:
            raise DataError(f"{path} has more than {MAX_CELLS:,} cells", "leave out what is no list of images")
        kept.append(line)
    return kept


def _read(path: Path, encoding: str | None = None) -> tuple[list[Line], str]:
    """Return the lines that are not blank, and a remark on the encoding if it was guessed."""
    with _translate_errors(path, encoding):
        data = _read_bytes(path, MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise DataError(f"{path} has more than {MAX_BYTES:,} bytes", "leave out what is no list of images")
        _check_start(path, data)
        lines = _collect_lines(_parse(data, encoding), path)
    guessed, word = ("", "") if encoding else csv_dialects.guess_encoding(data)
    return lines, f"read as {guessed}, such as '{word}' (--encoding names another)" if guessed else ""


def _check_start(path: Path, data: bytes) -> None:
    """Check that the content is not of a kind that is often misnamed .csv.

    Raises:
        DataError: it is a workbook, a web page or a Git LFS pointer.
    """
    if data.startswith(WORKBOOK_STARTS):
        raise DataError(f"{path} is a workbook, not a CSV file", "save it as 'CSV UTF-8' in your spreadsheet program")
    for start, kind in FOREIGN_STARTS.items():
        if data[:HEAD_BYTES].lstrip().lower().startswith(start):
            raise DataError(f"{path} is {kind}, not a CSV file", "download the file itself")


@contextmanager
def _translate_errors(path: Path, encoding: str | None = None) -> Iterator[None]:
    """Translate Python's errors on reading a file into an InputError or a DataError that names the file."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path} is damaged: gzip cannot unpack it", "copy it anew") from None
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError as problem:
        hint = f"{'name its own --encoding, or ' if encoding else ''}save it as 'CSV UTF-8'"
        raise EncodingError(f"{path} is no CSV file in {problem.encoding}", hint) from None
    except csv.Error as problem:
        raise DataError(f"{path} is no CSV file: {problem}") from None


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    """Return at most `max_bytes` of a file's content, decompressed if it is gzip."""
    with path.open("rb") as stream:
        start = stream.read(len(GZIP))
        stream.seek(0)
        if start != GZIP:
            return stream.read(max_bytes)
        with gzip.open(stream) as unpacked:
            return unpacked.read(max_bytes)


def _parse(data: bytes, encoding: str | None = None) -> Iterator[Line]:
    """Yield the lines that are not blank.

    Raises:
        csv.Error: the data is no CSV.
        UnicodeDecodeError: the data is no text in the encoding.
        UsageError: there is no such encoding.
    """
    codec, errors = (csv_dialects.find_codec(encoding), "strict") if encoding else csv_dialects.detect_encoding(data)
    # Decode piece by piece: the whole text, at four bytes a character, would take the most memory here.
    with io.TextIOWrapper(io.BytesIO(data), codec, errors, newline="") as text:
        delimiter, is_declared = csv_dialects.find_delimiter(text)
        reader = csv.reader(text, delimiter=delimiter, strict=True, skipinitialspace=True)
        try:
            for cells in reader:
                stripped = tuple(_unwrap_text(cell.strip()) for cell in cells)
                if any("\0" in cell for cell in stripped):
                    raise csv.Error("it holds NUL bytes")
                if any(stripped) and not (is_declared and reader.line_num == 1):
                    yield Line(reader.line_num, stripped)
        except csv.Error as problem:
            raise csv.Error(f"{problem}, line {reader.line_num}") from None


def _unwrap_text(cell: str) -> str:
    """Return a cell without the formula by which spreadsheet programs mark text: `="007"` becomes `007`."""
    as_text = TEXT_FORMULA.fullmatch(cell) if cell.startswith("=") else None
    return as_text[1] if as_text else cell
