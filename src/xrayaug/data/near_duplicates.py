"""Find near duplicates in a dataset, copies whose pixels are not equal, by their names or their content."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

import numpy as np

from xrayaug.data import duplicate_names, duplicates
from xrayaug.data.dataset import Row
from xrayaug.data.images import similarity
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.similarity import DisjointSets
from xrayaug.options import Prepare
from xrayaug.runtime import console

# Minimum correlation of images whose names are possible copies; of 1,000 pairs of different hands less than 1 has it.
MIN_NAME_CORRELATION = 0.7


@dataclass(frozen=True)
class NearDuplicates:
    """Groups of rows, by their indices, that are near duplicates of each other."""

    by_name: list[list[int]] = field(default_factory=list)
    by_content: list[list[int]] = field(default_factory=list)
    unconfirmed: list[tuple[int, int]] = field(default_factory=list)  # (source, possible copy) by their names

    @property
    def groups(self) -> list[list[int]]:
        """All groups; they may overlap."""
        return self.by_name + self.by_content


def find_by_name(rows: Sequence[Row], options: Prepare) -> NearDuplicates:
    """Return the near duplicates that are certain by their names, without comparing images."""
    if options.duplicates == "exact":
        return NearDuplicates()
    return NearDuplicates(duplicate_names.find_named_duplicates([row.file for row in rows]).certain)


def find(rows: Sequence[Row], pictures: Pixels, options: Prepare) -> NearDuplicates:
    """Return the near duplicates among the rows.

    Args:
        rows: one row for each image, in order.
        pictures: the images, uint8 `[N, S, S]`; if S is less than 32, only names are compared.
        options: options of the command.
    """
    if options.duplicates == "exact":
        return NearDuplicates()
    named = duplicate_names.find_named_duplicates([row.file for row in rows])
    if similarity.near_duplicate_threshold(options.size) is None:
        console.info(f"--size {options.size} is too small to look for near copies; names alone tell which there are")
        return NearDuplicates(named.certain, unconfirmed=named.named_as_copies)
    with console.progress(len(rows), "near copies") as advance:
        sets = similarity.group_near_duplicates(pictures, advance)
    alike = [group for members in named.possible for group in _group_similar(members, pictures)]
    return NearDuplicates(named.certain + alike, sets.groups(), named.named_as_copies)


def report(rows: Sequence[Row], duplicate_groups: NearDuplicates, options: Prepare) -> dict[str, Any]:
    """Count near duplicates and warn of them; across splits they are an error, unless the user chose otherwise.

    Raises:
        DataError: near duplicates are in two splits of the set itself.
    """
    groups_by_evidence = [
        _groups_of_different_pixels(rows, group) for group in (duplicate_groups.by_name, duplicate_groups.by_content)
    ]
    for groups, how in zip(
        groups_by_evidence, ("names", "content, whatever their compression, size, brightness and turns"), strict=True
    ):
        _warn_of_groups(groups, how, options)
    together = DisjointSets(len(rows))
    for first, *others in duplicate_groups.groups:
        for other in others:
            together.join(first, other)
    groups = _groups_of_different_pixels(rows, together.groups())
    across = [group for group in groups if len({row.split for row in group}) > 1]
    contradicting = sum(len({row.label for row in group}) > 1 for group in groups)
    if contradicting:
        console.warning(f"near copies of {contradicting} pictures have both labels")
    _warn_of_unconfirmed(
        rows, [pair for pair in duplicate_groups.unconfirmed if together.first[pair[0]] != together.first[pair[1]]]
    )
    if across:
        duplicates.check_across_splits(across, options, "is a near copy of")
    return {
        "pictures": len(groups),
        "images": sum(map(len, groups)),
        "by_name": len(groups_by_evidence[0]),
        "by_content": len(groups_by_evidence[1]),
        "across_splits": len(across),
        "with_both_labels": contradicting,
        "threshold": None if options.duplicates == "exact" else similarity.near_duplicate_threshold(options.size),
    }


def _group_similar(members: Sequence[int], pictures: Pixels) -> list[list[int]]:
    """Return the groups of similar images among possible copies by name; the source, if any, comes first."""
    few = len(members) <= duplicate_names.MAX_UNSOURCED_COPIES
    places = range(len(members))
    pairs = np.array(list(combinations(places, 2) if few else product([0], places[1:])), np.intp)
    best_correlations = similarity.best_correlations(pictures, np.array(members, np.intp)[pairs])
    sets = DisjointSets(len(members))
    for one, other in pairs[best_correlations >= MIN_NAME_CORRELATION].tolist():
        sets.join(one, other)
    return [[members[place] for place in group] for group in sets.groups()]


def _groups_of_different_pixels(rows: Sequence[Row], groups: list[list[int]]) -> list[list[Row]]:
    """Return the rows of the groups whose pixels are not all equal; `duplicates` reports the others."""
    row_groups = [[rows[place] for place in group] for group in groups]
    return [group for group in row_groups if len({row.sha256 for row in group}) > 1]


def _warn_of_groups(groups: list[list[Row]], evidence: str, options: Prepare) -> None:
    if groups:
        first, second = groups[0][:2]
        count = f"{sum(map(len, groups))} images are near copies of {len(groups)} pictures by their {evidence}"
        if options.synthetic:
            consequence = "the generator may repeat itself"
        elif options.split_by == "patient":
            consequence = "a split that is drawn takes all of them or none"
        else:
            consequence = "--split-by image may part them"
        console.warning(f"{count}, such as {first.file} and {second.file}; {consequence}")


def _warn_of_unconfirmed(rows: Sequence[Row], pairs: Sequence[tuple[int, int]]) -> None:
    """Warn of files named as copies that are in another split than their source."""
    parted = [(rows[one], rows[other]) for one, other in pairs if rows[one].split != rows[other].split]
    if parted:
        source, copy = parted[0]
        console.warning(
            f"{len(parted)} images are named as copies of pictures in other splits, such as {copy.file} "
            f"({copy.split}) of {source.file} ({source.split}); their pictures do not confirm it"
        )
