"""Proportions of independent cases."""

from scipy.stats import binomtest

from xrayaug.stats.intervals import ALPHA


def exact_interval(count: int, cases: int) -> tuple[float, float]:
    """Return the exact confidence interval of a proportion, `count` of `cases`, at the level 1 - `ALPHA`.

    Clopper and Pearson 1934, Biometrika 26:404.
    """
    bounds = binomtest(count, cases).proportion_ci(1 - ALPHA, method="exact")
    return float(bounds.low), float(bounds.high)
