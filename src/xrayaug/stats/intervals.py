"""Mean, interval and p-value of scores of several seeds on one test set, with seeds and patients both as samples.

Networks trained with several seeds and tested on the same patients correspond to several readers of the same
radiographs: what would other seeds and other patients give? The model is that of Obuchowski and Rockette 1995
(Communications in Statistics B 24:285). The variance of seeds is estimated from few, that of patients from many; the
interval of Banerjee 1960 (Sankhya 22:357) keeps its level whatever their ratio.
docs/explanation/verdict.md has the formulas, and docs/explanation/power.md the simulations.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import t as student

from xrayaug.stats.array_types import FloatArray

ALPHA = 0.05  # significance level of every test; intervals have confidence 1 - ALPHA
SEED_STREAM = 0  # number of the random stream of `percentile_interval`
MIN_P_VALUE = 1e-100  # lower bound of p-values


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, with the variances of seeds and patients."""

    value: float
    seed_variance: float  # observed variance of the mean over seeds, s^2 / S
    patient_variance: float  # variance due to patients, shared by all seeds
    seeds: int
    patient_df: float = math.inf  # degrees of freedom of `patient_variance`

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return math.sqrt(self.seed_variance + self.patient_variance)

    def half_width(self, level: float) -> float:
        """Return half the width of the interval that misses the true value with probability at most `level`.

        Its square is the sum of each variance times its own squared t quantile: Banerjee 1960, Sankhya 22:357.
        """
        squared: float = float(student.isf(level / 2, self.patient_df)) ** 2 * self.patient_variance
        if self.seeds > 1:
            squared += float(student.isf(level / 2, self.seeds - 1)) ** 2 * self.seed_variance
        return math.sqrt(squared)

    def interval(self, level: float = ALPHA) -> tuple[float, float]:
        """Return the interval that misses the true value with probability at most `level`, half on either side."""
        half_width = self.half_width(level)
        return self.value - half_width, self.value + half_width

    def p_value(self) -> float:
        """Return the two-sided p-value of the true value being 0: the level of the interval that ends at 0."""
        return self._two_sided(abs(self.value))

    def p_equivalent(self, margin: float) -> float:
        """Return the p-value of the true value lying outside (-margin, margin): the larger of two one-sided tests.

        Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15:657.
        """
        distance = margin - abs(self.value)
        one_sided = self._two_sided(abs(distance)) / 2
        return one_sided if distance > 0 else 1 - one_sided

    def _two_sided(self, distance: float) -> float:
        """Return the level at which the half-width is `distance`."""
        if distance <= 0:
            return 1.0
        if self.half_width(MIN_P_VALUE) <= distance:
            return MIN_P_VALUE
        log_p = brentq(lambda log_level: self.half_width(math.exp(log_level)) - distance, math.log(MIN_P_VALUE), 0.0)
        return float(math.exp(log_p))


def estimate(values: FloatArray, resampled: FloatArray, cases: int, patients: int) -> Estimate | None:
    """Estimate the mean over seeds and its variance due to seeds and patients.

    With d_s a seed's value and C the covariance of two seeds' values over resamples of the patients (averaged over
    pairs, at least 0), the variance is var(d_s) / S + C. The interaction of seed and patient is in var(d_s)
    alone, and so counts once. A bootstrap of n patients makes C too small by (n - 1) / n, which is corrected, and has
    at most n - 1 degrees of freedom (Cameron and Miller 2015, Journal of Human Resources 50:317).

    The variance is at least 2 / (cases + 2)^2, that of one more case for either side (Bonett and Price 2012, Journal
    of Educational and Behavioral Statistics 37:479): networks that agree on all cases do not prove a difference of 0.

    Args:
        values: `[S]`, a score, or a difference of scores, of each seed.
        resampled: `[B, S]`, the same for each resample; resamples with NaN are left out.
        cases: number of cases that are scored.
        patients: number of patients of the class with fewest.

    Returns:
        None where a value is undefined, too few resamples have one, or a class is of one patient. With one seed the
        interval is of that seed alone, over other patients.
    """
    usable = resampled[np.isfinite(resampled).all(axis=1)]
    if not np.isfinite(values).all() or len(usable) < max(2, len(resampled) // 2) or patients < 2:
        return None
    seeds = len(values)
    seed_variance = float(np.var(values, ddof=1)) / seeds if seeds > 1 else 0.0
    patient_variance = _shared_variance(usable) * patients / (patients - 1)
    min_variance = 2 / (cases + 2) ** 2
    patient_variance = max(patient_variance, min_variance - seed_variance)
    patient_df = min(len(usable), patients) - 1
    return Estimate(float(np.mean(values)), seed_variance, patient_variance, seeds, patient_df)


def average(estimates: Sequence[Estimate], values: FloatArray) -> Estimate:
    """Estimate the mean of the values of several test sets with equal weight, over the same seeds.

    The networks are the same on all sets, so the variance of seeds is that of each seed's mean over the sets. The
    patients of one set are independent of those of another, so the variance of their mean is the sum of the sets' own
    divided by K^2. Of the sets' degrees of freedom the fewest are used, which makes the interval no narrower than with
    a quantile of its own for each set.

    Args:
        estimates: of each of K sets.
        values: `[K, S]`, a score, or a difference of scores, of each seed on each set.
    """
    sets, seeds = values.shape
    means = values.mean(axis=0)
    seed_variance = float(np.var(means, ddof=1)) / seeds if seeds > 1 else 0.0
    patient_variance = sum(each.patient_variance for each in estimates) / sets**2
    patient_df = min(each.patient_df for each in estimates)
    return Estimate(float(np.mean(means)), seed_variance, patient_variance, seeds, patient_df)


def _shared_variance(resampled: FloatArray) -> float:
    """Return the mean covariance of two seeds of `[B, S]`, at least 0; with one seed its variance."""
    seeds = resampled.shape[1]
    covariance = np.atleast_2d(np.cov(resampled, rowvar=False))
    trace = float(np.trace(covariance))
    if seeds == 1:
        return trace
    return float(max((float(covariance.sum()) - trace) / (seeds * (seeds - 1)), 0.0))


def percentile_interval(resampled: FloatArray, seed: int) -> tuple[float, float]:
    """Return the bootstrap interval of the mean over seeds, with patients and seeds resampled.

    Percentile interval (Efron 1979; both factors drawn independently: Owen 2007, Annals of Applied Statistics 1:386).
    It is reported but not used for the verdict: the interaction of seed and patient counts twice in it, the seeds' own
    variance only (S - 1) / S times, and which of the two prevails depends on the study.

    Args:
        resampled: `[B, S]`, of resampled patients.
        seed: seed of the draws of seeds.
    """
    random = np.random.default_rng([seed, SEED_STREAM])
    drawn = random.integers(0, resampled.shape[1], resampled.shape)
    means = np.take_along_axis(resampled, drawn, axis=1).mean(axis=1)
    low, high = np.nanquantile(means, (ALPHA / 2, 1 - ALPHA / 2))
    return float(low), float(high)
