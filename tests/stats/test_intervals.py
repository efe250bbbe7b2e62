import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.proportion import proportion_confint

from xrayaug.stats import intervals
from xrayaug.stats.intervals import Estimate, ScoreEstimate


def test_without_patient_variance_it_is_the_t_interval_over_seeds() -> None:
    values = np.array([0.01, 0.03, 0.02, 0.05])
    found = intervals.estimate(values, np.zeros((50, 4)), 50)
    assert found is not None
    expected = stats.ttest_1samp(values, 0)
    interval = expected.confidence_interval()
    assert found.interval() == pytest.approx((interval.low, interval.high))
    assert found.p_value() == pytest.approx(expected.pvalue)
    lower = stats.ttest_1samp(values, -0.04, alternative="greater").pvalue
    upper = stats.ttest_1samp(values, 0.04, alternative="less").pvalue
    assert found.p_equivalent(0.04) == pytest.approx(max(lower, upper))


def test_without_seed_variance_it_is_the_interval_over_patients() -> None:
    """The t interval of a mean over patients, of which each has the influence (x - mean) / n."""
    sample = np.random.default_rng(0).normal(0.02, 0.1, 40)
    found = intervals.estimate(np.full(3, sample.mean()), np.tile((sample - sample.mean())[:, None] / 40, 3), 40)
    assert found is not None
    expected = stats.ttest_1samp(sample, 0)
    interval = expected.confidence_interval()
    assert found.interval() == pytest.approx((interval.low, interval.high))
    assert found.p_value() == pytest.approx(expected.pvalue)


def test_the_seed_by_patient_interaction_counts_once() -> None:
    """Obuchowski and Rockette's variance against sums over all pairs, written out."""
    random = np.random.default_rng(1)
    values, influence = random.normal(0, 1, 3), random.normal(0, 1, (200, 3)) + random.normal(0, 1, (200, 1))
    pairs = [sum(influence[:, i] * influence[:, j]) for i in range(3) for j in range(3) if i != j]
    found = intervals.estimate(values, influence, 50)
    assert found is not None
    assert found.seed_variance == pytest.approx(np.var(values, ddof=1) / 3)
    assert found.patient_variance == pytest.approx(np.mean(pairs) * 50 / 49)
    assert found.patient_df == 49
    of_each = [stats.t.isf(0.025, 2) ** 2 * found.seed_variance, stats.t.isf(0.025, 49) ** 2 * found.patient_variance]
    assert found.half_width(0.05) == pytest.approx(np.sqrt(sum(of_each)))  # Banerjee 1960


def test_the_pooled_variance_is_twice_the_mean_square_of_the_interaction() -> None:
    """By an analysis of variance of statsmodels, with a reference that varies less than the others."""
    random = np.random.default_rng(3)
    scores = random.normal(0.8, 0.02, (4, 5)) + random.normal(0, 0.01, (4, 1)) + random.normal(0, 0.03, 5)
    scores[0] = scores.mean(axis=0)
    table = pd.DataFrame(
        [{"arm": arm, "seed": seed, "score": scores[arm, seed]} for arm in range(4) for seed in range(5)]
    )
    squares = anova_lm(ols("score ~ C(arm) + C(seed)", table).fit())
    residual = squares.loc["Residual"]
    others = anova_lm(ols("score ~ C(arm) + C(seed)", table[table.arm > 0]).fit()).loc["Residual", "mean_sq"]
    found = intervals.pool_seed_variance(scores)
    assert found is not None
    assert found.df == residual["df"] == 12
    assert found.variance == pytest.approx(max(2 * residual["mean_sq"], others))
    shuffled = intervals.pool_seed_variance(scores[[0, 3, 1, 2]][:, [4, 2, 0, 1, 3]])
    assert shuffled is not None
    assert shuffled.variance == pytest.approx(found.variance)


def test_a_reference_that_varies_more_adds_its_own_variance() -> None:
    random = np.random.default_rng(4)
    scores = random.normal(0, [[1.0]] + [[0.1]] * 5, (6, 6))
    found = intervals.pool_seed_variance(scores)
    assert found is not None
    others = scores[1:] - scores[1:].mean(axis=0) - scores[1:].mean(axis=1, keepdims=True) + scores[1:].mean()
    square = np.sum(others**2) / (4 * 5)
    own = np.var(scores[0] - scores[1:].mean(axis=0), ddof=1) - square / 5
    assert found.variance == pytest.approx(square + own)
    assert found.variance > 1.5 * square


def test_two_arms_or_one_seed_have_nothing_to_pool() -> None:
    random = np.random.default_rng(5)
    assert intervals.pool_seed_variance(random.normal(size=(2, 5))) is None
    assert intervals.pool_seed_variance(random.normal(size=(5, 1))) is None
    assert intervals.pool_seed_variance(np.full((3, 3), np.nan)) is None
    of_many = intervals.pool_seed_variance(random.normal(size=(20, 5)))
    assert of_many is not None
    assert of_many.df == intervals.MAX_POOLED_ARMS * 4


def test_the_pool_is_used_where_it_is_larger() -> None:
    values, influence = np.array([0.1, 0.2, 0.3]), np.zeros((50, 3))
    pool = intervals.PooledVariance(0.04, 6)
    alone, pooled = intervals.estimate(values, influence, 50), intervals.estimate(values, influence, 50, pool)
    assert alone is not None and pooled is not None
    assert alone.seed_variance == pytest.approx(0.01 / 3)
    assert pooled.seed_variance == pytest.approx(0.04 / 3)
    assert (alone.seed_df, alone.pooled_df, pooled.seed_df, pooled.pooled_df) == (2, None, 6, 6)
    assert pooled.half_width(0.05) == pytest.approx(stats.t.isf(0.025, 6) * np.sqrt(0.04 / 3))


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
    assert intervals.estimate(np.array([0.1, 0.2]), np.zeros((100, 2)), 1) is None
    two = intervals.estimate(np.array([0.1, 0.2]), np.random.default_rng(0).normal(0, 0.01, (100, 2)), 2)
    assert two is not None
    assert two.patient_df == 1


def test_networks_without_observed_differences_have_a_positive_variance() -> None:
    least = intervals.least_variance(60, 0.8, is_rate=True)
    found = intervals.estimate(np.zeros(5), np.zeros((60, 5)), 60, min_variance=least)
    assert found is not None
    assert found.interval() == pytest.approx((-0.0456, 0.0456), abs=1e-3)  # about 3 / 60: the rule of three
    assert found.p_value() == 1
    by_degrees = intervals.least_variance(60, 0.8, is_rate=False)
    share = (60 * 0.8 + 1) / 62
    assert by_degrees == pytest.approx(least * share * (1 - share))
    assert intervals.least_variance(60, 1.0, is_rate=False) > 0


@pytest.mark.parametrize(("right", "patients"), [(8, 10), (57, 60), (30, 60)])
def test_the_interval_of_a_rate_of_one_network_is_wilsons(right: int, patients: int) -> None:
    """With the normal quantile and the variance p (1 - p) / n, it is that of statsmodels."""
    share = right / patients
    found = ScoreEstimate(share, 0.0, share * (1 - share) / patients, 1, math.inf, is_rate=True)
    assert found.interval() == pytest.approx(proportion_confint(right, patients, method="wilson"))


def test_the_interval_of_a_score_at_its_bound_is_that_of_its_patients() -> None:
    t_squared = stats.t.isf(0.025, 9) ** 2
    all_right = ScoreEstimate(1.0, 0.0, 0.0, 3, 9, is_rate=True)
    assert all_right.interval() == pytest.approx((1 / (1 + t_squared / 10), 1))
    assert ScoreEstimate(0.0, 0.0, 0.0, 3, 9, is_rate=True).interval() == pytest.approx(
        (0, 1 - all_right.interval()[0])
    )
    by_degrees = ScoreEstimate(1.0, 0.0, 0.0, 3, 9)
    assert by_degrees.interval() == pytest.approx((1 / (1 + t_squared / 80), 1))
    kappa = ScoreEstimate(1.0, 0.0, 0.0, 3, 9, lowest=-1.0)
    assert kappa.interval()[0] == pytest.approx(2 * by_degrees.interval()[0] - 1)


def test_one_seed_has_an_interval_over_patients_only() -> None:
    influence = np.random.default_rng(0).normal(0, 0.01, (1000, 1))
    found = intervals.estimate(np.array([0.3]), influence, 10**6)
    assert found is not None
    assert found.seeds == 1
    assert found.error == pytest.approx(np.sqrt(np.sum(influence**2)), rel=1e-5)


def test_undefined_values_have_no_estimate() -> None:
    assert intervals.estimate(np.array([np.nan, 0.1]), np.zeros((10, 2)), 5) is None
    assert intervals.estimate(np.array([0.2, 0.1]), np.full((10, 2), np.nan), 5) is None


def test_an_interval_ends_at_the_largest_difference_that_is_possible() -> None:
    assert Estimate(0.9, 0.04, 0.0, 5, limit=1.0).interval()[1] == 1
    assert Estimate(-0.9, 0.04, 0.0, 5, limit=1.0).interval()[0] == -1
    assert Estimate(0.9, 0.04, 0.0, 5).interval()[1] > 1


def test_an_estimate_beyond_the_margin_is_not_equivalent() -> None:
    assert Estimate(0.05, 0.0, 1e-4, 5).p_equivalent(0.02) > 0.99
    assert Estimate(0.0, 0.0, 1e-6, 5).p_equivalent(0.02) < 1e-6


def test_the_percentile_interval_draws_patients_and_seeds() -> None:
    random = np.random.default_rng(0)
    resampled = random.normal(0, 1, (4000, 1)) + np.array([-1.0, 0.0, 1.0])
    low, high = intervals.percentile_interval(resampled, seed=0)
    deviation = np.sqrt(1 + 2 / 9)  # patients' 1; the seeds' 2/3 over 3
    assert (low, high) == pytest.approx((-1.96 * deviation, 1.96 * deviation), abs=0.12)
