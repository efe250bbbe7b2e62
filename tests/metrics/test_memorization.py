"""The threshold keeps its error rate, and shifted, flipped or brightened copies are found."""

import numpy as np
import pytest
from PIL import Image

from xrayaug.data.images.arrays import Pixels
from xrayaug.metrics import memorization
from xrayaug.metrics.memorization import IMAGE_SIZE


def drawn(seed: int, count: int) -> Pixels:
    """Smooth pictures uint8 `[N, 64, 64]`, no two alike."""
    coarse = np.random.default_rng(seed).integers(40, 216, (count, 8, 8), dtype=np.uint8)
    bicubic = Image.Resampling.BICUBIC
    return np.stack([np.asarray(Image.fromarray(one).resize((IMAGE_SIZE, IMAGE_SIZE), bicubic)) for one in coarse])


def test_the_threshold_is_the_order_statistic_of_alpha() -> None:
    reference = np.arange(1.0, 200.0)  # 199 of them
    found = memorization.find_threshold(reference, 0.01)
    assert (found.k, found.value, found.n, found.rate) == (2, 2.0, 199, 0.01)
    few = memorization.find_threshold(reference[:49], 0.01)
    assert (few.k, few.value, few.rate) == (1, 1.0, 0.02)
    assert (memorization.min_reference_size(0.01), memorization.min_reference_size(0.05)) == (99, 19)
    assert memorization.find_threshold(reference[: memorization.min_reference_size(0.05)], 0.05).rate == 0.05


def test_fresh_images_fall_below_the_threshold_at_the_stated_rate() -> None:
    random = np.random.default_rng(0)
    below, failed, trials = [], 0, 1500
    for _ in range(trials):
        found = memorization.find_threshold(random.normal(size=120), 0.05)
        number = int((random.normal(size=300) < found.value).sum())
        below.append(number / 300)
        failed += found.tail_probability(number, 300) < 0.05
    assert np.mean(below) == pytest.approx(6 / 121, rel=0.1)
    assert failed / trials == pytest.approx(0.045, abs=0.015)  # the binomial distribution would fail a sixth


def test_many_images_below_the_threshold_have_probability_near_zero() -> None:
    found = memorization.find_threshold(np.arange(240.0), 0.01)
    assert found.tail_probability(0, 1000) == 1
    assert found.tail_probability(1000, 1000) < 1e-6
    assert found.tail_probability(100, 1000) < 1e-6 < found.tail_probability(10, 1000)


@pytest.mark.parametrize("change", ["none", "noise", "darker", "gamma", "mirrored", "moved"])
def test_a_changed_copy_is_found(change: str) -> None:
    training, fresh = drawn(1, 40), drawn(2, 40)
    noise = np.random.default_rng(0).normal(0, 8, training.shape)
    dressed = {
        "none": 1.0 * training,
        "noise": np.clip(training + noise, 0, 255),
        "darker": 0.6 * training + 20,
        "gamma": 255 * (training / 255) ** 0.7,
        "mirrored": 1.0 * training[:, :, ::-1],
        "moved": 1.0 * np.roll(training, (1, -2), (1, 2)),
    }[change].astype(np.uint8)
    places, distances = memorization.nearest_images(dressed, training)
    _, reference = memorization.nearest_images(fresh, training)
    assert places.tolist() == list(range(40))
    assert distances.max() < reference.min() / 2


def test_constant_pictures_have_a_distance() -> None:
    flat = np.full((2, IMAGE_SIZE, IMAGE_SIZE), 7, np.uint8)
    _, distances = memorization.nearest_images(flat, drawn(1, 3))
    np.testing.assert_allclose(distances, 1)


def test_images_of_the_own_group_are_excluded() -> None:
    points = np.random.default_rng(0).normal(size=(6, 3))
    groups = np.array([0, 0, 1, 1, 2, 2])
    places, distances = memorization.nearest_features(points, points, (groups, groups))
    assert not (groups[places] == groups).any()
    assert distances.min() > 0


def test_features_distances_do_not_depend_on_their_scale() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 9, 4))
    np.testing.assert_allclose(memorization.nearest_features(a, b)[1], memorization.nearest_features(7 * a, 7 * b)[1])
    assert memorization.nearest_features(b, b)[1].max() == 0
