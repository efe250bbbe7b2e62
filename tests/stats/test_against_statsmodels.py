"""The statistics against statsmodels, which nothing but these tests needs."""

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from xrayaug.stats import paired_tests
from xrayaug.stats.intervals import Estimate


@pytest.mark.parametrize(("first", "second"), [(0, 6), (1, 9), (5, 5), (17, 40), (120, 90)])
def test_mcnemar(first: int, second: int) -> None:
    expected = mcnemar([[7, first], [second, 11]], exact=True).pvalue
    assert paired_tests.mcnemar(first, second) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_holm(seed: int) -> None:
    p_values = np.random.default_rng(seed).random(6) ** 3
    expected = multipletests(p_values, method="holm")[1]
    assert list(
        paired_tests.holm({str(at): float(each) for at, each in enumerate(p_values)}).values()
    ) == pytest.approx(list(expected))


@pytest.mark.parametrize("mean", [-0.05, 0.0, 0.01, 0.03])
def test_equivalence(mean: float) -> None:
    """With nothing from the patients it is the paired t-test's pair of one-sided tests."""
    random = np.random.default_rng(3)
    arm, baseline = random.normal(0.8 + mean, 0.01, 5), random.normal(0.8, 0.01, 5)
    expected = ttost_paired(arm, baseline, -0.02, 0.02)[0]
    differing = arm - baseline
    found = Estimate(float(differing.mean()), float(np.var(differing, ddof=1)) / 5, 0.0, 5)
    assert found.p_equivalent(0.02) == pytest.approx(expected)
