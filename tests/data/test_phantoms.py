"""Phantom radiographs are reproducible, of the size asked for, and have the grey levels of radiographs."""

import numpy as np
import numpy.typing as npt
import pytest

from xrayaug.data.phantoms import draw_hand

HEIGHT, WIDTH = 200, 160


def hand(seed: int, *, abnormal: bool = False, left: bool = True, finding_size: float = 1) -> npt.NDArray[np.uint8]:
    """A phantom of the usual test size."""
    random = np.random.default_rng(seed)
    return draw_hand(random, HEIGHT, WIDTH, abnormal=abnormal, left=left, finding_size=finding_size)


@pytest.mark.parametrize("abnormal", [False, True])
def test_same_generator_state_gives_same_bytes(abnormal: bool) -> None:
    """Determinism is what makes a run with phantoms repeatable."""
    assert hand(7, abnormal=abnormal).tobytes() == hand(7, abnormal=abnormal).tobytes()


def test_seeds_give_different_hands() -> None:
    """And a single generator gives a new hand with each call."""
    assert not np.array_equal(hand(0), hand(1))
    rng = np.random.default_rng(0)
    first, second = (draw_hand(rng, HEIGHT, WIDTH, abnormal=False) for _ in range(2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("shape", [(32, 32), (37, 53), (53, 37), (32, 300), (301, 32), (512, 400)])
@pytest.mark.parametrize("abnormal", [False, True])
def test_any_size(shape: tuple[int, int], abnormal: bool) -> None:
    """Odd and elongated sizes work and are not blank."""
    for seed in range(3):
        image = draw_hand(np.random.default_rng(seed), *shape, abnormal=abnormal)
        assert image.shape == shape
        assert image.dtype == np.uint8
        assert image.std() > 5


def test_right_hand_mirrors_left() -> None:
    """The mirrored right hand matches the left one, but for noise and the marker."""
    left, right = (hand(3, left=side).astype(float) for side in (True, False))
    assert not np.array_equal(left, right)
    middle = slice(HEIGHT // 4, 3 * HEIGHT // 4)  # clear of the marker
    as_drawn = np.abs(left - right)[middle].mean()
    mirrored = np.abs(left - right[:, ::-1])[middle].mean()
    assert mirrored < 0.4 * as_drawn


def test_injury_changes_part_of_the_same_hand() -> None:
    """From one generator state, the injured hand differs visibly, yet over a minor part of the image."""
    for seed in range(12):
        change = np.abs(hand(seed, abnormal=True).astype(float) - hand(seed))
        assert change.max() > 30, seed
        assert 0.001 < (change > 10).mean() < 0.25, seed


def test_injuries_include_metal_and_fractures() -> None:
    """Some injuries add much saturated metal, others none."""
    added = [int((hand(seed, abnormal=True) > 245).sum()) - int((hand(seed) > 245).sum()) for seed in range(16)]
    assert max(added) > 40
    assert min(added) < 10


def test_a_larger_finding_changes_more_of_the_hand_and_nothing_of_a_normal_one() -> None:
    def changed(size: float) -> float:
        return float(
            np.mean([np.abs(hand(seed, abnormal=True, finding_size=size) - drawn[seed]) > 10 for seed in drawn])
        )

    drawn = {seed: hand(seed).astype(float) for seed in range(6)}
    assert changed(0.3) < changed(1) < changed(3)
    assert np.array_equal(hand(0, finding_size=3), hand(0))


def test_grey_levels() -> None:
    """Background is dark, soft tissue dim, bone bright, over a sample of hands."""
    images = np.stack([hand(seed) for seed in range(16)])
    border = np.concatenate([images[:, 0], images[:, :, 0], images[:, :, -1]], axis=1)
    assert np.median(np.median(border, axis=1)) < 40
    low, middle, high = np.percentile(images, [10, 70, 97], axis=(1, 2))
    assert (low < middle).all()
    assert (high > middle + 40).all()
    assert 40 < np.median(high) < 250
