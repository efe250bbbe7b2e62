"""A dose is divided among several synthetic datasets by their shares."""

from itertools import pairwise

import pytest

from xrayaug.data import synthetic_sets


@pytest.mark.parametrize(
    "shares", [(1, 1), (0.5, 0.5), (3, 1), (0.2, 0.3, 0.5), (1, 1, 1), (0.7, 0.1, 0.1, 0.1), (90, 4, 3, 2, 1)]
)
def test_allotted_numbers_follow_the_shares_and_nest(shares: tuple[float, ...]) -> None:
    orders = [synthetic_sets.allot(shares, count) for count in range(120)]
    for smaller, larger in pairwise(orders):
        assert larger[: len(smaller)] == smaller
    for count, order in enumerate(orders):
        for place, share in enumerate(shares):
            assert abs(order.count(place) - count * share / sum(shares)) < 1 - 1e-9


def test_one_set_is_allotted_everything() -> None:
    assert synthetic_sets.allot([0.3], 3) == [0, 0, 0]
