"""Other people's CSV files: the usual delimiters, encodings and line ends, columns found by name. And our own.

Spreadsheets save commas, semicolons or tabs, with or without a byte order mark or a first line `sep=;`; headers come
in any case and order. They also run a cell that begins as a formula does, so of the text that we write such cells
begin with an apostrophe (OWASP, "CSV Injection").
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
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # Excel's own way to say what the delimiter is
HEAD_BYTES = 65536  # enough for any header
MAX_BYTES = 64 << 20  # the lists of sets of 400,000 images are smaller
MAX_CELLS = 8_000_000  # each line counting as one more: a cell of two bytes takes sixty in memory
COMMON_HANZI = (b"\xb0\xa1", b"\xd7\xf9")  # first and last of GB 2312's level 1
MIN_NUL_SHARE = 0.3  # of the bytes of a text from which on it is taken for UTF-16
MIN_HANZI_SHARE = 0.6  # of a text's letters beyond ASCII

FORMULA = re.compile(r"'*[=+\-@\t\r]")  # with the apostrophes of text that has been guarded already
NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")  # begins as a formula may, and is none
SWALLOWED = re.compile(r"\n[^\n,;\t]+\.(?:png|jpe?g|tiff?|bmp|dcm|dicom|webp|gif)[\"']?[,;\t]", re.IGNORECASE)
AS_TEXT = re.compile(r'="(.*)"')
GUARDED = re.compile(r"'+[=+\-@\t\r]")
QUOTED = re.compile(r'[",\r\n]')
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # never in a title
TITLE_MARKS = re.compile(r"[\s_.-]+")


def is_csv(path: Path) -> bool:
    """Return whether a file's name ends as lists do that can be read here."""
    return path.name.lower().endswith(SUFFIXES)


def is_workbook(path: Path) -> bool:
    """Return whether a file's name ends as those of spreadsheet programs do, which must be exported first."""
    return path.name.lower().endswith(WORKBOOK_SUFFIXES)


def normalize_title(title: str) -> str:
    """Return the form in which titles of columns are compared: `Patient ID`, `patient_id` and `PatientID` are one."""
    return TITLE_MARKS.sub("", title).casefold()


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
    notes: list[str] = field(default_factory=list)  # on how it was read

    def column(self, names: Iterable[str]) -> int | None:
        """Return where the first of `names` that is a column stands, whatever its case; None if none is.

        Raises:
            DataError: two columns bear the name.
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
    """Cells of a line by the names of their columns; the names are shared by all lines."""

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
        DataError: it is no CSV, or larger than any list of images.
    """
    return _read(path)[0]


def read_sheet(path: Path, encoding: str | None = None) -> Sheet:
    """Return a CSV file with a header line.

    Args:
        path: the file, which gzip may have compressed.
        encoding: of its text; None finds it.

    Raises:
        InputError: the file cannot be read.
        DataError: it is no CSV, or empty, or a line has more cells than the first.
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
        if any(SWALLOWED.search(cell) for cell in line.cells):
            raise DataError(
                f"{path}: a quote in the lines before {line.number} holds other lines",
                "remove the stray quotation mark",
            )
    return Sheet(path, titles, lines[1:], [f"{path.name} is not UTF-8: {guessed}"] if guessed else [])


def read_header(path: Path, encoding: str | None = None) -> tuple[str, ...]:
    """Return the first line's cells; none where the file is no CSV. Cheap: the rest is not read."""
    try:
        return read_first_line(path, encoding)
    except InputError:
        return ()


def read_first_line(path: Path, encoding: str | None = None) -> tuple[str, ...]:
    """Return the cells of the first line that is not blank. Cheap: the rest is not read.

    Raises:
        InputError: the file cannot be read.
        DataError: it is empty, or no CSV.
        UsageError: there is no such encoding.
    """
    with _explained(path):
        start = _bytes(path, HEAD_BYTES)
        _check_start(path, start)
        if len(start) == HEAD_BYTES and not start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            start = start[: start.rfind(b"\n") + 1]  # no character cut in two
            if not start:
                raise DataError(f"{path} is no CSV file: its first line has more than {HEAD_BYTES:,} bytes")
        cells = next((line.cells for line in _parse(start, encoding)), ())
    if not cells:
        raise DataError(f"{path} is empty", "its first line must name the columns")
    if CONTROL.search("".join(cells)):
        raise DataError(f"{path} is no CSV file: its first line holds control characters")
    return cells


def dump(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV with commas and line feeds; text that begins as a formula does is guarded, numbers are not."""
    return "".join(format_lines(rows))


def format_lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The lines of `dump`, for where they are many."""
    return (",".join(_written(cell) for cell in row) + "\n" for row in rows)


def escape_formula(text: str) -> str:
    """Text that no spreadsheet runs as a formula."""
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def unescape_formula(text: str) -> str:
    """What `escape_formula` was given."""
    return text[1:] if GUARDED.match(text) else text


def _written(cell: object) -> str:
    text = "" if cell is None else escape_formula(cell) if isinstance(cell, str) else str(cell)
    # By hand, since Python's writer leaves a carriage return unquoted, which its reader takes for the row's end.
    return '"' + text.replace('"', '""') + '"' if QUOTED.search(text) else text


def _bounded(lines: Iterable[Line], path: Path) -> list[Line]:
    kept = []
    cells = 0
    for line in lines:
        cells += len(line.cells) + 1
        if cells > MAX_CELLS:
            raise DataError(f"{path} has more than {MAX_CELLS:,} cells", "leave out what is no list of images")
        kept.append(line)
    return kept


def _read(path: Path, encoding: str | None = None) -> tuple[list[Line], str]:
    """Return the lines that are not blank, and which encoding was guessed, if one was."""
    with _explained(path):
        data = _bytes(path, MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise DataError(f"{path} has more than {MAX_BYTES:,} bytes", "leave out what is no list of images")
        _check_start(path, data)
        return _bounded(_parse(data, encoding), path), "" if encoding else _guess(data)


def _check_start(path: Path, data: bytes) -> None:
    """Refuse files of other kinds that are often called .csv.

    Raises:
        DataError: it is one.
    """
    if data.startswith(WORKBOOK_STARTS):
        raise DataError(f"{path} is a workbook, not a CSV file", "save it as 'CSV UTF-8' in your spreadsheet program")
    for start, kind in FOREIGN_STARTS.items():
        if data[:HEAD_BYTES].lstrip().lower().startswith(start):
            raise DataError(f"{path} is {kind}, not a CSV file", "download the file itself")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Raise an InputError or a DataError that says what is wrong with the file, in place of Python's own errors."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path} is damaged: gzip cannot unpack it", "copy it anew") from None
    except OSError as problem:
        raise InputError(f"{path} cannot be read: {problem.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as problem:
        raise DataError(f"{path} is no CSV file: {problem}") from None


def _bytes(path: Path, most: int) -> bytes:
    """Return the first bytes of a file, unpacked where gzip packed it."""
    with path.open("rb") as stream:
        start = stream.read(len(GZIP))
        stream.seek(0)
        if start != GZIP:
            return stream.read(most)
        with gzip.open(stream) as unpacked:
            return unpacked.read(most)


def _parse(data: bytes, encoding: str | None = None) -> Iterator[Line]:
    """The lines that are not blank.

    Raises:
        csv.Error: it is no CSV.
        UnicodeDecodeError: it is no text.
        UsageError: there is no such encoding.
    """
    found, errors = (_known_encoding(encoding), "strict") if encoding else _encoding(data)
    # Decoded piece by piece: a whole text in memory, of four bytes a character, is the largest thing here.
    with io.TextIOWrapper(io.BytesIO(data), found, errors, newline="") as text:
        first = next((line for line in text if line.strip()), "")
        if first.startswith('"') and not any(sign in first for sign in DELIMITERS):  # a title that is wrapped
            first += text.read(HEAD_BYTES // 16)
        said = SEPARATOR_LINE.fullmatch(first.split("\n", maxsplit=1)[0])
        text.seek(0)
        reader = csv.reader(text, delimiter=said[1] if said else _delimiter(first), strict=True, skipinitialspace=True)
        try:
            for cells in reader:
                stripped = tuple(_plain(cell.strip()) for cell in cells)
                if any("\0" in cell for cell in stripped):
                    raise csv.Error("it holds NUL bytes")
                if any(stripped) and not (said and reader.line_num == 1):
                    yield Line(reader.line_num, stripped)
        except csv.Error as problem:
            raise csv.Error(f"{problem}, line {reader.line_num}") from None


def _plain(cell: str) -> str:
    """Return a cell without what keeps a spreadsheet from reading it as a number: `="007"` is `007`."""
    as_text = AS_TEXT.fullmatch(cell) if cell.startswith("=") else None
    return as_text[1] if as_text else cell


def _known_encoding(name: str) -> str:
    try:
        codec = codecs.lookup(name)
    except LookupError:
        raise UsageError(f"--encoding {name} is unknown", "write utf-8, cp1252, gb18030, shift_jis, ...") from None
    return "utf-8-sig" if codec.name == "utf-8" else codec.name


def _encoding(data: bytes) -> tuple[str, str]:
    """How the bytes are to be decoded, and what to do with those that cannot be."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # "Unicode text" of spreadsheets
        return "utf-16", "ignore" if len(data) == HEAD_BYTES else "strict"
    if MIN_NUL_SHARE * len(data) < data.count(0):  # of two bytes for each letter one is 0 in most
        return "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be", "strict"
    for encoding, fits in (("utf-8-sig", _decodes), ("gb18030", _is_chinese), ("cp1252", _decodes)):
        if fits(data, encoding):
            return encoding, "strict"
    return "latin-1", "strict"


def _guess(data: bytes) -> str:
    """Return which encoding was taken for that of a text that is no Unicode; nothing for Unicode."""
    encoding = _encoding(data)[0]
    if encoding.startswith("utf"):
        return ""
    word = next((word for word in re.split(r"[\s,;\"]+", data.decode(encoding)) if not word.isascii()), "")
    return f"read as {encoding}, such as '{word}' (--encoding names another)"


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_chinese(data: bytes, encoding: str) -> bool:
    """Return whether it decodes to common Chinese characters mainly, as Western European text does not."""
    if not _decodes(data, encoding):
        return False
    letters = [letter.encode(encoding) for letter in data.decode(encoding) if not letter.isascii()]
    common = sum(
        COMMON_HANZI[0] <= letter <= COMMON_HANZI[1] and len(letter) == len(COMMON_HANZI[0]) for letter in letters
    )
    return common >= MIN_HANZI_SHARE * len(letters)


def _delimiter(line: str) -> str:
    """Return the delimiter that occurs most in the titles; a comma where none does."""
    return max(f"{DELIMITERS}|", key=line.count)  # of equals the first: the comma
