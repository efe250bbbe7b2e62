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
from scipy.special import ndtri, stdtrit

from xrayaug.stats.array_types import FloatArray

ALPHA = 0.05  # significance level of every test; intervals have confidence 1 - ALPHA
SEED_STREAM = 0  # number of the random stream of `percentile_interval`
MIN_P_VALUE = 1e-100  # lower bound of p-values
MAX_POOLED_ARMS = 5  # arms whose degrees of freedom a pooled variance counts, besides the reference
DEGREES = 8  # largest effective size of a score by degrees, in patients, where all are right
DEGREES_OF_RATES = 2  # that of a score made of rates


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds, with the variances of seeds and patients."""

    value: float
    seed_variance: float  # observed variance of the mean over seeds, s^2 / S
    patient_variance: float  # variance due to patients, shared by all seeds
    seeds: int
    patient_df: float = math.inf  # degrees of freedom of `patient_variance`
    pooled_df: float | None = None  # of `seed_variance` if it was pooled over arms; None: it is of the seeds alone
    limit: float = math.inf  # the largest absolute value that is possible

    @property
    def seed_df(self) -> float:
        """Degrees of freedom of `seed_variance`: S - 1, or more if it was pooled over arms."""
        return self.seeds - 1 if self.pooled_df is None else self.pooled_df

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return math.sqrt(self.seed_variance + self.patient_variance)

    def half_width(self, level: float) -> float:
        """Return half the width of the interval that misses the true value with probability at most `level`.

        Its square is the sum of each variance times its own squared t quantile: Banerjee 1960, Sankhya 22:357.
        """
        of_patients = _squared_quantile(level, self.patient_df) * self.patient_variance
        of_seeds = _squared_quantile(level, self.seed_df) * self.seed_variance if self.seeds > 1 else 0.0
        return math.sqrt(of_patients + of_seeds)

    def interval(self, level: float = ALPHA) -> tuple[float, float]:
        """Return the interval that misses the true value with probability at most `level`, half on either side."""
        half_width = self.half_width(level)
        return max(self.value - half_width, -self.limit), min(self.value + half_width, self.limit)

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


@dataclass(frozen=True)
class ScoreEstimate(Estimate):
    """A mean over seeds of a score that has a lowest and a highest value, which its intervals do not leave."""

    lowest: float = 0.0
    highest: float = 1.0
    is_rate: bool = False  # a case is right or wrong, as for the sensitivity; else it counts by degrees
    is_of_rates: bool = False  # made of rates, as the balanced accuracy

    def interval(self, level: float = ALPHA) -> tuple[float, float]:
        """Return Wilson's interval (1927, JASA 22:209) with the half-width h instead of that of independent cases.

        The variance of a share u of n independent cases is u (1 - u) / n, so a score whose half-width is h has the
        effective size n = t^2 u (1 - u) / h^2 (Kish 1965; Korn and Graubard 1998, Survey Methodology 24:193). Near its
        bounds too few cases are wrong to estimate h. With m patients and u scaled to [0, 1], the effective size is
        therefore at most m (1 + m min(u, 1 - u)) for a rate, m (2 + m min(u, 1 - u)) for a score made of rates, which
        one wrong case changes half as much, and m (8 + m min(u, 1 - u)) for a score by degrees, whose variance is at
        least an eighth of a rate's.
        """
        scale = self.highest - self.lowest
        share = min(max((self.value - self.lowest) / scale, 0.0), 1.0)
        patients = self.patient_df + 1
        at_bound = 1 if self.is_rate else DEGREES_OF_RATES if self.is_of_rates else DEGREES
        size = patients * (at_bound + patients * min(share, 1 - share))
        inverse = 0.0 if math.isinf(size) else _squared_quantile(level, self.patient_df) / size
        if 0 < share < 1:
            inverse = max(inverse, (self.half_width(level) / scale) ** 2 / (share * (1 - share)))
        middle = (share + inverse / 2) / (1 + inverse)
        half = math.sqrt(inverse * share * (1 - share) + inverse**2 / 4) / (1 + inverse)
        low, high = min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)  # but for rounding
        return self.lowest + scale * low, self.lowest + scale * high


def _squared_quantile(level: float, df: float) -> float:
    """Return the square of the quantile of Student's t that is exceeded on either side with probability `level` / 2."""
    return float(ndtri(level / 2) if math.isinf(df) else stdtrit(df, level / 2)) ** 2


@dataclass(frozen=True)
class PooledVariance:
    """The variance between seeds of the difference of two arms, pooled over several arms."""

    variance: float
    df: float  # degrees of freedom


def pool_seed_variance(scores: FloatArray) -> PooledVariance | None:
    """Pool the variance between seeds of the difference of an arm to a reference over all arms.

    In the model of Obuchowski and Rockette 1995 with arms as modalities and seeds as readers, a difference of two
    arms has the variance 2 MS(arm x seed) over seeds, on (A - 1)(S - 1) degrees of freedom (Hillis 2007, Statistics in
    Medicine 26:596). It assumes that all arms vary equally. The reference is in every difference, so its own variance
    is added where it varies more than the others: with M the mean square over the others alone, V = var(reference -
    mean of the others) - M / (A - 1), at least 0, is the reference's variance, and the result is at least M + V. Arms
    beyond `MAX_POOLED_ARMS` add no degrees of freedom, as one arm that varies more weighs the less among many.

    Args:
        scores: `[A, S]`, of each arm and seed, with the reference first.

    Returns:
        None with fewer than three arms or two seeds, where there is nothing to pool.
    """
    arms, seeds = scores.shape
    if arms < 3 or seeds < 2 or not np.isfinite(scores).all():
        return None
    return PooledVariance(float(pooled_variances(scores)), pooled_df(arms, seeds))


def pooled_variances(scores: FloatArray) -> FloatArray:
    """Return the pooled variances `[...]` of studies `[..., A, S]`, as in `pool_seed_variance`."""
    reference, others = scores[..., 0, :], scores[..., 1:, :]
    of_others = interaction_mean_square(others)
    excess = np.var(reference - others.mean(axis=-2), axis=-1, ddof=1) - of_others / others.shape[-2]
    return np.asarray(np.maximum(2 * interaction_mean_square(scores), of_others + np.maximum(excess, 0)), np.float64)


def pooled_df(arms: int, seeds: int) -> int:
    """Return the degrees of freedom of a variance that is pooled over so many arms, the reference among them."""
    return min(arms - 1, MAX_POOLED_ARMS) * (seeds - 1)


def interaction_mean_square(scores: FloatArray) -> FloatArray:
    """Return the mean square of the interaction of arm and seed `[...]` from analyses of variance of `[..., A, S]`."""
    arms, seeds = scores.shape[-2:]
    centered = scores - scores.mean(axis=-2, keepdims=True)
    residuals = centered - centered.mean(axis=-1, keepdims=True)
    return np.asarray(np.sum(residuals**2, axis=(-2, -1)) / ((arms - 1) * (seeds - 1)), np.float64)


def estimate(
    values: FloatArray,
    influence: FloatArray,
    patients: float,
    pooled: PooledVariance | None = None,
    min_variance: float = 0.0,
) -> Estimate | None:
    """Estimate the mean over seeds and its variance due to seeds and patients.

    With d_s a seed's value and C the covariance of two seeds' values over samples of patients (averaged over pairs, at
    least 0), the variance is var(d_s) / S + C. The interaction of seed and patient is in var(d_s) alone, and so counts
    once. C is the sum of products of the influences of patients, times n / (n - 1) for n patients, and has n - 1
    degrees of freedom.

    Args:
        values: `[S]`, a score, or a difference of scores, of each seed.
        influence: `[G, S]`, of each patient, or group of patients, on each of the values: `influence.sum_by_patient`.
        patients: effective number of patients by whom the score is estimated: `influence.PatientCounts.of_metric`.
        pooled: variance between seeds, of which the larger of it and of the seeds' own is taken; None: their own.
        min_variance: least variance of the mean, as by `least_variance`.

    Returns:
        None where a value is undefined, or with fewer than two patients. With one seed the interval is of that seed
        alone, over other patients.
    """
    if not np.isfinite(values).all() or not np.isfinite(influence).all() or patients < 2:
        return None
    seeds = len(values)
    seed_variance, pooled_df = _seed_variance(values, pooled)
    patient_variance = _shared_variance(influence) * patients / (patients - 1)
    patient_variance = max(patient_variance, min_variance - seed_variance)
    patient_df = min(len(influence), patients) - 1
    return Estimate(float(np.mean(values)), seed_variance, patient_variance, seeds, patient_df, pooled_df)


def least_variance(patients: float, score: float, is_rate: bool) -> float:
    """Return the least variance of a difference of two scores: that of one more patient for either side.

    It is 2 / (n + 2)^2 for n patients (Bonett and Price 2012, Journal of Educational and Behavioral Statistics 37:479):
    networks that agree on all patients do not prove a difference of 0. About 3 / n, the rule of three, is then the
    half-width. A patient counts fully in a rate. In a score by degrees, such as the AUROC, a patient counts by the
    standard deviation of a rate of the same value with one more patient on either side, sqrt(u (1 - u)).

    Args:
        patients: by whom the score is estimated.
        score: the mean of the two scores.
        is_rate: a case is right or wrong; else it counts by degrees.
    """
    share = (patients * min(max(score, 0.0), 1.0) + 1) / (patients + 2)
    return 2 * (1.0 if is_rate else share * (1 - share)) / (patients + 2) ** 2


def _seed_variance(values: FloatArray, pooled: PooledVariance | None) -> tuple[float, float | None]:
    """Return the variance of the mean over seeds of `[S]`, and its degrees of freedom if it is pooled."""
    seeds = len(values)
    own = float(np.var(values, ddof=1)) if seeds > 1 else 0.0
    if pooled is None:
        return own / seeds, None
    return max(own, pooled.variance) / seeds, pooled.df


def average(estimates: Sequence[Estimate], values: FloatArray, pooled: PooledVariance | None = None) -> Estimate:
    """Estimate the mean of the values of several test sets with equal weight, over the same seeds.

    The networks are the same on all sets, so the variance of seeds is that of each seed's mean over the sets. The
    patients of one set are independent of those of another, so the variance of their mean is the sum of the sets' own
    divided by K^2. Of the sets' degrees of freedom the fewest are used, which makes the interval no narrower than with
    a quantile of its own for each set.

    Args:
        estimates: of each of K sets.
        values: `[K, S]`, a score, or a difference of scores, of each seed on each set.
        pooled: variance between seeds of the mean over sets, as in `estimate`.
    """
    sets, seeds = values.shape
    means = values.mean(axis=0)
    patient_variance = sum(each.patient_variance for each in estimates) / sets**2
    patient_df, limit = min(each.patient_df for each in estimates), min(each.limit for each in estimates)
    seed_variance, pooled_df = _seed_variance(means, pooled)
    return Estimate(float(np.mean(means)), seed_variance, patient_variance, seeds, patient_df, pooled_df, limit)


def _shared_variance(influence: FloatArray) -> float:
    """Return the mean covariance of two seeds, from influences `[G, S]`, at least 0; with one seed its variance."""
    seeds = influence.shape[1]
    products = influence.T @ influence
    trace = float(np.trace(products))
    if seeds == 1:
        return trace
    return float(max((float(products.sum()) - trace) / (seeds * (seeds - 1)), 0.0))


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
