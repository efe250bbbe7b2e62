"""Directories of raw sets: walking and searching them, with an error for each directory that cannot be read."""

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from xrayaug.data.parsing.skip_reasons import BROKEN_LINK, MISSING
from xrayaug.errors import InputError

MAX_REVISITS = 20_000  # directories that links lead to again; their number can grow exponentially
SEARCH_DEPTH = 3  # levels of directories in which the root of a set and its lists are searched
# Directories that operating systems add to a user's files.
SYSTEM_DIRECTORIES = frozenset({"__MACOSX", "lost+found", "System Volume Information", "$RECYCLE.BIN"})


def walk(root: Path) -> Iterator[str]:
    """Yield the files under `root` as relative paths with forward slashes, sorted within each directory.

    Hidden files (AppleDouble `._*`, `.DS_Store`) and `SYSTEM_DIRECTORIES` are left out. Links are followed,
    except those to a directory above, which would never end.

    Raises:
        InputError: a directory cannot be read, a link that may have been to one is broken, links lead to the same
            directories more than `MAX_REVISITS` times, or a name is not UTF-8, which no CSV file could hold.
    """
    return (_check_utf8(name, root) for name in walk_any_encoding(root))


def walk_any_encoding(root: Path) -> Iterator[str]:
    """Yield the same files as `walk`, with names that are not UTF-8 as Python represents them.

    Raises:
        InputError: a directory cannot be read, a link that may have been to one is broken, or links lead to the same
            directories more than `MAX_REVISITS` times.
    """
    entered: set[str] = set()
    revisits = 0
    ancestors: dict[str, tuple[str, ...]] = {}  # directory to enter -> real paths of the directories above it
    for directory, folders, files in os.walk(root, onerror=_raise_unreadable, followlinks=True):
        real = os.path.realpath(directory)
        above = ancestors.pop(directory, ())
        if real in above:
            folders.clear()
            continue
        revisits += real in entered
        if revisits > MAX_REVISITS:
            raise InputError(
                f"links under {root} lead to the same folders again and again, such as {directory}",
                "take out links to folders that lie in the set already",
            )
        entered.add(real)
        folders[:] = sorted(name for name in folders if _is_included(name))
        ancestors.update(dict.fromkeys((os.path.join(directory, name) for name in folders), (*above, real)))  # noqa: PTH118
        for name in sorted(files):
            if not name.startswith("."):
                path = Path(directory) / name
                _check_link(path)
                yield path.relative_to(root).as_posix()


def _is_included(folder: str) -> bool:
    return not folder.startswith(".") and folder not in SYSTEM_DIRECTORIES


def _raise_unreadable(problem: OSError) -> NoReturn:
    """Raise the error of a directory that cannot be read, whose files would be lost silently.

    Raises:
        InputError: always.
    """
    raise InputError(
        f"the folder {problem.filename} cannot be read: {problem.strerror}",
        "see to it that you may read it, or move it out of the set",
    ) from None


def _check_link(path: Path) -> None:
    """Check that a path is not a broken link without a suffix, which may have led to a directory of images.

    Raises:
        InputError: it is one.
    """
    if not path.suffix and path.is_symlink() and not os.path.exists(path):  # noqa: PTH110 # False for circular links too
        raise InputError(f"{path} is {BROKEN_LINK} to {path.readlink()}, maybe of a folder", "mend it or remove it")


def missing_reason(path: Path) -> str:
    """Return the reason for which a file is missing, to begin with `MISSING` or `BROKEN_LINK`; empty if it exists.

    Raises:
        InputError: its directory cannot be searched.
        OSError: the storage fails.
    """
    try:
        path.stat()
    except OSError as problem:
        if problem.errno in (errno.EACCES, errno.EPERM):
            _raise_unreadable(PermissionError(problem.errno, problem.strerror, str(path.parent)))
        if problem.errno == errno.ENAMETOOLONG:
            return MISSING
        if problem.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
            return f"{BROKEN_LINK} to {path.readlink()}" if path.is_symlink() else MISSING
        raise
    return ""


def _check_utf8(name: str, root: Path) -> str:
    if any("\udc80" <= letter <= "\udcff" for letter in name):  # Python's representation of bytes that are not UTF-8
        reads_utf8 = sys.getfilesystemencoding().lower().replace("-", "") == "utf8"
        hint = "rename it" if reads_utf8 else "this system's locale knows no such names: set PYTHONUTF8=1"
        raise InputError(f"{root} holds a file whose name is not UTF-8: {name!a}", hint)
    return name


def search_directories(root: Path) -> Iterator[Path]:
    """Yield `root` and the directories below it, nearest first, down to `SEARCH_DEPTH` levels.

    Raises:
        InputError: one of them cannot be read.
    """
    level = [root] if root.is_dir() else []
    for depth in range(SEARCH_DEPTH):
        yield from level
        if depth < SEARCH_DEPTH - 1:
            level = [folder for directory in level for folder in subdirectories(directory)]


def subdirectories(directory: Path) -> list[Path]:
    """Return the directories directly in `directory` that are not hidden, sorted; none if it is not a directory.

    Raises:
        InputError: it cannot be read.
    """
    return [path for path in entries(directory) if path.name not in SYSTEM_DIRECTORIES and is_directory(path)]


def files(directory: Path) -> list[Path]:
    """Return the files directly in `directory` that are not hidden, sorted; none if it is not a directory.

    Raises:
        InputError: it cannot be read.
    """
    return [path for path in entries(directory) if _is_kind(path, stat.S_ISREG)]


def entries(directory: Path) -> list[Path]:
    """Return the paths directly in `directory` that are not hidden, sorted; none if it is not a directory.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return sorted(path for path in directory.iterdir() if not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as problem:
        problem.filename = str(directory)
        _raise_unreadable(problem)


def _is_kind(path: Path, kind: Callable[[int], bool]) -> bool:
    """Return whether the path leads to a file of that kind; False for a broken link.

    Raises:
        InputError: its directory cannot be searched.
    """
    try:
        return kind(path.stat().st_mode)
    except PermissionError as problem:
        problem.filename = str(path.parent)
        _raise_unreadable(problem)
    except OSError:
        return False


def check_directory(path: Path) -> None:
    """Check that `--input` is a directory.

    Raises:
        InputError: it is missing, or a file.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", "check --input for a typing error")
    if not path.is_dir():
        raise InputError(f"{path} is a file, expected a directory", "only --source table reads a file")


def is_directory(path: Path) -> bool:
    """Return whether the path leads to a directory.

    Raises:
        InputError: its directory cannot be searched.
    """
    return _is_kind(path, stat.S_ISDIR)
