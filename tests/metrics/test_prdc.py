"""Precision, recall, density and coverage against their definitions, and where their values are known."""

from dataclasses import asdict

import numpy as np
import pytest

from xrayaug.errors import DataError
from xrayaug.metrics import prdc
from xrayaug.metrics.prdc import PrecisionRecall
from xrayaug.stats.array_types import FloatArray


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(5)


def by_definition(generated: FloatArray, real: FloatArray) -> PrecisionRecall:
    def apart(a: FloatArray, b: FloatArray) -> float:
        return float(np.linalg.norm(a - b))

    def radius(points: FloatArray, place: int, k: int) -> float:
        return sorted(apart(points[place], each) for at, each in enumerate(points) if at != place)[k - 1]

    def within(point: FloatArray, points: FloatArray) -> bool:
        return any(apart(point, each) <= radius(points, at, 3) for at, each in enumerate(points))

    lying = [[apart(one, each) <= radius(real, at, 5) for at, each in enumerate(real)] for one in generated]
    return PrecisionRecall(
        precision=float(np.mean([within(one, real) for one in generated])),
        recall=float(np.mean([within(one, generated) for one in real])),
        density=float(np.sum(lying)) / (5 * len(generated)),
        coverage=float(np.any(lying, axis=0).mean()),
    )


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_the_measures_equal_their_definitions(random: np.random.Generator, shift: float) -> None:
    real, generated = random.normal(size=(14, 3)), random.normal(shift, 0.7, size=(11, 3))
    found, expected = asdict(prdc.compute_prdc(generated, real)), asdict(by_definition(generated, real))
    assert found == pytest.approx(expected)


def test_a_set_against_itself(random: np.random.Generator) -> None:
    points = random.normal(size=(60, 4)).astype(np.float32)
    found = prdc.compute_prdc(points, points)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    assert found.density == pytest.approx(1.2)  # each lies in its own ball, and in those of five others on average


def test_disjoint_sets_have_zero_measures(random: np.random.Generator) -> None:
    real = random.normal(size=(40, 4))
    assert prdc.compute_prdc(real + 100, real) == PrecisionRecall(0, 0, 0, 0)


def test_a_mode_that_is_dropped_costs_recall_and_coverage_and_no_precision(random: np.random.Generator) -> None:
    modes = np.array([0.0, 50.0])
    real = random.normal(size=(200, 2)) + np.repeat(modes, 100)[:, None]
    half, whole = random.normal(size=(200, 2)), random.normal(size=(200, 2)) + np.repeat(modes, 100)[:, None]
    dropping, keeping = prdc.compute_prdc(half, real), prdc.compute_prdc(whole, real)
    assert dropping.precision > 0.9
    assert max(dropping.recall, dropping.coverage) < 0.55
    assert min(keeping.recall, keeping.coverage) > 0.9


def test_an_outlier_raises_precision_and_not_density(random: np.random.Generator) -> None:
    real = np.vstack([random.normal(size=(100, 2)), [[40.0, 0.0]]])
    generated = np.array([[20.0, 0.0]]) + random.normal(size=(50, 2))
    found = prdc.compute_prdc(generated, real)
    assert found.precision == 1
    assert found.density <= 0.2  # only the outlier's ball, one of k


def test_too_few_images_are_refused() -> None:
    with pytest.raises(DataError, match="5 images are too few"):
        prdc.compute_prdc(np.ones((5, 2)), np.ones((50, 2)))
