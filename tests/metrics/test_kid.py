"""The kernel distance against the sums it is defined by."""

import itertools

import numpy as np
import pytest

from xrayaug.errors import DataError
from xrayaug.metrics import kid
from xrayaug.stats.array_types import FloatArray


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(3)


def by_definition(x: FloatArray, y: FloatArray) -> float:
    def kernel(one: FloatArray, other: FloatArray) -> float:
        return float((one @ other / len(one) + 1) ** 3)

    m, n = len(x), len(y)
    within_x = sum(kernel(x[i], x[j]) for i, j in itertools.permutations(range(m), 2)) / (m * (m - 1))
    within_y = sum(kernel(y[i], y[j]) for i, j in itertools.permutations(range(n), 2)) / (n * (n - 1))
    between = sum(kernel(one, other) for one, other in itertools.product(x, y)) / (m * n)
    return within_x + within_y - 2 * between


def test_the_mmd_equals_a_double_loop(random: np.random.Generator) -> None:
    x, y = random.normal(size=(7, 5)), random.normal(1, 2, size=(9, 5))
    assert kid.squared_mmd(x, y) == pytest.approx(by_definition(x, y), rel=1e-12)
    single = kid.squared_mmd(x.astype(np.float32), y.astype(np.float32))
    assert single == pytest.approx(by_definition(x, y), rel=1e-4)


def test_equal_distributions_have_mean_zero_for_any_number_of_images(random: np.random.Generator) -> None:
    for n in (10, 40):
        found = [kid.squared_mmd(*random.normal(size=(2, n, 8))) for _ in range(400)]
        assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(len(found))
        assert min(found) < 0 < max(found)


def test_the_number_of_images_does_not_bias_it(random: np.random.Generator) -> None:
    few, many = (
        np.mean([kid.squared_mmd(random.normal(size=(n, 8)), random.normal(0.5, size=(n, 8)))
                 for _ in range(60 * 50 // n)])
        for n in (10, 50)
    )  # fmt: skip
    assert few == pytest.approx(many, rel=0.15)


def test_the_interval_of_the_mean_covers_the_true_value(random: np.random.Generator) -> None:
    found = kid.distance(random.normal(size=(300, 6)), random.normal(0.3, size=(200, 6)), random)
    truth = kid.squared_mmd(random.normal(size=(3000, 6)), random.normal(0.3, size=(3000, 6)))
    assert (found.subsets, found.subset_size) == (100, 100)
    assert 0 < found.standard_error < found.value
    assert abs(found.value - truth) < 4 * found.standard_error


def test_subsets_are_a_thousand_at_most_and_seeded() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 2500, 2))
    first, second, other = (kid.distance(a, b, np.random.default_rng(seed), subsets=3) for seed in (1, 1, 2))
    assert first.subset_size == 1000
    assert first == second != other


def test_too_few_images_are_refused() -> None:
    with pytest.raises(DataError, match="3 images are too few"):
        kid.distance(np.ones((3, 2)), np.ones((9, 2)), np.random.default_rng(0))
