"""Public sets without a list: what the paths of their images tell."""

import re
from collections.abc import Callable, Iterable

from xrayaug.data.parsing.image_index import ImageIndex
from xrayaug.data.parsing.public_sets import ListedImage, PublicSet, make_listing
from xrayaug.data.sources import Listing
from xrayaug.errors import InputError
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
        DataError: a finding or condition is not known.
    """
    index = ImageIndex(options.input, whole_path)
    matches = [match for file in index.files if (match := re.search(pattern, file))]
    if not matches:
        raise InputError(
            f"{options.input} holds no image named as in the set '{facts.name}', among {len(index.files)} images",
            "point --input at the directory that holds the set",
        )
    return make_listing(options, facts, map(parse, matches), notes=notes, index=index)
