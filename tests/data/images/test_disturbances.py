"""Changed copies of radiographs keep their size, and are the changes that they say."""

import numpy as np
import pytest

from xrayaug.data import phantoms
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.disturbances import EDITS


@pytest.fixture(scope="module")
def hand() -> Pixels:
    return phantoms.draw_hand(np.random.default_rng(0), 64, 48, abnormal=False)


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_changes_a_picture_and_keeps_its_size(name: str, hand: Pixels) -> None:
    before = hand.copy()
    edited = EDITS[name](hand)
    assert edited.shape == hand.shape
    assert edited.dtype == np.uint8
    assert not np.array_equal(edited, hand)
    assert np.array_equal(hand, before)


def test_edits_are_what_they_say(hand: Pixels) -> None:
    grey = np.full((40, 40), 100, np.uint8)
    framed = np.pad(grey, 2)  # an edge of 2 of 44 pixels is cut off
    assert np.unique(EDITS["20 % brighter"](grey)).tolist() == [120]
    assert np.unique(EDITS["20 % brighter"](np.full((4, 4), 250, np.uint8))).tolist() == [255]
    assert np.unique(EDITS["5 % cropped at each side"](framed)).tolist() == [100]
    assert np.array_equal(EDITS["mirrored"](EDITS["mirrored"](hand)), hand)
    error = np.abs(EDITS["recompressed"](hand).astype(int) - hand)
    assert 0 < error.mean() < 3
