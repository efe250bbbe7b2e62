"""CSV lists of images in a directory: which one to read, which cannot be read, and which remain unused."""

from collections.abc import Iterable
from pathlib import Path

from xrayaug.data.parsing import columns, directories
from xrayaug.data.parsing.skip_reasons import BROKEN_LINK
from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.options import Prepare
from xrayaug.storage import csvfile


def find_unreadable_lists(folders: Iterable[Path], encoding: str | None = None) -> list[tuple[str, str]]:
    """Return a reason and a hint for each list that is empty or cannot be read.

    Args:
        folders: directories to search, without their subdirectories.
        encoding: text encoding of the lists; None detects it.

    Raises:
        InputError: a directory cannot be read.
    """
    unreadable = []
    for path in (path for folder in folders for path in directories.entries(folder) if csvfile.is_csv(path)):
        if directories.is_directory(path):
            continue
        try:
            if path.exists() and not path.is_file():
                raise InputError(f"{path} is no file")
            if reason := directories.missing_reason(path):
                raise InputError(f"{path} is {reason}" if reason.startswith(BROKEN_LINK) else f"{path}: {reason}")
            csvfile.read_first_line(path, encoding)
        except InputError as problem:
            unreadable.append((problem.message, problem.hint))
    return unreadable


def unused_list_warnings(folders: Iterable[Path]) -> list[str]:
    """Return one warning for each list of images directly in these directories, none of which is read."""
    warnings = []
    for path in (path for folder in folders for path in directories.files(folder) if csvfile.is_csv(path)):
        titles = csvfile.read_header(path)
        if columns.is_there(titles, "image", None):
            has_labels = columns.is_there(titles, "label", None)
            use = f"--table {path} uses it" if has_labels else f"--table {path} --label-column NAME uses it"
            warnings.append(f"{path} lists images and is not used, nor are its columns {', '.join(titles)}: {use}")
    return warnings


def find_list(options: Prepare) -> Path:
    """Return the CSV file to read: `--table`, `--input` itself, or the one file in `--input` with the needed columns.

    Raises:
        UsageError: `--input` and `--table` are different files.
        InputError: there is no CSV file.
        DataError: several files have the needed columns, or none has.
    """
    if options.input.is_file():
        if options.table not in (None, options.input):
            raise UsageError(f"--input is the file {options.input}, and --table another", "give one of them")
        return options.input
    directories.check_directory(options.input)
    if options.table is not None:
        return find_named_list(options.table, options.input)
    files = csv_files(options.input)
    fitting = [file for file in files if _has_columns(csvfile.read_header(file, options.encoding), options)]
    if len(fitting) > 1:
        names = ", ".join(file.name for file in fitting)
        raise DataError(f"{options.input} holds {len(fitting)} tables of images: {names}", "choose one with --table")
    if not files:
        books = [path.name for path in directories.files(options.input) if csvfile.is_workbook(path)]
        hint = (
            f"save {books[0]} as 'CSV UTF-8' in your spreadsheet program"
            if books
            else "name one elsewhere with --table"
        )
        raise InputError(f"{options.input} holds no CSV file", hint)
    if not fitting:
        there = "; ".join(f"{file.name} has {', '.join(csvfile.read_header(file, options.encoding))}" for file in files)
        raise DataError(
            f"no CSV file in {options.input} has the columns of images and labels: {there}",
            "its first line must name them; --image-column and --label-column say how, or give every image one --label",
        )
    return fitting[0]


def find_named_list(table: Path, directory: Path) -> Path:
    """Return the path of `--table`, relative to the working directory or else to `--input`.

    Raises:
        InputError: it does not exist.
    """
    for path in (table, directory / table):
        if path.is_file():
            return path
    raise InputError(f"{table} does not exist, neither here nor in {directory}", "check --table for a typing error")


def csv_files(directory: Path) -> list[Path]:
    """Return the CSV files directly in a directory, sorted.

    Raises:
        InputError: the directory cannot be read.
    """
    return [path for path in directories.files(directory) if csvfile.is_csv(path)]


def lists_images(file: Path) -> bool:
    """Return whether a file is a CSV file with a column of images under a usual name."""
    return csvfile.is_csv(file) and columns.is_there(csvfile.read_header(file), "image", None)


def _has_columns(header: tuple[str, ...], options: Prepare) -> bool:
    has_label = options.label is not None or columns.is_there(header, "label", options.label_column)
    return has_label and columns.is_there(header, "image", options.image_column)
