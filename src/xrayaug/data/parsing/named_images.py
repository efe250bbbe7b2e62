"""Public sets without a list: what the paths of their images tell."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from xrayaug.data.parsing.image_index import ImageIndex
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet, make_listing
from xrayaug.data.sources import Listing
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare

Parse = Callable[[re.Match[str]], ListedImage]


def whole_path(path: str) -> Iterable[str]:
    """Return a path as its own key: images without a list name themselves."""
    return (path,)


def make_listing_of_names(
    options: Prepare, facts: PublicSet, pattern: str, parse: Parse, notes: Iterable[str] = ()
) -> Listing:
    """Return the images whose paths match a pattern, each described by its match; others are counted and left out.

    Args:
        options: options of prepare.
        facts: what is known of the set; its images are found by their whole path.
        pattern: regular expression that is searched in paths relative to `--input`.
        parse: returns the image that a match describes.
        notes: what the source noticed.

    Raises:
        InputError: no path matches.
        DataError: a finding or condition is not known, or there are several copies of the set.
    """
    index = ImageIndex(options.input, whole_path)
    matches = [match for file in index.files if (match := re.search(pattern, file))]
    if not matches:
        raise InputError(
            f"{options.input} holds no image named as in the set '{facts.name}', among {len(index.files)} images",
            "point --input at the directory that holds the set",
        )
    _check_copies(matches)
    return make_listing(options, facts, map(parse, matches), notes=notes, index=index)


def _check_copies(matches: Sequence[re.Match[str]]) -> None:
    """Check that no image lies there twice, such as in two sizes or in a directory that was unpacked into itself.

    Raises:
        DataError: one does.
    """
    places: defaultdict[str, list[str]] = defaultdict(list)
    for match in matches:
        places[PurePosixPath(match[0].strip("/")).with_suffix("").as_posix().casefold()].append(match.string)
    copied = [files for files in places.values() if len(files) > 1]
    if copied:
        raise DataError(
            f"{len(copied)} images are there several times, such as {' and '.join(copied[0])}",
            "point --input at the directory of one copy of the set",
        )
