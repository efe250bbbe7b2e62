"""The mean of the differences on several test sets: its formula, and whether its interval holds its level."""

import numpy as np
import pytest
from scipy import stats

from xrayaug.stats import intervals
from xrayaug.stats.intervals import Estimate


def test_the_mean_adds_variances_of_patients_and_takes_seeds_as_shared() -> None:
    values = np.array([[0.1, 0.3, 0.2], [0.0, 0.4, 0.5]])
    sets = [Estimate(0.2, 0.01, 0.004, 3, patient_df=40), Estimate(0.3, 0.02, 0.008, 3, patient_df=25)]
    found = intervals.average(sets, values)
    means = values.mean(axis=0)
    assert found.value == pytest.approx(values.mean())
    assert found.seed_variance == pytest.approx(means.var(ddof=1) / 3)
    assert found.patient_variance == pytest.approx((0.004 + 0.008) / 4)
    assert (found.seeds, found.patient_df) == (3, 25)
    half = np.sqrt(stats.t.isf(0.025, 2) ** 2 * means.var(ddof=1) / 3 + stats.t.isf(0.025, 25) ** 2 * 0.003)
    assert found.interval() == pytest.approx((found.value - half, found.value + half))


def test_the_mean_of_one_set_is_that_set() -> None:
    values = np.array([0.1, 0.3, 0.2])
    one = Estimate(0.2, float(values.var(ddof=1)) / 3, 0.004, 3, patient_df=40)
    found = intervals.average([one], values[None])
    assert (found.value, found.seed_variance, found.patient_variance) == pytest.approx((0.2, one.seed_variance, 0.004))


@pytest.mark.parametrize("shared", [0.0, 1.0], ids=["seeds differ by set", "seeds act alike on all sets"])
def test_the_interval_holds_its_level(shared: float) -> None:
    """Mean scores of simulated networks on two sets of unequal size; a seed may act on both sets alike."""
    random = np.random.default_rng(0)
    trials, seeds, patients = 300, 4, (30, 90)
    missed = 0
    for _ in range(trials):
        common = random.normal(size=seeds)
        values, estimates = [], []
        for count in patients:
            seed_effect = 0.1 * (shared * common + (1 - shared) * random.normal(size=seeds))
            scores = seed_effect + random.normal(size=count)[:, None] + 0.3 * random.normal(size=(count, seeds))
            found = intervals.estimate(scores.mean(axis=0), (scores - scores.mean(axis=0)) / count, count)
            assert found is not None
            values.append(scores.mean(axis=0))
            estimates.append(found)
        low, high = intervals.average(estimates, np.array(values)).interval()
        missed += not low <= 0 <= high
    assert missed <= 24  # 300 trials at 5 %: more in 1.5 % of such tests
