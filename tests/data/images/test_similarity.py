"""Near copies are found whatever was done to them, and different pictures are not taken for them."""

import io
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from PIL import Image

from xrayaug.data.images import similarity
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.stack import Stack

SIZE = 48


def jpeg(grey: Pixels) -> Pixels:
    written = io.BytesIO()
    Image.fromarray(grey).save(written, "JPEG", quality=60)
    return np.asarray(Image.open(written))


def half(grey: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(grey).resize((SIZE // 2, SIZE // 2)).resize((SIZE, SIZE)))


def smooth(seed: int, size: int = SIZE) -> Pixels:
    """Return an image of large and small structures, unlike those of other seeds."""
    random = np.random.default_rng(seed)
    layers = [
        np.asarray(Image.fromarray(random.normal(0, edge**-0.5, (edge, edge)).astype(np.float32)).resize((size, size)))
        for edge in (4, 8, 16, 24)
    ]
    grey = np.sum(layers, axis=0)
    return np.asarray((grey - grey.min()) / np.ptp(grey) * 180 + 20).astype(np.uint8)


CHANGES: dict[str, Callable[[Pixels], Pixels]] = {
    "compressed": jpeg,
    "resized": half,
    "mirrored": lambda grey: grey[:, ::-1],
    "upside down": lambda grey: grey[::-1],
    **{f"turned {turns} times": partial(np.rot90, k=turns) for turns in (1, 2, 3)},
    "turned and mirrored": lambda grey: np.rot90(grey)[:, ::-1],
    "brighter": lambda grey: np.minimum(grey * 1.2, 255).astype(np.uint8),
    "less contrast": lambda grey: (grey * 0.8 + 25).astype(np.uint8),
    "gamma": lambda grey: (255 * (grey / 255) ** 0.8).astype(np.uint8),
    "all at once": lambda grey: jpeg(np.ascontiguousarray(np.rot90((grey * 0.8 + 25).astype(np.uint8))[:, ::-1])),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_near_duplicates_are_found_after_each_change(change: Callable[[Pixels], Pixels]) -> None:
    originals = [smooth(seed) for seed in range(5)]
    stacked = np.stack([*originals, change(originals[3])])
    assert similarity.group_near_duplicates(stacked).groups() == [[3, 5]]


@pytest.mark.parametrize("size", [32, 33, 40, 100])
def test_random_pictures_are_no_copies(size: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, size, size)).astype(np.uint8)
    assert similarity.group_near_duplicates(noise).groups() == []
    assert similarity.group_near_duplicates(np.concatenate([noise, noise[7:8, :, ::-1]])).groups() == [[7, 300]]


def test_blank_and_nearly_blank_pictures_are_no_copies() -> None:
    blank = np.repeat(np.arange(0, 200, 10, dtype=np.uint8), SIZE * SIZE).reshape(-1, SIZE, SIZE).copy()
    blank[3, 5, 5] += 1
    blank[4, 5, 5] += 1
    assert similarity.group_near_duplicates(blank).groups() == []


def test_the_block_size_does_not_change_the_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    originals = np.stack([smooth(seed) for seed in range(20)])
    stacked = np.concatenate([originals, originals[[4, 17, 4]][:, ::-1], originals[:1]])
    steps: list[int] = []
    expected = [[0, 23], [4, 20, 22], [17, 21]]
    assert similarity.group_near_duplicates(stacked, steps.append).groups() == expected
    monkeypatch.setattr(similarity, "BLOCK", 8)
    monkeypatch.setattr(similarity, "PAIRS", 2)
    assert similarity.group_near_duplicates(stacked, steps.append).groups() == expected
    assert sum(steps) == 2 * len(stacked)


def test_correlations_are_those_of_the_form_that_fits_best() -> None:
    one, other = smooth(0), smooth(1)
    found = similarity.best_correlations(np.stack([one, np.rot90(one), other]), np.array([[0, 1], [0, 2], [1, 2]]))
    assert found[0] == pytest.approx(1, abs=1e-4)
    assert abs(found[1]) < 0.5
    assert found[1] == pytest.approx(found[2], abs=1e-4)


def test_small_pictures_are_not_compared() -> None:
    assert [similarity.near_duplicate_threshold(size) for size in (16, 31, 32, 500)] == [None, None, 0.97, 0.97]
    with pytest.raises(ValueError, match="too small"):
        similarity.group_near_duplicates(np.zeros((2, 31, 31), np.uint8))


def test_a_chain_of_copies_is_one_group() -> None:
    groups = similarity.DisjointSets(6)
    for one, other in ((4, 5), (1, 4), (2, 5)):
        groups.join(one, other)
    assert groups.groups() == [[1, 2, 4, 5]]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("size", [SIZE, 2 * SIZE])
def test_images_are_compared_with_references_of_any_size(change: Callable[[Pixels], Pixels], size: int) -> None:
    references = np.stack([smooth(seed, size) for seed in range(5)])
    shrunk = np.asarray(Image.fromarray(references[3]).resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    images = np.stack([smooth(11), change(shrunk), smooth(12)])
    found = similarity.has_near_duplicate(stack_of(images), stack_of(references))
    assert found.tolist() == [False, True, False]


def test_blocks_of_images_and_references_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "BLOCK", 8)
    monkeypatch.setattr(similarity, "PAIRS", 1)
    images = np.stack([smooth(seed) for seed in range(20)])
    references = np.stack([smooth(seed) for seed in (*range(30, 39), 19, 0, 8, 7)])
    found = similarity.has_near_duplicate(stack_of(images), stack_of(references))
    assert np.flatnonzero(found).tolist() == [0, 7, 8, 19]


def test_blank_images_are_no_near_duplicates() -> None:
    blank = np.full((2, SIZE, SIZE), 7, np.uint8)
    assert not similarity.has_near_duplicate(stack_of(blank), stack_of(blank)).any()


def test_references_that_are_too_small_are_refused() -> None:
    with pytest.raises(ValueError, match="too small"):
        similarity.has_near_duplicate(stack_of(smooth(0)[None]), stack_of(smooth(0, 31)[None]))


def stack_of(images: Pixels) -> Stack:
    count = len(images)
    return Stack([images], np.zeros(count, np.int32), np.arange(count), images.shape[1:])
