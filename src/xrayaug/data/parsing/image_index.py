"""Images of a tree by the end of their paths, to find those that a list names wherever its root lies."""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from xrayaug.data.parsing import directories, image_files, non_images

Keys = Callable[[str], Iterable[str]]  # path of an image -> keys by which it is found


def last_parts(count: int) -> Keys:
    """Return the function that gives the last parts of a path, in one case and without the suffix, as its key."""

    def keys(path: str) -> Iterable[str]:
        return (_comparable("/".join(PurePosixPath(path.replace("\\", "/")).parts[-count:])),)

    return keys


class ImageIndex:
    """The images under a root, without masks and the like, by the keys of their paths."""

    def __init__(self, root: Path, keys: Keys) -> None:
        self.root = root
        pictures = list(filter(image_files.has_image_suffix, directories.walk(root)))
        self.files = non_images.filter_radiographs(pictures)
        self.masks = len(pictures) - len(self.files)  # masks, previews and the like, which are left out
        self._keys = keys
        self._found: defaultdict[str, list[str]] = defaultdict(list)
        for file in self.files:
            for key in keys(file):
                self._found[key].append(file)

    def find(self, path: str) -> list[str]:
        """Return the images that a path of a list may mean: those with its suffix if there are such, else all."""
        found = list(dict.fromkeys(file for key in self._keys(path) for file in self._found.get(key, ())))
        suffix = PurePosixPath(path).suffix.lower()
        return [file for file in found if PurePosixPath(file).suffix.lower() == suffix] or found


def _comparable(path: str) -> str:
    folded = unicodedata.normalize("NFC", path).casefold()
    return str(PurePosixPath(folded).with_suffix("")) if image_files.has_image_suffix(folded) else folded
