"""Recognition of public sets by the columns of their lists and the names of their images, in a quick look at a tree."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from xrayaug.data.parsing import directories, image_files
from xrayaug.data.parsing.directories import SYSTEM_DIRECTORIES
from xrayaug.storage import csvfile
from xrayaug.storage.csvfile import normalize_title

MAX_DEPTH = 5  # levels of directories that are looked at
MAX_DIRECTORIES = 300  # directories that are looked at, the nearest first
MAX_IMAGES = 50  # images of one directory whose names are looked at


@dataclass(frozen=True)
class Signature:
    """What tells a set from all others: the columns of one of its lists, or the path of one of its images."""

    columns: tuple[tuple[str, ...], ...] = ()  # a list with all columns of one group belongs to the set
    image: str = ""  # regular expression that is searched in paths of images, relative to `--input`

    def fits(self, survey: "Survey") -> bool:
        """Return whether a tree holds such a list or such an image."""
        groups = [{normalize_title(title) for title in group} for group in self.columns]
        has_list = any(group <= titles for _, titles in survey.lists for group in groups)
        return has_list or bool(self.image and any(re.search(self.image, path) for path in survey.images))


@dataclass(frozen=True)
class Survey:
    """The lists of a tree with their columns, and the paths of some images."""

    lists: list[tuple[Path, frozenset[str]]] = field(default_factory=list)  # file, titles in normal form
    images: list[str] = field(default_factory=list)


def survey(path: Path) -> Survey:
    """Look at the directories nearest to the top of a tree; an empty survey if it is no directory.

    Raises:
        InputError: a directory cannot be read.
    """
    seen = Survey()
    for directory, names in _nearest(path):
        images = 0
        for name in names:
            file = directory / name
            if csvfile.is_csv(file):
                titles = csvfile.read_header(file) if file.is_file() else ()
                seen.lists.append((file, frozenset(map(normalize_title, titles))))
            elif images < MAX_IMAGES and image_files.has_image_suffix(name):
                images += 1
                seen.images.append(file.relative_to(path).as_posix())
    return seen


def find_lists(path: Path, columns: Iterable[str]) -> list[Path]:
    """Return the lists near the top of a tree that have all these columns, the nearest first.

    Raises:
        InputError: a directory cannot be read.
    """
    wanted = set(map(normalize_title, columns))
    return [file for file, titles in survey(path).lists if wanted <= titles]


def _nearest(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield a directory and those below it, each with the names of its files, level by level and sorted."""
    level = [path] if path.is_dir() else []
    count = 0
    for _ in range(MAX_DEPTH):
        below: list[Path] = []
        for directory in level[: max(0, MAX_DIRECTORIES - count)]:
            folders, names = _scan(directory)
            below += folders
            yield directory, names
        count += len(level)
        level = below


def _scan(directory: Path) -> tuple[list[Path], list[str]]:
    """Return the directories in a directory and the names of its other entries, both sorted, without hidden ones.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with os.scandir(directory) as entries:
            found = sorted((entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith("."))
    except PermissionError:
        directories.entries(directory)  # says which directory may not be read
        raise
    folders = [directory / name for name, is_folder in found if is_folder and name not in SYSTEM_DIRECTORIES]
    return folders, [name for name, is_folder in found if not is_folder]
