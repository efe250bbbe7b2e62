"""Finds the file that a list means, where its name on disk is spelled differently.

Archives from macOS decompose letters (NFD), people convert `.jpg` to `.png`, and lists name images without their
directory. What is not found as it is written is looked for in an index of the tree, and how it was found is told.
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
    """How a file on disk is spelled, compared with the list; the value is for a message."""

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


# From the form in which a path is compared to the difference that it forgives, the least first.
FORMS: tuple[tuple[Callable[[str], str], Spelling], ...] = (
    (lambda path: path, Spelling.EXACT),
    (_composed, Spelling.UNICODE),
    (lambda path: _composed(path).casefold(), Spelling.CASE),
    (lambda path: _stem(_composed(path).casefold()), Spelling.SUFFIX),
)


class FileLookup:
    """The files under a root, by path and by name.

    Args:
        root: where paths of lists begin.
        walk: gives every image file under it, relative to it; called once, when a path is not there as it is written.
    """

    def __init__(self, root: Path, walk: Callable[[], Iterable[str]]) -> None:
        self._prefix = str(root)
        self._walk = walk
        self._forms: dict[int, dict[str, list[str]]] = {}  # made when they are needed
        self._stems: dict[int, dict[str, list[str]]] = {}

    def find(self, path: PurePosixPath) -> Match:
        """Return the files that `path` may mean; none if it is not there in any spelling.

        A path without a directory is looked for in all of them, one without a suffix with any.
        """
        wanted = str(path)
        has_suffix = _stem(wanted) != wanted
        if self._is_file(wanted):
            return Match((wanted,))
        for level, (form, spelling) in enumerate(FORMS):
            index = self._by_form(level) if has_suffix else self._by_stem(level)
            found = index.get(form(wanted), ())
            if found:
                return Match(tuple(found), spelling)
        return Match(())

    def is_there(self, path: PurePosixPath) -> bool:
        """Return whether a file lies at `path` as it is written, or with `.png` after it."""
        return bool(self._exact(path))

    def _exact(self, path: PurePosixPath) -> str:
        return next((name for name in (str(path), f"{path}.png") if self._is_file(name)), "")

    def _is_file(self, name: str) -> bool:
        try:
            return os.path.isfile(f"{self._prefix}/{name}")  # noqa: PTH113 # of every line of a list
        except (OSError, ValueError):  # no name of a file
            return False

    def _by_form(self, level: int) -> dict[str, list[str]]:
        """Return the files by a form of their paths, and of their names alone."""
        if level not in self._forms:
            self._forms[level] = self._index(FORMS[level][0])
        return self._forms[level]

    def _by_stem(self, level: int) -> dict[str, list[str]]:
        """Return the same by paths and names without the suffix."""
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
