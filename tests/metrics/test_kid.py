"""The kernel distance against the sums it is defined by."""

import itertools
from collections.abc import Callable
from typing import Any

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
    assert found.standard_error is not None
    assert 0 < found.standard_error < found.value
    assert found.subset_sd > found.standard_error
    assert abs(found.value - truth) < 4 * found.standard_error


def test_subsets_are_a_thousand_at_most_and_seeded() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 2001, 2))
    first, second, other = (kid.distance(a, b, np.random.default_rng(seed), subsets=3) for seed in (1, 1, 2))
    assert first.subset_size == 1000
    assert first == second != other


def test_too_few_images_are_refused() -> None:
    with pytest.raises(DataError, match="3 images are too few"):
        kid.distance(np.ones((3, 2)), np.ones((9, 2)), np.random.default_rng(0))


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.4])
def test_the_standard_error_is_the_spread_over_independent_samples(shift: float) -> None:
    found = []
    for seed in range(150):
        random = np.random.default_rng(seed)
        a, b = random.normal(shift, 1, (60, 32)), random.normal(size=(90, 32))
        found.append(kid.distance(a, b, random, subsets=30))
    errors = [each.standard_error for each in found if each.standard_error is not None]
    assert len(errors) == len(found)
    assert 0.8 < np.mean(errors) / np.std([each.value for each in found], ddof=1) < 1.25  # ± 0.07


def test_the_variance_components_are_means_over_distinct_images(random: np.random.Generator) -> None:
    x, y = random.normal(size=(6, 3)), random.normal(size=(5, 3))
    k, c = kid.compute_kernel(x, x), kid.compute_kernel(x, y)

    def mean(values: Callable[..., Any], size: int, others: int = 0) -> float:
        places = itertools.product(itertools.permutations(range(6), size), itertools.permutations(range(5), others))
        return float(np.mean([values(*here, *there) for here, there in places]))

    main = (
        mean(lambda i, j, g: k[i, j] * k[i, g], 3) - mean(lambda i, j, g, h: k[i, j] * k[g, h], 4)
        + mean(lambda i, q, r: c[i, q] * c[i, r], 1, 2) - mean(lambda i, j, q, r: c[i, q] * c[j, r], 2, 2)
        - 2 * mean(lambda i, j, q: k[i, j] * c[i, q], 2, 1) + 2 * mean(lambda i, j, g, q: k[i, j] * c[g, q], 3, 1)
    )  # fmt: skip
    within = (
        mean(lambda i, j: k[i, j] ** 2, 2) - 2 * mean(lambda i, j, g: k[i, j] * k[i, g], 3)
        + mean(lambda i, j, g, h: k[i, j] * k[g, h], 4)
    )  # fmt: skip
    between = (
        mean(lambda i, q: c[i, q] ** 2, 1, 1) - mean(lambda i, q, r: c[i, q] * c[i, r], 1, 2)
        - mean(lambda i, j, q: c[i, q] * c[j, q], 2, 1) + mean(lambda i, j, q, r: c[i, q] * c[j, r], 2, 2)
    )  # fmt: skip
    of_x, of_y = np.arange(6), np.arange(5)
    kernels = kid._centred_kernel(x, x, of_x, of_x, is_same=True), kid._centred_kernel(x, y, of_x, of_y, is_same=False)
    assert kid._variance_components(*kernels) == pytest.approx((main, within))
    assert kid._interaction_between(kernels[1]) == pytest.approx(between)


def test_images_of_one_patient_count_as_one() -> None:
    errors, ignored, values = [], [], []
    for seed in range(80):
        random = np.random.default_rng(seed)
        patients = np.repeat(np.arange(40), 4)
        a, b = random.normal(0.3, 1, (160, 16)), random.normal(size=(40, 16))[patients]
        known = kid.distance(a, b, np.random.default_rng(seed), (np.arange(160), patients), subsets=10)
        unknown = kid.distance(a, b, np.random.default_rng(seed), subsets=10)
        assert known.value == unknown.value
        assert known.standard_error is not None
        assert unknown.standard_error is not None
        errors.append(known.standard_error)
        ignored.append(unknown.standard_error)
        values.append(known.value)
    spread = np.std(values, ddof=1)
    assert 0.75 < np.mean(errors) / spread < 1.3
    assert np.mean(ignored) / spread < 0.75


def test_more_images_than_are_needed_for_the_error_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 600, 8))
    whole = kid.distance(a + 0.5, b, np.random.default_rng(1), subsets=5)
    monkeypatch.setattr(kid, "MAX_ERROR_IMAGES", 300)
    patients = np.arange(600) // 2
    part = kid.distance(a + 0.5, b, np.random.default_rng(1), subsets=5)
    paired = kid.distance(a + 0.5, b, np.random.default_rng(1), (patients, patients), subsets=5)
    assert part.value == paired.value == whole.value
    assert part.standard_error == pytest.approx(whole.standard_error, rel=0.15)
    assert paired.standard_error == pytest.approx(whole.standard_error, rel=0.25)


def test_few_patients_have_no_standard_error() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 30, 4))
    assert kid.distance(a, b, np.random.default_rng(0), (np.arange(30), np.arange(30) % 3)).standard_error is None
