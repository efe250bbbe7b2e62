"""Lookup of the file that a path of a list means, where its name on disk is spelled differently.

Archives from macOS decompose letters (NFD), people convert `.jpg` to `.png`, and lists name images without their
directory. A path that does not exist as written is looked up in an index of the tree, and the difference is returned.
"""

import enum
import os
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from xrayaug.data.images.formats import DICOM_SUFFIXES, IMAGE_SUFFIXES

SUFFIXES = IMAGE_SUFFIXES | DICOM_SUFFIXES


class Spelling(enum.Enum):
    """Difference in spelling between a file on disk and the list; the value is text for a message."""

    EXACT = "exactly"
    UNICODE = "in another Unicode form"
    CASE = "in upper or lower case"
    SUFFIX = "with another suffix"


@dataclass(frozen=True)
class Match:
    """The files that a path of a list may mean, relative to the root, and how they differ from it."""

    files: tuple[str, ...]
    spelling: Spelling = Spelling.EXACT


def _stem(path: str) -> str:
    """Return a path without the suffix of an image, if it has one."""
    stem, dot, ending = path.rpartition(".")
    return stem if dot and f".{ending.lower()}" in SUFFIXES else path


def _composed(path: str) -> str:
    return unicodedata.normalize("NFC", path)


# Form in which paths are compared, and the difference that it ignores, from the strictest on.
FORMS: tuple[tuple[Callable[[str], str], Spelling], ...] = (
    (lambda path: path, Spelling.EXACT),
    (_composed, Spelling.UNICODE),
    (lambda path: _composed(path).casefold(), Spelling.CASE),
    (lambda path: _stem(_composed(path).casefold()), Spelling.SUFFIX),
)


class FileLookup:
    """The files under a root, by path and by name.

    Args:
        root: the directory that the paths of lists are relative to.
        walk: returns all image files under the root, relative to it; called once, if a path does not exist as written.
    """

    def __init__(self, root: Path, walk: Callable[[], Iterable[str]]) -> None:
        self._prefix = str(root)
        self._walk = walk
        self._forms: dict[int, dict[str, list[str]]] = {}  # built when needed
        self._stems: dict[int, dict[str, list[str]]] = {}

    def find(self, path: PurePosixPath) -> Match:
        """Return the files that `path` may mean; none if no spelling matches.

        A name without directories is searched in all directories, one without a suffix with any suffix.
        """
        wanted = str(path)
        has_suffix = _stem(wanted) != wanted
        if self._is_file(wanted):
            return Match((wanted,))
        for level, (form, spelling) in enumerate(FORMS):
            index = self._by_form(level) if has_suffix else self._by_stem(level)
            files = index.get(form(wanted), ())
            if files:
                return Match(tuple(files), spelling)
        return Match(())

    def is_there(self, path: PurePosixPath) -> bool:
        """Return whether a file lies at `path` as it is written, or with `.png` after it."""
        return bool(self._exact(path))

    def _exact(self, path: PurePosixPath) -> str:
        return next((name for name in (str(path), f"{path}.png") if self._is_file(name)), "")

    def _is_file(self, name: str) -> bool:
        try:
            return os.path.isfile(f"{self._prefix}/{name}")  # noqa: PTH113 # fast, as it runs for each line of a list
        except (OSError, ValueError):  # not a valid file name
            return False

    def _by_form(self, level: int) -> dict[str, list[str]]:
        """Return the files by a form of their paths, and of their names alone."""
        if level not in self._forms:
            self._forms[level] = self._index(FORMS[level][0])
        return self._forms[level]

    def _by_stem(self, level: int) -> dict[str, list[str]]:
        """Return the files by a form of their paths, and of their names alone, both without the suffix."""
        if level not in self._stems:
            form = FORMS[level][0]
            self._stems[level] = self._index(lambda path: form(_stem(path)))
        return self._stems[level]

    @cached_property
    def _files(self) -> list[str]:
        return list(self._walk())

    def _index(self, form: Callable[[str], str]) -> dict[str, list[str]]:
        places: defaultdict[str, list[str]] = defaultdict(list)
        for file in self._files:
            path = form(file)
            places[path].append(file)
            name = path.rpartition("/")[2]
            if name != path:
                places[name].append(file)
        return dict(places)
