"""Find and report images of equal pixels in a dataset, by the sha256 of their pixels.

Blank images, of one grey level, are equal without being copies; callers pass their hashes.
"""

from collections import defaultdict
from collections.abc import Iterable, Set

from xrayaug.data.dataset import Row
from xrayaug.errors import DataError
from xrayaug.options import Prepare
from xrayaug.runtime import console


def find_repeated(rows: Iterable[Row], blank: Set[str]) -> set[str]:
    """Return the sha256 of images in more than one row, except for `blank` images and rows without sha256."""
    seen: set[str] = set()
    again: set[str] = set()
    for row in rows:
        (again if row.sha256 in seen else seen).add(row.sha256)
    return again - {""} - blank


def report(rows: list[Row], options: Prepare, blank: Set[str]) -> dict[str, int]:
    """Count equal images and warn of them; across splits they are an error, unless the user chose otherwise.

    Raises:
        DataError: an image is in two splits.
    """
    repeated = find_repeated(rows, blank)
    copies: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.sha256 in repeated:
            copies[row.sha256].append(row)
    equal = list(copies.values())
    across = [group for group in equal if len({row.split for row in group}) > 1]
    contradicting = sum(len({row.label for row in group}) > 1 for group in equal)
    if equal:
        first, second = equal[0][:2]
        console.warning(f"{len(equal)} pictures occur more than once, such as {first.file} and {second.file}")
    if contradicting:
        console.warning(f"{contradicting} of them have both labels")
    if across:
        check_across_splits(across, options, "is")
    return {"pictures": len(equal), "across_splits": len(across), "with_both_labels": contradicting}


def check_across_splits(across: list[list[Row]], options: Prepare, relation: str) -> None:
    """Refuse copies that are in two splits, or warn of them if the user chose so.

    Args:
        across: groups of rows, one for each image in two splits.
        options: options of the command, with the choice of the user.
        relation: relation of one row of a group to another, for the message.

    Raises:
        DataError: copies are in two splits, and the user did not allow it.
    """
    first = across[0][0]
    second = next(row for row in across[0] if row.split != first.split)
    line = (
        f"{len(across)} pictures are in two splits: "
        f"{first.file} ({first.split}) {relation} {second.file} ({second.split})"
    )
    only_held_out = all("test" not in {row.split for row in group} for group in across)
    if options.duplicates == "warn" or (options.split_by == "image" and only_held_out):
        console.warning(f"{line}; scores will be too high")
    else:
        raise DataError(line, "remove the copies, or go on with --duplicates warn")
