"""Lists of public sets: found by their columns wherever they lie, and read line by line, however long they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xrayaug.data.parsing import directories, set_signatures
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare
from xrayaug.storage import csvfile
from xrayaug.storage.csvfile import Sheet

LINES_AT_A_TIME = 4096


@dataclass(frozen=True, slots=True)
class ListLine:
    """The wanted cells of a line, and where it is, for messages."""

    location: str
    cells: Mapping[str, str]  # title as it is asked for -> cell; empty where the list has no such column

    def __getitem__(self, title: str) -> str:
        return self.cells[title]


@dataclass(frozen=True)
class SetList:
    """A list of a set; `notes` are filled while it is read."""

    path: Path
    encoding: str | None = None  # of the text; None means UTF-8, or UTF-16 with a byte order mark
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.path.name


def find_all(options: Prepare, columns: Sequence[str], name: str) -> list[SetList]:
    """Return the lists of a set with all these columns, at least one.

    Args:
        options: options of prepare.
        columns: titles that the lists must have.
        name: usual name of such a list, for messages.

    Raises:
        InputError: there is no such list.
    """
    path = options.input
    directories.check_directory(path)
    found = set_signatures.find_lists(path, columns)
    if not found:
        raise InputError(
            f"{path} has no list with the columns {', '.join(columns)}",
            f"put the set's {name} beside its images, or point --input at the directory that holds both",
        )
    return [SetList(file, options.encoding) for file in found]


def find_one(options: Prepare, columns: Sequence[str], name: str) -> SetList:
    """Return the one list of a set with all these columns.

    Args:
        options: options of prepare.
        columns: titles that the list must have.
        name: usual name of the list, for messages.

    Raises:
        InputError: there is no such list.
        DataError: there are several, so that it is not clear which one counts.
    """
    found = find_all(options, columns, name)
    if len(found) > 1:
        places = ", ".join(str(file.path.relative_to(options.input)) for file in found)
        raise DataError(f"{options.input} has {len(found)} lists such as {name}: {places}", "leave one of them there")
    return found[0]


def read_lines(file: SetList, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[ListLine]:
    """Yield the cells of these columns, line by line, stripped of surrounding space.

    A line may end before an optional column, as spreadsheet programs leave out empty cells at the end.

    Args:
        file: the list.
        required: titles of columns that there must be.
        optional: titles of columns that are read where there are such.

    Raises:
        InputError: the file cannot be read.
        DataError: it is no CSV file or of another encoding, lacks a required column, or a line has more cells than the
            first, ends before a required column or holds a NUL byte.
        UsageError: there is no encoding of the name that the user gives.
    """
    try:
        yield from _read_lines(file, required, optional)
    except csvfile.EncodingError as problem:
        if file.encoding:
            raise
        encoding, word = csvfile.guess_encoding(file.path)
        hint = f"--encoding {encoding} reads it, with words such as '{word}'; or {problem.hint}"
        raise DataError(problem.message, hint if encoding else problem.hint) from None


def _read_lines(file: SetList, required: Sequence[str], optional: Sequence[str]) -> Iterator[ListLine]:
    blocks = csvfile.iterate(file.path, LINES_AT_A_TIME, file.encoding, allow_short=True)
    _, (header,) = next(blocks)
    sheet = Sheet(file.path, tuple(title.strip() for title in header), [])
    places = {title: sheet.column([title]) for title in (*required, *optional)}
    missing = [title for title in required if places[title] is None]
    if missing:
        raise DataError(
            f"{file.path} has no column '{missing[0]}'; there are {', '.join(sheet.header)}",
            "take the set's own copy of the list",
        )
    needed = sorted((place, title) for title in required if (place := places[title]) is not None)
    short = 0
    for numbers, lines in blocks:
        for number, cells in zip(numbers, lines, strict=True):
            location = f"{file.name} line {number}"
            if len(cells) < len(header):
                short += 1
                if cut := next((title for place, title in needed if place >= len(cells)), ""):
                    raise csvfile.ends_early(location, cut)
                cells += [""] * (len(header) - len(cells))  # noqa: PLW2901
            found = {title: "" if place is None else cells[place].strip() for title, place in places.items()}
            if any("\0" in cell for cell in found.values()):
                raise DataError(f"{location} holds a NUL byte", "take the set's own copy of the list")
            yield ListLine(location, found)
    file.notes.extend(csvfile.describe_short_lines(file.name, short))


def titles(file: SetList) -> tuple[str, ...]:
    """Return the titles of a list's columns as they are written.

    Raises:
        InputError: the file cannot be read.
        DataError: it is no CSV file, or empty.
    """
    return tuple(title.strip() for title in csvfile.read_first_line(file.path, file.encoding))


def read_names(file: Path) -> frozenset[str]:
    """Return the lines of a text file that holds one image's name a line.

    Raises:
        InputError: the file cannot be read, or is no text.
    """
    try:
        return frozenset(file.read_text(encoding="utf-8-sig").split())
    except OSError as problem:
        raise InputError(f"{file} cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{file} is no list of names: it is not UTF-8") from None
