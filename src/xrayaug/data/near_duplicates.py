"""Copies within a dataset that are not equal to the byte: told by their names, or found by their pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

import numpy as np

from xrayaug.data import duplicate_names, duplicates
from xrayaug.data.dataset import Row
from xrayaug.data.images import similarity
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.similarity import Groups
from xrayaug.options import Prepare
from xrayaug.runtime import console

ALIKE = (
    0.7  # correlation of pictures whose names may be a copy's: of 1,000 pairs of different hands less than one has it
)


@dataclass(frozen=True)
class NearCopies:
    """Groups of rows, by their places, that hold one picture in several forms."""

    by_name: list[list[int]] = field(default_factory=list)
    by_content: list[list[int]] = field(default_factory=list)
    doubtful: list[tuple[int, int]] = field(default_factory=list)  # a source and what may be its copy by their names

    @property
    def groups(self) -> list[list[int]]:
        """All of them; they may overlap."""
        return self.by_name + self.by_content


def by_name(rows: Sequence[Row], options: Prepare) -> NearCopies:
    """The near copies that names tell for certain; no picture is looked at."""
    if options.duplicates == "exact":
        return NearCopies()
    return NearCopies(duplicate_names.named_copies([row.file for row in rows]).certain)


def find(rows: Sequence[Row], pictures: Pixels, options: Prepare) -> NearCopies:
    """The near copies among the rows.

    Args:
        rows: one for each picture, in order.
        pictures: uint8 `[N, S, S]`; of fewer than 32 pixels a side only their names are looked at.
        options: the command.
    """
    if options.duplicates == "exact":
        return NearCopies()
    named = duplicate_names.named_copies([row.file for row in rows])
    if similarity.threshold(options.size) is None:
        console.say(f"--size {options.size} is too small to look for near copies; names alone tell which there are")
        return NearCopies(named.certain, doubtful=named.worded)
    with console.progress(len(rows), "near copies") as advance:
        found = similarity.groups(pictures, advance)
    alike = [group for members in named.possible for group in _alike(members, pictures)]
    return NearCopies(named.certain + alike, found.several(), named.worded)


def report(rows: Sequence[Row], found: NearCopies, options: Prepare) -> dict[str, Any]:
    """Count near copies and warn of them; across splits they are an error, unless the user chose otherwise.

    Raises:
        DataError: near copies are in two splits that the set itself names.
    """
    told = [_unequal(rows, group) for group in (found.by_name, found.by_content)]
    for groups, how in zip(
        told, ("names", "content, whatever their compression, size, brightness and turns"), strict=True
    ):
        _warn(groups, how, drawn_whole=options.split_by == "patient")
    together = Groups(len(rows))
    for first, *others in found.groups:
        for other in others:
            together.join(first, other)
    groups = _unequal(rows, together.several())
    across = [group for group in groups if len({row.split for row in group}) > 1]
    contradicting = sum(len({row.label for row in group}) > 1 for group in groups)
    if contradicting:
        console.warn(f"near copies of {contradicting} pictures bear both labels")
    _warn_of_doubtful(rows, [pair for pair in found.doubtful if together.first[pair[0]] != together.first[pair[1]]])
    if across:
        duplicates.judge_across_splits(across, options, "is a near copy of")
    return {
        "pictures": len(groups),
        "images": sum(map(len, groups)),
        "by_name": len(told[0]),
        "by_content": len(told[1]),
        "across_splits": len(across),
        "with_both_labels": contradicting,
        "threshold": None if options.duplicates == "exact" else similarity.threshold(options.size),
    }


def _alike(members: Sequence[int], pictures: Pixels) -> list[list[int]]:
    """The groups of alike pictures among files whose names may be those of copies; the source, if any, comes first."""
    few = len(members) <= duplicate_names.MOST_COPIES
    places = range(len(members))
    pairs = np.array(list(combinations(places, 2) if few else product([0], places[1:])), np.intp)
    correlations = similarity.correlations(pictures, np.array(members, np.intp)[pairs])
    found = Groups(len(members))
    for one, other in pairs[correlations >= ALIKE].tolist():
        found.join(one, other)
    return [[members[place] for place in group] for group in found.several()]


def _unequal(rows: Sequence[Row], groups: list[list[int]]) -> list[list[Row]]:
    """The rows of the groups whose pictures are not all equal: those are reported as such."""
    found = [[rows[place] for place in group] for group in groups]
    return [group for group in found if len({row.sha256 for row in group}) > 1]


def _warn(groups: list[list[Row]], how: str, *, drawn_whole: bool) -> None:
    if groups:
        first, second = groups[0][:2]
        count = f"{sum(map(len, groups))} images are near copies of {len(groups)} pictures by their {how}"
        whole = "a split that is drawn takes all of them or none" if drawn_whole else "--split-by image may part them"
        console.warn(f"{count}, such as {first.file} and {second.file}; {whole}")


def _warn_of_doubtful(rows: Sequence[Row], pairs: Sequence[tuple[int, int]]) -> None:
    """Warn of files that bear the name of a copy and are in another split than their source."""
    parted = [(rows[one], rows[other]) for one, other in pairs if rows[one].split != rows[other].split]
    if parted:
        source, copy = parted[0]
        console.warn(
            f"{len(parted)} images bear the names of copies of pictures in other splits, such as {copy.file} "
            f"({copy.split}) of {source.file} ({source.split}); nothing else tells whether they are"
        )
