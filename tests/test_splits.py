"""Shares round half up; draws are stratified, seeded, nested and keep groups whole."""

from collections import Counter
from itertools import pairwise

import pytest

from xrayaug.splits import draw, share

FRACTIONS = (0.0, 0.1, 0.25, 0.5, 0.9, 1.0)


def patients(count: int) -> tuple[list[str], list[str]]:
    """Groups and labels: one to four images each; every third abnormal, every seventh of both labels."""
    groups: list[str] = []
    labels: list[str] = []
    for patient in range(count):
        for image in range(1 + patient % 4):
            groups.append(f"p{patient}")
            both = patient % 7 == 0 and image % 2 == 1
            labels.append("abnormal" if patient % 3 == 0 or both else "normal")
    return groups, labels


@pytest.mark.parametrize(
    ("percent", "of", "wanted"), [(0, 3653, 0), (10, 3653, 365), (50, 3653, 1827), (100, 3653, 3653), (0.5, 100, 1)]
)
def test_half_of_a_percentage_goes_up(percent: float, of: int, wanted: int) -> None:
    assert share(percent, of, whole=100) == wanted


@pytest.mark.parametrize(("fraction", "of", "wanted"), [(0.1, 4059, 406), (0.1, 1484, 148), (0.1, 5, 1), (0.1, 4, 0)])
def test_half_of_a_fraction_goes_up(fraction: float, of: int, wanted: int) -> None:
    assert share(fraction, of) == wanted


def test_fractions_are_taken_as_written() -> None:
    assert share(0.35, 10) == 4  # 3.5; the nearest binary fraction of 0.35 is below it
    assert share(1e-05, 50_000) == 1


def test_single_images_are_drawn_exactly() -> None:
    labels = ["normal"] * 4059 + ["abnormal"] * 1484
    drawn = draw(range(len(labels)), labels, 0.1, 0)
    assert Counter(labels[index] for index in drawn) == {"normal": 406, "abnormal": 148}


@pytest.mark.parametrize("by_image", [True, False])
def test_smaller_draws_are_part_of_larger_ones(by_image: bool) -> None:
    groups, labels = patients(60)
    drawn = [draw(range(len(labels)) if by_image else groups, labels, fraction, 3) for fraction in FRACTIONS]
    assert all(smaller <= larger for smaller, larger in pairwise(drawn))
    assert drawn[0] == set()
    assert drawn[-1] == set(range(len(labels)))


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_groups_stay_whole(fraction: float) -> None:
    groups, labels = patients(60)
    drawn = draw(groups, labels, fraction, 1)
    taken = {groups[index] for index in drawn}
    assert drawn == {index for index, group in enumerate(groups) if group in taken}


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_stratified_to_within_one_group_each(seed: int) -> None:
    groups, labels = patients(200)
    drawn = draw(groups, labels, 0.25, seed)
    for label in ("normal", "abnormal"):
        all_of_it = sum(found == label for found in labels)
        # patients of one label and of both are two strata; a group holds at most 4 images
        assert abs(sum(labels[index] == label for index in drawn) - all_of_it / 4) <= 2 * 4


def test_the_seed_decides() -> None:
    groups, labels = patients(60)
    assert draw(groups, labels, 0.5, 4) == draw(groups, labels, 0.5, 4)
    assert draw(groups, labels, 0.5, 4) != draw(groups, labels, 0.5, 5)
    assert draw(groups, labels, 0.5, (4, 0)) != draw(groups, labels, 0.5, (4, 1))
