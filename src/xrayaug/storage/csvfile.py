"""Reading of CSV files in the usual delimiters, encodings and line ends, with columns found by name; and writing.

Spreadsheet programs save commas, semicolons or tabs, with or without a byte order mark or a first line `sep=;`, and
headers come in any case and order. They also run a cell that begins like a formula, so an apostrophe is put before
such text when it is written (OWASP, "CSV Injection").
"""

import codecs
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

from xrayaug.errors import DataError, InputError, UsageError

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
WORKBOOK_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".ods")
WORKBOOK_STARTS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # magic bytes of .xlsx and .xls
FOREIGN_STARTS = {
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"version https://git-lfs": "a Git LFS pointer",
}
GZIP = b"\x1f\x8b"
DELIMITERS = ",;\t"
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # first line by which Excel declares the delimiter
HEAD_BYTES = 65536  # enough for any header
MAX_BYTES = 64 << 20  # lists of 400,000 images are smaller
MAX_CELLS = 8_000_000  # plus one for each line; a cell of two bytes takes sixty in memory
COMMON_HANZI = (b"\xb0\xa1", b"\xd7\xf9")  # first and last character of level 1 of GB 2312
MIN_NUL_SHARE = 0.3  # share of the bytes from which on text is taken for UTF-16
MIN_HANZI_SHARE = 0.6  # share of the characters beyond ASCII

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
    """Read a CSV file whose first line names the columns.

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
                "put cells with a delimiter in quotes, name all columns, and let no line end in a delimiter more",
            )
        if any(SWALLOWED_LINE.search(cell) for cell in line.cells):
            raise DataError(
                f"{path}: a quote in the lines before {line.number} holds other lines",
                "remove the stray quotation mark",
            )
    return Sheet(path, titles, lines[1:], [f"{path.name} is not UTF-8: {guessed}"] if guessed else [])


def iterate(path: Path, lines: int) -> Iterator[tuple[list[int], list[list[str]]]]:
    """Yield the cells of a CSV file of any length, so many lines at a time, with the number of each line.

    The first line, which names the columns, comes alone. Blank lines are left out. A first cell may follow spaces, and
    cells are as they are written otherwise.

    Args:
        path: the file, in UTF-8 or UTF-16; it may be compressed by gzip.
        lines: number of lines at a time.

    Raises:
        InputError: the file cannot be read.
        DataError: the file is empty, no CSV file or no text, or a line has more or fewer cells than the first.
    """
    width = 0
    with _translate_errors(path), _open_text(path) as text:
        delimiter, is_declared = _find_delimiter(text)
        reader = csv.reader(text, delimiter=delimiter, strict=True, skipinitialspace=True)
        numbers: list[int] = []
        cells: list[list[str]] = []
        for line in reader:
            if not line or (not line[0] and not any(line)) or (is_declared and reader.line_num == 1):
                continue
            if width and len(line) != width:
                raise DataError(
                    f"{path} line {reader.line_num} has {len(line)} cells, its first line names {width} columns",
                    "put cells with a delimiter in quotes",
                )
            numbers.append(reader.line_num)
            cells.append(line)
            if not width or len(cells) == lines:
                yield numbers, cells
                numbers, cells = [], []
            width = len(line)
        if not width:
            raise DataError(f"{path} is empty", "its first line must name the columns")
        if cells:
            yield numbers, cells


@contextmanager
def _open_text(path: Path) -> Iterator[TextIO]:
    """Open a CSV file, gzip or not, as text in UTF-16 if it begins like that, else in UTF-8."""
    start = _read_bytes(path, HEAD_BYTES)
    _check_start(path, start)
    encoding = "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    with path.open("rb") as file:
        is_gzip = file.read(len(GZIP)) == GZIP
    if is_gzip:
        with gzip.open(path, "rt", encoding=encoding, newline="") as text:
            yield cast(TextIO, text)
    else:
        with path.open(encoding=encoding, newline="") as text:
            yield text


def _find_delimiter(text: TextIO) -> tuple[str, bool]:
    """Return the delimiter of the first line and whether that line declares it, and go back to the start."""
    first = text.readline()
    separator = SEPARATOR_LINE.fullmatch(first.rstrip("\r\n"))
    text.seek(0)
    return separator[1] if separator else _detect_delimiter(first), separator is not None


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
    with _translate_errors(path):
        start = _read_bytes(path, HEAD_BYTES)
        _check_start(path, start)
        if len(start) == HEAD_BYTES and not start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
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
    with _translate_errors(path):
        data = _read_bytes(path, MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise DataError(f"{path} has more than {MAX_BYTES:,} bytes", "leave out what is no list of images")
        _check_start(path, data)
        return _collect_lines(_parse(data, encoding), path), "" if encoding else _describe_guess(data)


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
def _translate_errors(path: Path) -> Iterator[None]:
    """Translate Python's errors on reading a file into an InputError or a DataError that names the file."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path} is damaged: gzip cannot unpack it", "copy it anew") from None
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as problem:
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
    codec, errors = (_find_codec(encoding), "strict") if encoding else _detect_encoding(data)
    # Decode piece by piece: the whole text, at four bytes a character, would take the most memory here.
    with io.TextIOWrapper(io.BytesIO(data), codec, errors, newline="") as text:
        first = next((line for line in text if line.strip()), "")
        if first.startswith('"') and not any(sign in first for sign in DELIMITERS):  # a quoted title that spans lines
            first += text.read(HEAD_BYTES // 16)
        separator = SEPARATOR_LINE.fullmatch(first.split("\n", maxsplit=1)[0])
        text.seek(0)
        reader = csv.reader(
            text, delimiter=separator[1] if separator else _detect_delimiter(first), strict=True, skipinitialspace=True
        )
        try:
            for cells in reader:
                stripped = tuple(_unwrap_text(cell.strip()) for cell in cells)
                if any("\0" in cell for cell in stripped):
                    raise csv.Error("it holds NUL bytes")
                if any(stripped) and not (separator and reader.line_num == 1):
                    yield Line(reader.line_num, stripped)
        except csv.Error as problem:
            raise csv.Error(f"{problem}, line {reader.line_num}") from None


def _unwrap_text(cell: str) -> str:
    """Return a cell without the formula by which spreadsheet programs mark text: `="007"` becomes `007`."""
    as_text = TEXT_FORMULA.fullmatch(cell) if cell.startswith("=") else None
    return as_text[1] if as_text else cell


def _find_codec(name: str) -> str:
    try:
        codec = codecs.lookup(name)
    except LookupError:
        raise UsageError(f"--encoding {name} is unknown", "write utf-8, cp1252, gb18030, shift_jis, ...") from None
    return "utf-8-sig" if codec.name == "utf-8" else codec.name


def _detect_encoding(data: bytes) -> tuple[str, str]:
    """Return the encoding of the bytes, and the error handler for decoding them."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # spreadsheet programs call this "Unicode text"
        return "utf-16", "ignore" if len(data) == HEAD_BYTES else "strict"
    if MIN_NUL_SHARE * len(data) < data.count(0):  # in UTF-16 one of the two bytes of most letters is 0
        return "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be", "strict"
    for encoding, fits in (("utf-8-sig", _is_decodable), ("gb18030", _is_chinese), ("cp1252", _is_decodable)):
        if fits(data, encoding):
            return encoding, "strict"
    return "latin-1", "strict"


def _describe_guess(data: bytes) -> str:
    """Return a remark on the encoding that was guessed for text that is not Unicode; an empty string for Unicode."""
    encoding = _detect_encoding(data)[0]
    if encoding.startswith("utf"):
        return ""
    word = next((word for word in re.split(r"[\s,;\"]+", data.decode(encoding)) if not word.isascii()), "")
    return f"read as {encoding}, such as '{word}' (--encoding names another)"


def _is_decodable(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese(data: bytes, encoding: str) -> bool:
    """Return whether the bytes decode to mainly common Chinese characters, which Western European text does not."""
    if not _is_decodable(data, encoding):
        return False
    letters = [letter.encode(encoding) for letter in data.decode(encoding) if not letter.isascii()]
    common = sum(
        COMMON_HANZI[0] <= letter <= COMMON_HANZI[1] and len(letter) == len(COMMON_HANZI[0]) for letter in letters
    )
    return common >= MIN_HANZI_SHARE * len(letters)


def _detect_delimiter(line: str) -> str:
    """Return the delimiter that occurs most often in the header line; a comma if none occurs."""
    return max(f"{DELIMITERS}|", key=line.count)  # max returns the first of equals: the comma
