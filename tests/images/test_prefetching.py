"""What is begun ahead comes in order, and no further ahead than is said."""

from collections.abc import Iterator

import pytest

from xrayaug.images import prefetching


@pytest.mark.parametrize("ahead", [0, 1, 3, 9])
def test_things_come_in_order_and_so_many_are_begun_before_they_are_taken(ahead: int) -> None:
    begun: list[int] = []

    def things() -> Iterator[int]:
        for number in range(6):
            begun.append(number)
            yield number

    for place, thing in enumerate(prefetching.begun_ahead(things(), ahead)):
        assert thing == place
        assert len(begun) == min(6, place + 1 + ahead)
