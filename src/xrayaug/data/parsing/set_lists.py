"""Lists of public sets: found by their columns wherever they lie, and read line by line, however long they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xrayaug.data.parsing import directories, set_signatures
from xrayaug.errors import DataError, InputError
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


def find_all(path: Path, columns: Sequence[str], name: str) -> list[Path]:
    """Return the lists of a set with all these columns, at least one.

    Args:
        path: the directory of the set.
        columns: titles that the lists must have.
        name: usual name of such a list, for messages.

    Raises:
        InputError: there is no such list.
    """
    directories.check_directory(path)
    found = set_signatures.find_lists(path, columns)
    if not found:
        raise InputError(
            f"{path} has no list with the columns {', '.join(columns)}",
            f"put the set's {name} beside its images, or point --input at the directory that holds both",
        )
    return found


def find_one(path: Path, columns: Sequence[str], name: str) -> Path:
    """Return the one list of a set with all these columns.

    Args:
        path: the directory of the set.
        columns: titles that the list must have.
        name: usual name of the list, for messages.

    Raises:
        InputError: there is no such list.
        DataError: there are several, so that it is not clear which one counts.
    """
    found = find_all(path, columns, name)
    if len(found) > 1:
        places = ", ".join(str(file.relative_to(path)) for file in found)
        raise DataError(f"{path} has {len(found)} lists such as {name}: {places}", "leave one of them there")
    return found[0]


def read_lines(file: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[ListLine]:
    """Yield the cells of these columns, line by line, stripped of surrounding space.

    Args:
        file: the list.
        required: titles of columns that there must be.
        optional: titles of columns that are read where there are such.

    Raises:
        InputError: the file cannot be read.
        DataError: it is no CSV file, lacks a required column, or a line has more or fewer cells than the first or a NUL
            byte.
    """
    blocks = csvfile.iterate(file, LINES_AT_A_TIME)
    _, (header,) = next(blocks)
    sheet = Sheet(file, tuple(title.strip() for title in header), [])
    places = {title: sheet.column([title]) for title in (*required, *optional)}
    missing = [title for title in required if places[title] is None]
    if missing:
        raise DataError(
            f"{file} has no column '{missing[0]}'; there are {', '.join(sheet.header)}",
            "take the set's own copy of the list",
        )
    for numbers, lines in blocks:
        for number, cells in zip(numbers, lines, strict=True):
            found = {title: "" if place is None else cells[place].strip() for title, place in places.items()}
            location = f"{file.name} line {number}"
            if any("\0" in cell for cell in found.values()):
                raise DataError(f"{location} holds a NUL byte", "take the set's own copy of the list")
            yield ListLine(location, found)


def titles(file: Path) -> tuple[str, ...]:
    """Return the titles of a list's columns as they are written.

    Raises:
        InputError: the file cannot be read.
        DataError: it is no CSV file, or empty.
    """
    return tuple(title.strip() for title in csvfile.read_first_line(file))


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
