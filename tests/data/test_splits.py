"""Shares round half up; draws are stratified, seeded, nested and keep groups whole; every image gets a split."""

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from xrayaug.data.dataset import Row
from xrayaug.data.splits import assign, draw, round_share
from xrayaug.errors import DataError
from xrayaug.options import Prepare

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
    assert round_share(percent, of, whole=100) == wanted


@pytest.mark.parametrize(("fraction", "of", "wanted"), [(0.1, 4059, 406), (0.1, 1484, 148), (0.1, 5, 1), (0.1, 4, 0)])
def test_half_of_a_fraction_goes_up(fraction: float, of: int, wanted: int) -> None:
    assert round_share(fraction, of) == wanted


def test_fractions_are_taken_as_written() -> None:
    assert round_share(0.35, 10) == 4  # 3.5; the nearest binary fraction of 0.35 is below it
    assert round_share(1e-05, 50_000) == 1


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


def command(**given: Any) -> Prepare:
    return Prepare(**{"input": Path("raw"), "out": Path("out"), **given})


def rows_of(count: int, patients: int, pictures: int, split: str = "") -> list[Row]:
    """Return rows of patients and of pictures in turn; every other one is abnormal."""
    return [
        Row("images.npy", place, split, ("abnormal", "normal")[place % 2], f"p{place % patients}", "", "folder", False,
            f"{place}.png", f"picture {place % pictures}")
        for place in range(count)
    ]  # fmt: skip


def split_of(rows: list[Row], column: str) -> dict[str, set[str]]:
    """The splits of each value of that column."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        found[getattr(row, column)].add(row.split)
    return found


def test_patients_stay_together() -> None:
    rows = assign(rows_of(120, patients=30, pictures=120), command(holdout=0.3, test=0.2))
    assert all(len(splits) == 1 for splits in split_of(rows, "patient").values())
    assert {row.split for row in rows} == {"train", "valid", "test"}
    apart = assign(rows_of(120, patients=30, pictures=120), command(holdout=0.3, test=0.2, split_by="image"))
    assert any(len(splits) > 1 for splits in split_of(apart, "patient").values())


def test_patients_who_share_a_picture_are_held_out_together() -> None:
    """A random split never separates copies; blank pictures are no copies."""
    given = rows_of(40, patients=40, pictures=20)
    rows = assign(given, command(holdout=0.5))
    assert all(len(splits) == 1 for splits in split_of(rows, "sha256").values())
    assert Counter(row.split for row in rows) == {"train": 20, "valid": 20}
    blank = assign(given, command(holdout=0.5), frozenset(row.sha256 for row in given))
    assert any(len(splits) > 1 for splits in split_of(blank, "sha256").values())


@pytest.mark.parametrize("flag", ["holdout", "test"])
def test_a_split_that_the_set_names_is_kept_and_not_added_to(flag: str) -> None:
    split = {"holdout": "valid", "test": "test"}[flag]
    given = [*rows_of(20, 20, 20), *rows_of(2, 2, 2, split)]
    assert [row.split for row in assign(given, command())][-2:] == [split] * 2
    with pytest.raises(DataError, match=f"the set has {split} images of its own"):
        assign(given, command(**{flag: 0.1}))


def splits_by_label(rows: list[Row]) -> dict[str, Counter[str]]:
    return {label: Counter(row.split for row in rows if row.label == label) for label in ("normal", "abnormal")}


@pytest.mark.parametrize("count", range(4, 41, 2))
@pytest.mark.parametrize("holdout", [None, 0.01, 0.1])
def test_small_sets_validate_each_label(count: int, holdout: float | None) -> None:
    found = splits_by_label(assign(rows_of(count, count, count), command(holdout=holdout)))
    assert all(
        of["valid"] == max(1, round_share(0.1 if holdout is None else holdout, count // 2)) for of in found.values()
    )
    assert all(of["train"] >= 1 for of in found.values())


def test_large_patients_are_held_out_whole_where_none_would_be() -> None:
    given = [replace(row, patient=f"p{place // 6}{row.label}") for place, row in enumerate(rows_of(24, 24, 24))]
    rows = assign(given, command())  # four patients of three images for each label, and a share of one image
    assert splits_by_label(rows) == {label: Counter(train=9, valid=3) for label in ("normal", "abnormal")}
    assert all(len(splits) == 1 for splits in split_of(rows, "patient").values())


def test_the_only_patient_of_a_label_stays_in_training() -> None:
    given = [replace(row, patient="p" if row.label == "abnormal" else row.patient) for row in rows_of(10, 10, 10)]
    found = splits_by_label(assign(given, command()))
    assert found == {"normal": Counter(train=4, valid=1), "abnormal": Counter(train=5)}


def test_one_label_and_no_hold_out_validate_nothing() -> None:
    one = [row for row in rows_of(8, 8, 8) if row.label == "normal"]
    assert {row.split for row in assign(one, command(holdout=0.1))} == {"train"}
    assert {row.split for row in assign(rows_of(10, 10, 10), command(holdout=0.0))} == {"train"}


def test_patients_of_both_labels_stand_for_either() -> None:
    given = [replace(row, patient=f"p{place // 2}") for place, row in enumerate(rows_of(6, 6, 6))]
    found = splits_by_label(assign(given, command()))
    assert found == {label: Counter(train=2, valid=1) for label in ("normal", "abnormal")}
