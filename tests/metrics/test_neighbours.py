"""The nearest by blocks are the nearest."""

import numpy as np
import pytest

from xrayaug.metrics import neighbours
from xrayaug.stats.array_types import FloatArray


@pytest.fixture(params=[1, 1 << 26])
def points(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[FloatArray, ...]:
    """Two sets far from zero, compared one row at a time or all at once."""
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", request.param)
    random = np.random.default_rng(0)
    return 100 + random.normal(size=(13, 4)), 100 + random.normal(size=(17, 4))


def all_distances(of: FloatArray, to: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.norm(of[:, None] - to, axis=2))


def test_nearest_kth_and_radii(points: tuple[FloatArray, ...]) -> None:
    a, b = points
    expected = all_distances(a, b)
    places, distances = neighbours.nearest(a, b)
    np.testing.assert_array_equal(places, expected.argmin(axis=1))
    np.testing.assert_allclose(distances, expected.min(axis=1), rtol=1e-6)
    np.testing.assert_allclose(neighbours.kth_distances(a, b, 3), np.sort(expected, axis=1)[:, 2], rtol=1e-6)
    own = np.sort(all_distances(a, a), axis=1)  # the first is itself
    for k, found in zip((2, 5), neighbours.kth_squared_distances(a, 2, 5), strict=True):
        np.testing.assert_allclose(np.sqrt(found), own[:, k], rtol=1e-6)


def test_a_copy_is_at_exactly_zero(points: tuple[FloatArray, ...]) -> None:
    a, b = points
    places, distances = neighbours.nearest(b[[3, 5]].astype(np.float32), b.astype(np.float32))
    assert (places.tolist(), distances.tolist()) == ([3, 5], [0, 0])
    assert neighbours.kth_squared_distances(np.vstack([a, a[:2]]), 1)[0][:2].tolist() == [0, 0]
