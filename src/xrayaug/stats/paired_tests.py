"""Paired tests of two networks, or of several pairs, on the same cases; and Holm's correction for several tests."""

import itertools
from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, norm

from xrayaug.stats.array_types import FloatArray
from xrayaug.stats.classification import Labels, Probabilities

Key = TypeVar("Key", bound=Hashable)

MAX_ENUMERATED_SEEDS = 16  # up to 65,536 sign patterns
RANDOM_FLIPS = 65536  # sign patterns if there are more seeds


def mcnemar(only_first: int, only_second: int) -> float:
    """P-value of two networks being right equally often, from the cases that only one of them gets right.

    Exact and two-sided, binomial with one half: McNemar 1947, Psychometrika 12:153. 1 where they differ on no case.
    """
    different = only_first + only_second
    return float(binomtest(only_first, different, 0.5).pvalue) if different else 1.0


def delong(labels: Labels, first: Probabilities, second: Probabilities) -> tuple[float, float, float] | None:
    """Return the difference of two correlated areas under the ROC curve, its standard error and two-sided p-value.

    DeLong et al. 1988, Biometrics 44:837, by the mid-ranks of Sun and Xu 2014, IEEE Signal Processing Letters 21:1389.

    Args:
        labels: `[N]`, 0 or 1; cases count as independent.
        first: `[N]`, any scores that rise with being abnormal.
        second: `[N]`, the other network's on the same cases.

    Returns:
        `first - second`, error and p-value; None if a class has fewer than two cases. The p-value is 1 if the
        networks rank all cases alike.
    """
    truth = labels == 1
    if truth.sum() < 2 or (~truth).sum() < 2:
        return None
    placements = [placement_values(truth, scores) for scores in (first, second)]
    abnormal_values, normal_values = placements[0][0] - placements[1][0], placements[0][1] - placements[1][1]
    difference = float(np.mean(abnormal_values))
    variance = np.var(abnormal_values, ddof=1) / len(abnormal_values) + np.var(normal_values, ddof=1) / len(
        normal_values
    )
    error = float(np.sqrt(variance))
    return difference, error, float(2 * norm.sf(abs(difference) / error)) if error else 1.0


def auroc_error(positives: FloatArray, negatives: FloatArray) -> float:
    """Return DeLong's standard error of the area under the ROC curve, of scores `[M]` and `[N]`, at least two each."""
    truth = np.repeat([True, False], [len(positives), len(negatives)])
    values = placement_values(truth, np.concatenate([positives, negatives]))
    return float(np.sqrt(sum(np.var(each, ddof=1) / len(each) for each in values)))


def sign_flip(differences: FloatArray) -> tuple[float, float]:
    """P-value of either sign of the seeds' differences being equally likely, and the smallest possible with S seeds.

    Two-sided, of the mean over all ways to flip signs (Fisher 1935, The Design of Experiments, section 21); for more
    than `MAX_ENUMERATED_SEEDS` seeds over random ones. It generalises to other seeds on these test cases only.

    Args:
        differences: `[S]`.
    """
    seeds = len(differences)
    if seeds <= MAX_ENUMERATED_SEEDS:
        signs = np.array(list(itertools.product((1, -1), repeat=seeds)))
    else:
        flips = np.random.default_rng(seeds).integers(0, 2, (RANDOM_FLIPS - 1, seeds)) * 2 - 1
        signs = np.vstack([np.ones(seeds, np.int64), flips])
    reached = np.abs(signs @ differences)
    as_far = np.count_nonzero(reached >= reached[0] * (1 - 1e-12))  # a tolerance for rounding
    return as_far / len(signs), 2.0 ** (1 - seeds) if seeds <= MAX_ENUMERATED_SEEDS else 1 / len(signs)


def holm(p_values: Mapping[Key, float], size: int | None = None) -> dict[Key, float]:
    """P-values such that, at any level, wrong rejections among all of them are no likelier than the level.

    Holm 1979, Scandinavian Journal of Statistics 6:65; whatever the tests' dependence.

    Args:
        p_values: of the tests.
        size: number of tests in the family, if some of them are not made now, as their arms were told at an earlier
            look; by default the number of p-values.
    """
    adjusted: dict[Key, float] = {}
    largest, count = 0.0, len(p_values) if size is None else size
    for rank, name in enumerate(sorted(p_values, key=lambda each: p_values[each])):
        largest = max(largest, min(1.0, p_values[name] * (count - rank)))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def placement_values(truth: npt.NDArray[np.bool_], scores: Probabilities) -> tuple[FloatArray, FloatArray]:
    """Return each abnormal case's share of normal ones below it, and each normal one's share of abnormal ones above."""
    abnormal, normal = scores[truth], scores[~truth]
    return _shares_below(abnormal, normal), 1 - _shares_below(normal, abnormal)


def _shares_below(values: FloatArray, others: FloatArray) -> FloatArray:
    """Return the share of the others below each value; ties count half."""
    ordered = np.sort(others)
    places = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.asarray(places / (2 * len(others)), np.float64)
