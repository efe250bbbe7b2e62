"""Controls repeat every real image before one a second time, nest, and shuffle labels without changing their counts."""

from collections import Counter

import pytest
from builders import row

from xrayaug.data import controls
from xrayaug.errors import DataError

REAL = [row(row=place, label="normal" if place < 5 else "abnormal", file=f"{place}.png") for place in range(8)]


def test_images_are_taken_again_in_turn() -> None:
    found = controls.duplicate_rows(REAL, {"normal": 12, "abnormal": 2}, seed=0)
    assert Counter(each.label for each in found) == {"normal": 12, "abnormal": 2}
    assert [each.copy for each in found] == [1] * 5 + [2] * 5 + [3] * 2 + [1] * 2
    assert {each.file for each in found[:5]} == {f"{place}.png" for place in range(5)}
    assert len({(each.row, each.copy) for each in found}) == len(found)
    assert not any(each.synthetic for each in found)


def test_fewer_are_among_more_and_the_seed_decides_which() -> None:
    few, many, other = (
        controls.duplicate_rows(REAL, {"normal": number}, seed) for number, seed in ((3, 0), (5, 0), (5, 1))
    )
    assert few == many[:3]
    assert many != other


def test_a_label_that_is_not_there_cannot_be_taken_again() -> None:
    with pytest.raises(DataError, match="no abnormal training image"):
        controls.duplicate_rows(REAL[:5], {"abnormal": 1}, seed=0)


def test_more_real_images_are_others_of_the_wanted_labels_and_nest() -> None:
    few, many = (controls.draw_more_real(REAL, {"normal": number, "abnormal": 2}, seed=0) for number in (2, 5))
    assert Counter(each.label for each in few) == {"normal": 2, "abnormal": 2}
    assert {each.file for each in few} <= {each.file for each in many}
    assert all(each.copy == 1 and each.is_added and not each.synthetic for each in few)


def test_too_few_left_out_images_are_counted() -> None:
    with pytest.raises(DataError, match="6 normal real images"):
        controls.draw_more_real(REAL, {"normal": 6}, seed=0)


def test_labels_are_dealt_out_anew() -> None:
    added = [row(row=place, label="normal" if place % 3 else "abnormal", synthetic=True) for place in range(60)]
    found = controls.shuffle_labels(added, seed=0)
    assert [each.row for each in found] == [each.row for each in added]
    assert Counter(each.label for each in found) == Counter(each.label for each in added)
    kept = sum(one.label == other.label for one, other in zip(found, added, strict=True))
    assert kept < 50
    assert found == controls.shuffle_labels(added, seed=0) != controls.shuffle_labels(added, seed=1)


def test_one_label_cannot_be_shuffled() -> None:
    with pytest.raises(DataError, match=r"--control shuffle .* normal"):
        controls.shuffle_labels([row(synthetic=True)] * 3, seed=0)
