"""Scores of several seeds on one test set -> mean, interval, p-value: seeds and patients both are samples.

Networks trained with several seeds and judged on the same patients are what several readers of the same radiographs
are, and so is the question: what would other seeds and other patients give? Obuchowski and Rockette 1995
(Communications in Statistics B 24:285) gave the model. What seeds add is estimated from few, what patients add from
many; Banerjee 1960 (Sankhya 22:357) has the interval that holds the level however the two compare.
docs/explanation/verdict.md has the formulas, and docs/explanation/power.md the simulations.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import t as student

from xrayaug.stats.bootstrap import FloatArray

ALPHA = 0.05  # significance level of every test; intervals have confidence 1 - ALPHA
SEED_STREAM = 0  # what the random stream of `percentile_interval` is for
MIN_P_VALUE = 1e-100  # a smaller p-value is given as this


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and how well it is known."""

    value: float
    seed_variance: float  # variance of the mean that the seeds are seen to add, s^2 / S
    patient_variance: float  # variance that the patients add, the same for all seeds
    seeds: int
    patient_df: float = math.inf  # degrees of freedom of `patient_variance`

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return math.sqrt(self.seed_variance + self.patient_variance)

    def half_width(self, level: float) -> float:
        """Of the interval that misses the truth with probability `level` at most.

        Each variance times the square of its own quantile of t, summed: Banerjee 1960, Sankhya 22:357.
        """
        squared: float = float(student.isf(level / 2, self.patient_df)) ** 2 * self.patient_variance
        if self.seeds > 1:
            squared += float(student.isf(level / 2, self.seeds - 1)) ** 2 * self.seed_variance
        return math.sqrt(squared)

    def interval(self, level: float = ALPHA) -> tuple[float, float]:
        """Bounds of the interval that misses the truth with probability `level` at most, half on either side."""
        half = self.half_width(level)
        return self.value - half, self.value + half

    def p_value(self) -> float:
        """Of the truth being 0, two-sided: the level of the interval that ends at 0."""
        return self._two_sided(abs(self.value))

    def p_equivalent(self, margin: float) -> float:
        """Of the truth lying outside (-margin, margin): the larger of two one-sided tests.

        Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15:657.
        """
        nearest = margin - abs(self.value)
        beyond = self._two_sided(abs(nearest)) / 2
        return beyond if nearest > 0 else 1 - beyond

    def _two_sided(self, distance: float) -> float:
        """The level at which the half-width is `distance`."""
        if distance <= 0:
            return 1.0
        if self.half_width(MIN_P_VALUE) <= distance:
            return MIN_P_VALUE
        found = brentq(lambda log_level: self.half_width(math.exp(log_level)) - distance, math.log(MIN_P_VALUE), 0.0)
        return float(math.exp(found))


def estimate(values: FloatArray, resampled: FloatArray, cases: int, patients: int) -> Estimate | None:
    """The mean over seeds, its variance that of the seeds and that of the patients together.

    With d_s a seed's value and C the covariance of two seeds' values over resamples of the patients (averaged over
    pairs, at least 0), the variance is var(d_s) / S + C. What each seed makes of each patient anew is in var(d_s)
    alone, and so counts once. A bootstrap of n patients makes C too small by (n - 1) / n, which is undone, and knows
    it to n - 1 degrees of freedom at most (Cameron and Miller 2015, Journal of Human Resources 50:317).

    The variance is held to 2 / (cases + 2)^2, what one case more for either side would give (Bonett and Price 2012,
    Journal of Educational and Behavioral Statistics 37:479): where no network differs on any case, that is no
    certainty.

    Args:
        values: `[S]`, a score, or a difference of scores, of each seed.
        resampled: `[B, S]`, the same of the resamples; those with NaN are left out.
        cases: how many the score is of.
        patients: how many of the class that has fewest of them.

    Returns:
        None where a value is undefined, too few resamples have one, or a class is of one patient. With one seed the
        interval is of that seed alone, over other patients.
    """
    usable = resampled[np.isfinite(resampled).all(axis=1)]
    if not np.isfinite(values).all() or len(usable) < max(2, len(resampled) // 2) or patients < 2:
        return None
    seeds = len(values)
    seed_variance = float(np.var(values, ddof=1)) / seeds if seeds > 1 else 0.0
    patient_variance = _shared(usable) * patients / (patients - 1)
    least = 2 / (cases + 2) ** 2
    freedom = min(len(usable), patients) - 1
    return Estimate(float(np.mean(values)), seed_variance, max(patient_variance, least - seed_variance), seeds, freedom)


def _shared(resampled: FloatArray) -> float:
    """Of `[B, S]` the mean covariance of two seeds, at least 0; with one seed its variance."""
    seeds = resampled.shape[1]
    covariance = np.atleast_2d(np.cov(resampled, rowvar=False))
    alone = float(np.trace(covariance))
    if seeds == 1:
        return alone
    return float(max((float(covariance.sum()) - alone) / (seeds * (seeds - 1)), 0.0))


def percentile_interval(resampled: FloatArray, seed: int) -> tuple[float, float]:
    """The bootstrap's interval of the mean over seeds: patients and seeds drawn anew, each with replacement.

    Percentiles of it (Efron 1979; both factors drawn independently: Owen 2007, Annals of Applied Statistics 1:386).
    Reported, but it decides nothing: what each seed makes of each patient anew counts twice in it, the seeds' own
    spread only (S - 1) / S times, and which of the two prevails depends on the study.

    Args:
        resampled: `[B, S]`, of resampled patients.
        seed: of the draws of seeds.
    """
    random = np.random.default_rng([seed, SEED_STREAM])
    drawn = random.integers(0, resampled.shape[1], resampled.shape)
    means = np.take_along_axis(resampled, drawn, axis=1).mean(axis=1)
    low, high = np.nanquantile(means, (ALPHA / 2, 1 - ALPHA / 2))
    return float(low), float(high)
