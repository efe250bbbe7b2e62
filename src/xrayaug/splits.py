"""Draw a share of images at random: stratified by label, whole groups at a time, seeded, nested.

Used to hold out validation and test images (groups are patients, or single images as in the thesis) and to keep a
fraction of the real training set.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from fractions import Fraction

import numpy as np


def share(percent_or_fraction: float, of: int, *, whole: int = 1) -> int:
    """`fraction * of / whole` rounded to nearest, half going up (Python's `round` sends 1826.5 to 1826).

    The number is taken as it is written in decimal: 0.1 is one tenth, not the nearest binary fraction.
    """
    exact = Fraction(str(percent_or_fraction)) * of / whole
    return int(exact + Fraction(1, 2))  # not negative, so truncation is floor


def draw(groups: Sequence[Hashable], labels: Sequence[str], fraction: float, seed: int | Sequence[int]) -> set[int]:
    """Indices of about `fraction` of the images, in whole groups, with about the same share of every label.

    Groups are stratified by the set of labels they hold (normal only, abnormal only, both). In each stratum a seeded
    order is fixed and groups are taken from its start until the share is met as nearly as can be, so that a smaller
    fraction is a subset of a larger one. With every image its own group the counts are exact.

    Args:
        groups: the group of each image, `[N]`.
        labels: the label of each image, `[N]`.
        fraction: in [0, 1].
        seed: of the order.
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
        wanted = share(fraction, sum(map(len, stratum)))
        order = [stratum[place] for place in random.permutation(len(stratum))]
        drawn.update(_prefix(order, wanted))
    return drawn


def _prefix(groups: list[list[int]], wanted: int) -> list[int]:
    """The first groups, as many as bring the count nearest to `wanted`."""
    taken: list[int] = []
    for group in groups:
        if abs(len(taken) + len(group) - wanted) > abs(len(taken) - wanted) or len(taken) >= wanted:
            break
        taken += group
    return taken
