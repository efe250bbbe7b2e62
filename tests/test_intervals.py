import numpy as np
import pytest
from scipy import stats

from xrayaug import intervals
from xrayaug.intervals import Estimate


def test_without_patients_it_is_the_t_interval_over_seeds() -> None:
    values = np.array([0.01, 0.03, 0.02, 0.05])
    found = intervals.estimate(values, np.tile(values, (50, 1)), 10**6)
    assert found is not None
    expected = stats.ttest_1samp(values, 0)
    interval = expected.confidence_interval()
    assert found.interval() == pytest.approx((interval.low, interval.high))
    assert found.p_value() == pytest.approx(expected.pvalue)
    lower = stats.ttest_1samp(values, -0.04, alternative="greater").pvalue
    upper = stats.ttest_1samp(values, 0.04, alternative="less").pvalue
    assert found.p_equivalent(0.04) == pytest.approx(max(lower, upper))


def test_with_seeds_that_agree_it_is_the_patients_interval() -> None:
    random = np.random.default_rng(0)
    of_patients = random.normal(0.02, 0.01, 4000)
    found = intervals.estimate(np.full(3, 0.02), np.tile(of_patients[:, None], 3), 10**6)
    assert found is not None
    assert found.error == pytest.approx(np.std(of_patients, ddof=1))
    assert found.interval() == pytest.approx((0.02 - 1.96 * 0.01, 0.02 + 1.96 * 0.01), abs=0.001)


def test_what_each_seed_makes_of_each_patient_counts_once() -> None:
    """Obuchowski and Rockette's variance against sums over all pairs, written out."""
    random = np.random.default_rng(1)
    values, resampled = random.normal(0, 1, 3), random.normal(0, 1, (200, 3)) + random.normal(0, 1, (200, 1))
    pairs = [np.cov(resampled[:, i], resampled[:, j])[0, 1] for i in range(3) for j in range(3) if i != j]
    own = np.mean(np.var(resampled, axis=0, ddof=1)) - np.mean(pairs)
    of_seeds, of_patients = np.var(values, ddof=1) / 3, np.mean(pairs)
    variance = max(of_seeds, own / 3) + of_patients
    found = intervals.estimate(values, resampled, 10**6)
    assert found is not None
    assert found.error**2 == pytest.approx(variance)
    assert found.freedom == pytest.approx(variance**2 / (of_seeds**2 / 2 + of_patients**2 / 199))  # Satterthwaite


def test_networks_that_never_differ_are_not_known_to_be_equal() -> None:
    found = intervals.estimate(np.zeros(5), np.zeros((100, 5)), 60)
    assert found is not None
    assert found.interval() == pytest.approx((-0.0447, 0.0447), abs=1e-4)  # about 3 / 60: the rule of three
    assert found.p_value() == 1


def test_one_seed_has_the_interval_over_patients_alone() -> None:
    random = np.random.default_rng(0)
    resampled = random.normal(0, 0.01, (1000, 1))
    found = intervals.estimate(np.array([0.3]), resampled, 10**6)
    assert found is not None
    assert found.seeds == 1
    assert found.error == pytest.approx(np.std(resampled, ddof=1))


def test_what_is_undefined_has_no_interval() -> None:
    assert intervals.estimate(np.array([np.nan, 0.1]), np.zeros((10, 2)), 5) is None
    assert intervals.estimate(np.array([0.2, 0.1]), np.full((10, 2), np.nan), 5) is None


def test_an_estimate_beyond_the_margin_is_not_equivalent() -> None:
    assert Estimate(0.05, 0.01, 10, 5).p_equivalent(0.02) > 0.99
    assert Estimate(0.0, 0.001, 10, 5).p_equivalent(0.02) < 1e-6


def test_the_percentile_interval_draws_patients_and_seeds() -> None:
    random = np.random.default_rng(0)
    resampled = random.normal(0, 1, (4000, 1)) + np.array([-1.0, 0.0, 1.0])
    low, high = intervals.percentile(resampled, seed=0)
    deviation = np.sqrt(1 + 2 / 9)  # patients' 1; the seeds' 2/3 over 3
    assert (low, high) == pytest.approx((-1.96 * deviation, 1.96 * deviation), abs=0.12)


def test_seeds_that_agree_by_chance_do_not_make_it_narrower() -> None:
    """Each network differs on patients of its own: their spread is known from the resamples."""
    random = np.random.default_rng(2)
    found = intervals.estimate(np.full(3, 0.01), random.normal(0.01, 0.03, (2000, 3)), 10**6)
    assert found is not None
    assert found.error == pytest.approx(0.03 / np.sqrt(3), rel=0.05)
