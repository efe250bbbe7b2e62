"""The distance of infinite sets, and its standard error against the spread over independent samples."""

import numpy as np
import pytest

from xrayaug.metrics import extrapolation, frechet
from xrayaug.stats.array_types import FloatArray

D = 8


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_extrapolation_takes_the_bias_away(random: np.random.Generator, shift: float) -> None:
    n, dims = 1200, 16
    found = extrapolation.extrapolate(random.normal(size=(n, dims)), random.normal(shift, 1, (n, dims)), random)
    assert found is not None
    truth = dims * shift**2
    biased = found.distances[-1]
    assert found.counts[0] == n // 4
    assert found.counts[-1] == n
    assert found.distances[0] > biased > truth
    assert abs(found.value - truth) < 0.5 * (biased - truth) + 0.02
    assert found.standard_error is not None
    assert abs(found.value - truth) < 4 * found.standard_error


def test_too_few_images_are_not_extrapolated(random: np.random.Generator) -> None:
    assert extrapolation.extrapolate(random.normal(size=(8 * D - 1, D)), random.normal(size=(500, D)), random) is None


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_standard_error_is_the_spread_over_independent_samples(shift: float) -> None:
    found = [
        extrapolation.extrapolate(*draw_sides(seed, 400, shift), np.random.default_rng(seed)) for seed in range(120)
    ]
    values = [each.value for each in found if each is not None]
    errors = [each.standard_error for each in found if each is not None and each.standard_error is not None]
    assert len(values) == len(errors) == 120
    assert 0.8 < np.mean(errors) / np.std(values, ddof=1) < 1.25  # ± 0.08


def test_the_standard_error_contains_that_of_the_subsets() -> None:
    found = extrapolation.extrapolate(*draw_sides(0, 400, 0.3), np.random.default_rng(0))
    assert found is not None
    assert found.standard_error is not None
    assert 0 < found.subset_error < found.standard_error


def test_the_influence_is_the_derivative_of_the_distance() -> None:
    """By finite differences: the distance if one image of A has slightly more weight."""
    a, b = draw_sides(1, 60, 0.5)
    first, second = frechet.compute_statistics(a), frechet.compute_statistics(b)
    to_second, to_first = extrapolation._transport_maps(first.covariance, second.covariance)
    np.testing.assert_allclose(to_second @ first.covariance @ to_second, second.covariance, atol=1e-10)
    np.testing.assert_allclose(to_first @ to_second, np.eye(D), atol=1e-10)
    influences = extrapolation._influences(a, first, second, to_second)
    slopes = np.array([distance_with_weight(a, index, 1e-4, second) - distance_with_weight(a, index, -1e-4, second)
                       for index in range(5)]) / 2e-4  # fmt: skip
    expected = influences[:5] - influences.mean()
    np.testing.assert_allclose(slopes - slopes.mean(), expected - expected.mean(), rtol=2e-2)


def test_images_of_one_patient_count_as_one() -> None:
    """Five copies of each image say no more than one of each."""
    a, b = draw_sides(2, 200, 0.3)
    patients = np.repeat(np.arange(200), 5)
    single = extrapolation._sampling_variance(a, b, (np.arange(200), np.arange(200)))
    copied = np.repeat(a, 5, axis=0), np.repeat(b, 5, axis=0)
    known = extrapolation._sampling_variance(*copied, (patients, patients))
    unknown = extrapolation._sampling_variance(*copied, (np.arange(1000), np.arange(1000)))
    assert single is not None
    assert unknown is not None
    assert known == pytest.approx(single, rel=0.05)
    assert unknown == pytest.approx(single / 5, rel=0.05)
    assert extrapolation._sampling_variance(a, b, (np.arange(200) % 3, np.arange(200))) is None


def test_features_without_variance_do_not_disturb_the_standard_error() -> None:
    a, b = draw_sides(3, 400, 0.3)
    expected = extrapolation._sampling_variance(a, b, (np.arange(400), np.arange(400)))
    constant = np.full((400, 1), 0.7)
    a, b = (np.concatenate([side, constant], axis=1) for side in (a, b))
    assert extrapolation._sampling_variance(a, b, (np.arange(400), np.arange(400))) == pytest.approx(expected, rel=1e-4)


def draw_sides(seed: int, n: int, shift: float) -> tuple[FloatArray, FloatArray]:
    """Return two samples `[n, D]` of normal distributions with unlike variances of the features."""
    random = np.random.default_rng([seed, 5])
    scale = 1 / np.sqrt(1 + np.arange(D))
    return (random.normal(size=(n, D)) + shift) * scale, random.normal(size=(n, D)) * scale


def distance_with_weight(a: FloatArray, index: int, extra: float, other: frechet.Statistics) -> float:
    """Return the distance of `a`, of whose distribution the share `extra` is moved to one image."""
    weights = np.full(len(a), (1 - extra) / len(a))
    weights[index] += extra
    mean = weights @ a
    covariance = (a - mean).T @ (weights[:, None] * (a - mean)) * len(a) / (len(a) - 1)
    return frechet.distance(frechet.Statistics(mean, covariance, len(a)), other)
