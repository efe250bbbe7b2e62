"""Scores of several seeds on one test set -> mean, interval, p-value: seeds and patients both are samples.

Networks trained with several seeds and judged on the same patients are what several readers of the same radiographs
are, and so is the question: what would other seeds and other patients give? Obuchowski and Rockette 1995
(Communications in Statistics B 24:285) gave the model, Hillis 2007 (Statistics in Medicine 26:596) the degrees of
freedom that hold the level with few readers. docs/verdict.md has the formulas, and what simulations say of them.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from xrayaug.resampling import Values

LEVEL = 0.05  # of every test; intervals are of 1 - LEVEL
DRAWS_OF_SEEDS = 0  # what the random stream of `percentile` is for


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and how well it is known."""

    value: float
    error: float  # standard error
    freedom: float  # degrees of freedom of it
    seeds: int

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Bounds of the interval that misses the truth with probability `level`, half on either side."""
        half = self.error * float(student.isf(level / 2, self.freedom))
        return self.value - half, self.value + half

    def p_value(self) -> float:
        """Of the truth being 0, two-sided."""
        return float(2 * student.sf(abs(self.value) / self.error, self.freedom))

    def p_equivalent(self, margin: float) -> float:
        """Of the truth lying outside (-margin, margin): the larger of two one-sided tests.

        Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15:657.
        """
        nearest = margin - abs(self.value)
        return float(student.sf(nearest / self.error, self.freedom))

    def told(self) -> dict[str, Any]:
        """Value and interval, for the result."""
        low, high = self.interval()
        return {"value": self.value, "low": low, "high": high, "seeds": self.seeds}


def estimate(values: Values, resampled: Values, cases: int) -> Estimate | None:
    """The mean over seeds, its variance that of the seeds and that of the patients together.

    With d_s a seed's value, C the covariance of two seeds' values over resamples of the patients (averaged over pairs,
    at least 0) and e what a seed's variance over resamples exceeds it by (at least 0), V = max(var(d_s), e) / S + C.
    What each seed makes of each patient anew is in both sources of variance and counts once; the resamples tell it
    better than a few seeds do, so that seeds that agree by chance do not count as seeds that agree. The degrees of
    freedom are Satterthwaite's for var(d_s) / S, known to S - 1, and C, known to B - 1.

    V is held to 2 / (cases + 2)^2, what one case more for either side would give (Bonett and Price 2012, Journal of
    Educational and Behavioral Statistics 37:479): where no network differs on any case, that is no certainty.

    Args:
        values: `[S]`, a score, or a difference of scores, of each seed.
        resampled: `[B, S]`, the same of the resamples; those with NaN are left out.
        cases: how many the score is of.

    Returns:
        None where a value is undefined or too few resamples have one. With one seed the interval is of that seed
        alone, over other patients.
    """
    usable = resampled[np.isfinite(resampled).all(axis=1)]
    if not np.isfinite(values).all() or len(usable) < max(2, len(resampled) // 2):
        return None
    seeds = len(values)
    shared, own = _covariances(usable)
    of_seeds = float(np.var(values, ddof=1)) / seeds if seeds > 1 else 0.0
    variance = max(max(of_seeds, own / seeds) + shared, 2 / (cases + 2) ** 2)
    uncertain = of_seeds**2 / max(seeds - 1, 1) + shared**2 / (len(usable) - 1)
    freedom = variance**2 / uncertain if uncertain else math.inf
    return Estimate(float(np.mean(values)), math.sqrt(variance), freedom, seeds)


def _covariances(resampled: Values) -> tuple[float, float]:
    """Of `[B, S]`: the mean covariance of two seeds, and what the mean variance of one exceeds it by; at least 0 each.

    With one seed its variance, and 0.
    """
    seeds = resampled.shape[1]
    covariance = np.atleast_2d(np.cov(resampled, rowvar=False))
    alone = float(np.trace(covariance)) / seeds
    if seeds == 1:
        return alone, 0.0
    shared = max((float(covariance.sum()) - seeds * alone) / (seeds * (seeds - 1)), 0.0)
    return shared, max(alone - shared, 0.0)


def percentile(resampled: Values, seed: int) -> tuple[float, float]:
    """The bootstrap's interval of the mean over seeds: patients and seeds drawn anew, each with replacement.

    Percentiles of it (Efron 1979; both factors drawn independently: Owen 2007, Annals of Applied Statistics 1:386).
    Reported, but it decides nothing: what each seed makes of each patient anew counts twice in it, the seeds' own
    spread only (S - 1) / S times, and which of the two prevails depends on the study.

    Args:
        resampled: `[B, S]`, of resampled patients.
        seed: of the draws of seeds.
    """
    random = np.random.default_rng([seed, DRAWS_OF_SEEDS])
    drawn = random.integers(0, resampled.shape[1], resampled.shape)
    means = np.take_along_axis(resampled, drawn, axis=1).mean(axis=1)
    low, high = np.nanquantile(means, (LEVEL / 2, 1 - LEVEL / 2))
    return float(low), float(high)
