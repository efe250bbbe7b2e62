"""Split images into training, validation and test, and draw random shares: stratified by label, in whole groups,
seeded and nested.

Drawn are the validation and test images that are held out (groups are patients, or single images as in the thesis), and
the fraction of the real training set that is kept.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from xrayaug.data import duplicates
from xrayaug.data.dataset import Row
from xrayaug.errors import DataError
from xrayaug.options import Prepare

DEFAULT_HOLDOUT = 0.1  # as in the thesis, if there are two classes to validate a classifier on
TEST, VALID = range(2)  # purposes of random streams


def assign(
    rows: list[Row],
    options: Prepare,
    blank: frozenset[str] = frozenset(),
    near_copies: Iterable[Sequence[int]] = (),
) -> list[Row]:
    """Assign every row to a split: that of the set, or one drawn from the rest by `--test` and `--holdout`.

    Synthetic images are all in `train` already, and stay there.

    Args:
        rows: the rows of a raw set; `split` is empty for an image without a split of its own.
        options: the shares, the seed, and whether patients stay together.
        blank: sha256 of pictures that are equal without being copies.
        near_copies: groups of rows, by their indices, that are near duplicates.

    Raises:
        DataError: a share of a split is asked for that the set has already.
    """
    if options.synthetic:
        return rows
    groups = _groups(rows, options.split_by, blank, near_copies)
    own_splits = {row.split for row in rows}
    for name, wanted in (("test", options.test), ("valid", options.holdout)):
        if wanted and name in own_splits:
            flag = "--test" if name == "test" else "--holdout"
            raise DataError(f"the set has {name} images of its own; {flag} {wanted:g} would add to them", f"{flag} 0")
    holdout = options.holdout
    if holdout is None:
        holdout = DEFAULT_HOLDOUT if len({row.label for row in rows}) > 1 and "valid" not in own_splits else 0.0
    rows = [row if row.split else replace(row, split="train") for row in rows]
    rows = _move(rows, groups, "test", options.test, (options.seed, TEST))
    rows = _move(rows, groups, "valid", holdout, (options.seed, VALID))
    return _with_each_label(rows, groups, options.seed) if holdout else rows


def round_share(percent_or_fraction: float, of: int, *, whole: int = 1) -> int:
    """Return `fraction * of / whole` rounded to nearest, halves up (Python's `round` sends 1826.5 to 1826).

    The number is taken as it is written in decimal: 0.1 is one tenth, not the nearest binary fraction.
    """
    exact = Fraction(str(percent_or_fraction)) * of / whole
    return int(exact + Fraction(1, 2))  # not negative, so truncation is floor


def draw(groups: Sequence[Hashable], labels: Sequence[str], fraction: float, seed: int | Sequence[int]) -> set[int]:
    """Draw about `fraction` of the images, in whole groups, with about the same share of every label, by index.

    Groups are stratified by the set of labels they hold (normal only, abnormal only, both). In each stratum a seeded
    order is fixed and groups are taken from its start until the share is met as nearly as can be, so that a smaller
    fraction is a subset of a larger one. With every image its own group the counts are exact.

    Args:
        groups: the group of each image, `[N]`.
        labels: the label of each image, `[N]`.
        fraction: share of the images to draw, in [0, 1].
        seed: seed of the random order.
    """
    members: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    strata: defaultdict[tuple[str, ...], list[list[int]]] = defaultdict(list)
    for indices in members.values():
        strata[tuple(sorted({labels[index] for index in indices}))].append(indices)
    random = np.random.default_rng(seed)
    drawn: set[int] = set()
    for _, stratum in sorted(strata.items()):
        wanted = round_share(fraction, sum(map(len, stratum)))
        order = [stratum[place] for place in random.permutation(len(stratum))]
        drawn.update(_prefix(order, wanted))
    return drawn


def _prefix(groups: list[list[int]], wanted: int) -> list[int]:
    """Return the members of the first groups, so that their number is nearest to `wanted`."""
    members: list[int] = []
    for group in groups:
        if abs(len(members) + len(group) - wanted) > abs(len(members) - wanted) or len(members) >= wanted:
            break
        members += group
    return members


def _move(rows: list[Row], groups: list[Hashable], split: str, fraction: float, seed: tuple[int, int]) -> list[Row]:
    """Move a share of the training rows, in whole groups, to another split."""
    training = [place for place, row in enumerate(rows) if row.split == "train"]
    drawn = draw([groups[p] for p in training], [rows[p].label for p in training], fraction, seed)
    moved = {training[index] for index in drawn}
    return [replace(row, split=split) if place in moved else row for place, row in enumerate(rows)]


def _with_each_label(rows: list[Row], groups: list[Hashable], seed: int) -> list[Row]:
    """Move a group to validation for each label that has none there, but two groups or more in training.

    In sets so small that a label's share of the hold-out rounds to nothing, a classifier could else not be trained.
    Where there is one label alone, nothing is validated, and the share stays what it is.
    """
    labels = sorted({row.label for row in rows})
    for label in labels if len(labels) > 1 else ():
        if any(row.split == "valid" and row.label == label for row in rows):
            continue
        members: defaultdict[Hashable, set[str]] = defaultdict(set)
        for row, group in zip(rows, groups, strict=True):
            if row.split == "train":
                members[group].add(row.label)
        holding = [group for group, held in members.items() if label in held]
        if len(holding) < 2:
            continue
        fewest = min(len(members[group]) for group in holding)  # of this label alone, if there is such a one
        choice = [group for group in holding if len(members[group]) == fewest]
        chosen = choice[np.random.default_rng((seed, VALID, labels.index(label))).integers(len(choice))]
        moves = (row.split == "train" and group == chosen for row, group in zip(rows, groups, strict=True))
        rows = [replace(row, split="valid") if is_moved else row for row, is_moved in zip(rows, moves, strict=True)]
    return rows


def _groups(
    rows: list[Row], split_by: str, blank: frozenset[str], near_copies: Iterable[Sequence[int]]
) -> list[Hashable]:
    """Return the group of each row: images of a patient and of patients with equal images; or single images."""
    if split_by == "image":
        return list(range(len(rows)))
    parent: dict[Hashable, Hashable] = {}

    def root(node: Hashable) -> Hashable:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    repeated = duplicates.find_repeated(rows, blank)
    for row in rows:
        if row.sha256 in repeated:
            parent[root(("patient", row.patient))] = root(("pixels", row.sha256))
    for first, *others in near_copies:
        for other in others:
            parent[root(("patient", rows[other].patient))] = root(("patient", rows[first].patient))
    return [root(("patient", row.patient)) for row in rows]
