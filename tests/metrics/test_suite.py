"""The metrics, and their floor: real images against real ones, at the n of the comparison."""

import numpy as np
import pytest

from xrayaug.errors import UsageError
from xrayaug.metrics import frechet, suite
from xrayaug.stats.array_types import FeatureArray


def draw_features(seed: int, n: int, shift: float = 0.0) -> FeatureArray:
    return np.random.default_rng(seed).normal(shift, 1, (n, 6)).astype(np.float32)


def test_names_come_in_one_order_and_the_frechet_distance_always() -> None:
    assert suite.parse_metrics("prdc, kid") == ("fid", "kid", "prdc")
    assert suite.parse_metrics("fid") == ("fid",)
    for text in ("", "fid,", "kids"):
        with pytest.raises(UsageError, match="--metrics"):
            suite.parse_metrics(text)


@pytest.mark.parametrize(("a", "b", "n"), [(300, 100, 50), (30, 100, 30), (50, 101, 50)])
def test_the_floor_and_the_comparison_have_the_same_n(monkeypatch: pytest.MonkeyPatch, a: int, b: int, n: int) -> None:
    sizes = []
    distance = frechet.distance

    def watched(one: frechet.Statistics, other: frechet.Statistics) -> float:
        sizes.append((one.count, other.count))
        return distance(one, other)

    monkeypatch.setattr(frechet, "distance", watched)
    found = suite.compute_floor(("fid",), draw_features(0, a), draw_features(1, b), seed=0)
    assert found is not None
    assert found.n == n
    assert sizes == [(n, n)] * 2 * suite.N_SPLITS


def test_halves_are_disjoint() -> None:
    real = draw_features(1, 40)
    found = suite.compute_floor(("fid", "prdc"), real, real, seed=0)
    assert found is not None
    assert found.measures["precision"].floor < 1  # a picture in both halves would lie at distance 0
    assert found.measures["fid"].floor > 0


def test_halves_hold_different_patients() -> None:
    """Eight copies of each image: halves that shared patients would lie at distance 0."""
    patients = np.repeat(np.arange(10), 8)
    real = draw_features(1, 10)[patients] + 1e-3 * draw_features(2, 80)
    known = suite.compute_floor(("fid", "prdc"), real, real, seed=0, patients=patients)
    unknown = suite.compute_floor(("fid", "prdc"), real, real, seed=0)
    assert known is not None
    assert unknown is not None
    assert (known.n, unknown.n) == (36, 40)
    assert known.measures["precision"].floor == 0
    assert unknown.measures["precision"].floor > 0.9
    one_each = suite.compute_floor(("fid", "prdc"), real, real, seed=0, patients=np.arange(80))
    assert one_each == unknown


def test_one_distribution_lies_at_the_floor_and_another_does_not() -> None:
    names = ("fid", "kid", "prdc")
    same = suite.compute_floor(names, draw_features(0, 200), draw_features(1, 400), seed=0)
    other = suite.compute_floor(names, draw_features(0, 200, shift=1.0), draw_features(1, 400), seed=0)
    assert same is not None
    assert other is not None
    assert same.measures["fid"].ratio == pytest.approx(1, abs=0.8)  # its deviation here is 0.25
    ratio = other.measures["fid"].ratio
    assert ratio is not None
    assert ratio > 10
    assert other.measures["fid"].floor == same.measures["fid"].floor
    assert abs(same.measures["kid"].excess) < other.measures["kid"].excess / 5
    assert other.measures["coverage"].excess < -0.2


def test_the_floor_depends_on_the_seed_and_needs_enough_images() -> None:
    a, b = draw_features(0, 40), draw_features(1, 60)
    assert suite.compute_floor(("fid",), a, b, seed=1) == suite.compute_floor(("fid",), a, b, seed=1)
    assert suite.compute_floor(("fid",), a, b, seed=1) != suite.compute_floor(("fid",), a, b, seed=2)
    assert suite.compute_floor(("fid",), a, b[:19], seed=0) is None


def test_each_metric_records_its_number_of_images() -> None:
    a, b = draw_features(0, 200), draw_features(1, 100)
    found = suite.compute_metrics(("fid", "kid", "prdc", "fid-infinity"), a, b, seed=0)
    assert found.fid_infinity is not None
    assert found.fid_infinity.counts[-1] == 100
    assert abs(found.fid_infinity.value) < found.fid_infinity.distances[-1]
    written = found.to_dict()
    assert (written["kid"]["n"], written["prdc"]["n"]) == ({"a": 200, "b": 100}, 100)
