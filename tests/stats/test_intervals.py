import numpy as np
import pytest
from scipy import stats

from xrayaug.stats import intervals
from xrayaug.stats.intervals import Estimate


def test_without_patient_variance_it_is_the_t_interval_over_seeds() -> None:
    values = np.array([0.01, 0.03, 0.02, 0.05])
    found = intervals.estimate(values, np.tile(values, (50, 1)), 10**6, 10**6)
    assert found is not None
    expected = stats.ttest_1samp(values, 0)
    interval = expected.confidence_interval()
    assert found.interval() == pytest.approx((interval.low, interval.high))
    assert found.p_value() == pytest.approx(expected.pvalue)
    lower = stats.ttest_1samp(values, -0.04, alternative="greater").pvalue
    upper = stats.ttest_1samp(values, 0.04, alternative="less").pvalue
    assert found.p_equivalent(0.04) == pytest.approx(max(lower, upper))


def test_without_seed_variance_it_is_the_interval_over_patients() -> None:
    random = np.random.default_rng(0)
    patient_variance = random.normal(0.02, 0.01, 4000)
    found = intervals.estimate(np.full(3, 0.02), np.tile(patient_variance[:, None], 3), 10**6, 10**6)
    assert found is not None
    assert found.error == pytest.approx(np.std(patient_variance, ddof=1))
    assert found.interval() == pytest.approx((0.02 - 1.96 * 0.01, 0.02 + 1.96 * 0.01), abs=0.001)


def test_the_seed_by_patient_interaction_counts_once() -> None:
    """Obuchowski and Rockette's variance against sums over all pairs, written out."""
    random = np.random.default_rng(1)
    values, resampled = random.normal(0, 1, 3), random.normal(0, 1, (200, 3)) + random.normal(0, 1, (200, 1))
    pairs = [np.cov(resampled[:, i], resampled[:, j])[0, 1] for i in range(3) for j in range(3) if i != j]
    found = intervals.estimate(values, resampled, 10**6, 50)
    assert found is not None
    assert found.seed_variance == pytest.approx(np.var(values, ddof=1) / 3)
    assert found.patient_variance == pytest.approx(
        np.mean(pairs) * 50 / 49
    )  # a bootstrap's variance is (n - 1) / n of it
    assert found.patient_df == 49
    of_each = [stats.t.isf(0.025, 2) ** 2 * found.seed_variance, stats.t.isf(0.025, 49) ** 2 * found.patient_variance]
    assert found.half_width(0.05) == pytest.approx(np.sqrt(sum(of_each)))  # Banerjee 1960


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("level", [0.05, 0.05 / 3])
def test_the_level_holds_whatever_share_of_the_variance_is_the_seeds(seeds: int, share: float, level: float) -> None:
    """The probability of missing 0, summed over what the seeds' variance may turn out as."""
    drawn = stats.chi2.ppf((np.arange(400) + 0.5) / 400, seeds - 1) / (seeds - 1)
    widths = [Estimate(0.0, share * each, 1 - share, seeds).half_width(level) for each in drawn]
    missed = np.mean(2 * stats.norm.sf(widths))
    assert missed <= level * 1.01  # by sums instead of an integral
    if share in (0.0, 1.0):
        assert missed == pytest.approx(level, rel=0.02)  # and exactly so with seeds or patients alone


@pytest.mark.parametrize("distance", [0.0, 0.003, 0.01, 0.05, 1.0])
def test_the_p_value_is_the_level_of_the_interval_that_ends_at_0(distance: float) -> None:
    found = Estimate(distance, 3e-5, 5e-5, 3, 40)
    p_value = found.p_value()
    assert 0 < p_value <= 1
    assert found.half_width(p_value) == pytest.approx(distance, abs=1e-9)
    assert found.p_equivalent(distance + 0.01) == pytest.approx(Estimate(0.01, 3e-5, 5e-5, 3, 40).p_value() / 2)


def test_a_class_with_one_patient_has_no_estimate() -> None:
    assert intervals.estimate(np.array([0.1, 0.2]), np.zeros((100, 2)), 500, 1) is None
    two = intervals.estimate(np.array([0.1, 0.2]), np.random.default_rng(0).normal(0, 0.01, (100, 2)), 500, 2)
    assert two is not None
    assert two.patient_df == 1


def test_networks_without_observed_differences_have_a_positive_variance() -> None:
    found = intervals.estimate(np.zeros(5), np.zeros((100, 5)), 60, 10**6)
    assert found is not None
    assert found.interval() == pytest.approx((-0.0447, 0.0447), abs=1e-3)  # about 3 / 60: the rule of three
    assert found.p_value() == 1


def test_one_seed_has_an_interval_over_patients_only() -> None:
    random = np.random.default_rng(0)
    resampled = random.normal(0, 0.01, (1000, 1))
    found = intervals.estimate(np.array([0.3]), resampled, 10**6, 10**6)
    assert found is not None
    assert found.seeds == 1
    assert found.error == pytest.approx(np.std(resampled, ddof=1))


def test_undefined_values_have_no_estimate() -> None:
    assert intervals.estimate(np.array([np.nan, 0.1]), np.zeros((10, 2)), 5, 5) is None
    assert intervals.estimate(np.array([0.2, 0.1]), np.full((10, 2), np.nan), 5, 5) is None


def test_an_estimate_beyond_the_margin_is_not_equivalent() -> None:
    assert Estimate(0.05, 0.0, 1e-4, 5).p_equivalent(0.02) > 0.99
    assert Estimate(0.0, 0.0, 1e-6, 5).p_equivalent(0.02) < 1e-6


def test_the_percentile_interval_draws_patients_and_seeds() -> None:
    random = np.random.default_rng(0)
    resampled = random.normal(0, 1, (4000, 1)) + np.array([-1.0, 0.0, 1.0])
    low, high = intervals.percentile_interval(resampled, seed=0)
    deviation = np.sqrt(1 + 2 / 9)  # patients' 1; the seeds' 2/3 over 3
    assert (low, high) == pytest.approx((-1.96 * deviation, 1.96 * deviation), abs=0.12)
