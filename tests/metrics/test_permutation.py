"""The permutation test: its measures against those of the metrics, and how often it is wrong."""

import numpy as np
import pytest

from xrayaug.metrics import frechet, kid, permutation, prdc
from xrayaug.stats.array_types import FeatureArray

NAMES = ("fid", "kid", "prdc")


def draw_features(seed: int, n: int, dims: int = 6, shift: float = 0.0) -> FeatureArray:
    return np.random.default_rng(seed).normal(shift, 1, (n, dims)).astype(np.float32)


@pytest.mark.parametrize("dims", [6, 90])
@pytest.mark.parametrize(("n", "m"), [(30, 40), (40, 30)])
def test_measures_of_a_partition_are_those_of_the_metrics(dims: int, n: int, m: int) -> None:
    pooled = draw_features(0, n + m, dims)
    order = np.random.default_rng(1).permutation(n + m)
    a, b = pooled[order[:n]], pooled[order[n:]]
    found = permutation._PooledImages(NAMES, pooled.astype(np.float64)).measure(order[:n], order[n:])
    distance = frechet.distance(frechet.compute_statistics(a), frechet.compute_statistics(b))
    assert found["fid"] == pytest.approx(distance, rel=1e-6)
    assert found["kid"] == pytest.approx(kid.squared_mmd(a, b), rel=1e-6, abs=1e-9)
    expected = prdc.compute_prdc(a, b)
    assert [found[name] for name in ("precision", "recall", "density", "coverage")] == pytest.approx(
        [expected.precision, expected.recall, expected.density, expected.coverage]
    )


def test_samples_of_one_distribution_are_rarely_called_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a level of 5 %, 80 tests reject 11 times or more with probability 0.2 %."""
    monkeypatch.setattr(permutation, "N_PERMUTATIONS", 39)
    rejected, small = 0, {"fid": 0, "kid": 0}
    for seed in range(80):
        sides = draw_features(2 * seed, 20, 4), draw_features(2 * seed + 1, 30, 4)
        found = permutation.run_test(("fid", "kid"), *sides, np.random.default_rng(seed))
        assert found is not None
        rejected += min(found.p_holm.values()) <= found.level
        for name in small:
            small[name] += found.p_values[name] <= 0.25
    assert rejected < 11
    assert all(9 <= count <= 33 for count in small.values()), small  # 20 are expected


def test_another_distribution_is_found_in_the_measures_that_see_it() -> None:
    found = permutation.run_test(NAMES, draw_features(0, 60, shift=1), draw_features(1, 60), np.random.default_rng(0))
    assert found is not None
    assert found.p_values["fid"] == found.p_values["kid"] == 1 / (permutation.N_PERMUTATIONS + 1)
    assert max(found.p_holm["fid"], found.p_holm["kid"], found.p_holm["coverage"]) < found.level
    better = permutation.run_test(NAMES, draw_features(1, 60), draw_features(1, 60), np.random.default_rng(0))
    assert better is not None
    assert min(better.p_values.values()) > 0.8  # copies of the reference are nearer than chance


def test_images_of_one_patient_are_not_exchanged_for_those_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """With eight images of each patient of B, a test that ignored patients would find a difference far too often."""
    monkeypatch.setattr(permutation, "N_PERMUTATIONS", 39)
    rejected = {True: 0, False: 0}
    for seed in range(40):
        random = np.random.default_rng([seed, 3])
        patients = np.repeat(np.arange(25), 8)
        a = random.normal(size=(100, 4)).astype(np.float32)
        b = (random.normal(size=(25, 4))[patients] + 0.1 * random.normal(size=(200, 4))).astype(np.float32)
        b /= np.float32(np.sqrt(1.01))
        for known in rejected:
            groups = (np.arange(100), patients if known else np.arange(200))
            found = permutation.run_test(("fid",), a, b, np.random.default_rng(seed), groups)
            assert found is not None
            assert found.count_b == (25 if known else 200)
            rejected[known] += found.p_values["fid"] <= found.level
    assert rejected[True] <= 7  # 2 are expected; 8 or more have a probability of 0.1 %
    assert rejected[False] > 20


def test_too_few_patients_give_no_test() -> None:
    sides, random = (draw_features(0, 30), draw_features(1, 30)), np.random.default_rng(0)
    assert permutation.run_test(("fid",), *sides, random, (np.arange(30), np.arange(30) % 9)) is None
    assert permutation.run_test(("fid",), sides[0][:9], sides[1], random) is None
